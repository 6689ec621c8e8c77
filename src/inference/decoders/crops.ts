/**
 * Crop geometry: pure arithmetic between detections, crops and frames. An affine map is six numbers, row-major:
 * (x, y) → (m0·x + m1·y + m2, m3·x + m4·y + m5). A crop's matrix maps pixels of the crop (edges at integers) to pixels of the frame, as
 * native/pixels/pixels.hpp warp_rgb takes it.
 */
import type { Box } from '../results.js';

export type Affine = [number, number, number, number, number, number];

/** A square crop of `side` frame pixels around (cx, cy), turned by `angle_rad` (clockwise in the image), for a `size`×`size` tensor. */
export function squareCrop(cx: number, cy: number, side: number, angle_rad: number, size: number, mirror = false): Affine {
  const s = side / size;
  const cos = Math.cos(angle_rad) * s;
  const sin = Math.sin(angle_rad) * s;
  const half = size / 2;
  const flip = mirror ? -1 : 1;
  return [cos * flip, -sin, cx - cos * flip * half + sin * half, sin * flip, cos, cy - sin * flip * half - cos * half];
}

/** Square crop around a box: `scale` times its larger side. */
export function boxCrop(box: Box, scale: number, size: number): Affine {
  const [x, y, width, height] = box;
  return squareCrop(x + width / 2, y + height / 2, Math.max(width, height) * scale, 0, size);
}

/**
 * Square crop around a face: `scale` times the larger side of its box, turned so that the eyes are level.
 * @param landmarks right eye (the person's, left in the image) x, y, then left eye x, y, in frame pixels
 */
export function faceCrop(box: Box, landmarks: Float32Array | undefined, scale: number, rotate: boolean, size: number): Affine {
  const [x, y, width, height] = box;
  const angle = rotate && landmarks && landmarks.length >= 4 ? eyeAngle(landmarks) : 0;
  return squareCrop(x + width / 2, y + height / 2, Math.max(width, height) * scale, angle, size);
}

function eyeAngle(landmarks: Float32Array): number {
  const [rx = 0, ry = 0, lx = 0, ly = 0] = landmarks;
  return Math.atan2(ly - ry, lx - rx);
}

/** Corners of the eyes in the 468-point mesh: outer and inner, of the person's left and right eye. */
export const EYE_CORNERS = { left: [263, 362], right: [33, 133] } as const;

/**
 * Crop of one eye, from mesh points in pixels of the face crop: `scale` times the distance of its corners, in the face crop's own orientation.
 * The iris network was trained on right eyes, so a left eye is mirrored.
 * @returns matrix from eye crop to frame
 */
export function eyeCrop(mesh: Float32Array, face: Affine, eye: 'left' | 'right', scale: number, size: number): Affine {
  const [outer, inner] = EYE_CORNERS[eye];
  const ox = mesh[outer * 3] ?? 0;
  const oy = mesh[outer * 3 + 1] ?? 0;
  const ix = mesh[inner * 3] ?? 0;
  const iy = mesh[inner * 3 + 1] ?? 0;
  const side = Math.max(Math.abs(ox - ix), Math.abs(oy - iy)) * scale;
  return compose(face, squareCrop((ox + ix) / 2, (oy + iy) / 2, side, 0, size, eye === 'left'));
}

/** `outer ∘ inner`: apply `inner` first. */
export function compose(outer: Affine, inner: Affine): Affine {
  const [a, b, c, d, e, f] = outer;
  const [g, h, i, j, k, l] = inner;
  return [a * g + b * j, a * h + b * k, a * i + b * l + c, d * g + e * j, d * h + e * k, d * i + e * l + f];
}

export function apply(m: Affine, x: number, y: number): [number, number] {
  return [m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5]];
}

/** Inverse map. Throws a RangeError when the map is singular (a crop of no size). */
export function invert(m: Affine): Affine {
  const [a, b, c, d, e, f] = m;
  const det = a * e - b * d;
  if (!Number.isFinite(det) || Math.abs(det) < 1e-12) throw new RangeError('affine map: expected an invertible one');
  return [e / det, -b / det, (b * f - c * e) / det, -d / det, a / det, (c * d - a * f) / det];
}

/** Frame pixels per crop pixel. */
export function scaleOf(m: Affine): number {
  return Math.hypot(m[0], m[3]);
}

/** Turn of the crop against the frame, radians, clockwise in the image. */
export function angleOf(m: Affine): number {
  return Math.atan2(m[3], m[0]);
}

/** The map from tensor pixels of a letterboxed frame-level input to frame pixels. */
export function unplace(at: { scale_x: number; scale_y: number; x: number; y: number }): Affine {
  return [1 / at.scale_x, 0, -at.x / at.scale_x, 0, 1 / at.scale_y, -at.y / at.scale_y];
}

/** The axis-aligned box around a mapped box. */
export function mapBox(m: Affine, box: Box): Box {
  const [x, y, width, height] = box;
  const corners = [apply(m, x, y), apply(m, x + width, y), apply(m, x, y + height), apply(m, x + width, y + height)];
  const xs = corners.map((corner) => corner[0]);
  const ys = corners.map((corner) => corner[1]);
  const left = Math.min(...xs);
  const top = Math.min(...ys);
  return [left, top, Math.max(...xs) - left, Math.max(...ys) - top];
}

/** The part of a box that lies in the frame, or null when nothing does. */
export function clipBox(box: Box, width: number, height: number): Box | null {
  const x0 = Math.max(0, box[0]);
  const y0 = Math.max(0, box[1]);
  const x1 = Math.min(width, box[0] + box[2]);
  const y1 = Math.min(height, box[1] + box[3]);
  return x1 > x0 && y1 > y0 ? [x0, y0, x1 - x0, y1 - y0] : null;
}

/** Points of `stride` numbers each, x and y first: maps x and y, scales z, keeps the rest. `z` says whether the third number is a depth. */
export function mapPoints(m: Affine, points: Float32Array, stride: number, z: boolean): Float32Array {
  const out = Float32Array.from(points);
  const scale = scaleOf(m);
  for (let i = 0; i + 1 < points.length; i += stride) {
    const [x, y] = apply(m, points[i] ?? 0, points[i + 1] ?? 0);
    out[i] = x;
    out[i + 1] = y;
    if (z && stride > 2) out[i + 2] = (points[i + 2] ?? 0) * scale;
  }
  return out;
}
