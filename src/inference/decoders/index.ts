/** Decoders by the manifest's `decoder.name`. */
import { SightlineError } from '../../errors.js';
import { blazeface } from './blazeface.js';
import { detectionRows, ssd, yolov5, yolov8 } from './boxes.js';
import { facemesh, iris } from './face_points.js';
import { gazeAngles, gazeBins, gazeVector } from './gaze.js';
import { labelRow } from './labels.js';
import { cocoHeatmaps, movenet, movenetMultipose, yolov8Pose } from './poses.js';
import type { DetectionDecoder, GazeDecoder, IrisDecoder, LabelDecoder, MeshDecoder, PoseDecoder } from './types.js';

/** Every decoder, by what it gives and by name. */
export const DECODERS = {
  detection: { centernet: detectionRows, rows: detectionRows, yolov5, yolov8, ssd, blazeface },
  pose: { movenet, movenet_multipose: movenetMultipose, coco_heatmaps: cocoHeatmaps, yolov8_pose: yolov8Pose },
  label: { softmax: labelRow },
  mesh: { facemesh },
  iris: { iris },
  gaze: { gaze_vector: gazeVector, gaze_angles: gazeAngles, gaze_bins: gazeBins },
} as const satisfies Record<string, Record<string, unknown>>;

export type DecoderKind = keyof typeof DECODERS;

function pick<T>(kind: DecoderKind, table: Readonly<Record<string, T>>, name: string): T {
  const decoder = Object.hasOwn(table, name) ? table[name] : undefined;
  if (decoder === undefined) throw new SightlineError('MODEL_DECODER', `${kind} decoder: expected one of ${Object.keys(table).join(', ')}, got "${name}"`);
  return decoder;
}

/** Each throws MODEL_DECODER for a name it doesn't know. */
export const detectionDecoder = (name: string): DetectionDecoder => pick<DetectionDecoder>('detection', DECODERS.detection, name);
export const poseDecoder = (name: string): PoseDecoder => pick<PoseDecoder>('pose', DECODERS.pose, name);
export const labelDecoder = (name: string): LabelDecoder => pick<LabelDecoder>('label', DECODERS.label, name);
export const meshDecoder = (name: string): MeshDecoder => pick<MeshDecoder>('mesh', DECODERS.mesh, name);
export const irisDecoder = (name: string): IrisDecoder => pick<IrisDecoder>('iris', DECODERS.iris, name);
export const gazeDecoder = (name: string): GazeDecoder => pick<GazeDecoder>('gaze', DECODERS.gaze, name);
