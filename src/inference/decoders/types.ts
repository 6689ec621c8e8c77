/**
 * What decoders give: results in pixels of the network's input tensor (or crop), per item of a batch. Mapping to frame pixels comes after
 * (mapping.ts). Decoders are pure: typed arrays in, plain results out.
 */
import type { Gaze, HeadPose } from '../results.js';

/** Output tensors of one run by name; `dims[0]` is the batch. */
export type Outputs = Record<string, { data: unknown; dims: readonly number[] }>;

/** What a decoder knows besides the tensors. */
export interface DecoderContext {
  /** Input size in pixels. */
  width: number;
  height: number;
  /** The manifest's decoder entry: thresholds, labels, ... */
  params: Record<string, unknown>;
}

/** A box `[x, y, width, height]` with a label (objects) or landmarks (faces). */
export interface Detection {
  label: string;
  score: number;
  box: [number, number, number, number];
  /** Faces: right eye, left eye, nose, mouth, right ear, left ear, as x, y pairs. */
  landmarks?: Float32Array;
}

export interface Pose {
  score: number;
  /** 17 COCO keypoints: x, y, score. */
  keypoints: Float32Array;
}

export interface Mesh {
  /** 0..1: that this is a face at all. */
  score: number;
  /** 468 (or 478) points: x, y, z in crop pixels. */
  points: Float32Array;
}

export interface Iris {
  /** 71 eye contour points then 5 iris points (centre first): x, y, z in crop pixels. */
  points: Float32Array;
}

/** Reads item `item` of a batch. */
export type DetectionDecoder = (outputs: Outputs, item: number, context: DecoderContext) => Detection[];
export type PoseDecoder = (outputs: Outputs, item: number, context: DecoderContext) => Pose[];
export type LabelDecoder = (outputs: Outputs, item: number, context: DecoderContext) => Record<string, number>;
export type MeshDecoder = (outputs: Outputs, item: number, context: DecoderContext) => Mesh;
export type IrisDecoder = (outputs: Outputs, item: number, context: DecoderContext) => Iris;
/** A gaze model on a face crop: the unit vector in the crop's own axes (turned back by the caller when the crop was rotated). */
export type GazeDecoder = (outputs: Outputs, item: number, context: DecoderContext) => Gaze;

/** Input of `faceGeometry()` (decoders/gaze_geometry.ts): everything in frame pixels. */
export interface FaceGeometryInput {
  /** 468 mesh points: x, y, z. */
  mesh: Float32Array;
  /** 76 points of the iris network each: x, y, z; an eye that was not read is absent. */
  iris: { left?: Float32Array; right?: Float32Array };
  /** Frame size, for the assumed focal length. */
  width: number;
  height: number;
}

/** What `faceGeometry()` gives; null when the mesh is degenerate. */
export interface FaceGeometry {
  head: HeadPose;
  gaze?: Gaze;
  eye_openness?: [left: number, right: number];
}
