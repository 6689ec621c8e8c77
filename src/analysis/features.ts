/**
 * What a camera's last five seconds look like, as one vector: the input of the anomaly autoencoder. NaN stands for "not seen";
 * the autoencoder reads it as "as usual".
 */
import type { FrameResult, ModelSlot } from '../inference/results.js';
import type { Sighting } from './association.js';
import { boxCentre, headCentre, KP, midpoint, point } from './keypoints.js';
import { negativeAffect, SHUT_BELOW } from './signals.js';
import { clamp01, TimeWindow } from './window.js';

export const FEATURE_WINDOW_US = 5_000_000;
/** A vector needs this much of the window. */
export const FEATURE_SPAN_US = 4_000_000;

/**
 * Name, group (the anomaly's type when the group has the largest part of the error) and the smallest scale: differences
 * well below it are never unusual, however constant the baseline was.
 */
export const FEATURES = [
  { name: 'persons_mean', group: 'unusual_presence', least_scale: 0.5 },
  { name: 'persons_max', group: 'unusual_presence', least_scale: 0.5 },
  { name: 'faces_mean', group: 'unusual_presence', least_scale: 0.5 },
  { name: 'presence', group: 'unusual_presence', least_scale: 0.25 },
  { name: 'arrivals', group: 'unusual_presence', least_scale: 0.2 },
  { name: 'objects_mean', group: 'unusual_scene', least_scale: 1 },
  { name: 'objects_change', group: 'unusual_scene', least_scale: 0.5 },
  { name: 'area_mean', group: 'unusual_position', least_scale: 0.05 },
  { name: 'x_mean', group: 'unusual_position', least_scale: 0.08 },
  { name: 'y_mean', group: 'unusual_position', least_scale: 0.08 },
  { name: 'x_spread', group: 'unusual_position', least_scale: 0.04 },
  { name: 'y_spread', group: 'unusual_position', least_scale: 0.04 },
  { name: 'nearness', group: 'unusual_position', least_scale: 0.2 },
  { name: 'speed_mean', group: 'unusual_movement', least_scale: 0.15 },
  { name: 'speed_max', group: 'unusual_movement', least_scale: 0.3 },
  { name: 'limb_speed_mean', group: 'unusual_movement', least_scale: 0.3 },
  { name: 'limb_speed_max', group: 'unusual_movement', least_scale: 0.6 },
  { name: 'lean_mean', group: 'unusual_posture', least_scale: 0.08 },
  { name: 'shape_mean', group: 'unusual_posture', least_scale: 0.3 },
  { name: 'head_height', group: 'unusual_posture', least_scale: 0.1 },
  { name: 'hands_raised', group: 'unusual_posture', least_scale: 0.15 },
  { name: 'negative_affect', group: 'unusual_expression', least_scale: 0.15 },
  { name: 'gaze_spread', group: 'unusual_expression', least_scale: 5 },
  { name: 'eyes_shut', group: 'unusual_expression', least_scale: 0.1 },
] as const;
export const FEATURE_NAMES: readonly string[] = FEATURES.map((feature) => feature.name);
export const FEATURE_COUNT = FEATURES.length;

/** One frame in numbers; NaN where nothing was seen or a model gave nothing. */
export interface FrameSummary {
  readonly t_us: number;
  persons: number;
  faces: number;
  /** 1 with a person or a face in the frame, else 0. */
  present: number;
  /** Objects that are no persons. */
  objects: number;
  /** Subjects that were not there before. */
  arrivals: number;
  /** Part of the picture under person boxes, 0..1 (faces where no pose model ran). */
  area: number;
  /** Mean centre, parts of the picture. */
  x: number;
  y: number;
  /** 1 when two subjects touch, 0 when they are their own height apart or only one is there. */
  nearness: number;
  /** Fastest subject, own heights a second. */
  speed: number;
  /** Fastest limbs, torso lengths a second. */
  limb_speed: number;
  /** Trunk against the vertical, 1 = lying. */
  lean: number;
  /** Box height over width. */
  shape: number;
  /** Head above the shoulders, torso lengths. */
  head_height: number;
  hands_raised: number;
  negative_affect: number;
  gaze_yaw: number;
  gaze_pitch: number;
  eyes_shut: number;
}

