/**
 * Callback bodies as the contract with the receiver fixes them: one schema per result type, the types derived from it. Strict, so
 * that a slip of ours shows here and not as a 500 over there. Facts about the receiver that shaped them: a `null` counts as missing, a
 * value out of range or a timestamp with a zone is refused by its database, lower-case severities lose their meaning.
 */
import { Type, type Static } from '@sinclair/typebox';
import { TypeCompiler, type TypeCheck } from '@sinclair/typebox/compiler';
import type { TSchema } from '@sinclair/typebox';
import { SightlineError } from '../errors.js';

const strict = { additionalProperties: false } as const;
/** The receiver's id columns are INT. */
const Id = Type.Integer({ minimum: 1, maximum: 2_147_483_647 });
const Fraction = Type.Number({ minimum: 0, maximum: 1 });
const Name = Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_]{0,63}$' });
const Word = Type.String({ minLength: 1, maxLength: 100, pattern: '^[^\\u0000-\\u001f]*$' });
const Timestamp = Type.String({ pattern: '^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01]) ([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d$' });
const Day = Type.String({ pattern: '^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])$' });
/** No step upwards, no control character: the receiver's side may open it. */
const FramePath = Type.String({ minLength: 1, maxLength: 255, pattern: '^(?!(.*/)?\\.\\.(/|$))[^\\u0000-\\u001f]+$' });
const Indicators = Type.Record(Type.String({ pattern: '^[a-z][a-z0-9_]{0,63}$' }), Fraction, { ...strict, maxProperties: 64 });

export const FrameAnalysisPayload = Type.Object(
  {
    result_type: Type.Literal('frame_analysis'),
    session_id: Type.String({ minLength: 1, maxLength: 100 }),
    camera_id: Id,
    staff_id: Type.Optional(Id),
    frame_timestamp: Timestamp,
    analysis_results: Type.Object(
      {
        indicators: Indicators,
        anomalies: Type.Array(Type.Union([Name, Type.Object({ type: Name, score: Fraction }, strict)]), { maxItems: 64 }),
      },
      strict,
    ),
  },
  { ...strict, description: 'what one frame of a camera showed, every 1 to 5 seconds' },
);

export const BehavioralDetectionPayload = Type.Object(
  {
    result_type: Type.Literal('behavioral_detection'),
    staff_id: Id,
    camera_id: Id,
    detection_type: Name,
    category: Name,
    confidence: Fraction,
    deviation: Type.Optional(Fraction),
    timestamp: Timestamp,
    context: Type.Object({ emotion: Type.Optional(Word), posture: Type.Optional(Word), gaze: Type.Optional(Word), movement: Type.Optional(Word) }, strict),
    frame_path: Type.Optional(FramePath),
  },
  { ...strict, description: 'an episode of a behaviour, once' },
);

export const AnomalyAlertPayload = Type.Object(
  {
    result_type: Type.Literal('anomaly_alert'),
    staff_id: Id,
    camera_id: Id,
    anomaly_type: Name,
    severity: Type.Union([Type.Literal('LOW'), Type.Literal('MEDIUM'), Type.Literal('HIGH'), Type.Literal('CRITICAL')]),
    risk_score: Fraction,
    indicators: Type.Array(Name, { maxItems: 64 }),
    evidence: Type.Object({ frame_path: Type.Optional(FramePath), timestamp: Timestamp, duration_seconds: Type.Number({ minimum: 0 }) }, strict),
  },
  { ...strict, description: 'something critical, at once' },
);

export const BatchCompletePayload = Type.Object(
  {
    result_type: Type.Literal('batch_complete'),
    camera_id: Id,
    frames_processed: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
    analysis_summary: Type.Object(
      { avg_stress: Type.Optional(Fraction), high_confidence_detections: Type.Integer({ minimum: 0 }), alerts_generated: Type.Integer({ minimum: 0 }) },
      strict,
    ),
  },
  { ...strict, description: 'a summary of many frames; adds to what frame_analysis has already counted there' },
);

const Profile = Type.Record(Name, Type.Number(), { ...strict, maxProperties: 256 });
export const BaselineUpdatePayload = Type.Object(
  {
    result_type: Type.Literal('baseline_update'),
    staff_id: Id,
    period_start: Type.Optional(Day),
    period_end: Type.Optional(Day),
    baseline_data: Type.Object(
      {
        emotions: Type.Optional(Profile),
        posture: Type.Optional(Profile),
        movement: Type.Optional(Profile),
        gaze: Type.Optional(Profile),
        interactions: Type.Optional(Profile),
        total_frames: Type.Optional(Type.Integer({ minimum: 0 })),
      },
      strict,
    ),
  },
  { ...strict, description: 'what is usual for a person, once a day' },
);

export type FrameAnalysisBody = Static<typeof FrameAnalysisPayload>;
export type BehavioralDetectionBody = Static<typeof BehavioralDetectionPayload>;
export type AnomalyAlertBody = Static<typeof AnomalyAlertPayload>;
export type BatchCompleteBody = Static<typeof BatchCompletePayload>;
export type BaselineUpdateBody = Static<typeof BaselineUpdatePayload>;
/** A complete body. */
export type Payload = FrameAnalysisBody | BehavioralDetectionBody | AnomalyAlertBody | BatchCompleteBody | BaselineUpdateBody;
export type ResultType = Payload['result_type'];
/** An event that lacks only the staff_id that the receiver insists on. */
export type UnattributedPayload = Omit<BehavioralDetectionBody, 'staff_id'> | Omit<AnomalyAlertBody, 'staff_id'>;

export const PAYLOADS = {
  frame_analysis: FrameAnalysisPayload,
  behavioral_detection: BehavioralDetectionPayload,
  anomaly_alert: AnomalyAlertPayload,
  batch_complete: BatchCompletePayload,
  baseline_update: BaselineUpdatePayload,
} as const satisfies Record<ResultType, TSchema>;

export const RESULT_TYPES = Object.keys(PAYLOADS) as readonly ResultType[];

/** A body is a few hundred bytes (a baseline some thousand); what exceeds this is a fault. */
export const BODY_BYTES_MAX = 64 * 1024;

export type PayloadCheck = (body: unknown) => { result_type: ResultType } | { problem: string };

/** A check of any body, compiled once. A problem names the field and what was expected, never the value (it may be about a person). */
export function payloadCheck(): PayloadCheck {
  const compiled = new Map<string, TypeCheck<TSchema>>(RESULT_TYPES.map((type) => [type, TypeCompiler.Compile(PAYLOADS[type])]));
  return (body) => {
    const type = typeof body === 'object' && body !== null ? (body as { result_type?: unknown }).result_type : undefined;
    const check = typeof type === 'string' ? compiled.get(type) : undefined;
    if (check === undefined) return { problem: `result_type: expected one of ${RESULT_TYPES.join(', ')}` };
    if (check.Check(body)) return { result_type: type as ResultType };
    const first = check.Errors(body).First();
    return { problem: `${String(type)}${first?.path ?? ''}: ${first?.message ?? 'does not fit the contract'}` };
  };
}

/** @throws DELIVERY_PAYLOAD_INVALID naming the field */
export function assertPayload(check: PayloadCheck, body: unknown): asserts body is Payload {
  const result = check(body);
  if ('problem' in result) throw new SightlineError('DELIVERY_PAYLOAD_INVALID', result.problem);
}
