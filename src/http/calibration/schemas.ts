/**
 * Bodies of the calibration API. What the existing clients send is taken as they send it: fields that nothing reads are let through there, fields that are read
 * are checked strictly. Answers carry what those clients read, and more.
 */
import { Type, type TSchema } from '@sinclair/typebox';
import { Nullable } from '../../cameras/fields.js';

const closed = { additionalProperties: false } as const;
const open = { additionalProperties: true } as const;

/** Neither a path nor an invisible character, no blank at the ends: it becomes part of file names and a key that databases pad. */
export const CandidateId = Type.String({ minLength: 1, maxLength: 255, pattern: '^(?!\\.{1,2}$)(?! )[^\\u0000-\\u001f\\u007f/\\\\]+(?<! )$', 'x-expected': 'text of 1 to 255 characters without slash, backslash, control characters and blanks at its ends', description: 'candidate' });
const Uuid = Type.String({ pattern: '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$', 'x-expected': 'a UUID, as session/create answers it', description: 'session id, a UUID' });
const Text = (description: string, maxLength = 255) => Type.String({ minLength: 1, maxLength, pattern: '^[^\\u0000-\\u001f\\u007f]+$', 'x-expected': `text of 1 to ${maxLength} characters without control characters`, description });
const OrNull = <T extends TSchema>(schema: T, description: string) => Type.Optional(Type.Union([schema, Type.Null()], { description }));
const Time = Type.Union([Type.String({ minLength: 10, maxLength: 40 }), Type.Number()], { description: 'ISO 8601 or milliseconds since 1970' });

const clock = {
  timezone: Type.Optional(Text('the client\'s zone, an IANA name', 64)),
  client_time: Type.Optional(Time),
  clock_offset_ms: Type.Optional(Type.Number({ minimum: -1e13, maximum: 1e13, description: 'the client\'s clock minus the server\'s, as the client measured it' })),
};
const Consent = Type.Object({ given: Type.Boolean(), policy_version: Type.Optional(Text('version of the text agreed to')) }, { ...closed, description: 'consent to the processing of biometric data' });

export const ErrorSchema = Type.Object(
  {
    detail: Type.Unsafe<string | { loc: string[]; msg: string; type: string }[]>({ description: 'a sentence; of a 422 a list of {loc, msg, type}' }),
    error: Type.Object({ code: Type.String({ description: 'stable, see docs/ERRORS.md' }), message: Type.String() }),
  },
  { description: 'what went wrong' },
);

// -- sessions

export const CreateSessionBody = Type.Object(
  { candidate_id: CandidateId, interview_id: OrNull(Text('interview'), 'interview'), metadata: OrNull(Type.Record(Type.String({ maxLength: 255 }), Type.Unknown(), { maxProperties: 100 }), 'kept with the session'), consent: Type.Optional(Consent), ...clock },
  open,
);
export const CreatedSessionSchema = Type.Object(
  {
    session_id: Type.String(), candidate_id: Type.String(), status: Type.String(), created_at: Type.String(), interview_id: Nullable(Type.String(), 'null = none'),
    metadata: Type.Unsafe<unknown>({ description: 'as it was sent' }), timezone: Nullable(Type.String(), 'null = not said'), clock_offset_ms: Nullable(Type.Number(), 'null = not known'),
  },
  { description: 'the new session' },
);
export const SessionParams = Type.Object({ id: Uuid }, closed);
export const ResumeBody = Type.Object({ session_id: Type.Optional(Uuid), candidate_id: Type.Optional(CandidateId) }, { ...open, description: 'a session, or a candidate, whose newest session that is not completed is meant' });
export const SessionStatusSchema = Type.Object(
  {
    exists: Type.Boolean(), session_id: Type.String(), status: Nullable(Type.String(), 'in_progress, completed or failed'), created_at: Nullable(Type.String(), 'ISO 8601, UTC'), updated_at: Nullable(Type.String(), 'ISO 8601, UTC'),
    error_message: Nullable(Type.String(), 'why the last completion failed'), candidate_id: Type.Optional(Type.String()), interview_id: Type.Optional(Nullable(Type.String(), 'null = none')),
    frames: Type.Optional(Type.Integer()), timezone: Type.Optional(Nullable(Type.String(), 'null = not said')), clock_offset_ms: Type.Optional(Nullable(Type.Number(), 'null = not known')),
  },
  { description: 'a session; with exists false everything else is null' },
);
export const ResumedSchema = Type.Object(
  {
    session_id: Type.String(), status: Type.String(), existing_frames: Type.Integer(), candidate_id: Type.String(), next_frame_index: Type.Integer({ description: 'above every stored frame_index' }),
    frames_per_target_index: Type.Record(Type.String(), Type.Integer()),
  },
  { description: 'where the session stands' },
);
export const LinkQuery = Type.Object({ interview_id: Text('interview') }, closed);
export const LinkBody = Type.Object({ session_id: Uuid, interview_id: Text('interview') }, open);
export const LinkedSchema = Type.Object({ session_id: Type.String(), interview_id: Type.String(), status: Type.String() }, { description: 'linked' });
export const ConsentBody = Type.Object({ candidate_id: CandidateId, session_id: Type.Optional(Uuid), given: Type.Boolean({ description: 'false withdraws it' }), policy_version: Type.Optional(Text('version of the text agreed to')) }, closed);
export const ConsentSchema = Type.Object({ candidate_id: Type.String(), consent: Type.Boolean(), recorded_at: Type.String() }, { description: 'recorded' });

