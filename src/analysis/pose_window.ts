/**
 * Pose windows: the input of the action network. The same code makes the rows at run time and in training (models/action), so
 * the two cannot drift apart.
 */
import { KEYPOINT_COUNT, KP, MIN_KEYPOINT_SCORE, midpoint, torsoLength, type Body, type Point } from './keypoints.js';
import { quantileSorted } from './window.js';

/** Answers of the action network, in the order of its output. */
export const ACTION_LABELS = ['standing', 'walking', 'sitting', 'reaching', 'bending', 'raising_hands', 'fidgeting', 'falling'] as const;
export type ActionLabel = (typeof ACTION_LABELS)[number];

/** Steps of a window, and the time between them: 16 at 5 Hz, 3 s from first to last. */
export const WINDOW_STEPS = 16;
export const STEP_US = 200_000;
/** Longer holes between two poses are not bridged. */
export const MAX_GAP_US = 600_000;
/** How far the oldest pose may lie after the first step's time. */
const START_SLACK_US = STEP_US / 2;

/** Per step: 17 × (x, y, score), then 17 × (vx, vy). */
export const STEP_FEATURES = KEYPOINT_COUNT * 5;
/** Positions and velocities are cut at ± this. */
export const FEATURE_LIMIT = 4;

export interface PoseSample {
  readonly t_us: number;
  readonly body: Body;
}

/**
 * Bodies at 16 steps of 200 ms ending at the newest sample, linear between neighbours. Where a keypoint was seen in only one
 * of the two, its position is that one's and its score fades with the distance in time.
 * @param samples oldest first
 * @returns 16 bodies; undefined when the samples do not reach back far enough or have a hole over MAX_GAP_US
 */
export function resamplePoses(samples: readonly PoseSample[]): Body[] | undefined {
  const newest = samples.at(-1);
  const first = samples[0];
  if (newest === undefined || first === undefined) return undefined;
  const start = newest.t_us - (WINDOW_STEPS - 1) * STEP_US;
  if (first.t_us > start + START_SLACK_US) return undefined;
  const bodies: Body[] = [];
  // One buffer for the window: sixteen small ones a row would keep the collector busy.
  const floats = new Float32Array(WINDOW_STEPS * KEYPOINT_COUNT * 3);
  let at = 0;
  for (let step = 0; step < WINDOW_STEPS; step += 1) {
    const t = start + step * STEP_US;
    while (at + 1 < samples.length && (samples[at + 1] as PoseSample).t_us <= t) at += 1;
    const before = samples[at] as PoseSample;
    const after = samples[at + 1] ?? before;
    if (after.t_us - before.t_us > MAX_GAP_US) return undefined;
    const part = after === before ? 0 : Math.min(1, Math.max(0, (t - before.t_us) / (after.t_us - before.t_us)));
    const body = floats.subarray(step * KEYPOINT_COUNT * 3, (step + 1) * KEYPOINT_COUNT * 3);
    between(before.body, after.body, part, body);
    bodies.push(body);
  }
  return bodies;
}

function between(a: Body, b: Body, part: number, body: Body): void {
  for (let i = 0; i < body.length; i += 3) {
    const scoreA = a[i + 2] as number;
    const scoreB = b[i + 2] as number;
    const seenA = scoreA >= MIN_KEYPOINT_SCORE;
    const seenB = scoreB >= MIN_KEYPOINT_SCORE;
    const weight = seenA && seenB ? part : seenB ? 1 : 0;
    body[i] = (a[i] as number) + ((b[i] as number) - (a[i] as number)) * weight;
    body[i + 1] = (a[i + 1] as number) + ((b[i + 1] as number) - (a[i + 1] as number)) * weight;
    body[i + 2] = scoreA + (scoreB - scoreA) * part;
  }
}

/**
 * The network's row [16 × 85]. Unit of length: the median torso of the window. Positions are relative to the root of their own
 * step (hip midpoint; below the shoulders by one torso where the hips are hidden), y down; velocities are of the picture, so
 * that a body moving as a whole has one, in torsos a second. A keypoint not seen is all zeros, a velocity needs two
 * neighbouring steps. The first step has no velocity.
 * @returns undefined when no step shows shoulders, so that there is no unit
 */
export function actionFeatures(bodies: readonly Body[]): Float32Array | undefined {
  const torsos = bodies.map(torsoLength).filter((torso) => torso !== undefined);
  if (torsos.length === 0) return undefined;
  const unit = quantileSorted(Float64Array.from(torsos).sort(), 0.5);
  const row = new Float32Array(bodies.length * STEP_FEATURES);
  let root: Point | undefined;
  bodies.forEach((body, step) => {
    root = rootOf(body, unit) ?? root;
    if (root === undefined) return;
    const before = step === 0 ? undefined : bodies[step - 1];
    const at = step * STEP_FEATURES;
    for (let k = 0; k < KEYPOINT_COUNT; k += 1) {
      const i = k * 3;
      const score = body[i + 2] as number;
      if (score < MIN_KEYPOINT_SCORE) continue;
      row[at + i] = limit(((body[i] as number) - root.x) / unit);
      row[at + i + 1] = limit(((body[i + 1] as number) - root.y) / unit);
      row[at + i + 2] = score;
      if (before === undefined || (before[i + 2] as number) < MIN_KEYPOINT_SCORE) continue;
      const velocity = at + KEYPOINT_COUNT * 3 + k * 2;
      const rate = 1e6 / STEP_US / unit;
      row[velocity] = limit(((body[i] as number) - (before[i] as number)) * rate);
      row[velocity + 1] = limit(((body[i + 1] as number) - (before[i + 1] as number)) * rate);
    }
  });
  return root === undefined ? undefined : row;
}

function rootOf(body: Body, unit: number): Point | undefined {
  const hips = midpoint(body, KP.left_hip, KP.right_hip);
  if (hips !== undefined) return hips;
  const shoulders = midpoint(body, KP.left_shoulder, KP.right_shoulder);
  return shoulders === undefined ? undefined : { x: shoulders.x, y: shoulders.y + unit };
}

function limit(value: number): number {
  return value < -FEATURE_LIMIT ? -FEATURE_LIMIT : value > FEATURE_LIMIT ? FEATURE_LIMIT : value;
}
