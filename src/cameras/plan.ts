/** Which of the registered cameras run, and with which capture options. Pure. */
import type { CaptureOptions } from '../capture/types.js';
import type { Config } from '../config/schema.js';
import { SightlineError } from '../errors.js';
import { parseStreamUrl } from './stream_url.js';
import type { CameraRecord, HeldReason, Transport } from './types.js';

export interface CameraSettings {
  /** Cameras that run at once. */
  max_concurrent: number;
  /** Cameras below it are held, 1..10. */
  priority_threshold: number;
  /** Analysed frames per second of cameras that do not say. */
  fps: number;
  capture: Config['capture'];
  /** '' = software, 'cuda:0' = NVDEC. */
  hw_device: string;
  /** Cameras that are paused because the machine can't keep up. */
  paused?: ReadonlySet<number>;
  /** Packets kept for clips: how long, and how many bytes a camera. Default: none. */
  clip?: { ms: number; bytes: number };
}

export interface Planned {
  record: CameraRecord;
  held: HeldReason | '';
  /** Absent when it does not run. `generation` is 0 here: the supervisor counts. */
  options: CaptureOptions | undefined;
  /** Code of why it cannot run; '' = it can, or it is held. */
  failure: string;
  secrets: string[];
}

/** The most important cameras first (priority, then the lower id); the first `max_concurrent` of them that can run do. */
export function plan(records: readonly CameraRecord[], settings: CameraSettings): Planned[] {
  let running = 0;
  return [...records]
    .sort((a, b) => b.priority - a.priority || a.camera_id - b.camera_id)
    .map((record) => {
      const none = { record, options: undefined, secrets: [] as string[], failure: '' };
      if (!record.enabled) return { ...none, held: 'disabled_by_operator' as const };
      if (record.priority < settings.priority_threshold) return { ...none, held: 'priority_below_threshold' as const };
      if (record.fault !== undefined) return { ...none, held: '' as const, failure: record.fault };
      if (running >= settings.max_concurrent) return { ...none, held: 'CAMERA_LIMIT' as const };
      try {
        const { options, secrets } = captureOptions(record, settings);
        running += 1; // a paused one keeps its place: others would come and go with it
        if (settings.paused?.has(record.camera_id) === true) return { ...none, held: 'MACHINE_OVERLOADED' as const };
        return { record, held: '' as const, options, failure: '', secrets };
      } catch (error) {
        return { ...none, held: '' as const, failure: error instanceof SightlineError ? error.code : 'INTERNAL' };
      }
    });
}

/** Capture options of a camera or of a stream to probe. Only what makes a restart necessary is in them: not the name, not the priority. */
export function captureOptions(
  camera: { camera_id: number; url: string; transport: Transport | null; analysis_fps: number | null },
  settings: Pick<CameraSettings, 'fps' | 'capture' | 'hw_device' | 'clip'>,
): { options: CaptureOptions; secrets: string[] } {
  const { kind, native_url, secrets } = parseStreamUrl(camera.url);
  const { capture } = settings;
  const options: CaptureOptions = {
    generation: 0,
    label: `cam${camera.camera_id}`,
    kind,
    url: native_url,
    transport: camera.transport ?? capture.transport,
    loop: true,
    realtime: true,
    analysis_fps: camera.analysis_fps ?? settings.fps,
    open_timeout_ms: capture.open_timeout_ms,
    read_timeout_ms: capture.read_timeout_ms,
    stall_limit_ms: capture.stall_limit_ms,
    backoff_min_ms: capture.backoff_min_ms,
    backoff_max_ms: capture.backoff_max_ms,
    backoff_auth_ms: capture.backoff_auth_ms,
    healthy_after_ms: capture.healthy_after_ms,
    clip_ms: settings.clip?.ms ?? 0,
    clip_bytes: settings.clip?.bytes ?? 0,
    hw_device: settings.hw_device,
  };
  return { options, secrets };
}