// -- screens

const screen = {
  screen_width_px: Type.Integer({ minimum: 1, maximum: 100_000 }),
  screen_height_px: Type.Integer({ minimum: 1, maximum: 100_000 }),
  screen_width_mm: OrNull(Type.Number({ exclusiveMinimum: 0, maximum: 100_000 }), 'millimetres; without it from dpi'),
  screen_height_mm: OrNull(Type.Number({ exclusiveMinimum: 0, maximum: 100_000 }), 'millimetres; without it from dpi'),
  dpi: OrNull(Type.Number({ exclusiveMinimum: 0, maximum: 10_000 }), 'pixels an inch, default 96'),
  diagonal_inches: OrNull(Type.Number({ exclusiveMinimum: 0, maximum: 10_000 }), 'inches'),
  monitor_name: OrNull(Type.String({ maxLength: 255 }), 'default Unknown'),
  camera_position: OrNull(Text('where the camera is', 64), 'default top-center'),
  distance_cm: OrNull(Type.Union([Type.String({ pattern: '^\\d{1,4}(\\.\\d{1,6})?$', 'x-expected': 'centimetres as text, such as "60"' }), Type.Number({ exclusiveMinimum: 0, maximum: 9_999 })]), 'eyes to screen, default 60'),
  collection_method: OrNull(Type.Union([Type.Literal('automatic'), Type.Literal('manual')]), 'default automatic'),
};
export const ScreenBody = Type.Object({ candidate_id: CandidateId, ...screen }, open);
export const DetectBody = Type.Object({ candidate_id: Type.Optional(CandidateId), ...screen }, open);
export const ScreenInfoSchema = Type.Object(
  {
    candidate_id: Type.String(), timestamp: Type.String(), collection_method: Type.String(), screen_width_px: Type.Integer(), screen_height_px: Type.Integer(), screen_width_mm: Type.Number(), screen_height_mm: Type.Number(),
    camera_position: Type.String(), distance_cm: Type.String(), dpi: Type.Number(), diagonal_inches: Type.Optional(Type.Number()), monitor_name: Type.Optional(Type.String()),
  },
  { description: 'the content of the screen_info file' },
);
export const SavedScreenSchema = Type.Object({ success: Type.Boolean(), candidate_id: Type.String(), timestamp: Type.String(), message: Type.String(), screen_info: ScreenInfoSchema }, { description: 'stored' });
export const DetectedSchema = Type.Object(
  {
    ...Type.Partial(Type.Omit(ScreenInfoSchema, ['timestamp'])).properties, detection_timestamp: Type.String(),
    validation: Type.Object({ valid: Type.Boolean(), warnings: Type.Array(Type.String()) }),
  },
  { description: 'what would be stored' },
);
export const CandidateParams = Type.Object({ candidate_id: CandidateId }, closed);
export const IdParams = Type.Object({ id: CandidateId }, { ...closed, description: 'a session or a candidate' });

