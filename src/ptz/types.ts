/** What the PTZ monitor passes around. Angles are degrees in the convention of telemetry (see estimate/types.ts), times end in their unit. */
import type { OffsetResult, PtzCamera } from './estimate/types.js';

export interface Attitude {
  yaw: number;
  pitch: number;
  roll: number;
}

/** One telemetry message that can be used. */
export interface TelemetrySample {
  attitude: Attitude;
  /** Degrees; null where the camera does not say. */
  field_of_view_h: number | null;
  field_of_view_v: number | null;
  /** Magnification, 1 and more; null where the camera does not say. */
  zoom_factor: number | null;
  /** 0..1, the scale of the command; null where the camera does not say. */
  zoom: number | null;
  /** When it arrived here: `performance.now()` and the wall clock. Cameras send no time of their own. */
  mono_ms: number;
  wall_ms: number;
}

/** A position to look from: pan and tilt in degrees, zoom 0..1 (null = leave as it is). */
export interface PtzStop {
  pan_deg: number;
  tilt_deg: number;
  zoom: number | null;
}

/** An encoded picture as it came from the camera, and when. */
export interface Frame {
  picture: Buffer;
  format: 'png' | 'jpeg';
  /** It was seen between these instants of `performance.now()`; they are the same where the arrival is known exactly. */
  from_mono_ms: number;
  to_mono_ms: number;
  wall_ms: number;
}

/** A frame with the telemetry that belongs to it, under the name it is stored by. */
export interface CapturedFrame {
  file_name: string;
  frame: Frame;
  telemetry: TelemetrySample;
  /** null in passive mode. */
  commanded: PtzStop | null;
  /** Further frames of the same pointing, which tell what moves. */
  again: Pick<Frame, 'picture' | 'format'>[];
}

/** What `extractQuery` gives. */
export interface QueryScan {
  device_id: string;
  deployment: string;
  mode: 'passive' | 'active';
  stabilize_time_s: number;
  frames: CapturedFrame[];
  /** Where a folder says it; otherwise the lens is that of the reference set. */
  camera?: PtzCamera;
  /** Stops that were left out, and why. */
  skipped: { stop: PtzStop; code: string; reason: string }[];
  /** Wall clock. */
  started_ms: number;
}

/** Files of one scan that lie together in a store. */
export interface ScanFile {
  name: string;
  body: Buffer;
  content_type: string;
}

/** A position as the result row has it; `zoom` is the magnification. */
export interface CapturePosition {
  pan: number;
  tilt: number;
  zoom: number;
}

/** One row of `calibration_results`: the columns of the contract, in its order. */
export interface ResultRow {
  deployment_name: string;
  device_id: string;
  /** Whole seconds since 1970, UTC. */
  timestamp_s: number;
  pitch_offset: number;
  yaw_offset: number;
  roll_offset: number;
  mode: 'passive' | 'active';
  capture_positions: CapturePosition[];
  files_location: string;
  success: boolean;
  failure_log: string[];
}

/** What one device of a run came to: the row, and what the row has no column for. */
export interface DeviceOutcome {
  run_id: string;
  row: ResultRow;
  /** `failed` = no estimate was made; the rest as the estimator says. */
  status: OffsetResult['status'] | 'failed';
  reason: string;
  detail: string;
  /** Beyond the threshold with its whole interval. */
  alert: boolean;
  estimate: OffsetResult | null;
  duration_ms: number;
}

/** Lens data of a device; null = from the field of view that telemetry says. */
export type Lens = PtzCamera | null;

/** What the parts log with: pino's signature. */
export interface PtzLog {
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}
