import { readFileSync } from 'node:fs';
import * as ort from 'onnxruntime-node';
import t from 'tap';
import { evaluate } from '../../models/action/evaluate.js';
import { HELD_OUT, TRAINING, windows } from '../../models/action/generate.js';
import { backward, forward, randomWeights, scratchFor, WEIGHT_NAMES, zeroWeights, type Shape } from '../../models/action/network.js';
import { actionModel } from '../../models/action/onnx.js';
import { seeded } from '../../models/action/random.js';
import { keypoints3, project, randomBody, type Pose } from '../../models/action/skeleton.js';
import { encodeModel } from '../../models/onnx/codec.js';
import { KP, toBody } from '../../src/analysis/keypoints.js';
import { ACTION_LABELS, actionFeatures, resamplePoses, STEP_FEATURES, STEP_US, WINDOW_STEPS, type PoseSample } from '../../src/analysis/pose_window.js';
import { makePerson, type PersonOptions } from '../fixtures/analysis_frames.js';

const SHAPE: Shape = { steps: WINDOW_STEPS, inputs: STEP_FEATURES, hidden: 48, labels: ACTION_LABELS.length };

/** Poses at the given times, microseconds. */
function posesAt(times: number[], at: (t_us: number) => PersonOptions): PoseSample[] {
  return times.map((t_us) => ({ t_us, body: toBody(makePerson(at(t_us)).keypoints) }));
}
const every = (gap_us: number, count: number): number[] => Array.from({ length: count }, (_, i) => i * gap_us);

t.test('windows are resampled to 5 Hz whatever the frame rate', async (t) => {
  const move = (t_us: number): PersonOptions => ({ x: 100 + t_us / 20_000 });
  for (const [gap, count] of [[100_000, 40], [200_000, 17], [166_667, 20], [333_333, 12]] as const) {
    const times = every(gap, count);
    const bodies = resamplePoses(posesAt(times, move));
    const end = times.at(-1) as number;
    t.equal(bodies?.length, 16);
    bodies?.forEach((body, step) => {
      const wanted = 100 + (end - (15 - step) * STEP_US) / 20_000;
      const found = ((body[KP.left_hip * 3] as number) + (body[KP.right_hip * 3] as number)) / 2;
      if (Math.abs(found - wanted) > 1e-3) t.fail(`step ${step} at ${gap} µs: ${found} is not ${wanted}`);
    });
  }
});

t.test('no window from too short a time or over a hole', async (t) => {
  t.equal(resamplePoses([]), undefined);
  t.equal(resamplePoses(posesAt(every(200_000, 15), () => ({}))), undefined);
  t.ok(resamplePoses(posesAt(every(200_000, 16), () => ({}))));
  t.ok(resamplePoses(posesAt([90_000, ...every(200_000, 16).slice(1)], () => ({}))), 'half a step late is near enough');
  t.equal(resamplePoses(posesAt([110_000, ...every(200_000, 16).slice(1)], () => ({}))), undefined);
  const hole = every(100_000, 40).filter((t_us) => t_us <= 1_500_000 || t_us >= 2_200_000);
  t.equal(resamplePoses(posesAt(hole, () => ({}))), undefined);
  t.ok(resamplePoses(posesAt(every(100_000, 40).filter((t_us) => t_us <= 1_500_000 || t_us >= 2_100_000), () => ({}))));
});

t.test('a row by hand', async (t) => {
  const bodies = resamplePoses(posesAt(every(200_000, 16), (t_us) => ({ x: 100 + t_us / 12_500, torso: 80, hidden: ['left_wrist'] })));
  const row = actionFeatures(bodies as Float32Array[]) as Float32Array;
  t.equal(row.length, 16 * 85);
  const at = (step: number, index: number): number => row[step * 85 + index] as number;
  const close = (found: number, wanted: number, about: string): void => { t.ok(Math.abs(found - wanted) < 1e-4, `${about}: ${found} is ${wanted}`); };
  close(at(3, KP.left_shoulder * 3), 0.38, 'x in torsos from the hips');
  close(at(3, KP.left_shoulder * 3 + 1), -1, 'y');
  close(at(3, KP.left_shoulder * 3 + 2), 0.8, 'score');
  t.strictSame([0, 1, 2].map((i) => at(3, KP.left_wrist * 3 + i)), [0, 0, 0], 'a hidden keypoint is zeros');
  close(at(3, 51 + KP.left_shoulder * 2), 1, 'velocity: 16 px in 0.2 s is one torso a second');
  close(at(3, 51 + KP.left_shoulder * 2 + 1), 0, 'none upwards');
  close(at(3, 51 + KP.left_wrist * 2), 0, 'none of the hidden');
  close(at(0, 51 + KP.left_shoulder * 2), 0, 'none in the first step');
});