// -- calibration

export const StartBody = Type.Object({ session_id: Uuid, candidate_id: CandidateId, consent: Type.Optional(Consent), ...clock }, open);
export const StartedSchema = Type.Object(
  {
    session_id: Type.String(), candidate_id: Type.String(), status: Type.String(), screen_info: ScreenInfoSchema,
    calibration_config: Type.Object({
      target_display_time: Type.Number({ description: 'seconds' }), max_frames_per_target: Type.Integer(),
      targets: Type.Array(Type.Object({ index: Type.Integer(), position: Type.Object({ x: Type.Number(), y: Type.Number() }) })),
    }),
    recommended_fps: Type.Integer(), consent_recorded: Type.Boolean(), server_time: Type.String(),
  },
  { description: 'ready for frames' },
);

const PositionSchema = Type.Object({ x: Type.Number({ minimum: 0, maximum: 100_000 }), y: Type.Number({ minimum: 0, maximum: 100_000 }) }, { description: 'share of the screen from 0 to 1, or pixels' });
export const FRAMES_A_BATCH = 60;
const FrameIndex = Type.Integer({ minimum: 0, maximum: 2_147_483_647 });
export const TargetIndex = Type.Integer({ minimum: 0, maximum: 12 });
const frame = {
  frame_data: Type.String({ minLength: 8, description: 'JPEG, PNG or WebP in base64, with or without data: in front' }),
  frame_index: FrameIndex,
  target_position: PositionSchema,
  target_index: TargetIndex,
  timestamp: Type.Optional(Time),
};
export const FrameBody = Type.Object({ session_id: Uuid, candidate_id: CandidateId, ...frame }, open);
export const BatchBody = Type.Object(
  {
    session_id: Type.Optional(Uuid),
    candidate_id: CandidateId,
    frames: Type.Array(Type.Object({ session_id: Type.Optional(Uuid), candidate_id: Type.Optional(CandidateId), ...frame }, open), { minItems: 1, maxItems: FRAMES_A_BATCH }),
  },
  open,
);
export const LookBody = Type.Object({ session_id: Uuid, candidate_id: CandidateId, frames: Type.Array(Type.Object(frame, open), { minItems: 1, maxItems: 12 }) }, open);
/** Of the form, its texts turned into numbers. */
export const UploadFields = Type.Object(
  {
    session_id: Uuid, candidate_id: CandidateId, frame_index: FrameIndex, target_index: TargetIndex,
    target_x: Type.Number({ minimum: 0, maximum: 100_000 }), target_y: Type.Number({ minimum: 0, maximum: 100_000 }), timestamp: Type.Optional(Time),
  },
  open,
);
/** The head of a binary message. */
export const StreamFrame = Type.Object({ frame_index: FrameIndex, target_index: TargetIndex, target_position: PositionSchema, timestamp: Type.Optional(Time) }, open);
export const StreamHello = Type.Object({ type: Type.Literal('hello'), session_id: Uuid, candidate_id: CandidateId, token: Type.Optional(Type.String({ maxLength: 8_192 })) }, closed);

