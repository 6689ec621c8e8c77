/** What is known of a frame while its stages run, and what leaves the worker in the end. */
import type { BatchRow } from '../capture/types.js';
import { angleOf, mapPoints, type Affine } from './decoders/crops.js';
import { faceGeometry } from './decoders/gaze_geometry.js';
import type { Box, DetectedObject, EyeRegion, Face, FrameResult, Gaze, ModelSlot, Person } from './results.js';

/** COCO keypoints in their order. */
export const KEYPOINTS = [
  'nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear', 'left_shoulder', 'right_shoulder', 'left_elbow', 'right_elbow',
  'left_wrist', 'right_wrist', 'left_hip', 'right_hip', 'left_knee', 'right_knee', 'left_ankle', 'right_ankle',
] as const;

export class FaceWork {
  /** Mesh in crop pixels with the crop's matrix; undefined = not run, null = the mesh says that this is no face. */
  mesh: { points: Float32Array; matrix: Affine } | null | undefined;
  /** Eye contour and iris points, x, y, z in frame pixels. */
  readonly iris: { left?: Float32Array; right?: Float32Array } = {};
  emotions: Record<string, number> | undefined;
  gaze: Gaze | undefined;

  constructor(
    readonly box: Box,
    readonly score: number,
    readonly landmarks: Float32Array | undefined,
  ) {}

  /** A gaze in the axes of a turned crop, turned back into those of the camera. */
  setGaze(gaze: Gaze, crop: Affine): void {
    const angle = angleOf(crop);
    const [x, y, z] = gaze.vector;
    this.gaze = gazeOf([x * Math.cos(angle) - y * Math.sin(angle), x * Math.sin(angle) + y * Math.cos(angle), z]);
  }
}

export class FrameWork {
  readonly objects: DetectedObject[] = [];
  readonly faces: FaceWork[] = [];
  readonly persons: Person[] = [];
  readonly missing = new Set<ModelSlot>();

  constructor(readonly row: BatchRow) {}

  /** @param keypoints x, y, score of 17 points in frame pixels; @param box null: the points' own bounds */
  addPerson(score: number, keypoints: Float32Array, box: Box | null): void {
    const points = KEYPOINTS.map((name, i) => ({ name, x: keypoints[i * 3] ?? 0, y: keypoints[i * 3 + 1] ?? 0, score: keypoints[i * 3 + 2] ?? 0 }));
    this.persons.push({ score, box: box ?? boundsOf(points), keypoints: points });
  }
}

/** Unit vector with its angles: yaw positive to the right in the image, pitch positive upwards; z points away from the camera. */
export function gazeOf(vector: [number, number, number]): Gaze {
  const length = Math.hypot(...vector) || 1;
  const [x, y, z] = vector.map((value) => value / length) as [number, number, number];
  const degrees = 180 / Math.PI;
  return { vector: [x, y, z], yaw_deg: Math.atan2(x, -z) * degrees, pitch_deg: Math.asin(Math.max(-1, Math.min(1, -y))) * degrees };
}

/** @param eyes keep where the eyes are */
export function toFrameResult(frame: FrameWork, eyes = false): FrameResult {
  const { row } = frame;
  return {
    camera: row.camera,
    generation: row.generation,
    seq: row.seq,
    pts_us: row.pts_us,
    packet_us: row.packet_us,
    wall_ms: row.wall_ms,
    width: row.width,
    height: row.height,
    faces: frame.faces.filter((face) => face.mesh !== null).map((face) => toFace(face, row, eyes)),
    persons: frame.persons,
    objects: frame.objects,
    missing: [...frame.missing],
  };
}

function toFace(face: FaceWork, row: BatchRow, eyes: boolean): Face {
  const result: Face = { box: face.box, score: face.score };
  if (face.emotions && Object.keys(face.emotions).length > 0) result.emotions = face.emotions;
  if (face.mesh) {
    const mesh = mapPoints(face.mesh.matrix, face.mesh.points, 3, true);
    const geometry = faceGeometry({ mesh, iris: face.iris, width: row.width, height: row.height });
    if (geometry) {
      result.head = geometry.head;
      if (geometry.gaze) result.gaze = geometry.gaze;
      if (geometry.eye_openness) result.eye_openness = geometry.eye_openness;
    }
  }
  if (face.gaze) result.gaze = face.gaze;
  const { left, right } = face.iris;
  if (eyes && left && right) result.eyes = { left: eyeRegion(left), right: eyeRegion(right) };
  return result;
}

/** Points of the iris network: the contour of the eye, then the iris with its centre first. */
const CONTOUR_POINTS = 71;

function eyeRegion(points: Float32Array): EyeRegion {
  const contour = Array.from({ length: CONTOUR_POINTS }, (_, i) => ({ x: points[i * 3] ?? 0, y: points[i * 3 + 1] ?? 0, score: 1 }));
  return { centre: [points[CONTOUR_POINTS * 3] ?? 0, points[CONTOUR_POINTS * 3 + 1] ?? 0], box: boundsOf(contour) };
}

function boundsOf(points: { x: number; y: number; score: number }[]): Box {
  const sure = points.filter((point) => point.score >= 0.2);
  const used = sure.length > 1 ? sure : points;
  const xs = used.map((point) => point.x);
  const ys = used.map((point) => point.y);
  const x = Math.min(...xs);
  const y = Math.min(...ys);
  return [x, y, Math.max(...xs) - x, Math.max(...ys) - y];
}
