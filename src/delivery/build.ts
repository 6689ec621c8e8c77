/** From what analysis says to the bodies that the receiver takes. Pure. */
import type { AnalysisEvent, FrameAnalysis } from '../analysis/types.js';
import type { BaselineSummary, ProfileGroup } from '../baselines/types.js';
import type { AnomalyAlertBody, BaselineUpdateBody, BehavioralDetectionBody, FrameAnalysisBody, UnattributedPayload } from './payloads.js';

/** A camera as payloads need it; `staff_id` null = not always the same person. */
export interface PayloadCamera {
  camera_id: number;
  staff_id: number | null;
}

export interface BuildSettings {
  /** One per run of the daemon. */
  session_id: string;
  /** `localTimestamps(php_system.timezone)`. */
  timestamp: (wall_ms: number) => string;
  /** Stands for anybody in events of a camera without a staff_id. */
  unknown_staff_id?: number | undefined;
}

/**
 * The body of a frame analysis. Indicators are sent unrounded and in their order, since the receiver adds its risk score up from
 * them; one that is not a number is left out. Without the camera's own staff_id there is none: the receiver keeps one row per
 * person and day, and a stand-in would fold all cameras into one.
 */
export function frameAnalysisBody(camera: PayloadCamera, analysis: FrameAnalysis, settings: BuildSettings): FrameAnalysisBody {
  const indicators: Record<string, number> = {};
  for (const [name, value] of Object.entries(analysis.indicators)) {
    if (typeof value === 'number' && Number.isFinite(value)) indicators[name] = fraction(value);
  }
  return {
    result_type: 'frame_analysis',
    session_id: settings.session_id,
    camera_id: camera.camera_id,
    ...(camera.staff_id === null ? {} : { staff_id: camera.staff_id }),
    frame_timestamp: settings.timestamp(Date.parse(analysis.frame_timestamp)),
    analysis_results: { indicators, anomalies: analysis.anomalies.map(({ type, score }) => ({ type, score: fraction(score) })) },
  };
}

/**
 * The body of an event. `attributed` is false where neither the camera nor `unknown_staff_id` names somebody: the body then lacks
 * its staff_id and must not be posted.
 * @param frame_path evidence picture, relative to the evidence folder; left out when there is none
 */
export function eventBody(
  camera: PayloadCamera,
  event: AnalysisEvent,
  settings: BuildSettings,
  frame_path?: string,
): { attributed: true; body: BehavioralDetectionBody | AnomalyAlertBody } | { attributed: false; body: UnattributedPayload } {
  const body = event.kind === 'anomaly_alert' ? alertBody(camera, event, settings, frame_path) : detectionBody(camera, event, settings, frame_path);
  const staff_id = camera.staff_id ?? settings.unknown_staff_id;
  return staff_id === undefined ? { attributed: false, body } : { attributed: true, body: attribute(body, staff_id) };
}

/** The body of a person's daily baseline: median and robust deviation of all that was measured. `interactions` are not measured, so not sent. */
export function baselineBody({ staff_id, period_start, period_end, frames, metrics }: BaselineSummary): BaselineUpdateBody {
  const data: Partial<Record<ProfileGroup, Record<string, number>>> = {};
  for (const { name, group, value } of metrics) {
    const profile = (data[group] ??= {});
    profile[`${name}_median`] = rounded(value.median);
    profile[`${name}_deviation`] = rounded(value.deviation);
  }
  return { result_type: 'baseline_update', staff_id, period_start, period_end, baseline_data: { ...data, total_frames: frames } };
}

function rounded(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}

/** The same event with its staff_id, in the contract's order of fields. */
export function attribute(body: UnattributedPayload, staff_id: number): BehavioralDetectionBody | AnomalyAlertBody {
  const { result_type, ...rest } = body;
  return { result_type, staff_id, ...rest } as BehavioralDetectionBody | AnomalyAlertBody;
}

function detectionBody(camera: PayloadCamera, event: AnalysisEvent, settings: BuildSettings, frame_path?: string): Omit<BehavioralDetectionBody, 'staff_id'> {
  return {
    result_type: 'behavioral_detection',
    camera_id: camera.camera_id,
    detection_type: event.type,
    category: event.category,
    confidence: fraction(event.confidence),
    ...(event.deviation === undefined ? {} : { deviation: fraction(event.deviation) }),
    timestamp: settings.timestamp(Date.parse(event.frame_timestamp)),
    context: { ...event.context },
    ...(frame_path === undefined ? {} : { frame_path }),
  };
}

function alertBody(camera: PayloadCamera, event: AnalysisEvent, settings: BuildSettings, frame_path?: string): Omit<AnomalyAlertBody, 'staff_id'> {
  return {
    result_type: 'anomaly_alert',
    camera_id: camera.camera_id,
    anomaly_type: event.type,
    severity: event.severity,
    risk_score: fraction(event.risk_score),
    indicators: [...event.indicators],
    evidence: {
      ...(frame_path === undefined ? {} : { frame_path }),
      timestamp: settings.timestamp(Date.parse(event.frame_timestamp)),
      duration_seconds: event.duration_seconds,
    },
  };
}

/** Rounding may leave a sum a hair outside 0..1; a value that is no number stays one and is refused by the schema. */
function fraction(value: number): number {
  return Math.min(1, Math.max(0, value));
}