t.test('place and size in the picture do not change a row', async (t) => {
  const row = (x: number, y: number, torso: number): Float32Array => actionFeatures(resamplePoses(posesAt(every(200_000, 16), (t_us) => ({
    x: x + torso * (t_us / 4e6), y, torso, moved: { left_wrist: [0, -t_us / 3e6] },
  }))) as Float32Array[]) as Float32Array;
  const [a, b] = [row(100, 100, 40), row(500, 300, 160)];
  t.ok(a.every((value, i) => Math.abs(value - (b[i] as number)) < 1e-4));
  const shoulders = ['left_shoulder', 'right_shoulder'];
  t.equal(actionFeatures(posesAt(every(200_000, 16), () => ({ hidden: shoulders })).map(({ body }) => body)), undefined, 'no row without a unit of length');
});

t.test('skeleton: upright, left is left, the head on top', async (t) => {
  const body = randomBody(seeded(1), 0, 0);
  const arm = { flexion: 0, abduction: 0, elbow: 0, inward: 0 };
  const leg = { flexion: 0, abduction: 0, knee: 0 };
  const pose: Pose = { x: 0, y: 0, yaw: 0, spine_pitch: 0, spine_roll: 0, spine_twist: 0, head_pitch: 0, head_yaw: 0, left_arm: arm, right_arm: arm, left_leg: leg, right_leg: leg, tilt: 0, tilt_azimuth: 0 };
  const camera = { azimuth: 0, elevation: 0.2, roll: 0, distance: 5, focal: 500 };
  const see = (now: Pose) => keypoints3(body, now).map((p) => project(camera, p));
  const picture = see(pose);
  const y = (name: keyof typeof KP): number => picture[KP[name]]?.y as number;
  t.ok(y('nose') < y('left_shoulder') && y('left_shoulder') < y('left_hip') && y('left_hip') < y('left_knee') && y('left_knee') < y('left_ankle'));
  t.ok((picture[KP.left_shoulder]?.x as number) > (picture[KP.right_shoulder]?.x as number), 'seen from the front the left is on the right');
  const up = see({ ...pose, left_arm: { ...arm, flexion: Math.PI } });
  t.ok((up[KP.left_wrist]?.y as number) < (up[KP.nose]?.y as number), 'a raised arm is above the head');
  const bent = keypoints3(body, { ...pose, left_arm: { ...arm, elbow: Math.PI / 2 }, left_leg: { ...leg, knee: Math.PI / 2 } });
  t.ok((bent[KP.left_wrist]?.[0] as number) > 0.2, 'elbows bend forwards');
  t.ok((bent[KP.left_ankle]?.[0] as number) < -0.2, 'knees bend backwards');
  const fallen = keypoints3(body, { ...pose, tilt: Math.PI / 2 });
  t.ok((fallen[KP.nose]?.[2] as number) < 0.3 && (fallen[KP.nose]?.[0] as number) > 1, 'a fallen body lies');
});

