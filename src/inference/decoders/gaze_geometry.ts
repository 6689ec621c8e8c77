/**
 * Head pose, gaze and eye openness from mesh and iris points, by geometry.
 *
 *  1. The rigid head of face_template.ts is fitted to the mesh: rotation, pixels per millimetre, shift.
 *  2. The centre of each eyeball is a point of that head, 10.5 mm behind the midpoint of the eye's corners. (Corners of the frame itself would be
 *     worse: they follow the lids.)
 *  3. The iris centre, seen along the line of sight, meets the eyeball's sphere of radius 10.5 mm; gaze is the direction from its centre to there.
 *  4. Mesh and iris are as seen along the ray to the face; turning that ray into the camera's axis gives camera coordinates. The focal
 *     length is not known and assumed to be the longer side of the picture (53° across).
 *
 * On a recorded calibration the angles of this estimate were in proportion to the truth, the vertical ones about half of it: a calibration that fits a gain puts
 * that right, and without one it says where roughly a person looks, no more.
 */
import type { Gaze, HeadPose } from '../results.js';
import { RIGID_POINTS } from './face_template.js';
import { gazeOfVector } from './gaze.js';
import { fitSimilarity, rotate, type Rotation, type Similarity, type Vector } from './rigid_fit.js';
import type { FaceGeometry, FaceGeometryInput } from './types.js';

/** Millimetres. */
const EYE_RADIUS = 10.5;
/** Below this opening an eye is shut and says nothing of where it looks. */
const SHUT = 0.1;
/** Head yaw (degrees) at which the far eye begins to count less, and at which it counts no more. */
const TURNED = [20, 45] as const;
const DEGREES = 180 / Math.PI;

const EYES = ['left', 'right'] as const;
type Eye = (typeof EYES)[number];

/** Points of the iris network: outer corner, inner corner, pairs of lower and upper lid, iris centre. */
const CORNERS = [0, 8] as const;
const LIDS = [[3, 11], [4, 12], [5, 13]] as const;
const IRIS_CENTRE = 71;

const template = new Map(RIGID_POINTS.map(([index, x, y, z]) => [index, [x, y, z] as Vector]));
const eyeCentre = (outer: number, inner: number): Vector => {
  const [a, b] = [template.get(outer) ?? [0, 0, 0], template.get(inner) ?? [0, 0, 0]];
  return [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2, (a[2] + b[2]) / 2 + EYE_RADIUS];
};
const EYE_CENTRES: Readonly<Record<Eye, Vector>> = { left: eyeCentre(263, 362), right: eyeCentre(33, 133) };

const at = (points: Float32Array, index: number): Vector => [points[3 * index] ?? NaN, points[3 * index + 1] ?? NaN, points[3 * index + 2] ?? NaN];
const distance = (a: Vector, b: Vector): number => Math.hypot(a[0] - b[0], a[1] - b[1]);

/** Lid opening over eye width, in the picture. */
function opening(points: Float32Array): number {
  const width = distance(at(points, CORNERS[0]), at(points, CORNERS[1]));
  const height = LIDS.reduce((sum, [lower, upper]) => sum + distance(at(points, lower), at(points, upper)), 0) / LIDS.length;
  return width > 0 ? height / width : NaN;
}

/** Direction of one eye as seen along the ray to the face; null when the iris is too far from the eyeball to be of this eye. */
function direction(fit: Similarity, eye: Eye, points: Float32Array): Vector | null {
  const [cx, cy] = rotate(fit.rotation, EYE_CENTRES[eye]);
  const radius = fit.scale * EYE_RADIUS;
  const [ix, iy] = at(points, IRIS_CENTRE);
  const dx = (ix - (fit.scale * cx + fit.shift[0])) / radius;
  const dy = (iy - (fit.scale * cy + fit.shift[1])) / radius;
  const across = Math.hypot(dx, dy);
  if (!(across < 1.5)) return null;
  const shrink = across > 0.98 ? 0.98 / across : 1;
  return [dx * shrink, dy * shrink, -Math.sqrt(Math.max(0, 1 - (across * shrink) ** 2))];
}

