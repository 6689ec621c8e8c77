/**
 * What the PHP receiver answers, as observed: the order of its checks, its texts and status codes, and the values that its database
 * refuses. It never looks at the request's content type, ignores fields it doesn't know and takes only one payload a request.
 */
import { riskLevel, riskScore, type IndicatorValue } from '../analysis/risk.js';
import { RESULT_TYPES, type ResultType } from '../delivery/payloads.js';

export interface RuleAnswer {
  status: number;
  /** null: an empty body, as after a PHP type error. */
  body: Record<string, unknown> | null;
  /** Set when the payload was taken. */
  result_type?: ResultType;
}

/** The receiver's own list; `null` counts as missing. `batch_complete` needs nothing. */
const REQUIRED: Readonly<Record<ResultType, readonly string[]>> = {
  frame_analysis: ['session_id', 'camera_id', 'frame_timestamp', 'analysis_results'],
  behavioral_detection: ['staff_id', 'camera_id', 'detection_type', 'confidence'],
  anomaly_alert: ['staff_id', 'camera_id', 'anomaly_type', 'severity'],
  baseline_update: ['staff_id', 'baseline_data'],
  batch_complete: [],
};
/** Lists and objects within each other that json_decode takes: its 512 levels count the innermost value. */
const DEPTH_MAX = 511;
const SEVERITIES = new Set(['LOW', 'MEDIUM', 'HIGH', 'CRITICAL']);
const DATABASE_REFUSES: RuleAnswer = failure(500, 'Internal server error');
const TYPE_ERROR: RuleAnswer = { status: 500, body: null };

type Fields = Readonly<Record<string, unknown>>;

/**
 * @param nextId ids of stored rows, rising
 * @returns what the receiver answers to a request
 */
export function receiverAnswer(request: { method: string; token: string | undefined; body: Uint8Array }, token: string, nextId: () => number): RuleAnswer {
  if (request.method !== 'POST') return failure(405, 'Only POST requests allowed');
  if (request.token !== token) return failure(401, 'Unauthorized');
  const body = decoded(request.body);
  if (!truthy(body)) return failure(400, 'Invalid JSON payload');
  const fields: Fields = typeof body === 'object' && body !== null && !Array.isArray(body) ? (body as Fields) : {};
  const named = fields['result_type'];
  const type = RESULT_TYPES.find((known) => known === named);
  if (type === undefined) return failure(400, `Unknown result type: ${typeof named === 'string' || typeof named === 'number' ? named : 'unknown'}`);
  const missing = REQUIRED[type].find((name) => fields[name] === undefined || fields[name] === null);
  if (missing !== undefined) return failure(400, `Missing required field: ${missing}`);
  const answer = ACCEPT[type](fields, nextId);
  return answer.status === 200 ? { ...answer, result_type: type } : answer;
}

const ACCEPT: Readonly<Record<ResultType, (fields: Fields, nextId: () => number) => RuleAnswer>> = {
  frame_analysis(fields) {
    const results = fields['analysis_results'];
    if (typeof results !== 'object') return TYPE_ERROR;
    const { indicators = {}, anomalies } = results as { indicators?: unknown; anomalies?: unknown };
    const count = countOf(anomalies);
    const scored = Object.entries(typeof indicators === 'object' && indicators !== null ? indicators : {});
    if (count === null || scored.some(([, value]) => !numeric(value))) return TYPE_ERROR;
    if (!id(fields['camera_id']) || !id(fields['staff_id'] ?? 1)) return DATABASE_REFUSES;
    const risk_score = riskScore(scored as [string, IndicatorValue][], count);
    return success({ message: 'Frame analysis recorded', risk_score, risk_level: riskLevel(risk_score) });
  },
  behavioral_detection(fields, nextId) {
    const { staff_id, camera_id, confidence, deviation, timestamp } = fields;
    if (!id(staff_id) || !id(camera_id) || !decimal(confidence) || !decimal(deviation ?? 0) || !dateTime(timestamp ?? '2025-01-01 00:00:00')) return DATABASE_REFUSES;
    return success({ message: 'Behavioral detection recorded', detection_id: String(nextId()) });
  },
  anomaly_alert(fields, nextId) {
    const { staff_id, camera_id, severity, risk_score } = fields;
    if (!id(staff_id) || !id(camera_id) || !decimal(risk_score ?? 0.9) || typeof severity !== 'string' || !SEVERITIES.has(severity.toUpperCase())) return DATABASE_REFUSES;
    const requires_investigation = severity === 'CRITICAL' || severity === 'HIGH';
    return success({ message: 'Anomaly alert generated', alert_id: String(nextId()), requires_investigation });
  },
  baseline_update: ({ staff_id }) => (id(staff_id) ? success({ message: 'Baseline updated successfully' }) : DATABASE_REFUSES),
  batch_complete: ({ frames_processed }) => success({ message: 'Batch processing complete', frames_processed: frames_processed ?? 0 }),
};

function success(fields: Record<string, unknown>): RuleAnswer {
  return { status: 200, body: { success: true, ...fields } };
}

function failure(status: number, error: string): RuleAnswer {
  return { status, body: { success: false, error } };
}

/** json_decode: no byte order mark, valid UTF-8 without lone surrogates, at most DEPTH_MAX levels; undefined where PHP gives null. */
function decoded(body: Uint8Array): unknown {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body));
    return plausible(value, 0) ? value : undefined;
  } catch {
    return undefined;
  }
}

function plausible(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return !/[\ud800-\udfff]/u.test(value);
  if (typeof value !== 'object' || value === null) return true;
  return depth < DEPTH_MAX && Object.entries(value).every(([name, member]) => plausible(name, 0) && plausible(member, depth + 1));
}

/** PHP's idea of true. */
function truthy(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return Boolean(value) && value !== '0';
}

/** count() of a list or object, 0 of nothing; null where PHP fails. */
function countOf(anomalies: unknown): number | null {
  if (anomalies === undefined || anomalies === null) return 0;
  return typeof anomalies === 'object' ? Object.keys(anomalies).length : null;
}

/** What PHP multiplies without a fault. */
function numeric(value: unknown): boolean {
  if (typeof value === 'string') return value.trim() !== '' && Number.isFinite(Number(value));
  return typeof value !== 'object' || value === null;
}

/** A value of an INT column that refers to somebody or something. */
function id(value: unknown): boolean {
  if (typeof value !== 'number' && !(typeof value === 'string' && /^\d+$/.test(value))) return false;
  const rounded = Math.round(Number(value));
  return rounded >= 1 && rounded <= 2_147_483_647;
}

/** DECIMAL(5,3). */
function decimal(value: unknown): boolean {
  return (typeof value === 'number' || typeof value === 'string') && numeric(value) && Math.abs(Number(value)) <= 99.999;
}

/** DATETIME in strict mode: no zone, no epoch. */
function dateTime(value: unknown): boolean {
  return typeof value === 'string' && /^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?$/.test(value) && !Number.isNaN(Date.parse(`${value.replace(' ', 'T')}Z`));
}
