/**
 * Labelled pose windows from the kinematic skeleton, as a pose network would deliver them: random bodies, cameras and frame
 * rates, jitter, misplaced and dropped keypoints, lower bodies behind desks or outside the picture. No recorded person is in them.
 */
import { KP, KEYPOINT_COUNT, type Body } from '../../src/analysis/keypoints.js';
import { ACTION_LABELS, actionFeatures, resamplePoses, STEP_US, WINDOW_STEPS, type ActionLabel, type PoseSample } from '../../src/analysis/pose_window.js';
import { motionOf } from './motions.js';
import { seeded, wander, type Random } from './random.js';
import { keypoints3, project, randomBody, type Body3, type Camera, type Pose, type Vec3 } from './skeleton.js';

/** What a set of windows is made of. The held-out domain shares no body proportion and no camera direction with the other. */
export interface Domain {
  name: 'training' | 'held out';
  /** How far each body length lies from the adult mean, as a part of it. */
  proportions: [least: number, most: number];
  /** Camera height above the horizontal, degrees. */
  elevation: [low: number, high: number];
  /** Camera directions around the body, degrees (0 = from the front), any of these sectors. */
  azimuths: [from: number, to: number][];
}

export const TRAINING: Domain = { name: 'training', proportions: [0, 0.1], elevation: [-3, 32], azimuths: [[-38, 38], [72, 148], [152, 218], [252, 318]] };
export const HELD_OUT: Domain = { name: 'held out', proportions: [0.1, 0.15], elevation: [32, 42], azimuths: [[41, 69], [221, 249]] };

export interface LabelledWindow {
  label: number;
  /** [16 × 85] */
  row: Float32Array;
}

/** Windows of every label in turn; the same seed gives the same windows. */
export function* windows(seed: number, domain: Domain): Generator<LabelledWindow, never> {
  const random = seeded(seed);
  for (let index = 0; ; index += 1) {
    const label = index % ACTION_LABELS.length;
    let row: Float32Array | undefined;
    while (row === undefined) row = makeWindow(ACTION_LABELS[label] as ActionLabel, random, domain);
    yield { label, row };
  }
}

/** One window; undefined when the random picture shows too little of the body to make a row. */
function makeWindow(label: ActionLabel, random: Random, domain: Domain): Float32Array | undefined {
  const samples = poses(label, random, domain);
  const bodies = resamplePoses(samples);
  return bodies === undefined ? undefined : actionFeatures(bodies);
}

/** Poses in pixels at the random instants of a jittering frame rate. */
export function poses(label: ActionLabel, random: Random, domain: Domain): PoseSample[] {
  const motion = motionOf(label, random);
  const body = randomBody(random, ...domain.proportions);
  const camera = randomCamera(random, domain);
  const view = randomView(random, label, camera);
  const fps = random.between(4, 15);
  const span = ((WINDOW_STEPS - 1) * STEP_US) / 1e6;
  const samples: PoseSample[] = [];
  let t = random.between(0, 0.05);
  while (t <= span + 0.35) {
    samples.push({ t_us: Math.round(t * 1e6), body: view(body, motion(t), t) });
    // Late frames, and now and then one that never came.
    t += (1 / fps) * random.between(0.8, 1.2) * (random.chance(0.04) ? 2 : 1);
  }
  return samples;
}

function randomCamera(random: Random, domain: Domain): Camera {
  const sector = random.pick(domain.azimuths);
  const rad = Math.PI / 180;
  const distance = random.between(2.4, 9);
  return {
    azimuth: random.between(...sector) * rad, elevation: random.between(...domain.elevation) * rad, roll: random.normal() * 2 * rad,
    distance, focal: random.between(90, 260) * distance,
  };
}

/** Pose → keypoints as a network would see them, with errors that persist over the window as well as fresh ones. */
function randomView(random: Random, label: ActionLabel, camera: Camera): (body: Body3, pose: Pose, t: number) => Body {
  const metre = camera.focal / camera.distance;
  const noise = random.between(0.004, 0.018) * metre;
  const slow = Array.from({ length: KEYPOINT_COUNT * 2 }, () => wander(random, random.between(0.002, 0.016) * metre, 0.1, 1));
  const sureness = random.between(0.36, 0.92);
  const dropRate = random.chance(0.5) ? 0 : random.between(0.01, 0.08);
  const lost = new Set(Array.from({ length: KEYPOINT_COUNT }, (_, k) => k).filter(() => random.chance(0.025)));
  // Behind a desk or below the picture: the legs, in part of the windows; falls and walks are mostly seen whole.
  const hideBelow = random.chance(label === 'falling' ? 0.08 : label === 'walking' ? 0.15 : 0.35) ? random.between(0.25, 0.75) : -1;
  return (body, pose, t) => {
    const points = keypoints3(body, pose);
    const seen = new Float32Array(KEYPOINT_COUNT * 3);
    points.forEach((p, k) => {
      const at = project(camera, p);
      let score = sureness + random.normal() * 0.07;
      if (hidden(camera, points, k)) score -= 0.3 * sureness;
      if (lost.has(k) || random.chance(dropRate)) score = random.between(0, 0.2);
      if (p[2] < hideBelow && k >= KP.left_hip) score = random.between(0, 0.3);
      const spread = noise * (score < 0.3 ? 3 : score < 0.45 ? 1.5 : 1);
      seen[k * 3] = at.x + random.normal() * spread + (slow[2 * k] as Wander)(t);
      seen[k * 3 + 1] = at.y + random.normal() * spread + (slow[2 * k + 1] as Wander)(t);
      seen[k * 3 + 2] = Math.min(0.99, Math.max(0, score));
    });
    return seen;
  };
}

type Wander = (t: number) => number;

/** Keypoints of the far side of a body seen from its side, and faces seen from behind. */
function hidden(camera: Camera, points: readonly Vec3[], k: number): boolean {
  const depth = (index: number): number => project(camera, points[index] as Vec3).depth;
  if (k <= KP.right_ear) return depth(KP.nose) > (depth(KP.left_ear) + depth(KP.right_ear)) / 2;
  const other = k % 2 === 1 ? k + 1 : k - 1;
  return depth(k) - depth(other) > 0.2;
}
