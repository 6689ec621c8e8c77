import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { apartDeg, candidatesFor, focalOf, sameZoom } from '../../src/ptz/estimate/candidates.js';
import { checkOptions } from '../../src/ptz/estimate/options.js';
import { findOverlays, without, type FoundView } from '../../src/ptz/estimate/overlays.js';
import type { Features, OffsetOptions, PtzView } from '../../src/ptz/estimate/types.js';
import { commonReason, judge, statusOf } from '../../src/ptz/estimate/verdict.js';
import { cameraOf, inOneCamera, readViewsFolder } from '../../src/ptz/estimate/views_file.js';
import type { NativeOffset } from '../../src/geometry/types.js';

const CAMERA = { width: 1280, height: 720, fx: 1108.5, fy: 1108.5, cx: 639.5, cy: 359.5, k1: 0 };
const view = (pan_deg: number, tilt_deg = 0, zoom?: number): PtzView => ({ name: `${pan_deg}`, picture: new Uint8Array(1), pan_deg, tilt_deg, ...(zoom === undefined ? {} : { zoom }) });
const options = (change: Partial<OffsetOptions> = {}) => checkOptions({ camera: CAMERA, ...change });

t.test('the angle between views is that of their axes, over the seam and at the poles', async (t) => {
  t.ok(Math.abs(apartDeg(view(179), view(-179)) - 2) < 1e-9);
  t.ok(Math.abs(apartDeg(view(350), view(10)) - 20) < 1e-9);
  t.ok(Math.abs(apartDeg(view(0, 89.5), view(180, 89.5)) - 1) < 1e-9, 'near straight up all pans look alike');
  t.equal(apartDeg(view(7, 3), view(7, 3)), 0);
});

t.test('candidates: the nearest by telemetry, of the same zoom', async (t) => {
  const references = [view(60), view(10), view(0), view(-20), view(180), view(5, 0, 4)];
  t.same(candidatesFor(view(2), references, options()), [2, 1, 3]);
  t.same(candidatesFor(view(2), references, options({ max_references: 1 })), [2]);
  t.equal(candidatesFor(view(110), references.slice(1), options()), 'no_candidate');
  t.equal(candidatesFor(view(2, 0, 9), references, options()), 'no_zoom_band');
  t.same(candidatesFor(view(5, 0, 4.5), references, options()), [5], 'at zoom 4.5 only the narrow view is near enough in zoom');
});

t.test('zoom: magnifications by their ratio, values of the 0..1 scale by themselves', async (t) => {
  t.ok(sameZoom(view(0, 0, 2), view(0, 0, 2.4), 1.25));
  t.notOk(sameZoom(view(0, 0, 2), view(0, 0, 2.6), 1.25));
  t.ok(sameZoom(view(0, 0, 0.4), view(0, 0, 0.42), 1.25));
  t.notOk(sameZoom(view(0, 0, 0.4), view(0, 0, 0.5), 1.25));
  t.notOk(sameZoom(view(0, 0, 0.9), view(0), 1.25), 'a command scale is no magnification');
  t.same([focalOf(view(0, 0, 0.3)), focalOf(view(0, 0, 3)), focalOf(view(0))], [1, 3, 1]);
});

t.test('sure only with the whole interval on one side of the threshold', async (t) => {
  const status = (...angles: [number, number][]) => statusOf(angles, 0.5, false);
  t.same(status([0.1, 0.1], [0.2, 0.29], [0, 0]), { status: 'ok', reason: '' });
  t.same(status([0.61, 0.1], [0, 0], [0, 0]), { status: 'drift', reason: '' });
  t.same(status([-0.61, 0.1], [0, 5], [0, 0]), { status: 'drift', reason: '' }, 'one angle is enough');
  t.same(status([0.55, 0.1], [0, 0], [0, 0]), { status: 'uncertain', reason: 'interval_over_threshold' });
  t.same(status([0.45, 0.1], [0, 0], [0, 0]), { status: 'uncertain', reason: 'interval_over_threshold' });
  t.same(statusOf([[2, 0.1]], 0.5, true), { status: 'uncertain', reason: 'views_disagree' });
});

