/** Whether the daemon lives and whether it does its job: pure functions of what the stages say. */
import type { CameraStatus } from './cameras/types.js';
import type { ProgressReport } from './progress.js';

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
  /** The camera registry can't be read; default false. */
  registry_down?: boolean;
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
  // With the cameras known from before the job is done all the same.
  if (input.registry_down === true && input.cameras.length === 0) reasons.push('registry_down');
  if (running.length > 0 && streaming.length === 0) reasons.push('no_camera_streaming');
  if (input.up_ms < FIRST_FRAME_GRACE_MS) {
    for (const camera of running) if (camera.frame_age_ms === null) reasons.push(`camera_starting:${camera.camera_id}`);
  }
  if (streaming.length > 0 && input.results === 0) reasons.push('no_result_yet');
  return { ok: reasons.length === 0, reasons };
}

/** Work that waits for so long without any advance hangs. */
export const STUCK_MS = 30_000;

/** Alive: work advances, or there is none. */
export function liveness(report: Pick<ProgressReport, 'stuck'>): Health {
  return { ok: report.stuck.length === 0, reasons: report.stuck };
}
