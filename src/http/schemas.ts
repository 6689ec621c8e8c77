/** Bodies of the HTTP API, one schema each: validation, types and /openapi.json come from them. Boxes are [x, y, width, height], points and boxes in pixels of the decoded frame. */
import { Type } from '@sinclair/typebox';
import type { FrameAnalysis } from '../analysis/types.js';
import type { EventRecord } from '../evidence/types.js';
import { cameraFields, Id, Nullable } from '../cameras/fields.js';

export { CameraChangeSchema, NewCameraSchema } from '../cameras/fields.js';

const closed = { additionalProperties: false } as const;
const Count = (description: string) => Type.Integer({ minimum: 0, description });
const Unit = (description: string) => Type.Number({ description });

export const ErrorSchema = Type.Object(
  { error: Type.Object({ code: Type.String({ description: 'stable, see docs/ERRORS.md' }), message: Type.String() }) },
  { description: 'what went wrong' },
);

export const HealthSchema = Type.Object(
  { status: Type.Union([Type.Literal('ok'), Type.Literal('unavailable')]), reasons: Type.Array(Type.String()) },
  { description: 'status and why' },
);

export const CameraIdParams = Type.Object({ id: Id('camera id') }, closed);

export const CameraSchema = Type.Object(
  { camera_id: Id('camera id'), ...cameraFields, created_at: Type.String(), updated_at: Type.String() },
  { description: 'a registered camera; url is shown without its credentials' },
);

export const CameraStatusSchema = Type.Object(
  {
    camera_id: Id('camera id'),
    camera_name: Type.String(),
    state: Type.Union(
      (['connecting', 'streaming', 'stalled', 'backing_off', 'disabled', 'failed'] as const).map((state) => Type.Literal(state)),
      { description: 'connecting, streaming, stalled, backing_off, disabled or failed' },
    ),
    reason: Type.String({ description: 'code of the last failure or why it is not run; empty = none' }),
    fps: Type.Number({ description: 'decoded frames per second over the last seconds' }),
    expected_fps: Nullable(Type.Number(), 'what the stream says of itself; null = unknown'),
    frame_age_ms: Nullable(Type.Number(), 'age of the newest frame; null before the first'),
    retry_at: Nullable(Type.String(), 'when it is opened again, ISO 8601, UTC; null = it is not backing off'),
    frames: Count('decoded frames'),
    analysed_frames: Count('frames handed to inference'),
    analysis_fps: Type.Number({ description: 'analysed frames per second that it gets now; less than wanted while the machine cannot keep up' }),
    drops: Type.Record(Type.String(), Count('frames'), { description: 'dropped frames by reason' }),
    corrupt_frames: Count('damaged frames, never analysed'),
    reconnects: Count('times it was opened again'),
    hw_fallbacks: Count('times the GPU decoder was given up'),
    decoder: Type.String({ description: 'decoder in use; empty = none open' }),
    codec: Type.String(),
    width: Type.Integer(),
    height: Type.Integer(),
    kind: Type.String({ description: 'rtsp, v4l2, file or lavfi' }),
    url: Type.String({ description: 'without credentials' }),
    location: Nullable(Type.String()),
    outlet_id: Nullable(Type.Integer()),
    priority: Type.Integer(),
  },
  { description: 'a camera and what it is doing; counters since the start of the daemon' },
);
export const CameraStatusesSchema = Type.Object({ cameras: Type.Array(CameraStatusSchema) });

export const ProbeRequestSchema = Type.Object({ url: cameraFields.url, transport: Type.Optional(cameraFields.transport) }, { ...closed, description: 'a stream to try' });
export const ProbeSchema = Type.Object(
  {
    ok: Type.Boolean({ description: 'a frame could be decoded' }),
    reason: Type.String({ description: 'stable code when not ok' }),
    detail: Type.String(),
    codec: Type.String(),
    pixel_format: Type.String(),
    transport: Type.String(),
    width: Type.Integer(),
    height: Type.Integer(),
    source_fps: Type.Number(),
    open_ms: Type.Number(),
    first_frame_ms: Type.Number(),
  },
  { description: 'what the stream is' },
);

export const DryRunQuery = Type.Object({ dry_run: Type.Optional(Type.Union([Type.Literal('true'), Type.Literal('false')], { description: 'true = check and probe the stream, change nothing' })) }, closed);
export const DryRunSchema = Type.Object(
  { dry_run: Type.Literal(true), camera: CameraSchema, probe: Nullable(ProbeSchema, 'what the stream is; null = its URL would not change') },
  { description: 'what would be; nothing was changed' },
);

