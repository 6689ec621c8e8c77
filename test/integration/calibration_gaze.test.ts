/**
 * A whole calibration with real gaze: photographs of people through the HTTP API, the inference pool's own lane, the networks, to the files. What is claimed is that each
 * column is there and true to the picture, not that four photographs make an accurate calibration.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { gazeOf } from '../../src/calibration_stage.js';
import { readCalibrationCsv } from '../../src/calibration/csv_read.js';
import { ROW_COLUMNS } from '../../src/calibration/types.js';
import type { CaptureAddon } from '../../src/capture/types.js';
import { Dispatcher } from '../../src/inference/dispatcher.js';
import { startEngine } from '../../src/inference/engine.js';
import { loadModels } from '../../src/inference/models.js';
import { begin, openWorld, PLACES } from '../fixtures/calibration_world.js';
import { png } from '../fixtures/png.js';

t.setTimeout(240_000);
const ASSETS = 'node_modules/@vladmandic/human/assets';
/** Four people of one photograph, who look in different directions; each becomes one target's frames. */
const PEOPLE = [[8, 347], [165, 347], [322, 347], [479, 347]] as const;
const FRAMES = 12;
const missing = !existsSync('models/weights/blazeface.onnx') ? 'the models are not converted: npm run setup' : spawnSync('ffmpeg', ['-version']).status === 0 ? false : 'ffmpeg is not installed';

/** Frames of one person: the photograph, moved and enlarged a little differently each time, as a webcam would see it. */
function frames(folder: string, target: number): Buffer[] {
  const [x = 0, y = 0] = PEOPLE[target] ?? [];
  return Array.from({ length: FRAMES }, (_, n) => {
    const file = join(folder, `${target}-${n}.jpg`);
    const side = 148 - (n % 4);
    const filter = `crop=${side}:${side}:${x + (n % 3)}:${y + (n % 2)},scale=${460 + n}:${460 + n}:flags=bicubic,pad=640:480:${70 + n}:${(n * 2) % 12}:gray`;
    const made = spawnSync('ffmpeg', ['-v', 'error', '-y', '-i', join(ASSETS, 'screenshot-facedetect.jpg'), '-vf', filter, '-frames:v', '1', '-q:v', '3', file], { encoding: 'utf8' });
    if (made.status !== 0) throw new Error(made.stderr);
    return readFileSync(file);
  });
}

t.test('photographs of people become a calibration', { skip: missing }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sightline-gaze-'));
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const engine = await startEngine({
    manifest: await loadModels({ root: process.cwd() }), providers: ['cpu'], gpu_device: 0, batch_size: 4, workers: 1, threads_per_worker: 1, layout_file: join(folder, 'layout.json'), ort_version: 'test',
    unavailable: {}, measure_limit_ms: 2_000, log,
  });
  const no_cameras = { takeBatch: () => null, releaseBatch: () => undefined, armReady: () => undefined, onReady: () => undefined, setTargetRows: () => undefined, poolStats: () => ({ oldest_ready_us: 0 }), monotonicUs: () => performance.now() * 1000 };
  const dispatcher = new Dispatcher({
    addon: no_cameras as unknown as CaptureAddon, workers: engine.workers, target_rows: 1, latency_budget_us: 3e5, slow_after_ms: 60_000, onSlow: () => undefined, onFrames: async () => undefined, onLost: () => undefined,
  });
  dispatcher.start();
  const world = await openWorld({ gaze: gazeOf(dispatcher) });
  t.teardown(async () => {
    await world.close();
    await dispatcher.stop(2_000);
    await engine.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const candidate_id = 'photo';
  const session_id = await begin(world, candidate_id);
  for (let target = 0; target < PEOPLE.length; target++) {
    const pictures = frames(folder, target);
    const batch = pictures.map((file, n) => ({ frame_data: file.toString('base64'), frame_index: target * 30 + n, target_index: target, target_position: PLACES[target] }));
    const answer = (await world.call('POST', '/api/calibration/frames/batch', { session_id, candidate_id, frames: batch })).body as unknown as { successful_frames: number; results: Record<string, unknown>[] };
    t.equal(answer.successful_frames, FRAMES, JSON.stringify(answer.results.find(({ success }) => success !== true) ?? {}));
    const [first] = answer.results as unknown as { gaze_vector: number[]; bbox: number[]; eye_centers: { right: number[]; left: number[] }; quality: Record<string, number>; frame_shape: number[] }[];
    t.same(first?.frame_shape, [480, 640]);
    t.ok(Math.abs(Math.hypot(...(first?.gaze_vector ?? [])) - 1) < 1e-6 && (first?.gaze_vector[2] ?? 0) < 0, 'a unit vector towards the camera');
    const [x = 0, y = 0, width = 0, height = 0] = first?.bbox ?? [];
    for (const eye of [first?.eye_centers.right ?? [], first?.eye_centers.left ?? []]) t.ok((eye[0] ?? 0) > x && (eye[0] ?? 0) < x + width && (eye[1] ?? 0) > y && (eye[1] ?? 0) < y + height, 'eyes lie in the face');
    t.ok((first?.eye_centers.right[0] ?? 0) < (first?.eye_centers.left[0] ?? 0), 'the person\'s right eye is left in the picture');
    t.ok((first?.quality.lighting ?? 0) > 30 && (first?.quality.detection ?? 0) > 40, JSON.stringify(first?.quality));
  }
  const grey = await world.call('POST', '/api/calibration/frame', { session_id, candidate_id, frame_data: png(320, 240, () => [99, 99, 99]).toString('base64'), frame_index: 999, target_index: 0, target_position: PLACES[0] });
  t.match([grey.status, grey.body], [200, { success: false, error: 'No face detected', frame_shape: [240, 320] }]);
  const done = await world.call('POST', '/api/calibration/complete', { session_id, candidate_id });
  t.equal(done.status, 200, JSON.stringify(done.body));
  t.match(done.body, { calibration_stats: { total_frames: PEOPLE.length * FRAMES }, report: { verdict: /accept|repeat|refuse/ } });
  const files = (await world.call('GET', `/api/calibration/download/${candidate_id}`)).body;
  const table = readCalibrationCsv(String(files['photo_calibration.csv']));
  const column = (name: (typeof ROW_COLUMNS)[number]) => Array.from({ length: table.rows }, (_, row) => table.values[row * ROW_COLUMNS.length + ROW_COLUMNS.indexOf(name)] ?? NaN);
  t.ok(column('gaze_z').every((z) => z > 0), 'in the reference\'s axes');
  t.ok([...column('REyePos_x'), ...column('LEyePos_y'), ...column('LeftEyeBox_xmin'), ...column('HeadBox_xmin')].every((value) => value > 0), 'eyes and boxes are measured');
  t.ok(column('HeadBox_xmin').every(Number.isInteger), 'corners are whole pixels');
  t.ok(column('ROpenClose').every((open) => open === 0 || open === 1));
  const stats = dispatcher.stillStats();
  t.equal(stats.done, PEOPLE.length * FRAMES + 1);
  t.comment(`accepted to gaze, p50/p95/p99: ${stats.latency_ms?.map((ms) => ms.toFixed(0)).join('/')} ms for batches of ${FRAMES} on one thread`);
});
