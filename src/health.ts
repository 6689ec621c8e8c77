/** Whether the daemon lives and whether it does its job: pure functions of what the stages say. */
import type { CameraStatus } from './cameras/types.js';

export interface Health {
  ok: boolean;
  reasons: string[];
}

export interface ReadyInput {
  cameras: Pick<CameraStatus, 'camera_id' | 'state' | 'reason' | 'frame_age_ms'>[];
  /** Networks that could not be opened. */
  networks_missing: string[];
  /** Results since the start. */
  results: number;
  /** Since the cameras were started. */
  up_ms: number;
  stopping: boolean;
}

/** Cameras get so long for their first frame before readiness no longer waits for them: a connection that stalls, and a second one. */
export const FIRST_FRAME_GRACE_MS = 30_000;

/**
 * Ready: the models are open, and there are results from the cameras. At the start readiness waits until every camera that runs has
 * delivered a frame, at most FIRST_FRAME_GRACE_MS; later single cameras come and go without making the daemon unready, all of them do not.
 */
export function readiness(input: ReadyInput): Health {
  const reasons: string[] = [];
  if (input.stopping) reasons.push('stopping');
  for (const network of input.networks_missing) reasons.push(`model_missing:${network}`);
  const running = input.cameras.filter((camera) => camera.state !== 'disabled' && camera.state !== 'failed');
  const streaming = running.filter((camera) => camera.state === 'streaming');
  if (running.length > 0 && streaming.length === 0) reasons.push('no_camera_streaming');
  if (input.up_ms < FIRST_FRAME_GRACE_MS) {
    for (const camera of running) if (camera.frame_age_ms === null) reasons.push(`camera_starting:${camera.camera_id}`);
  }
  if (streaming.length > 0 && input.results === 0) reasons.push('no_result_yet');
  return { ok: reasons.length === 0, reasons };
}

export interface LiveInput {
  now_ms: number;
  /** When results last advanced. */
  progress_at_ms: number;
  /** Frames that wait for inference now. */
  waiting_frames: number;
}

/** Frames that wait for so long without any result mean that inference hangs. */
export const STUCK_MS = 30_000;

/** Alive: work advances, or there is none. */
export function liveness(input: LiveInput): Health {
  const stuck = input.waiting_frames > 0 && input.now_ms - input.progress_at_ms > STUCK_MS;
  return { ok: !stuck, reasons: stuck ? ['inference_stuck'] : [] };
}