export const RegistrySchema = Type.Object(
  {
    source: Type.String({ description: 'embedded or mysql' }),
    state: Type.String({ description: 'starting, ok, or down: what was read last is in force' }),
    since: Type.String({ description: 'ISO 8601, UTC' }),
    last_read_at: Nullable(Type.String(), 'ISO 8601, UTC'),
    error: Nullable(Type.Object({ code: Type.String(), message: Type.String() }), 'why it is down'),
    from_cache: Type.Boolean({ description: 'the cameras are those of an earlier run' }),
    cameras: Count('cameras'),
    problems: Type.Array(Type.Object({ camera_id: Type.String(), code: Type.String(), message: Type.String() }), { description: 'rows that cannot be used, or not wholly' }),
  },
  { description: 'where the cameras come from, and how that goes' },
);

export const SnapshotQuery = Type.Object(
  {
    width: Type.Optional(Type.Integer({ minimum: 16, maximum: 8192, description: 'largest width in pixels' })),
    quality: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: 'JPEG quality, default 85' })),
  },
  closed,
);

const BoxSchema = Type.Array(Type.Number(), { minItems: 4, maxItems: 4, description: '[x, y, width, height]' });
const Probabilities = Type.Record(Type.String(), Type.Number(), { description: 'label → probability' });
const FaceSchema = Type.Object({
  box: BoxSchema,
  score: Unit('0..1'),
  emotions: Type.Optional(Probabilities),
  gaze: Type.Optional(
    Type.Object({
      vector: Type.Array(Type.Number(), { minItems: 3, maxItems: 3, description: 'unit vector: x right, y down, z away from the camera' }),
      yaw_deg: Type.Number({ description: 'positive to the right in the image' }),
      pitch_deg: Type.Number({ description: 'positive upwards' }),
    }),
  ),
  head: Type.Optional(Type.Object({ yaw_deg: Type.Number(), pitch_deg: Type.Number(), roll_deg: Type.Number() })),
  eye_openness: Type.Optional(Type.Array(Type.Number(), { minItems: 2, maxItems: 2, description: 'left, right' })),
  track_id: Type.Optional(Type.Integer()),
});
const Indicators = Type.Record(Type.String(), Unit('0..1'), { description: 'name → 0..1; what cannot be known is absent' });
const ActionSchema = Type.Object({ label: Type.String(), score: Unit('0..1'), labels: Probabilities });
const PersonSchema = Type.Object({
  score: Unit('0..1'),
  box: BoxSchema,
  keypoints: Type.Array(Type.Object({ name: Type.String(), x: Type.Number(), y: Type.Number(), score: Unit('0..1') })),
  track_id: Type.Optional(Type.Integer()),
  action: Type.Optional(ActionSchema),
  indicators: Type.Optional(Indicators),
});
const EventSchema = Type.Object(
  {
    kind: Type.String({ description: 'behavioral_detection or anomaly_alert' }),
    type: Type.String(),
    category: Type.String(),
    frame_timestamp: Type.String({ description: 'ISO 8601, UTC' }),
    seq: Type.Integer(),
    track_id: Type.Optional(Type.Integer()),
    confidence: Unit('0..1'),
    deviation: Type.Optional(Unit('from the baseline, 0..1')),
    severity: Type.String(),
    risk_score: Unit('0..1'),
    context: Type.Record(Type.String(), Type.String()),
    indicators: Type.Array(Type.String()),
    duration_seconds: Type.Number(),
  },
  { description: 'an event that this frame raised' },
);

export const EventIdParams = Type.Object({ id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'event id' }) }, closed);
export const EventQuerySchema = Type.Object(
  {
    camera_id: Type.Optional(Id('only of this camera')),
    staff_id: Type.Optional(Id('only of this person')),
    kind: Type.Optional(Type.Union([Type.Literal('behavioral_detection'), Type.Literal('anomaly_alert')], { description: 'only of this kind' })),
    severity: Type.Optional(Type.Union((['LOW', 'MEDIUM', 'HIGH', 'CRITICAL'] as const).map((severity) => Type.Literal(severity)), { description: 'only of this severity' })),
    before: Type.Optional(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'only ids below this one: next_before of the last answer' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'most that are returned, default 100' })),
  },
  closed,
);
const KeptEvent = Type.Object(
  {
    id: Type.Integer(),
    camera_id: Type.Integer(),
    camera_name: Type.String(),
    staff_id: Nullable(Type.Integer(), 'null: nobody in particular'),
    kind: Type.String({ description: 'behavioral_detection or anomaly_alert' }),
    type: Type.String(),
    category: Type.String(),
    severity: Type.String(),
    confidence: Unit('0..1'),
    deviation: Nullable(Unit('from the baseline, 0..1'), 'null: not known'),
    risk_score: Unit('0..1'),
    context: Type.Record(Type.String(), Type.String()),
    indicators: Type.Array(Type.String()),
    frame_timestamp: Type.String({ description: 'ISO 8601, UTC' }),
    duration_seconds: Type.Number({ description: 'how long it had lasted when it was raised' }),
    delivery: Type.String({ description: 'posted, local_only (nobody to attribute it to) or dropped' }),
    idempotency_key: Nullable(Type.String(), 'of its callback'),
    frame_path: Nullable(Type.String(), 'below STATE_DIR/evidence; null: none is kept'),
    clip_path: Nullable(Type.String(), 'below STATE_DIR/evidence; null: none is kept'),
  },
  { description: 'an event that was raised; a measurement of visible behaviour, not a fact about a person' },
);
export const KeptEventSchema = Type.Unsafe<EventRecord>(KeptEvent);
export const EventsSchema = Type.Object({ events: Type.Array(KeptEventSchema), next_before: Nullable(Type.Integer(), 'ask with before= this for the next page; null = there is none') });

