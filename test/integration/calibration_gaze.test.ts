/**
 * A whole calibration with real gaze: photographs of people through the HTTP API, the inference pool's own lane, the networks, to the files. What is claimed is that each
 * column is there and true to the picture, not that four photographs make an accurate calibration.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { readCalibrationCsv } from '../../src/calibration/csv_read.js';
import { ROW_COLUMNS } from '../../src/calibration/types.js';
import { begin, openWorld, PLACES } from '../fixtures/calibration_world.js';
import { gazeMissing, openGaze, PEOPLE, portraits } from '../fixtures/gaze.js';
import { png } from '../fixtures/png.js';

t.setTimeout(240_000);
const FRAMES = 12;

t.test('photographs of people become a calibration', { skip: gazeMissing() }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sightline-gaze-'));
  const real = await openGaze(folder, 1);
  const world = await openWorld({ gaze: real.gaze });
  t.teardown(async () => {
    await world.close();
    await real.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const candidate_id = 'photo';
  const session_id = await begin(world, candidate_id);
  for (let target = 0; target < PEOPLE.length; target++) {
    const pictures = portraits(folder, target, FRAMES);
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
  const stats = real.dispatcher.stillStats();
  t.equal(stats.done, PEOPLE.length * FRAMES + 1);
  t.comment(`accepted to gaze, p50/p95/p99: ${stats.latency_ms?.map((ms) => ms.toFixed(0)).join('/')} ms for batches of ${FRAMES} on one thread`);
});
