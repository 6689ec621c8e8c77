/** The offset estimate end to end, on pictures: accuracy, intervals, refusals, and what a dying OpenCV process does to a check. The whole is bench area ptz. */
import t from 'tap';
import type { PtzView } from '../../src/ptz/estimate/types.js';
import { offsetEngine } from '../fixtures/ptz_engine.js';
import { cameraAt, makePanorama, Random } from '../fixtures/ptz_scene.js';
import { CAMERA, makeTrial, runTrial, shoot, summarise, type Outcome, type TrialKind } from '../fixtures/ptz_trials.js';

t.setTimeout(400_000);

const engine = offsetEngine(t);
const panorama = makePanorama(7);
const TRIALS = 4;

async function trials(kind: TrialKind, count = TRIALS): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (let index = 0; index < count; index++) outcomes.push(await runTrial(engine, await makeTrial(engine.opencv, panorama, kind, index)));
  return outcomes;
}

// The whole targets are looked at with hundreds of trials by the bench; a handful may be a little worse.
t.test('clean views: a few thousandths of a degree', async (t) => {
  const { median_deg, max_deg, refused, coverage } = summarise(await trials('clean'));
  t.comment(`median ${median_deg.toFixed(5)}° max ${max_deg.toFixed(5)}° covered ${coverage.toFixed(2)}`);
  t.equal(refused, 0);
  t.ok(median_deg <= 0.003 && max_deg <= 0.01);
  t.ok(coverage >= 0.75);
});

t.test('a lens nobody told of (k1 = -0.1) is found, not believed away', async (t) => {
  const outcomes = await trials('k1');
  const { max_deg, refused, coverage } = summarise(outcomes);
  t.equal(refused, 0);
  t.ok(max_deg <= 0.02);
  t.ok(coverage >= 0.7);
  for (const { result } of outcomes) t.ok(Math.abs((result.k1 ?? 0) + 0.1) < 0.03, `k1 ${String(result.k1)}`);
});

t.test('a lens that is another one now (k1 = -0.1 in the query alone) is told from the offset', async (t) => {
  const outcomes = await trials('k1_now');
  const { median_deg, max_deg, refused } = summarise(outcomes);
  t.equal(refused, 0);
  t.ok(median_deg < 0.003, `median ${median_deg}`);
  t.ok(max_deg < 0.02, `largest ${max_deg}`);
  for (const { result } of outcomes) t.ok(Math.abs((result.k1_change ?? 0) + 0.1) < 0.01, `k1_change ${String(result.k1_change)}`);
});

t.test('blur, and a zoom that is 3 % off and is reported', async (t) => {
  t.ok(summarise(await trials('blur', 2)).max_deg <= 0.03);
  const zoomed = await trials('zoom', 2);
  t.ok(summarise(zoomed).max_deg <= 0.02);
  for (const { result } of zoomed) t.ok(Math.abs((result.zoom_ratio ?? 0) - 1.03) < 0.0005);
});

t.test('night: none wrong', async (t) => {
  const { max_deg, wrong } = summarise(await trials('night', 3));
  t.equal(wrong, 0);
  t.notOk(max_deg > 0.05);
});

t.test('views of other parts of the world are refused, whatever telemetry says', async (t) => {
  for (const { result } of await trials('apart', 2)) t.match(result, { status: 'refused', reason: /no_overlap|inconsistent/, yaw_deg: null });
});

