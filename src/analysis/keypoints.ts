/** Bodies as fixed arrays: the 17 COCO keypoints in order, three floats each (x, y, score). */
import type { Box, Keypoint } from '../inference/results.js';

export const COCO_KEYPOINTS = [
  'nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear', 'left_shoulder', 'right_shoulder', 'left_elbow', 'right_elbow',
  'left_wrist', 'right_wrist', 'left_hip', 'right_hip', 'left_knee', 'right_knee', 'left_ankle', 'right_ankle',
] as const;
export type CocoKeypoint = (typeof COCO_KEYPOINTS)[number];
export const KEYPOINT_COUNT = COCO_KEYPOINTS.length;

const INDEX: ReadonlyMap<string, number> = new Map(COCO_KEYPOINTS.map((name, index) => [name, index]));
/** Index of a keypoint in COCO order. */
export const KP = Object.fromEntries(COCO_KEYPOINTS.map((name, index) => [name, index])) as Record<CocoKeypoint, number>;

/** Keypoints surer than this count as seen. */
export const MIN_KEYPOINT_SCORE = 0.25;

/** [17 × (x, y, score)], pixels of the decoded frame. */
export type Body = Float32Array;

/** Takes keypoints by name, in any order; unknown names are left out, absent or non-finite ones have score 0. */
export function toBody(keypoints: readonly Keypoint[]): Body {
  const body = new Float32Array(KEYPOINT_COUNT * 3);
  for (const point of keypoints) {
    const index = INDEX.get(point.name);
    if (index === undefined || !Number.isFinite(point.x) || !Number.isFinite(point.y) || !(point.score > 0)) continue;
    body[index * 3] = point.x;
    body[index * 3 + 1] = point.y;
    body[index * 3 + 2] = Math.min(1, point.score);
  }
  return body;
}

export interface Point {
  x: number;
  y: number;
}

/** The keypoint, or undefined when it was not seen. */
export function point(body: Body, index: number): Point | undefined {
  return (body[index * 3 + 2] as number) >= MIN_KEYPOINT_SCORE ? { x: body[index * 3] as number, y: body[index * 3 + 1] as number } : undefined;
}

/** Midpoint of two keypoints, or the one that was seen. */
export function midpoint(body: Body, left: number, right: number): Point | undefined {
  const a = point(body, left);
  const b = point(body, right);
  if (a === undefined || b === undefined) return a ?? b;
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

export function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

/** Shoulder width × this stands in for the torso where the hips are hidden (adults: 1.2 to 1.5 seen from the front). */
export const TORSO_PER_SHOULDERS = 1.3;
/** Torso length where only a box is known, as a part of the box height of a standing person. */
export const TORSO_PER_BOX = 0.3;

/**
 * Torso length in pixels, the unit of every body measure here: shoulder midpoint to hip midpoint. A body seen from above is
 * foreshortened, hence never less than the shoulder width × 0.6. Hips hidden: shoulder width × TORSO_PER_SHOULDERS.
 * undefined when neither is seen.
 */
export function torsoLength(body: Body): number | undefined {
  const left = point(body, KP.left_shoulder);
  const right = point(body, KP.right_shoulder);
  const shoulders = midpoint(body, KP.left_shoulder, KP.right_shoulder);
  const hips = midpoint(body, KP.left_hip, KP.right_hip);
  const width = left !== undefined && right !== undefined ? distance(left, right) : 0;
  if (shoulders !== undefined && hips !== undefined) {
    const torso = Math.max(distance(shoulders, hips), width * 0.6);
    return torso > 1 ? torso : undefined;
  }
  return width > 1 ? width * TORSO_PER_SHOULDERS : undefined;
}

/** Mean position of the head keypoints that were seen. */
export function headCentre(body: Body): Point | undefined {
  let x = 0;
  let y = 0;
  let seen = 0;
  for (let index = KP.nose; index <= KP.right_ear; index += 1) {
    const at = point(body, index);
    if (at === undefined) continue;
    x += at.x;
    y += at.y;
    seen += 1;
  }
  return seen === 0 ? undefined : { x: x / seen, y: y / seen };
}

export function boxCentre(box: Box): Point {
  return { x: box[0] + box[2] / 2, y: box[1] + box[3] / 2 };
}

/** Intersection over union, 0..1. */
export function boxOverlap(a: Box, b: Box): number {
  const width = Math.min(a[0] + a[2], b[0] + b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[1] + a[3], b[1] + b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / (a[2] * a[3] + b[2] * b[3] - shared);
}