t.test('gradient against differences', async (t) => {
  const shape: Shape = { steps: 4, inputs: 5, hidden: 3, labels: 3 };
  const random = seeded(4);
  const weights = randomWeights(shape, random);
  weights.recurrent_bias.forEach((_, i) => { weights.recurrent_bias[i] = random.normal() * 0.3; });
  const row = Float32Array.from({ length: 20 }, () => random.normal());
  const scratch = scratchFor(shape);
  const gradient = zeroWeights(shape);
  forward(shape, weights, row, scratch);
  backward(shape, weights, row, 1, 0, scratch, gradient);
  const loss = (): number => -Math.log(forward(shape, weights, row, scratch)[1] as number);
  for (const name of WEIGHT_NAMES) {
    let worst = 0;
    weights[name].forEach((value, i) => {
      const step = 0.01;
      weights[name][i] = value + step;
      const above = loss();
      weights[name][i] = value - step;
      const below = loss();
      weights[name][i] = value;
      worst = Math.max(worst, Math.abs((above - below) / (2 * step) - (gradient[name][i] as number)));
    });
    t.ok(worst < 2e-4, `${name}: ${worst}`);
  }
});

t.test('the exported graph is the network', async (t) => {
  const weights = randomWeights(SHAPE, seeded(8));
  weights.recurrent_bias.fill(0.2);
  const session = await ort.InferenceSession.create(encodeModel(actionModel(SHAPE, weights)), { executionProviders: ['cpu'] });
  const source = windows(12, TRAINING);
  const rows = Array.from({ length: 9 }, () => source.next().value.row);
  const { probabilities } = await session.run({ poses: new ort.Tensor('float32', Float32Array.from(rows.flatMap((row) => [...row])), [9, 16, 85]) });
  t.strictSame(probabilities?.dims, [9, 8]);
  const scratch = scratchFor(SHAPE);
  rows.forEach((row, i) => {
    const wanted = forward(SHAPE, weights, row, scratch);
    const worst = Math.max(...wanted.map((value, k) => Math.abs(value - ((probabilities?.data as Float32Array)[i * 8 + k] as number))));
    t.ok(worst < 1e-5, `row ${i}: ${worst}`);
  });
  await session.release();
});

t.test('the committed network reaches its card’s figure on new held-out motion', async (t) => {
  const card = readFileSync('models/cards/action.md', 'utf8');
  const figure = Number(/Held-out accuracy on \d+ windows: ([\d.]+) %/.exec(card)?.[1]) / 100;
  t.ok(figure > 0.85, `the card says ${figure}`);
  const bytes = readFileSync('models/trained/action.onnx');
  t.ok(bytes.length < 500_000);
  t.ok(card.includes(`${bytes.length} bytes`), 'the card is of this file');
  const session = await ort.InferenceSession.create(bytes, { executionProviders: ['cpu'] });
  const count = 1200;
  const source = windows(987_654, HELD_OUT);
  const made = Array.from({ length: count }, () => source.next().value);
  const input = new Float32Array(count * 16 * 85);
  made.forEach(({ row }, i) => { input.set(row, i * row.length); });
  const { probabilities } = await session.run({ poses: new ort.Tensor('float32', input, [count, 16, 85]) });
  let next = 0;
  const { accuracy } = evaluate(() => (probabilities?.data as Float32Array).subarray(next * 8, (next += 1) * 8), made);
  t.ok(accuracy >= figure - 0.03, `${accuracy} against ${figure}`);
  await session.release();
});

t.test('generated motion: repeatable, finite, and held-out bodies and cameras are other ones', async (t) => {
  const [a, b, c] = [windows(5, TRAINING), windows(5, TRAINING), windows(6, TRAINING)];
  for (let i = 0; i < 16; i += 1) {
    const [x, y, z] = [a.next().value, b.next().value, c.next().value];
    t.equal(x.label, i % 8);
    // As bytes: a deep comparison of rows takes seconds.
    t.ok(Buffer.from(x.row.buffer).equals(Buffer.from(y.row.buffer)));
    t.notOk(Buffer.from(x.row.buffer).equals(Buffer.from(z.row.buffer)));
    t.ok(x.row.every((value) => Math.abs(value) <= 4));
  }
  t.ok(HELD_OUT.proportions[0] >= TRAINING.proportions[1]);
  t.ok(HELD_OUT.elevation[0] >= TRAINING.elevation[1]);
  for (const [from, to] of HELD_OUT.azimuths) for (const [low, high] of TRAINING.azimuths) t.ok(to < low || from > high);
});
