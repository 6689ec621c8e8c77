/**
 * Signals: what is measured of one subject over the last twelve seconds, each a number in its own unit. The indicators are weighted
 * sums of their strengths (indicators.ts); docs/indicators.md says the same in the same names.
 */
import type { Face, HeadPose } from '../inference/results.js';
import { distance, headCentre, KP, midpoint, point, type Body, type Point } from './keypoints.js';
import { clamp01 } from './window.js';

export const SIGNAL_WINDOW_US = 12_000_000;
/** Samples closer than this are not kept: speeds at this spacing drown in the jitter of the keypoints. */
export const SIGNAL_GAP_US = 120_000;
export const SIGNAL_SAMPLES = 100;
/** A signal needs this many measurements over at least this time. */
export const MIN_MEASUREMENTS = 6;
export const MIN_SPAN_US = 2_000_000;
/** Two samples farther apart than this say nothing about speed. */
export const MAX_SPEED_GAP_US = 1_200_000;

/** Mean lid opening below which the eyes count as shut. */
export const SHUT_BELOW = 0.15;
/** Gaze this far from where the head points is averted, degrees. */
export const AVERTED_BEYOND_DEG = 20;
/** A wrist this near the head's centre touches it, torso lengths. */
export const TOUCH_WITHIN = 0.45;
/** Wrists and elbows less sure than this are not followed: where a network is unsure its points jump. */
export const MIN_LIMB_SCORE = 0.35;
/** A body that as a whole moves on faster than this, torso lengths a second, walks: its arms swing, they don't fidget. */
export const WALKS_FROM = 0.8;
/** Over this time the whole body's movement is averaged, so that swaying to and fro is no walking. */
const DRIFT_SECONDS = 0.6;
export const NEGATIVE_EMOTIONS = ['angry', 'disgust', 'fear', 'sad'] as const;

/**
 * `calm` and `strong` are the ends of the scale: strength 0 at calm (and on its far side), 1 at strong, linear between. Where
 * strong < calm, less is stronger.
 */
export const SIGNALS = {
  negative_affect: { unit: 'probability', calm: 0.2, strong: 0.8 },
  fear_affect: { unit: 'probability', calm: 0.05, strong: 0.5 },
  mixed_affect: { unit: 'probability', calm: 0.1, strong: 0.6 },
  affect_change: { unit: 'probability', calm: 0.05, strong: 0.35 },
  eyes_shut: { unit: 'part of the time', calm: 0.08, strong: 0.35 },
  gaze_dispersion: { unit: 'degrees', calm: 5, strong: 20 },
  gaze_aversion: { unit: 'part of the time', calm: 0.2, strong: 0.8 },
  head_motion: { unit: 'degrees/s', calm: 15, strong: 80 },
  fidgeting: { unit: 'torso lengths/s', calm: 0.25, strong: 1.5 },
  self_touch: { unit: 'part of the time', calm: 0.05, strong: 0.6 },
  posture_tension: { unit: 'torso lengths', calm: 0.42, strong: 0.25 },
  body_sway: { unit: 'torso lengths', calm: 0.03, strong: 0.25 },
} as const satisfies Record<string, { unit: string; calm: number; strong: number }>;
export type SignalName = keyof typeof SIGNALS;
export const SIGNAL_NAMES = Object.keys(SIGNALS) as SignalName[];
/** Only what could be measured. */
export type Signals = Partial<Record<SignalName, number>>;

/**
 * What one look at a subject adds to each signal, worked out once; NaN where it says nothing. Speeds are since the sample before.
 */
export interface SubjectSample {
  readonly t_us: number;
  readonly emotions?: Readonly<Record<string, number>>;
  /** Their probabilities in the network's order. */
  readonly distribution?: readonly number[];
  readonly negative: number;
  readonly fear: number;
  readonly mixed: number;
  /** 0 or 1. */
  readonly shut: number;
  /** Degrees. */
  readonly gaze_yaw: number;
  readonly gaze_pitch: number;
  /** 0 or 1. */
  readonly averted: number;
  readonly head?: HeadPose;
  /** Degrees a second. */
  readonly turn_speed: number;
  readonly body?: Body;
  /** Pixels. */
  readonly torso: number;
  /** Movement of the shoulders' midpoint, averaged over about DRIFT_SECONDS, torso lengths a second. */
  readonly drift_x: number;
  readonly drift_y: number;
  /** Torso lengths a second; NaN while the body walks. */
  readonly limb_speed: number;
  /** 0 or 1. */
  readonly touching: number;
  /** Head above the shoulders, torso lengths. */
  readonly neck: number;
  /** Root from left to right, torso lengths. */
  readonly root_x: number;
}