/** How much an eye counts: the far eye of a turned head is seen badly. Yaw positive = turned to the right in the image, away from the left eye. */
function weight(eye: Eye, yaw_deg: number): number {
  const away = eye === 'left' ? yaw_deg : -yaw_deg;
  return Math.min(1, Math.max(0, (TURNED[1] - away) / (TURNED[1] - TURNED[0])));
}

/** Rotation that takes the camera's axis into the ray to a pixel. */
function towards(x: number, y: number, width: number, height: number): Rotation {
  const focal = Math.max(width, height, 1);
  const [dx, dy] = [(x - width / 2) / focal, (y - height / 2) / focal];
  const yaw = Math.atan2(dx, 1);
  const down = Math.atan2(dy, Math.hypot(dx, 1));
  const [cy, sy, cd, sd] = [Math.cos(yaw), Math.sin(yaw), Math.cos(down), Math.sin(down)];
  return [cy, -sy * sd, sy * cd, 0, cd, sd, -sy, -cy * sd, cy * cd];
}

/**
 * @returns null when the mesh determines no head; `gaze` is absent when both eyes are shut or were not read, `eye_openness` when either was not
 */
export function faceGeometry(input: FaceGeometryInput): FaceGeometry | null {
  const fit = fitSimilarity(RIGID_POINTS.map(([, x, y, z]) => [x, y, z] as const), RIGID_POINTS.map(([index]) => at(input.mesh, index)));
  if (fit === null) return null;
  const camera = towards(fit.shift[0], fit.shift[1], input.width, input.height);
  const head = headPose(fit.rotation, camera);
  const openings = { left: input.iris.left && opening(input.iris.left), right: input.iris.right && opening(input.iris.right) };
  const result: FaceGeometry = { head };
  const gaze = bothEyes(input, fit, camera, openings);
  if (gaze !== null) result.gaze = gaze;
  if (Number.isFinite(openings.left) && Number.isFinite(openings.right)) result.eye_openness = [openings.left as number, openings.right as number];
  return result;
}

/** Yaw positive to the right in the image, pitch positive upwards, roll positive clockwise in the image. */
function headPose(rotation: Rotation, camera: Rotation): HeadPose {
  const { yaw_deg, pitch_deg } = gazeOfVector(...rotate(camera, rotate(rotation, [0, 0, -1])));
  // Roll: the turn about the facing direction that remains when yaw and pitch are taken out; the head's own x axis, in the picture.
  const yaw = yaw_deg / DEGREES;
  const across = rotate(camera, rotate(rotation, [1, 0, 0]));
  const down = rotate(camera, rotate(rotation, [0, 1, 0]));
  const level: Vector = [Math.cos(yaw), 0, Math.sin(yaw)];
  const project = (v: Vector): number => v[0] * level[0] + v[1] * level[1] + v[2] * level[2];
  return { yaw_deg, pitch_deg, roll_deg: Math.atan2(-project(down), project(across)) * DEGREES };
}

function bothEyes(input: FaceGeometryInput, fit: Similarity, camera: Rotation, openings: Partial<Record<Eye, number | undefined>>): Gaze | null {
  const { yaw_deg } = gazeOfVector(...rotate(fit.rotation, [0, 0, -1]));
  let sum: Vector = [0, 0, 0];
  let weights = 0;
  for (const eye of EYES) {
    const points = input.iris[eye];
    if (points === undefined || !((openings[eye] ?? NaN) >= SHUT)) continue;
    const vector = direction(fit, eye, points);
    if (vector === null) continue;
    const counts = weight(eye, yaw_deg);
    weights += counts;
    sum = [sum[0] + counts * vector[0], sum[1] + counts * vector[1], sum[2] + counts * vector[2]];
  }
  return weights > 0 ? gazeOfVector(...rotate(camera, sum)) : null;
}
