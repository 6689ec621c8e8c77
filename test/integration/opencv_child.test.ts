/** The OpenCV child process: what it answers, and what becomes of requests when it dies, hangs, or cannot start. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadGeometry } from '../../src/geometry/native.js';
import { createOpenCv } from '../../src/opencv/client.js';
import type { FeatureMethod, OpenCv } from '../../src/opencv/types.js';
import { Random } from '../fixtures/ptz_scene.js';

t.setTimeout(180_000);

const opencv = createOpenCv({ deadline_ms: 120_000 });
t.teardown(() => opencv.close());

/** Boxes of random greys. */
function scene(width: number, height: number, seed: number): Uint8Array {
  const random = new Random(seed);
  const grey = new Uint8Array(width * height).fill(90);
  for (let i = 0; i < 300; i++) {
    const [x, y, w, h, level] = [random.between(0, width), random.between(0, height), random.between(4, 50), random.between(4, 50), random.between(10, 245)];
    for (let v = Math.floor(y); v < Math.min(height, y + h); v++) grey.fill(level, v * width + Math.floor(x), v * width + Math.floor(Math.min(width, x + w)));
  }
  return grey;
}

const jpeg = (grey: Uint8Array, width: number, height: number, quality = 92): Promise<Uint8Array> => opencv.ask({ op: 'write', grey, width, height, quality });
const ask = (picture: Uint8Array, method: FeatureMethod, more: object = {}) => opencv.ask({ op: 'features', picture, method, max_features: 500, ignore: [], ...more });

t.test('pictures go out and come back', async (t) => {
  const grey = scene(320, 240, 1);
  const back = await opencv.ask({ op: 'read', picture: await jpeg(grey, 320, 240, 100) });
  t.same([back.width, back.height, back.grey.length], [320, 240, 320 * 240]);
  t.ok(back.grey.every((level, i) => Math.abs(level - (grey[i] ?? 0)) < 30));
});

t.test('features of each kind; the mask keeps them out; matching is that of the geometry addon', async (t) => {
  const picture = await jpeg(scene(640, 480, 2), 640, 480);
  for (const [method, bytes] of [['sift', 128], ['akaze', 61], ['orb', 32]] as const) {
    const found = await ask(picture, method);
    const count = found.size.length;
    t.ok(count > 50 && count <= 500, `${method}: ${count} features`);
    t.same([found.xy.length, found.descriptors.length, found.descriptor_bytes], [count * 2, count * bytes, bytes]);
    const masked = await ask(picture, method, { ignore: [{ x: 0, y: 0, width: 0.5, height: 1 }] });
    t.ok(masked.size.length > 10 && masked.xy.every((value, i) => i % 2 === 1 || value > 310), `${method}: nothing in the left half`);
    const theirs = await opencv.ask({ op: 'match', a: found.descriptors, b: masked.descriptors, descriptor_bytes: bytes, hamming: method !== 'sift', ratio: 0.8 });
    const ours = await loadGeometry().matchFeatures(found.descriptors, masked.descriptors, bytes, method !== 'sift', 0.8);
    t.same(ours, theirs.pairs, `${method}: OpenCV's matcher finds the same ${ours.length / 2} pairs`);
  }
});

t.test('SIFT places features without a shift: a mirrored picture has them mirrored', async (t) => {
  const [width, height] = [640, 480];
  const grey = scene(width, height, 3);
  const mirrored = new Uint8Array(grey.length);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) mirrored[y * width + x] = grey[y * width + width - 1 - x] ?? 0;
  const [a, b] = [await ask(await jpeg(grey, width, height), 'sift'), await ask(await jpeg(mirrored, width, height), 'sift')];
  const sums: number[] = [];
  for (let i = 0; i < a.size.length; i++) {
    for (let j = 0; j < b.size.length; j++) {
      const [dx, dy] = [(a.xy[2 * i] ?? 0) + (b.xy[2 * j] ?? 0) - (width - 1), (a.xy[2 * i + 1] ?? 0) - (b.xy[2 * j + 1] ?? 0)];
      if (Math.hypot(dx, dy) < 0.8) sums.push(dx);
    }
  }
  t.ok(sums.length > 100);
  const middle = sums.sort((p, q) => p - q)[sums.length >> 1] ?? NaN;
  t.ok(Math.abs(middle) < 0.06, `median shift ${middle.toFixed(3)} px`);
});

t.test('a dark picture has its contrast spread', async (t) => {
  const dark = scene(640, 480, 4).map((level) => Math.round(level * 0.18));
  const found = await ask(await jpeg(dark, 640, 480), 'sift');
  t.equal(found.normalised, true);
  t.ok(found.size.length > 100);
});