/** What the tracks add to a frame: see FrameSummary. */
export interface Movement {
  arrivals: number;
  /** Own heights a second, of each subject. */
  speeds: readonly number[];
  /** Torso lengths a second, of each subject; NaN where its limbs could not be followed. */
  limb_speeds: readonly number[];
}

export function summarise(t_us: number, frame: FrameResult, sightings: readonly Sighting[], movement: Movement): FrameSummary {
  const off = (slot: ModelSlot): boolean => frame.missing.includes(slot);
  const boxes = sightings.map(({ person, face }) => person?.box ?? face?.box).filter((box) => box !== undefined);
  const centres = boxes.map(boxCentre);
  const bodies = sightings.filter((sighting) => sighting.body !== undefined && sighting.torso !== undefined).map((sighting) => ({ body: sighting.body as Float32Array, torso: sighting.torso as number }));
  const emotions = frame.faces.flatMap((face) => (face.emotions === undefined ? [] : [negativeAffect(face.emotions)]));
  const persons = off('pose') ? NaN : frame.persons.length;
  const faces = off('gaze') && off('emotion') && frame.faces.length === 0 ? NaN : frame.faces.length;
  return {
    t_us,
    persons,
    faces,
    present: Number.isNaN(persons) && Number.isNaN(faces) ? NaN : persons > 0 || faces > 0 ? 1 : 0,
    objects: off('object') ? NaN : frame.objects.filter((object) => object.label !== 'person').length,
    arrivals: movement.arrivals,
    area: clamp01(boxes.reduce((sum, box) => sum + box[2] * box[3], 0) / (frame.width * frame.height)),
    x: average(centres.map((centre) => centre.x)) / frame.width,
    y: average(centres.map((centre) => centre.y)) / frame.height,
    nearness: nearestPair(boxes),
    speed: highest(movement.speeds),
    limb_speed: highest(movement.limb_speeds),
    lean: average(bodies.map(({ body }) => lean(body))),
    shape: average(boxes.map((box) => box[3] / Math.max(1, box[2]))),
    head_height: average(bodies.map(({ body, torso }) => headHeight(body, torso))),
    hands_raised: average(bodies.map(({ body }) => raised(body))),
    negative_affect: average(emotions),
    gaze_yaw: average(frame.faces.flatMap((face) => (face.gaze === undefined ? [] : [face.gaze.yaw_deg]))),
    gaze_pitch: average(frame.faces.flatMap((face) => (face.gaze === undefined ? [] : [face.gaze.pitch_deg]))),
    eyes_shut: average(frame.faces.flatMap((face) => (face.eye_openness === undefined ? [] : [(face.eye_openness[0] + face.eye_openness[1]) / 2 < SHUT_BELOW ? 1 : 0]))),
  };
}

/** The newest frames of a camera; `vector()` is the row of the anomaly model before its camera's centre fills the gaps. */
export class FeatureWindow {
  readonly #window = new TimeWindow<FrameSummary>(FEATURE_WINDOW_US, 0, 160);

  push(summary: FrameSummary): void {
    this.#window.push(summary);
  }

  clear(): void {
    this.#window.clear();
  }