const history = {
  subject: Type.String({ description: 'staff:ID or camera:ID' }),
  state: Type.String({ description: 'learning or ready: until then it says nothing' }),
  samples: Count('samples, one a second'),
  needed: Count('samples before it says anything'),
  days: Count('days with samples'),
};
const HistorySchema = Type.Object(history, { description: 'the baseline over days' });
export const BaselinesSchema = Type.Object(
  {
    subjects: Count('persons and cameras with a baseline on the disk'),
    days: Count('days kept, of all subjects'),
    bytes: Count('size on the disk'),
    in_memory: Count('baselines held in memory'),
    dropped: Count('frames of subjects that found no room in memory'),
    unreadable: Count('days that could not be opened: damaged, or another key'),
    updates: Count('daily updates made since the start'),
    last_day: Nullable(Type.String(), 'the day that runs, YYYY-MM-DD in php_system.timezone; null = just started'),
    baselines: Type.Array(
      Type.Object({
        ...history,
        values: Type.Record(Type.String(), Type.Object({ median: Type.Number(), deviation: Type.Number({ description: '1.4826 × median absolute deviation' }), count: Count('measurements') }), { description: 'what is usual, in the units of docs/indicators.md' }),
      }),
    ),
  },
  { description: 'what is usual for persons and cameras; measurements of visible behaviour, not facts about a person' },
);

/** The JSON form of a FrameAnalysis: its type is that one's, a test holds a real one against the schema. */
const AnalysisShape = Type.Object(
  {
    camera_id: Type.Integer(),
    frame_timestamp: Type.String({ description: 'ISO 8601, UTC' }),
    seq: Type.Integer(),
    width: Type.Integer(),
    height: Type.Integer(),
    faces: Type.Array(FaceSchema),
    persons: Type.Array(PersonSchema),
    objects: Type.Array(Type.Object({ label: Type.String(), score: Unit('0..1'), box: BoxSchema })),
    action: Nullable(ActionSchema, 'null while none is known'),
    anomaly: Nullable(Type.Object({ score: Unit('0..1'), error: Type.Number(), type: Type.String() }), 'null before there is a baseline'),
    indicators: Indicators,
    indicator_coverage: Indicators,
    track_id: Type.Optional(Type.Integer({ description: 'subject the indicators are about' })),
    anomalies: Type.Array(Type.Object({ type: Type.String(), score: Unit('0..1') })),
    risk_score: Type.Number(),
    risk_level: Type.String({ description: 'MINIMAL, LOW, MEDIUM, HIGH or CRITICAL' }),
    signals: Type.Record(Type.String(), Type.Number(), { description: 'what was measured of that subject, in the units of docs/indicators.md' }),
    baseline: Type.Object({ state: Type.String({ description: 'off, learning or ready' }), samples: Count('samples'), needed: Count('samples'), history: Type.Optional(HistorySchema) }),
    missing: Type.Array(Type.String(), { description: 'model slots that gave nothing for this frame' }),
    events: Type.Array(EventSchema),
  },
  { description: 'what the newest analysed frame shows; indicators are heuristics over visible behaviour, not facts about a person' },
);

export const AnalysisSchema = Type.Unsafe<FrameAnalysis & { camera_id: number }>(AnalysisShape);

