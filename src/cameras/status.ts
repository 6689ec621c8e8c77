/** A camera's state as the API shows it, from its record, its capture statistics and the totals of earlier handles. Pure. */
import type { CaptureStats } from '../capture/types.js';
import { parseStreamUrl, shownUrl } from './stream_url.js';
import type { CameraRecord, CameraStatus, HeldReason } from './types.js';

export interface Totals {
  frames: number;
  analysed: number;
  corrupt: number;
  reconnects: number;
  hw_fallbacks: number;
  drops: Record<string, number>;
}

export function noTotals(): Totals {
  return { frames: 0, analysed: 0, corrupt: 0, reconnects: 0, hw_fallbacks: 0, drops: {} };
}

export function addTotals(a: Totals, b: Totals): Totals {
  const drops = { ...a.drops };
  for (const [reason, count] of Object.entries(b.drops)) drops[reason] = (drops[reason] ?? 0) + count;
  return {
    frames: a.frames + b.frames,
    analysed: a.analysed + b.analysed,
    corrupt: a.corrupt + b.corrupt,
    reconnects: a.reconnects + b.reconnects,
    hw_fallbacks: a.hw_fallbacks + b.hw_fallbacks,
    drops,
  };
}

export interface StatusParts {
  record: CameraRecord;
  held: HeldReason | '';
  failure: string;
  carried: Totals;
  /** What it gets of analysis, frames per second. */
  analysis_fps: number;
  stats: CaptureStats | undefined;
  now_us: number;
  /** The same moment on the wall clock. */
  wall_ms: number;
}

export function statusOf({ record, held, failure, carried, analysis_fps, stats, now_us, wall_ms }: StatusParts): CameraStatus {
  const totals = stats === undefined ? carried : addTotals(carried, stats);
  const idle = held !== '' ? ('disabled' as const) : failure !== '' ? ('failed' as const) : ('connecting' as const);
  return {
    camera_id: record.camera_id,
    camera_name: record.camera_name,
    state: stats?.state ?? idle,
    reason: stats?.reason ?? (held !== '' ? held : failure),
    fps: round(stats?.fps ?? 0, 2),
    expected_fps: stats !== undefined && stats.source_fps > 0 ? round(stats.source_fps, 3) : null,
    frame_age_ms: stats !== undefined && stats.newest_frame_us > 0 ? Math.max(0, round((now_us - stats.newest_frame_us) / 1000, 1)) : null,
    retry_at: stats?.state === 'backing_off' && stats.retry_at_us > 0 ? new Date(wall_ms + (stats.retry_at_us - now_us) / 1000).toISOString() : null,
    frames: totals.frames,
    analysed_frames: totals.analysed,
    analysis_fps: round(analysis_fps, 3),
    drops: totals.drops,
    corrupt_frames: totals.corrupt,
    reconnects: totals.reconnects,
    hw_fallbacks: totals.hw_fallbacks,
    decoder: stats?.decoder ?? '',
    codec: stats?.codec ?? '',
    width: stats?.width ?? 0,
    height: stats?.height ?? 0,
    kind: kindOf(record.url),
    url: shownUrl(record.url),
    location: record.location,
    outlet_id: record.outlet_id,
    priority: record.priority,
  };
}

function kindOf(url: string): CameraStatus['kind'] {
  try {
    return parseStreamUrl(url).kind;
  } catch {
    return 'rtsp';
  }
}

function round(value: number, digits: number): number {
  const factor = 10 ** digits;
  return Math.round(value * factor) / factor;
}