t.test('what is sure is said with the angles it is about', async (t) => {
  const native = { verdict: 'used', angles: { yaw: 0.02, pitch: -0.03, roll: 0 }, half_interval: [1e-4, 1e-4, 1e-4], log_zoom: 0, log_zoom_deviation: 0, k1: 0, k1_change: 0, inliers: 9, cells: 9, scatter: 0, disagree: false } as unknown as NativeOffset;
  const timings = { features_ms: 0, matching_ms: 0, estimation_ms: 0 };
  t.match(judge(native, [], 0.5, timings), { status: 'drift', detail: 'yaw and pitch beyond ±0.5° with the whole interval' });
  t.match(judge(native, [], 3, timings), { status: 'ok', detail: 'all angles lie within ±3° with their whole intervals' });
});

t.test('a refusal names what most views were refused for, and has no numbers', async (t) => {
  const empty = { image: 'a', status: 'refused' as const, references: [], yaw_deg: null, pitch_deg: null, roll_deg: null, ci95_deg: null, inliers: 0, matches: 0, spread: 0, moving_share: null };
  const views = [{ ...empty, reason: 'wrong_size' as const }, { ...empty, reason: 'no_overlap' as const }, { ...empty, reason: 'no_overlap' as const }];
  t.equal(commonReason(views), 'no_overlap');
  const result = judge({ verdict: 'inconsistent' } as NativeOffset, views, 0.5, { features_ms: 0, matching_ms: 0, estimation_ms: 0 });
  t.match(result, { status: 'refused', reason: 'no_overlap', yaw_deg: null, ci95_deg: null, zoom_ratio: null });
  t.match(result.detail, /no overlap/);
});

function features(points: [number, number][]): Features {
  return { method: 'orb', width: 1280, height: 720, count: points.length, xy: Float32Array.from(points.flat()), size: new Float32Array(points.length).fill(2), descriptors: Uint8Array.from(points.map((_, i) => i)), descriptor_bytes: 1 };
}

t.test('what stands still between views of different directions is dropped with its surroundings', async (t) => {
  const world = Array.from({ length: 40 }, (_, i): [number, number] => [100 + i * 25, 300 + (i % 7) * 40]);
  const letters: [number, number][] = [[20, 20], [40, 22], [60, 18], [45, 41]];
  const a: FoundView = { view: view(0), features: features([...letters, ...world]) };
  const b: FoundView = { view: view(20), features: features([...letters.map(([x, y]): [number, number] => [x + 0.4, y]), ...world.map(([x, y]): [number, number] => [x - 200, y])]) };
  const all = async (one: Features): Promise<Uint32Array> => Uint32Array.from({ length: one.count * 2 }, (_, i) => i >> 1);
  const places = await findOverlays([a, b], all);
  t.equal(places.length, 2 * letters.length);
  const left = without(b.features, places);
  t.equal(left.count, world.length);
  t.same([...left.descriptors], world.map((_, i) => i + letters.length), 'descriptors go with their features');
  t.equal((await findOverlays([a, { ...b, view: view(1) }], all)).length, 0, 'views of about the same direction tell nothing');
  t.equal((await findOverlays([a, { view: view(20), features: a.features }], all)).length, 0, 'when everything stands still the camera does');
});

t.test('options: each problem by its field', async (t) => {
  t.throws(() => options({ ignore: { top: 0.1, bottom: 0.1, left: 0.9, right: 0.9 } }), { code: 'PTZ_INPUT', message: /ignore: expected shares/ });
  t.throws(() => options({ threshold_deg: NaN }), { code: 'PTZ_INPUT', message: /threshold_deg: expected a number/ });
  t.throws(() => options({ method: 'surf' as 'sift' }), { code: 'PTZ_INPUT', message: /method: expected one of sift, akaze, orb/ });
  t.throws(() => checkOptions({ camera: { ...CAMERA, fx: 0 } }), { code: 'PTZ_INPUT', message: /camera\.fx/ });
  t.match(options(), { threshold_deg: 0.5, method: 'sift', max_references: 8 });
});