t.test('what is no picture, too small a one, or of another size is refused in words', async (t) => {
  await t.rejects(ask(new Uint8Array(0), 'sift'), { code: 'IMAGE_UNREADABLE', message: /received 0 bytes/ });
  await t.rejects(ask(new Uint8Array([137, 80, 78, 71, 1, 2]), 'sift'), { code: 'IMAGE_UNREADABLE', message: /6 bytes that do not decode/ });
  const picture = await jpeg(scene(64, 48, 5), 64, 48);
  await t.rejects(ask(picture.subarray(0, 60), 'orb'), { code: 'IMAGE_UNREADABLE' });
  await t.rejects(ask(picture, 'sift', { expect: { width: 640, height: 480 } }), { code: 'IMAGE_SIZE', message: /expected 640×480 pixels as the camera has, received 64×48/ });
  t.same((await ask(await jpeg(new Uint8Array(64 * 48).fill(7), 64, 48), 'akaze')).size.length, 0, 'an empty picture has no features');
});

t.test('the child keeps the memory of a picture for the next one', { skip: process.platform === 'linux' ? false : 'needs /proc' }, async (t) => {
  const picture = await jpeg(scene(1280, 720, 11), 1280, 720);
  // /proc/PID/stat: the eighth field after the name counts pages that had to be mapped.
  const mapped = (): number => Number(readFileSync(`/proc/${opencv.pid()}/stat`, 'utf8').split(') ')[1]?.split(' ')[7]);
  for (let i = 0; i < 3; i++) await ask(picture, 'sift');
  const before = mapped();
  for (let i = 0; i < 3; i++) await ask(picture, 'sift');
  const each = (mapped() - before) / 3;
  t.ok(each < 10_000, `${each.toFixed(0)} pages a picture; its pyramids are 50000`);
});

t.test('cascades: nothing in a picture of boxes', async (t) => {
  const found = await opencv.ask({ op: 'cascade', picture: await jpeg(scene(320, 240, 6), 320, 240), cascade: 'face', min_neighbours: 5, min_size: 40 });
  t.match(found, { width: 320, height: 240 });
  t.ok(found.boxes.length <= 1);
});

t.test('killed under a request: the request is sent again, and answered', async (t) => {
  const picture = await jpeg(scene(1280, 720, 7), 1280, 720);
  const before = opencv.stats();
  const answer = opencv.ask({ op: 'features', picture, method: 'sift', max_features: 2000, ignore: [] });
  const pid = opencv.pid();
  t.ok(pid !== undefined && process.kill(pid, 'SIGKILL'));
  t.ok((await answer).size.length > 100);
  t.equal(opencv.stats().crashes, before.crashes + 1);
  t.equal(opencv.stats().retried, before.retried + 1);
  t.not(opencv.pid(), pid);
});

t.test('a request that kills the child twice is refused; others that wait are answered', async (t) => {
  const picture = await jpeg(scene(64, 48, 8), 64, 48);
  const [bad, good] = await Promise.allSettled([opencv.ask({ op: 'fault', kind: 'crash' }), opencv.ask({ op: 'read', picture })]);
  t.match(bad, { status: 'rejected', reason: { code: 'OPENCV_CRASHED' } });
  t.equal(good.status, 'fulfilled');
});

t.test('a child that hangs is ended at the deadline; the next request has a new one', async (t) => {
  const picture = await jpeg(scene(64, 48, 9), 64, 48);
  const waiting = opencv.ask({ op: 'fault', kind: 'hang' }, { deadline_ms: 300 });
  await t.rejects(waiting, { code: 'OPENCV_TIMEOUT', message: /within 300 ms/ });
  t.equal((await opencv.ask({ op: 'read', picture })).width, 64);
  t.equal(opencv.stats().timeouts, 1);
});

t.test('the queue is bounded, an abort takes a request out, closing refuses the rest', async (t) => {
  const small: OpenCv = createOpenCv({ queue_limit: 2, deadline_ms: 60_000 });
  t.teardown(() => small.close());
  const stop = new AbortController();
  const first = small.ask({ op: 'fault', kind: 'hang' });
  const second = small.ask({ op: 'fault', kind: 'hang' }, { signal: stop.signal });
  const both = Promise.allSettled([first, second]);
  await t.rejects(small.ask({ op: 'fault', kind: 'hang' }), { code: 'OPENCV_BUSY' });
  t.equal(small.stats().refused, 1);
  stop.abort(new Error('no longer wanted'));
  await t.rejects(second, /no longer wanted/);
  await small.close();
  t.match(await both, [{ status: 'rejected', reason: { code: 'OPENCV_UNAVAILABLE' } }, { status: 'rejected' }]);
  await t.rejects(small.ask({ op: 'fault', kind: 'crash' }), { code: 'OPENCV_UNAVAILABLE' });
});

t.test('a child that does not start refuses with its last words, and is not started in a loop', async (t) => {
  const program = join(t.testdir(), 'broken.cjs');
  writeFileSync(program, 'throw new Error("libopencv_core.so.406: cannot open shared object file")');
  const broken = createOpenCv({ program });
  t.teardown(() => broken.close());
  await t.rejects(broken.ask({ op: 'fault', kind: 'crash' }), { code: 'OPENCV_UNAVAILABLE', message: /libopencv_core\.so\.406: cannot open/ });
  await t.rejects(broken.ask({ op: 'fault', kind: 'crash' }), { code: 'OPENCV_UNAVAILABLE' });
  t.equal(broken.pid(), undefined);
});