  /** FEATURES in order; undefined until the window covers FEATURE_SPAN_US. */
  vector(): Float32Array | undefined {
    const frames = this.#window.items;
    const seconds = this.#window.covered_us / 1e6;
    if (this.#window.covered_us < FEATURE_SPAN_US) return undefined;
    const of = (name: Field): Gathered => gather(frames, name);
    const [persons, x, y, speed, limbs] = [of('persons'), of('x'), of('y'), of('speed'), of('limb_speed')];
    const values: Record<(typeof FEATURES)[number]['name'], number> = {
      persons_mean: persons.mean,
      persons_max: persons.most,
      faces_mean: of('faces').mean,
      presence: of('present').mean,
      arrivals: (of('arrivals').mean * frames.length) / seconds,
      objects_mean: of('objects').mean,
      objects_change: of('objects').change,
      area_mean: of('area').mean,
      x_mean: x.mean,
      y_mean: y.mean,
      x_spread: x.spread,
      y_spread: y.spread,
      nearness: of('nearness').mean,
      speed_mean: speed.mean,
      speed_max: speed.most,
      limb_speed_mean: limbs.mean,
      limb_speed_max: limbs.most,
      lean_mean: of('lean').mean,
      shape_mean: of('shape').mean,
      head_height: of('head_height').mean,
      hands_raised: of('hands_raised').mean,
      negative_affect: of('negative_affect').mean,
      gaze_spread: Math.hypot(of('gaze_yaw').spread, of('gaze_pitch').spread),
      eyes_shut: of('eyes_shut').mean,
    };
    const vector = new Float32Array(FEATURE_COUNT);
    FEATURES.forEach(({ name }, f) => { vector[f] = values[name]; });
    return vector;
  }
}

type Field = Exclude<keyof FrameSummary, 't_us'>;

/** Over the frames in which the field is known; NaN where it never was. */
interface Gathered {
  mean: number;
  /** Standard deviation. */
  spread: number;
  most: number;
  /** Mean step from frame to frame. */
  change: number;
}

function gather(frames: readonly FrameSummary[], field: Field): Gathered {
  let count = 0;
  let sum = 0;
  let squares = 0;
  let most = NaN;
  let steps = 0;
  let last = NaN;
  for (const frame of frames) {
    const value = frame[field];
    if (Number.isNaN(value)) continue;
    if (count > 0) steps += Math.abs(value - last);
    last = value;
    count += 1;
    sum += value;
    squares += value * value;
    if (!(value <= most)) most = value;
  }
  const mean = sum / count;
  return { mean, spread: Math.sqrt(Math.max(0, squares / count - mean * mean)), most, change: count < 2 ? NaN : steps / (count - 1) };
}

/** Mean of the numbers that are there; NaN of none. */
function average(values: readonly number[]): number {
  let sum = 0;
  let count = 0;
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    sum += value;
    count += 1;
  }
  return count === 0 ? NaN : sum / count;
}

function highest(values: readonly number[]): number {
  let most = NaN;
  for (const value of values) if (!Number.isNaN(value) && !(value <= most)) most = value;
  return most;
}

function nearestPair(boxes: readonly (readonly [number, number, number, number])[]): number {
  if (boxes.length === 0) return NaN;
  let nearest = 0;
  boxes.forEach((a, i) => {
    for (const b of boxes.slice(i + 1)) {
      const gap = Math.max(0, Math.max(a[0], b[0]) - Math.min(a[0] + a[2], b[0] + b[2]));
      nearest = Math.max(nearest, 1 - gap / Math.max(1, a[3], b[3]));
    }
  });
  return nearest;
}

function lean(body: Float32Array): number {
  const shoulders = midpoint(body, KP.left_shoulder, KP.right_shoulder);
  const hips = midpoint(body, KP.left_hip, KP.right_hip);
  if (shoulders === undefined || hips === undefined) return NaN;
  return (2 / Math.PI) * Math.abs(Math.atan2(shoulders.x - hips.x, hips.y - shoulders.y));
}

function headHeight(body: Float32Array, torso: number): number {
  const head = headCentre(body);
  const shoulders = midpoint(body, KP.left_shoulder, KP.right_shoulder);
  return head === undefined || shoulders === undefined ? NaN : (shoulders.y - head.y) / torso;
}

/** 1 when a wrist is above its shoulder. */
function raised(body: Float32Array): number {
  let seen = false;
  for (const [wrist, shoulder] of [[KP.left_wrist, KP.left_shoulder], [KP.right_wrist, KP.right_shoulder]] as const) {
    const hand = point(body, wrist);
    const top = point(body, shoulder);
    if (hand === undefined || top === undefined) continue;
    if (hand.y < top.y) return 1;
    seen = true;
  }
  return seen ? 0 : NaN;
}
