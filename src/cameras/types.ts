/** What a camera is to the rest of Sightline. Ids are positive integers, unique in the registry; the native handle never leaves this folder. */
import type { CameraState, SourceKind } from '../capture/types.js';
import type { ErrorCode } from '../errors.js';

export type Transport = 'tcp' | 'udp';

/** A camera as the registry holds it. `url` has its credentials: never log or show it, use `shownUrl()` of stream_url.ts. */
export interface CameraRecord {
  /** 1..2147483647 */
  camera_id: number;
  camera_name: string;
  /** As typed by the operator. */
  url: string;
  /** null = `capture.transport` of the configuration. */
  transport: Transport | null;
  /** 1..10, 10 is the most important. */
  priority: number;
  location: string | null;
  outlet_id: number | null;
  /** Who is seen at this camera, if that is always the same person. */
  staff_id: number | null;
  /** Analysed frames per second; null = `processing.fps`. */
  analysis_fps: number | null;
  enabled: boolean;
  /** ISO 8601, UTC. */
  created_at: string;
  updated_at: string;
  /** Code of why its URL can't be used; it is shown as failed. */
  fault?: ErrorCode;
}

/** Fields of a new camera; what is left out gets its default (priority 5, enabled, nothing else set). */
export type NewCamera = Pick<CameraRecord, 'camera_id' | 'camera_name' | 'url'> &
  Partial<Pick<CameraRecord, 'transport' | 'priority' | 'location' | 'outlet_id' | 'staff_id' | 'analysis_fps' | 'enabled'>>;

export type CameraChange = Partial<Omit<NewCamera, 'camera_id'>>;

/** Why a registered camera is not running, beside what capture says. */
export type HeldReason = 'disabled_by_operator' | 'priority_below_threshold' | 'CAMERA_LIMIT' | 'MACHINE_OVERLOADED';

/** State of a camera as `GET /api/cameras` shows it. Counters run on over a change of the camera, from the start of the daemon. */
export interface CameraStatus {
  camera_id: number;
  camera_name: string;
  state: CameraState;
  /** Stable code of the last failure, a HeldReason, or ''. */
  reason: string;
  /** Decoded frames per second over the last seconds. */
  fps: number;
  /** What the stream says of itself; null = unknown. */
  expected_fps: number | null;
  /** null before the first frame. */
  frame_age_ms: number | null;
  /** When it is opened again, ISO 8601, UTC; null = it is not backing off. */
  retry_at: string | null;
  frames: number;
  analysed_frames: number;
  /** Analysed frames per second that it gets now; less than wanted while the machine can't keep up. */
  analysis_fps: number;
  drops: Record<string, number>;
  corrupt_frames: number;
  reconnects: number;
  hw_fallbacks: number;
  decoder: string;
  codec: string;
  width: number;
  height: number;
  kind: SourceKind;
  /** Without credentials. */
  url: string;
  location: string | null;
  outlet_id: number | null;
  priority: number;
}

/** What a native handle stands for. */
export interface CameraRef {
  camera_id: number;
  camera_name: string;
  generation: number;
  location: string | null;
  outlet_id: number | null;
  staff_id: number | null;
}