const QualitySchema = Type.Object({
  head_stability: Type.Integer({ minimum: 0, maximum: 100 }), lighting: Type.Integer({ minimum: 0, maximum: 100 }), detection: Type.Integer({ minimum: 0, maximum: 100 }), guidance: Type.String(),
});
const Numbers = Type.Array(Type.Number());
const frameAnswer = {
  success: Type.Boolean(), frame_index: Type.Integer(), target_index: Type.Integer(), target_position: Type.Object({ x: Type.Number(), y: Type.Number() }), timestamp: Type.String(),
  error: Type.Optional(Type.String()), error_code: Type.Optional(Type.String({ description: 'no_face, no_gaze, not_a_picture, invalid, index_taken, busy or unavailable' })),
  frame_shape: Type.Optional(Type.Array(Type.Integer(), { description: '[height, width]' })), duplicate: Type.Optional(Type.Boolean({ description: 'stored before; this is what was stored then' })),
  gaze_vector: Type.Optional(Type.Array(Type.Number(), { description: 'unit vector in the camera\'s axes, z negative' })), normalized_gaze_angles: Type.Optional(Numbers), angle_to_vector: Type.Optional(Numbers),
  landmarks: Type.Optional(Type.Array(Numbers)), head_pose_rot: Type.Optional(Type.Object({ yaw: Type.Number(), pitch: Type.Number(), roll: Type.Number() }, { description: 'radians' })), bbox: Type.Optional(Numbers),
  eye_centers: Type.Optional(Type.Object({ right: Numbers, left: Numbers })), estimated_gaze_point: Type.Optional(Type.Object({ x: Type.Number(), y: Type.Number() }, { description: 'share of the screen, before any calibration' })),
  quality: Type.Optional(QualitySchema), guidance: Type.Optional(Type.String()),
};
const pace = { recommended_fps: Type.Integer({ description: 'frames a second that this person should send now' }) };
export const FrameAnswerSchema = Type.Object({ ...frameAnswer, ...pace }, { description: 'what was seen; success false where there was no gaze to be seen' });
export const BatchAnswerSchema = Type.Object(
  { session_id: Type.String(), batch_size: Type.Integer(), successful_frames: Type.Integer(), results: Type.Array(Type.Object(frameAnswer)), ...pace, guidance: Nullable(Type.String(), 'of the newest frame; null without one') },
  { description: 'one result a frame, in their order' },
);
export const LookAnswerSchema = Type.Object(
  {
    results: Type.Array(Type.Object({
      success: Type.Boolean(), frame_index: Type.Integer(), error: Type.Optional(Type.String()), error_code: Type.Optional(Type.String()), quality: frameAnswer.quality, guidance: Type.Optional(Type.String()),
      gaze_vector: frameAnswer.gaze_vector, on_screen_mm: Type.Optional(Nullable(Type.Array(Type.Number()), 'from the screen\'s top left corner, by a fit of the frames kept so far; null = they determine none')),
    })),
    recommended_fps: Type.Integer(),
  },
  { description: 'one result a frame, in their order' },
);
export const CompleteBody = Type.Object({ session_id: Uuid, candidate_id: CandidateId }, open);
/** Deep and fixed elsewhere (src/calibration/service): described, not cut down. */
export const Whole = (description: string) => Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true, description });
export const PingSchema = Type.Object(
  {
    status: Type.String(), server_time: Type.String(), server_time_ms: Type.Number(), recommended_fps: Type.Integer(),
    rates: Type.Array(Type.Object({ below_ms: Nullable(Type.Integer(), 'null = slower than all others'), fps: Type.Integer() }), { description: 'rate by the round trip that the client measures' }),
  },
  { description: 'the server is there' },
);
export const VerifySchema = Type.Object(
  { exists: Type.Boolean(), candidate_id: Nullable(Type.String(), 'null = none'), created_at: Nullable(Type.String(), 'ISO 8601, UTC'), has_screen_info: Type.Boolean(), has_calibration_data: Type.Boolean() },
  { description: 'what there is' },
);
export const MissingSchema = Type.Object({ ...VerifySchema.properties, ...ErrorSchema.properties }, { description: 'there is no calibration' });
export const DownloadQuery = Type.Object(
  {
    format: Type.Optional(Type.Union([Type.Literal('json'), Type.Literal('zip')], { description: 'json (default): an object of the three files, the screen as an object, the CSV as text, the NPZ as base64; zip: the three files' })),
    csv: Type.Optional(Type.Union([Type.Literal('exact'), Type.Literal('desktop')], { description: 'exact (default): the recorded doubles; desktop: what the desktop program leaves after reading its own file once' })),
  },
  closed,
);
export const AuditQuery = Type.Object(
  { candidate_id: Type.Optional(CandidateId), after: Type.Optional(Type.Integer({ minimum: 0, description: 'entries above this id' })), limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, description: 'default 100' })) },
  closed,
);
