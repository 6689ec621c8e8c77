/** A result as scripts and the HTTP API see it: the columns of the table, then what they have no column for. */
import type { OffsetResult } from '../estimate/types.js';
import type { CapturePosition, DeviceOutcome } from '../types.js';

export interface ResultDocument {
  id?: number;
  run_id: string;
  deployment_name: string;
  device_id: string;
  /** ISO 8601, UTC. */
  timestamp: string;
  pitch_offset: number;
  yaw_offset: number;
  roll_offset: number;
  mode: 'passive' | 'active';
  capture_positions: CapturePosition[];
  files_location: string;
  success: boolean;
  failure_log: string;
  status: DeviceOutcome['status'];
  reason: string;
  detail: string;
  alert: boolean;
  ci95_deg: OffsetResult['ci95_deg'];
  zoom_ratio: number | null;
  zoom_ci95: number | null;
  inliers: number;
  /** Share of the picture with inliers. */
  spread: number;
  views: OffsetResult['views'];
  duration_ms: number;
}

export function resultDocument({ run_id, row, status, reason, detail, alert, estimate, duration_ms, ...rest }: DeviceOutcome & { id?: number }): ResultDocument {
  const { timestamp_s, failure_log, ...columns } = row;
  return {
    ...(rest.id === undefined ? {} : { id: rest.id }),
    run_id, ...columns, timestamp: new Date(timestamp_s * 1000).toISOString(), failure_log: failure_log.join(' | '),
    status, reason, detail, alert,
    ci95_deg: estimate?.ci95_deg ?? null, zoom_ratio: estimate?.zoom_ratio ?? null, zoom_ci95: estimate?.zoom_ci95 ?? null, inliers: estimate?.inliers ?? 0, spread: estimate?.spread ?? 0, views: estimate?.views ?? [], duration_ms: Math.round(duration_ms),
  };
}
