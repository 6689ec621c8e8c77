/**
 * What inference says of one frame. Points and boxes are in pixels of the decoded frame, boxes `[x, y, width, height]`; angles in
 * degrees. What a model could not say is absent, never invented.
 */

export type Box = [x: number, y: number, width: number, height: number];

export interface Gaze {
  /** Unit vector in camera coordinates: x right in the image, y down, z away from the camera (towards it is negative). */
  vector: [x: number, y: number, z: number];
  /** Positive to the right in the image. */
  yaw_deg: number;
  /** Positive upwards. */
  pitch_deg: number;
}

export interface HeadPose {
  yaw_deg: number;
  pitch_deg: number;
  roll_deg: number;
}

export interface Face {
  box: Box;
  /** 0..1 */
  score: number;
  /** Label → probability, sums to 1. */
  emotions?: Record<string, number>;
  gaze?: Gaze;
  head?: HeadPose;
  /** Lid opening over eye width, left and right; about 0.3 when open, below 0.15 when shut. */
  eye_openness?: [left: number, right: number];
  /** Of still pictures only. */
  eyes?: { left: EyeRegion; right: EyeRegion };
}

/** One eye of the person (their own left and right). */
export interface EyeRegion {
  /** Centre of the iris. */
  centre: [x: number, y: number];
  /** Around the contour of the eye. */
  box: Box;
}

/** Brightness of a region, values 0..255. */
export interface Light {
  mean: number;
  /** Standard deviation. */
  spread: number;
  /** Share of pixels that are nearly black or nearly white, 0..1. */
  lost: number;
}

/** What the networks say of a still picture. */
export type StillResult =
  | {
      ok: true;
      width: number;
      height: number;
      faces: Face[];
      /** Index of the largest face; -1 = there is none. */
      nearest: number;
      /** Of that face; without one, of the whole picture. */
      light: Light;
    }
  /** `busy`: more come than can be looked at; `unavailable`: the networks do not run. */
  | { ok: false; code: 'not_a_picture' | 'busy' | 'unavailable'; message: string };

export interface Keypoint {
  /** COCO names: nose, left_eye, right_eye, left_ear, ..., right_ankle. */
  name: string;
  x: number;
  y: number;
  /** 0..1 */
  score: number;
}

export interface Person {
  /** 0..1 */
  score: number;
  box: Box;
  keypoints: Keypoint[];
}

export interface DetectedObject {
  label: string;
  /** 0..1 */
  score: number;
  box: Box;
}

/** One analysed frame of one camera, as it leaves an inference worker. */
export interface FrameResult {
  /** Capture handle. */
  camera: number;
  generation: number;
  seq: number;
  pts_us: number;
  packet_us: number;
  wall_ms: number;
  width: number;
  height: number;
  faces: Face[];
  persons: Person[];
  objects: DetectedObject[];
  /** Model slots that gave nothing for this frame because they failed or are off: their fields are absent. */
  missing: ModelSlot[];
}

export type ModelSlot = 'emotion' | 'pose' | 'object' | 'gaze' | 'action' | 'anomaly';
export const MODEL_SLOTS: readonly ModelSlot[] = ['emotion', 'pose', 'object', 'gaze', 'action', 'anomaly'];

/** Rows for the sequence models, dispatched in batches over many cameras. */
export interface SequenceRow {
  /** Chosen by the asker, echoed in the answer. */
  key: number;
  kind: 'action' | 'anomaly';
  /** action: [window, features]; anomaly: [features]. Row-major float32. */
  input: Float32Array;
  /** anomaly only: the camera's own fitted parameters, in the order of the manifest's extra inputs. */
  parameters?: Float32Array[];
}

export interface SequenceResult {
  key: number;
  kind: 'action' | 'anomaly';
  /** action: label → probability. */
  labels?: Record<string, number>;
  /** anomaly: mean squared reconstruction error in units of the baseline's robust deviation. */
  error?: number;
}
