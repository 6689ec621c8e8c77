/** What the parts of the calibration service say to each other. Angles in degrees, positions in pixels of the picture, times in milliseconds since 1970. */
import type { StillResult } from '../../inference/results.js';
import type { SessionStatus } from '../../store/calibration/schema.js';

/** Looks at picture files; the daemon's dispatcher, or recorded vectors in a test. Never rejects. Candidates take turns. */
export interface GazeSource {
  still(file: Uint8Array, candidate_id: string): Promise<StillResult>;
  /** Pictures that wait, for how long some have been waiting without a break (0 = none waits), and how many were answered ever. */
  load(): { waiting: number; waiting_for_ms: number; answered: number };
}

/** What happened since the service started, for the metrics. */
export interface ServiceCounts {
  frames: { stored: number; repeated: number; refused: Record<string, number> };
  sessions: Record<'created' | 'started' | 'resumed' | 'completed' | 'failed', number>;
  /** By verdict. */
  fits: Record<string, number>;
  /** Work on whole sessions: on the calling thread, on the thread of its own, and turned away because too much waited. */
  work: Record<'here' | 'thread' | 'refused', number>;
}

export interface ServiceLog {
  error(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  info(fields: Record<string, unknown>, message: string): void;
}

export interface Position {
  x: number;
  y: number;
}

/** Scores 0..100 and what to tell the person. */
export interface Quality {
  head_stability: number;
  lighting: number;
  detection: number;
  guidance: string;
}

/** What one picture says of where somebody looks, in the reference's axes. */
export interface GazeReading {
  /** Unit vector, x right in the picture, y up, z from the screen to the person: diag(1, -1, -1) times the camera's axes. */
  gaze: [number, number, number];
  /** In the camera's axes: x right, y down, z away from the camera. */
  camera_gaze: [number, number, number];
  /** Iris centres; the person's own right and left. */
  right_eye: [number, number];
  left_eye: [number, number];
  /** Of the gaze, as the reference says it: atan2(-gx, gz), asin(gy); roll is the head's. */
  yaw: number;
  pitch: number;
  roll: number;
  /** Of the head. */
  head: { yaw: number; pitch: number; roll: number };
  head_box: [number, number, number, number];
  right_eye_box: [number, number, number, number];
  left_eye_box: [number, number, number, number];
  /** 1 open, 0 shut. */
  right_open: number;
  left_open: number;
}

/** One accepted frame, as it is stored (calibration_frames.frame_data). */
export interface FrameRecord extends GazeReading {
  frame_index: number;
  target_index: number;
  target_position: Position;
  /** Where the target was, whole millimetres of the screen. */
  set_mm: [number, number];
  /** Capture time on our clock, seconds since 1970. */
  timestamp_s: number;
  /** As the client sent it; null = it sent none. */
  client_timestamp: string | null;
  frame_shape: [height: number, width: number];
  quality: Quality;
  /** Light and sharpness of what was seen, for the diagnostics. */
  score: number;
}

/** A frame as a client sends it, checked. */
export interface IncomingFrame {
  frame_index: number;
  target_index: number;
  target_position: Position;
  image: Uint8Array;
  /** Why there is no picture in what was sent; it is answered for this frame alone. */
  fault?: string | undefined;
  /** ISO 8601 or milliseconds; undefined = when it arrived. */
  timestamp?: string | number | undefined;
}

export interface Session {
  session_id: string;
  candidate_id: string;
  status: SessionStatus;
  interview_id: string | null;
  created_ms: number;
  updated_ms: number;
  started_ms: number | null;
  completed_ms: number | null;
  metadata: unknown;
  timezone: string | null;
  clock_offset_ms: number | null;
  error_message: string | null;
  report: unknown;
}

/** What a client says of its clock. */
export interface ClientClock {
  timezone?: string | undefined;
  /** The client's time when it sent the request, ISO 8601 or milliseconds. */
  client_time?: string | number | undefined;
  clock_offset_ms?: number | undefined;
}
