/** From what the networks say of a picture to a gaze in the reference's axes, with its quality. Pure. */
import type { Box, Face, Light, StillResult } from '../../inference/results.js';
import type { GazeReading, Quality } from './types.js';

const DEGREES = 180 / Math.PI;
/** Lid opening over eye width below which an eye counts as shut. */
const SHUT = 0.15;
/** Standard deviations of the head's angles (degrees, all three together) at which stability is 100 and 0. */
const STEADY_DEG = 0.5;
const RESTLESS_DEG = 6;
/** Movement of the head, in its own widths per frame, that counts like RESTLESS_DEG. */
const RESTLESS_SHIFT = 0.08;
/** Mean brightness of a well lit face. */
const BEST_LIGHT = [90, 180] as const;
/** Smallest face, as share of the picture's width, of a well placed person. */
const FACE_SHARE = 0.12;
/** Frames that stability looks back on. */
export const HEADS_KEPT = 15;

type Seen = Extract<StillResult, { ok: true }>;

/** Why there is no gaze in a picture that was looked at. */
export type NoGaze = 'No face detected' | 'Eyes are closed or not visible';

/** The gaze of the nearest face. */
export function readingOf(seen: Seen): GazeReading | NoGaze {
  const face = seen.faces[seen.nearest];
  if (face === undefined) return 'No face detected';
  const { gaze, eyes } = face;
  if (gaze === undefined || eyes === undefined) return 'Eyes are closed or not visible';
  const [cx, cy, cz] = gaze.vector;
  // + 0: never the negative zero that a sign change makes.
  const [x, y, z] = [cx + 0, -cy + 0, -cz + 0];
  const head = { yaw: face.head?.yaw_deg ?? 0, pitch: face.head?.pitch_deg ?? 0, roll: face.head?.roll_deg ?? 0 };
  const [left_open = 0, right_open = 0] = face.eye_openness ?? [];
  return {
    gaze: [x, y, z],
    camera_gaze: [cx, cy, cz],
    right_eye: eyes.right.centre,
    left_eye: eyes.left.centre,
    yaw: Math.atan2(-x, z) * DEGREES + 0,
    pitch: Math.asin(Math.max(-1, Math.min(1, y))) * DEGREES,
    roll: head.roll,
    head,
    head_box: whole(face.box),
    right_eye_box: whole(eyes.right.box),
    left_eye_box: whole(eyes.left.box),
    right_open: right_open >= SHUT ? 1 : 0,
    left_open: left_open >= SHUT ? 1 : 0,
  };
}

/** A head in a picture, for stability. */
export interface HeadSample {
  yaw: number;
  pitch: number;
  roll: number;
  /** Centre and width of its box in picture widths. */
  x: number;
  y: number;
  width: number;
}

export function headSample(reading: GazeReading, picture_width: number): HeadSample {
  const [x, y, width, height] = reading.head_box;
  return { ...reading.head, x: (x + width / 2) / picture_width, y: (y + height / 2) / picture_width, width: width / picture_width };
}

/** 0..100: how still the head was over the newest samples; 100 for a single one. */
export function headStability(samples: readonly HeadSample[]): number {
  if (samples.length < 2) return 100;
  const angles = Math.sqrt(variance(samples.map((s) => s.yaw)) + variance(samples.map((s) => s.pitch)) + variance(samples.map((s) => s.roll)));
  const width = Math.max(0.01, samples.reduce((sum, s) => sum + s.width, 0) / samples.length);
  const shift = Math.sqrt(variance(samples.map((s) => s.x)) + variance(samples.map((s) => s.y))) / width;
  const worst = Math.max((angles - STEADY_DEG) / (RESTLESS_DEG - STEADY_DEG), shift / RESTLESS_SHIFT);
  return score(1 - worst);
}

/** 0..100: is the face bright enough, not too bright, and are few of its pixels lost? */
export function lighting({ mean, spread, lost }: Light): number {
  const [from, to] = BEST_LIGHT;
  const level = mean < from ? mean / from : mean > to ? Math.max(0, 1 - (mean - to) / (255 - to)) : 1;
  const contrast = Math.min(1, spread / 20);
  return score(level * (0.6 + 0.4 * contrast) * (1 - Math.min(1, lost * 1.5)));
}

/** 0..100: how sure the face is and whether it is large enough for its eyes to be read. */
export function detection(face: Face | undefined, picture_width: number): number {
  if (face === undefined) return 0;
  return score(face.score * Math.min(1, face.box[2] / picture_width / FACE_SHARE) * (face.gaze === undefined ? 0.5 : 1));
}

/** The plan's messages, in its order. */
export function guidance(quality: Omit<Quality, 'guidance'>): string {
  if (quality.head_stability < 50) return 'Please keep your head still';
  if (quality.lighting < 30) return 'Please improve lighting';
  if (quality.detection < 70) return 'Please move closer to camera';
  return 'Good positioning!';
}

export function qualityOf(seen: Seen, heads: readonly HeadSample[]): Quality {
  const scores = { head_stability: headStability(heads), lighting: lighting(seen.light), detection: detection(seen.faces[seen.nearest], seen.width) };
  return { ...scores, guidance: guidance(scores) };
}

function variance(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
}

function score(share: number): number {
  return Math.round(100 * Math.max(0, Math.min(1, share)));
}

function whole(box: Box): [number, number, number, number] {
  const [x, y, width, height] = box;
  return [Math.round(x), Math.round(y), Math.round(width), Math.round(height)];
}