/** @param before the subject's last sample that was kept */
export function subjectSample(t_us: number, face: Face | undefined, body: Body | undefined, torso: number | undefined, before?: SubjectSample): SubjectSample {
  const { emotions, eye_openness: lids, gaze, head } = face ?? {};
  const negative = emotions === undefined ? NaN : negativeAffect(emotions);
  const seconds = before === undefined || t_us - before.t_us > MAX_SPEED_GAP_US ? NaN : (t_us - before.t_us) / 1e6;
  const measured = body === undefined || torso === undefined ? UNSEEN_BODY : bodyMeasures(body, torso);
  return {
    t_us,
    ...(emotions === undefined ? {} : { emotions, distribution: Object.values(emotions) }),
    negative,
    fear: emotions?.['fear'] ?? NaN,
    mixed: 2 * Math.min(emotions?.['happy'] ?? NaN, negative),
    shut: lids === undefined ? NaN : (lids[0] + lids[1]) / 2 < SHUT_BELOW ? 1 : 0,
    gaze_yaw: gaze?.yaw_deg ?? NaN,
    gaze_pitch: gaze?.pitch_deg ?? NaN,
    averted: gaze === undefined || head === undefined ? NaN : Math.hypot(turn(gaze.yaw_deg, head.yaw_deg), turn(gaze.pitch_deg, head.pitch_deg)) > AVERTED_BEYOND_DEG ? 1 : 0,
    ...(head === undefined ? {} : { head }),
    turn_speed: head === undefined || before?.head === undefined ? NaN : turned(before.head, head) / seconds,
    ...(body === undefined || torso === undefined ? {} : { body }),
    torso: torso ?? NaN,
    ...movement(before, body, torso, seconds),
    ...measured,
  };
}

function movement(before: SubjectSample | undefined, body: Body | undefined, torso: number | undefined, seconds: number): Pick<SubjectSample, 'drift_x' | 'drift_y' | 'limb_speed'> {
  const from = before?.body === undefined ? undefined : midpoint(before.body, KP.left_shoulder, KP.right_shoulder);
  const to = body === undefined ? undefined : midpoint(body, KP.left_shoulder, KP.right_shoulder);
  if (before?.body === undefined || body === undefined || torso === undefined || from === undefined || to === undefined || Number.isNaN(seconds)) return { drift_x: 0, drift_y: 0, limb_speed: NaN };
  const unit = seconds * ((before.torso + torso) / 2);
  const part = 1 - Math.exp(-seconds / DRIFT_SECONDS);
  const drift_x = before.drift_x + part * ((to.x - from.x) / unit - before.drift_x);
  const drift_y = before.drift_y + part * ((to.y - from.y) / unit - before.drift_y);
  const walks = Math.hypot(drift_x, drift_y) > WALKS_FROM;
  return { drift_x, drift_y, limb_speed: walks ? NaN : limbTravel(before.body, from, body, to) / unit };
}

/** 0..1 on the signal's scale. */
export function strength(name: SignalName, value: number): number {
  const { calm, strong } = SIGNALS[name];
  return clamp01((value - calm) / (strong - calm));
}

export function negativeAffect(emotions: Readonly<Record<string, number>>): number {
  let sum = 0;
  for (const label of NEGATIVE_EMOTIONS) sum += emotions[label] ?? 0;
  return sum;
}

/** @param samples of one subject, oldest first, of the last SIGNAL_WINDOW_US */
export function measureSignals(samples: readonly SubjectSample[]): Signals {
  const signals: Signals = {};
  const give = (name: SignalName, moments: Moments, value: number): void => {
    if (moments.count >= MIN_MEASUREMENTS && moments.span_us >= MIN_SPAN_US && Number.isFinite(value)) signals[name] = value;
  };
  const giveMean = (name: SignalName, field: Field): void => {
    const moments = momentsOf(samples, field);
    give(name, moments, moments.mean);
  };
  giveMean('negative_affect', 'negative');
  giveMean('fear_affect', 'fear');
  giveMean('mixed_affect', 'mixed');
  give('affect_change', momentsOf(samples, 'negative'), distributionDeviation(samples));
  giveMean('eyes_shut', 'shut');
  const yaw = momentsOf(samples, 'gaze_yaw');
  give('gaze_dispersion', yaw, Math.hypot(yaw.deviation, momentsOf(samples, 'gaze_pitch').deviation));
  giveMean('gaze_aversion', 'averted');
  giveMean('head_motion', 'turn_speed');
  giveMean('fidgeting', 'limb_speed');
  giveMean('self_touch', 'touching');
  giveMean('posture_tension', 'neck');
  const root = momentsOf(samples, 'root_x');
  give('body_sway', root, detrendedDeviation(samples, root));
  return signals;
}

type Field = Exclude<keyof SubjectSample, 't_us' | 'emotions' | 'distribution' | 'head' | 'body'>;

interface Moments {
  count: number;
  /** Between the first and the last measurement. */
  span_us: number;
  mean: number;
  /** Of the whole, not of a sample: √(mean square − square of the mean). */
  deviation: number;
}