const Percentiles = Type.Object({ p50: Nullable(Type.Number()), p95: Nullable(Type.Number()), p99: Nullable(Type.Number()) });
export const PipelineSchema = Type.Object(
  {
    frames_per_s: Type.Number({ description: 'results per second over the last seconds' }),
    frames_total: Count('results since the start'),
    latency_ms: Percentiles,
    stages: Type.Record(
      Type.String(),
      Type.Object({ runs: Count('runs'), frames_per_s: Type.Optional(Type.Number()), latency_ms: Percentiles }),
      { description: 'per stage' },
    ),
    batches: Type.Record(Type.String(), Type.Object({ count: Count('batches'), mean_size: Type.Number(), target_size: Type.Optional(Type.Integer()) }), {
      description: 'batch sizes by model',
    }),
    drops: Type.Record(Type.String(), Count('frames'), { description: 'dropped frames by reason, all cameras' }),
    queue: Type.Object({ waiting_frames: Count('ready, not taken'), batches_in_flight: Count('at the workers'), oldest_ms: Nullable(Type.Number()) }),
    providers: Type.Record(Type.String(), Type.Object({ wanted: Type.String(), used: Type.String(), fallbacks: Count('times') }), { description: 'by model' }),
    models: Type.Record(
      Type.String(),
      Type.Object({
        state: Type.String({ description: 'running, suspended (it failed too often and is tried again later) or missing' }),
        provider: Nullable(Type.String()),
        failures: Count('failed runs'),
        last_error: Type.String({ description: 'the newest failure; empty = none' }),
      }),
      { description: 'state of each model; what a model that does not run would say is absent' },
    ),
    degradation: Type.Object(
      {
        rung: Count('steps down the ladder; 0 = every camera has the rate it wants'),
        rungs: Count('steps that there are'),
        lost_share: Type.Number({ description: 'share of the frames due for inference that was lost lately, 0..1' }),
        slowed: Type.Array(Type.Object({ camera_id: Id('camera id'), fps: Type.Number(), wanted_fps: Type.Number() })),
        paused: Type.Array(Id('camera id')),
      },
      { description: 'what is given up while the machine cannot keep up' },
    ),
    workers: Type.Object({ count: Count('workers'), threads_per_worker: Count('threads'), restarts: Count('restarts') }),
  },
  { description: 'what the pipeline does' },
);

export const CallbacksSchema = Type.Object(
  {
    backlog: Count('callbacks waiting'),
    delivered: Count('accepted by the receiver'),
    failed: Count('attempts that failed'),
    dead_letters: Count('refused by the receiver, kept for a replay'),
    local_only: Count('events without a staff_id: kept here, not posted'),
    dropped: Type.Record(Type.String(), Count('callbacks'), { description: 'callbacks given up, by reason' }),
    oldest_age_s: Nullable(Type.Number(), 'age of the oldest one waiting'),
    targets: Type.Array(
      Type.Object({
        url: Type.String({ description: 'without credentials' }),
        state: Type.String({ description: 'circuit breaker: closed, open or half_open' }),
        backlog: Count('callbacks waiting'),
        delivered: Count('accepted'),
        failed: Count('failed attempts'),
        last_status: Nullable(Type.Integer(), 'last HTTP status'),
        last_error: Nullable(Type.String(), 'last failure'),
        last_success_at: Nullable(Type.String(), 'ISO 8601, UTC'),
      }),
    ),
  },
  { description: 'the way to the receiver' },
);
export const ReplayRequestSchema = Type.Object(
  { ids: Type.Optional(Type.Array(Type.Integer({ minimum: 1 }), { minItems: 1, maxItems: 10_000, description: 'dead letters; without it all of them' })) },
  { ...closed, description: 'what to send again' },
);
export const ReplaySchema = Type.Object({ replayed: Count('put back into the outbox'), kept: Count('still without a staff_id') });
export const DeadLetterQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'most that are returned, default 100' })),
    after: Type.Optional(Type.Integer({ minimum: 0, description: 'only ids above this one' })),
  },
  closed,
);
export const DeadLetterSchema = Type.Object({
  id: Type.Integer(),
  idempotency_key: Type.String(),
  result_type: Type.String(),
  camera_id: Nullable(Type.Integer()),
  created_at: Type.String({ description: 'ISO 8601, UTC' }),
  attempts: Count('attempts'),
  last_status: Nullable(Type.Integer()),
  last_error: Nullable(Type.String({ description: 'a code; no_staff_id = never posted' })),
  body: Type.Any({ description: 'the payload' }),
});
export const DeadLettersSchema = Type.Object({ dead_letters: Type.Array(DeadLetterSchema) });
export const CallbackTestSchema = Type.Object(
  {
    reached: Type.Boolean({ description: 'an HTTP answer came' }),
    authorized: Nullable(Type.Boolean(), 'the token was taken; null = not known'),
    status: Nullable(Type.Integer(), 'HTTP status'),
    duration_ms: Type.Number(),
    message: Type.String(),
  },
  { description: 'what the receiver answered to a body that it does not store' },
);

export const ReloadSchema = Type.Object(
  {
    applied: Type.Array(Type.String(), { description: 'changed keys that are in force now' }),
    needs_restart: Type.Array(Type.String(), { description: 'changed keys that take effect, or full effect, at the next start' }),
  },
  { description: 'what a reload has changed' },
);
export const ShownConfigSchema = Type.Record(Type.String(), Type.Any(), { description: 'the configuration by section; secrets as ***' });