t.test('several views: signs, a tilt error at pan 90 that is a roll, letters on the picture, a view that cannot be read', async (t) => {
  const random = new Random(5);
  const at = async (pan_deg: number, tilt_deg: number, rotation = cameraAt(pan_deg, tilt_deg, 0)): Promise<PtzView> => ({
    name: `${pan_deg}/${tilt_deg}`, picture: await shoot(engine.opencv, panorama, rotation, 'clean', random), pan_deg, tilt_deg,
  });
  const references = [await at(0, -5), await at(25, 0), await at(90, 0)];
  const right = await engine.estimateOffset(references.slice(0, 2), [await at(0, -5, cameraAt(2, -5, 0)), await at(25, 0, cameraAt(27, 0, 0))], { camera: CAMERA });
  t.equal(right.status, 'drift');
  t.ok(Math.abs((right.yaw_deg ?? 0) + 2) < 0.01, 'really 2° further right is yaw -2');
  t.ok((right.view_scatter_deg ?? 1) < 0.01);
  const roll = await engine.estimateOffset(references, [await at(90, 0, cameraAt(90, 1, 0))], { camera: CAMERA });
  t.ok(Math.abs((roll.roll_deg ?? 0) + 1) < 0.01 && Math.abs(roll.pitch_deg ?? 1) < 0.01, 'tilt reads 1° too low at pan 90: roll -1');
  const mixed = await engine.estimateOffset(references, [await at(0, -5), { name: 'broken', picture: new Uint8Array([1, 2, 3]), pan_deg: 0, tilt_deg: 0 }, { ...(await at(25, 0)), pan_deg: 200 }], { camera: CAMERA });
  t.match(mixed, { status: 'ok', views: [{ status: 'used' }, { status: 'refused', reason: 'unreadable_image' }, { status: 'refused', reason: 'no_candidate' }] });
});

t.test('empty sets, another camera, stored features; the same twice gives the same numbers', async (t) => {
  const trial = await makeTrial(engine.opencv, panorama, 'clean', 0);
  const telemetry = { pan_deg: trial.pan_deg, tilt_deg: trial.tilt_deg };
  const query: PtzView = { name: 'q', picture: trial.query, ...telemetry };
  const stored: PtzView = { name: 'r', picture: await engine.extractFeatures(trial.reference, {}), ...telemetry };
  t.match(await engine.estimateOffset([], [query], { camera: CAMERA }), { status: 'refused', reason: 'no_references' });
  t.match(await engine.estimateOffset([stored], [], { camera: CAMERA }), { status: 'refused', reason: 'no_queries' });
  t.match(await engine.estimateOffset([stored], [query], { camera: { ...CAMERA, width: 1920, height: 1080 } }), { status: 'refused', reason: 'wrong_size' });
  const [first, second] = [await engine.estimateOffset([stored], [query], { camera: CAMERA }), await engine.estimateOffset([stored], [query], { camera: CAMERA })];
  t.same({ ...first, timings: null }, { ...second, timings: null });
  await t.rejects(engine.estimateOffset([stored], [query], { camera: CAMERA, method: 'orb' }), { code: 'PTZ_INPUT', message: /expected orb features, received sift/ });
  for (const method of ['akaze', 'orb'] as const) {
    const { error_deg } = await runTrial(engine, trial, method);
    t.ok((error_deg ?? 9) < 0.03, `${method}: ${error_deg?.toFixed(4)}°`);
  }
});

t.test('the OpenCV process is killed in the middle of a check: the check is done by the next one', async (t) => {
  const trial = await makeTrial(engine.opencv, panorama, 'clean', 1);
  // Stopped, so that it is in the middle of the request whenever it dies.
  const pid = engine.opencv.pid() ?? 0;
  process.kill(pid, 'SIGSTOP');
  const check = runTrial(engine, trial);
  process.kill(pid, 'SIGKILL');
  const { result, error_deg } = await check;
  t.not(result.status, 'refused');
  t.ok((error_deg ?? 9) < 0.01);
  t.ok(engine.opencv.stats().crashes >= 1);
});

t.test('an aborted check ends', async (t) => {
  const trial = await makeTrial(engine.opencv, panorama, 'clean', 2);
  const stop = new AbortController();
  const telemetry = { pan_deg: trial.pan_deg, tilt_deg: trial.tilt_deg };
  const check = engine.estimateOffset([{ name: 'r', picture: trial.reference, ...telemetry }], [{ name: 'q', picture: trial.query, ...telemetry }], { camera: CAMERA, signal: stop.signal });
  stop.abort(new Error('stop'));
  await t.rejects(check, /stop/);
});