function momentsOf(samples: readonly SubjectSample[], field: Field): Moments {
  let count = 0;
  let sum = 0;
  let squares = 0;
  let first = 0;
  let last = 0;
  for (const sample of samples) {
    const value = sample[field];
    if (Number.isNaN(value)) continue;
    if (count === 0) first = sample.t_us;
    last = sample.t_us;
    count += 1;
    sum += value;
    squares += value * value;
  }
  const mean = sum / count;
  return { count, span_us: last - first, mean, deviation: Math.sqrt(Math.max(0, squares / count - mean * mean)) };
}

/** Root mean square distance of the emotion distribution from its mean over the window. */
function distributionDeviation(samples: readonly SubjectSample[]): number {
  const labels = samples.find((sample) => sample.distribution !== undefined)?.distribution?.length ?? 0;
  let variance = 0;
  for (let k = 0; k < labels; k += 1) {
    let count = 0;
    let sum = 0;
    let squares = 0;
    for (const { distribution } of samples) {
      // Another length is another network's: the daemon was given a new one.
      if (distribution?.length !== labels) continue;
      const p = distribution[k] as number;
      count += 1;
      sum += p;
      squares += p * p;
    }
    variance += Math.max(0, squares / count - (sum / count) ** 2);
  }
  return Math.sqrt(variance);
}

/** The emotion of a context is that of this long: longer than a look, shorter than a mood. */
export const EMOTION_WORD_US = 4_000_000;

/** The emotion that was the most probable over the last EMOTION_WORD_US of the samples; undefined when none was read. */
export function mainEmotion(samples: readonly SubjectSample[]): string | undefined {
  const sums = new Map<string, number>();
  const from = (samples.at(-1)?.t_us ?? 0) - EMOTION_WORD_US;
  for (const { t_us, emotions } of samples) if (t_us >= from) for (const [label, p] of Object.entries(emotions ?? {})) sums.set(label, (sums.get(label) ?? 0) + p);
  let main: [label: string, sum: number] | undefined;
  for (const entry of sums) if (main === undefined || entry[1] > main[1]) main = entry;
  return main?.[0];
}

const UNSEEN_BODY = { touching: NaN, neck: NaN, root_x: NaN };

function bodyMeasures(body: Body, torso: number): typeof UNSEEN_BODY {
  const head = headCentre(body);
  const left = point(body, KP.left_wrist);
  const right = point(body, KP.right_wrist);
  const near = (wrist: Point | undefined): boolean => wrist !== undefined && head !== undefined && distance(wrist, head) < TOUCH_WITHIN * torso;
  const hips = midpoint(body, KP.left_hip, KP.right_hip);
  const shoulders = midpoint(body, KP.left_shoulder, KP.right_shoulder);
  const both = point(body, KP.left_shoulder) !== undefined && point(body, KP.right_shoulder) !== undefined;
  const root = hips ?? shoulders;
  return {
    touching: head === undefined || (left === undefined && right === undefined) ? NaN : near(left) || near(right) ? 1 : 0,
    // A torso guessed from the shoulders is no measure for the neck: hips have to be seen.
    neck: head === undefined || hips === undefined || shoulders === undefined || !both ? NaN : (shoulders.y - head.y) / torso,
    root_x: root === undefined ? NaN : root.x / torso,
  };
}

/** Root mean square way of wrists and elbows against the shoulders' midpoints `from` and `to`, pixels; NaN when none was seen in both. */
function limbTravel(a: Body, from: Point, b: Body, to: Point): number {
  let sum = 0;
  let seen = 0;
  for (let i = KP.left_elbow * 3; i <= KP.right_wrist * 3; i += 3) {
    if ((a[i + 2] as number) < MIN_LIMB_SCORE || (b[i + 2] as number) < MIN_LIMB_SCORE) continue;
    const dx = (b[i] as number) - to.x - (a[i] as number) + from.x;
    const dy = (b[i + 1] as number) - to.y - (a[i + 1] as number) + from.y;
    sum += dx * dx + dy * dy;
    seen += 1;
  }
  return Math.sqrt(sum / seen);
}

function turned(a: HeadPose, b: HeadPose): number {
  return Math.hypot(turn(b.yaw_deg, a.yaw_deg), turn(b.pitch_deg, a.pitch_deg), turn(b.roll_deg, a.roll_deg));
}

/** Difference of two angles in degrees, the short way round. */
function turn(a: number, b: number): number {
  const away = (a - b) % 360;
  return away > 180 ? away - 360 : away < -180 ? away + 360 : away;
}

/** Standard deviation of the root about the straight line through its places, so that walking is no swaying. */
function detrendedDeviation(samples: readonly SubjectSample[], root: Moments): number {
  const seen = samples.filter((sample) => !Number.isNaN(sample.root_x));
  const t0 = seen.reduce((sum, sample) => sum + sample.t_us, 0) / seen.length;
  let across = 0;
  let along = 0;
  for (const { t_us, root_x } of seen) {
    const t = (t_us - t0) / 1e6;
    across += t * (root_x - root.mean);
    along += t * t;
  }
  const explained = along > 0 ? (across * across) / along / seen.length : 0;
  return Math.sqrt(Math.max(0, root.deviation ** 2 - explained));
}