t.test('views.json: the lens from the field of view or from fx; the query may have its own focal length', async (t) => {
  const from_fov = cameraOf({ width: 1280, height: 720, hfov_deg: 60 });
  t.ok(Math.abs(from_fov.fx - 1108.51) < 0.01);
  t.match(from_fov, { cx: 639.5, cy: 359.5, k1: 0 });
  t.match(cameraOf({ width: 100, height: 80, fx: 90, cx: 48 }), { fx: 90, fy: 90, cx: 48, cy: 39.5 });
  t.throws(() => cameraOf({ width: 100, height: 80 }), { code: 'PTZ_INPUT', message: /camera: expected hfov_deg, or fx/ });
  const [wide, long] = [from_fov, { ...from_fov, fx: from_fov.fx * 2, fy: from_fov.fy * 2 }];
  t.match(inOneCamera({ camera: wide, views: [view(0)] }, { camera: long, views: [view(0)] }), { camera: wide, references: [view(0)], queries: [{ zoom: 2 }] });
  t.match(inOneCamera({ camera: long, views: [view(0)] }, { camera: wide, views: [view(0)] }), { camera: wide, references: [{ zoom: 2 }], queries: [view(0)] }, 'no zoom below 1, which would be a command scale');
  t.match(inOneCamera({ camera: wide, views: [view(0)] }, { camera: { ...long, width: 64 }, views: [view(0)] }), { queries: [view(0)] }, 'another size is refused later');
});

t.test('views.json: what is wrong is named with its file and field', async (t) => {
  const dir = t.testdir();
  const folder = (name: string, text: string): string => {
    mkdirSync(join(dir, name));
    writeFileSync(join(dir, name, 'views.json'), text);
    writeFileSync(join(dir, name, 'a.png'), 'x');
    return join(dir, name);
  };
  const camera = { width: 1280, height: 720, hfov_deg: 60 };
  const good = folder('good', JSON.stringify({ camera, views: [{ image: 'a.png', pan_deg: 1, tilt_deg: 2, zoom: 3 }] }));
  t.match(await readViewsFolder(good, '--query'), { views: [{ name: 'a.png', pan_deg: 1, tilt_deg: 2, zoom: 3 }] });
  t.same((await readViewsFolder(folder('none', JSON.stringify({ camera, views: [] })), '--query')).views, []);
  const rejects = async (name: string, text: string, message: RegExp) => t.rejects(readViewsFolder(folder(name, text), '--query'), { code: 'PTZ_INPUT', message });
  await rejects('text', 'nonsense', /--query: .*views\.json: expected JSON/);
  await rejects('pan', JSON.stringify({ camera, views: [{ image: 'a.png', pan_deg: 'left', tilt_deg: 0 }] }), /views.*pan_deg: expected a number/);
  await rejects('camera', JSON.stringify({ camera: { width: 1 }, views: [] }), /camera\.(width|height)/);
  await rejects('gone', JSON.stringify({ camera, views: [{ image: 'b.png', pan_deg: 0, tilt_deg: 0 }] }), /views\[0\]\.image: expected a picture, received b\.png, which cannot be read \(ENOENT\)/);
  await rejects('out', JSON.stringify({ camera, views: [{ image: '../good/a.png', pan_deg: 0, tilt_deg: 0 }] }), /expected a file below the folder/);
  await t.rejects(readViewsFolder(join(dir, 'nowhere'), '--reference'), { code: 'PTZ_INPUT', message: /--reference: expected a folder with views\.json/ });
});
