/**
 * The configuration: one schema, from which come the types, the checks, docs/CONFIG.md and the sample file. Keys and environment
 * variables are those of the contract with the PHP system; what goes beyond it is named in the same style. The environment wins over the
 * file, the file over the defaults. After `loadConfig` nothing reads the environment.
 */
import { Type, type Static } from '@sinclair/typebox';
import { Calibration } from './calibration.js';
import { bool, int, num, oneOf, optionalInt, optionalText, text } from './fields.js';

/** What a column of the camera table can mean; src/cameras/columns.ts has their usual names. */
const REGISTRY_COLUMNS = [
  'camera_id', 'camera_name', 'location', 'outlet_id', 'stream_url_encrypted', 'stream_url', 'priority', 'online', 'enabled', 'staff_id', 'transport', 'analysis_fps', 'last_seen', 'health_status',
] as const;
const closed = { additionalProperties: false } as const;

const PhpSystem = Type.Object(
  {
    callback_url: optionalText('URL that results are posted to; without it nothing is posted', { env: ['PHP_CALLBACK_URL'], rule: 'http_url' }),
    auth_token: optionalText('token sent as X-CV-Auth-Token', { env: ['CV_PIPELINE_TOKEN'], secret: true, rule: 'header_value' }),
    timeout_seconds: num('time limit of one callback request, seconds', { default: 5, min: 0.1, max: 120 }),
    retry_attempts: int('attempts before a callback waits in the outbox for a replay', { default: 3, min: 1, max: 10 }),
    allow_self_signed: bool('development only: take any certificate of the receiver', false),
    timezone: text('zone of the timestamps in callbacks (IANA name): the zone of the receiver', 'UTC', { rule: 'timezone' }),
  },
  { ...closed, description: 'the receiver of results' },
);

const Cameras = Type.Object(
  {
    load_from_database: bool('take the cameras from the database where one is configured; with false, or without one, from the embedded registry', true),
    max_concurrent: int('cameras that run at once, those of the highest priority first', { default: 120, min: 1, max: 1024, env: ['MAX_CAMERAS'] }),
    priority_threshold: int('cameras of a lower priority (1..10) are not run', { default: 1, min: 1, max: 10 }),
    registry_poll_s: num('seconds between two looks for changes made by another process', { default: 2, min: 0.2, max: 60 }),
  },
  { ...closed, description: 'which cameras run' },
);

const Processing = Type.Object(
  {
    fps: num('analysed frames per second and camera', { default: 5, min: 0.1, max: 60, env: ['ANALYSIS_FPS'] }),
    batch_size: int('upper bound of frames in a batch; the best size below it is measured at start', { default: 16, min: 1, max: 64, env: ['BATCH_SIZE'] }),
    use_gpu: bool('try the GPU providers before the CPU', true),
    gpu_device: int('index of the GPU', { default: 0, min: 0, max: 15 }),
    gpu_memory_fraction: num('share of the GPU memory that inference may take', { default: 0.8, min: 0.05, max: 1, env: ['GPU_MEMORY_FRACTION'] }),
    providers: Type.Optional(
      Type.Array(Type.Union([Type.Literal('cuda'), Type.Literal('webgpu'), Type.Literal('cpu')]), {
        description: 'execution providers in the order they are tried; without it cuda, webgpu, cpu with use_gpu, else cpu',
        minItems: 1,
        maxItems: 3,
        uniqueItems: true,
      }),
    ),
    latency_budget_ms: int('time from packet to result that batching has to stay within, milliseconds', { default: 300, min: 20, max: 10_000 }),
    workers: int('inference workers; 0 = measured at start', { default: 0, min: 0, max: 64 }),
    threads_per_worker: int('threads of one inference worker; 0 = measured at start', { default: 0, min: 0, max: 64 }),
    degradation: oneOf('what may be given up when the machine cannot keep up: rate and then cameras (full), the analysis rate only (rate), nothing (off)', ['full', 'rate', 'off'], 'full'),
    min_fps: num('analysed frames per second and camera that degradation leaves', { default: 1, min: 0.05, max: 60 }),
    batch_slots: int('batches in the frame pool; 0 = derived from the workers', { default: 0, min: 0, max: 64 }),
  },
  { ...closed, description: 'frames, batches and the devices they run on' },
);

const Indicators = Type.Object(
  {
    stress: bool('compute the indicator stress', true),
    anxiety: bool('compute the indicator anxiety', true),
    deception: bool('compute the indicator deception; no default alert rests on it alone', true),
    nervousness: bool('compute the indicator nervousness', true),
  },
  { ...closed, description: 'heuristics over visible behaviour, each can be switched off' },
);

const Detection = Type.Object(
  {
    confidence_threshold: num('confidence above which a behavioral_detection is raised', { default: 0.8, min: 0, max: 1 }),
    alert_threshold: num('risk above which an anomaly_alert is raised', { default: 0.9, min: 0, max: 1 }),
    baseline_enabled: bool('compare with what the camera usually sees', true),
    baseline_days: int('days that a baseline looks back', { default: 30, min: 1, max: 365 }),
    baseline_samples: int('samples, one a second, before a baseline says anything', { default: 3_600, min: 60, max: 1_000_000 }),
    baseline_subjects: int('persons and cameras whose baselines are held in memory', { default: 512, min: 1, max: 10_000 }),
    baseline_max_mib: int('size of the baselines on the disk, MiB; beyond it the oldest days go', { default: 256, min: 1, max: 65_536 }),
    baseline_key: optionalText('key that baselines are encrypted with on the disk: 32 bytes, or 44 characters of base64; without it that of STATE_DIR/state.key', {
      env: ['SIGHTLINE_BASELINE_KEY'],
      secret: true,
      rule: 'encryption_key',
    }),
    cooldown_s: num('seconds before the same event of the same camera is raised again', { default: 60, min: 0, max: 86_400 }),
    indicators: Indicators,
  },
  { ...closed, description: 'indicators, thresholds and baselines' },
);

const Delivery = Type.Object(
  {
    frame_interval_s: num('seconds between two frame_analysis callbacks of a camera', { default: 2, min: 1, max: 60 }),
    rate_per_camera: num('callbacks per second and camera, at most', { default: 10, min: 0.1, max: 10 }),
    stagger_ms: int('offset between the callbacks of two cameras, milliseconds', { default: 200, min: 0, max: 5_000 }),
    concurrency: int('callback requests in flight at once', { default: 8, min: 1, max: 64 }),
    batch_complete_frames: int('analysed frames of a camera that one batch_complete callback sums up; 0 = none is sent, since the receiver adds it to what frame_analysis has counted already', { default: 0, min: 0, max: 1_000_000 }),
    unknown_staff_id: optionalInt('staff_id of events at cameras without one; without it such events are kept here and not posted', { min: 1, max: 2_147_483_647 }),
    outbox_max_rows: int('callbacks kept for a receiver that is away; beyond it the oldest frame_analysis go first', { default: 200_000, min: 100, max: 10_000_000 }),
    outbox_max_mib: int('size of the outbox, MiB', { default: 512, min: 1, max: 65_536 }),
    replay_interval_s: num('seconds between two looks whether the receiver is back', { default: 30, min: 0.1, max: 3_600 }),
    breaker_failures: int('failures in a row that open the circuit breaker', { default: 5, min: 1, max: 100 }),
    breaker_open_s: num('seconds the circuit breaker stays open', { default: 15, min: 0.1, max: 3_600 }),
  },
  { ...closed, description: 'the outbox and the way to the receiver' },
);

const Models = Type.Object(
  {
    dir: optionalText('folder of your own models; without it those made by set-up', { env: ['MODEL_DIR'] }),
    emotion: optionalText('ONNX file of the emotion model, relative to dir', { env: ['EMOTION_MODEL'] }),
    pose: optionalText('ONNX file of the pose model, relative to dir', { env: ['POSE_MODEL'] }),
    object: optionalText('ONNX file of the object model, relative to dir', { env: ['OBJECT_MODEL'] }),
    gaze: optionalText('ONNX file of the gaze model, relative to dir', { env: ['GAZE_MODEL'] }),
    action: optionalText('ONNX file of the action model, relative to dir', { env: ['ACTION_MODEL'] }),
    anomaly: optionalText('ONNX file of the anomaly model, relative to dir', { env: ['ANOMALY_MODEL'] }),
  },
  { ...closed, description: 'your own models; a slot without a file runs the default model' },
);

const Capture = Type.Object(
  {
    transport: oneOf('RTSP transport of cameras that do not say', ['tcp', 'udp'], 'tcp'),
    hw_decode: oneOf('decode on the GPU: auto where one is, off never', ['auto', 'off'], 'auto'),
    open_timeout_ms: int('time limit to open a stream, milliseconds', { default: 10_000, min: 100, max: 120_000 }),
    read_timeout_ms: int('without a packet for so long a camera counts as stalled, milliseconds', { default: 5_000, min: 100, max: 120_000 }),
    stall_limit_ms: int('stalled for so long it is opened again, milliseconds', { default: 15_000, min: 100, max: 600_000 }),
    backoff_min_ms: int('first wait before opening again, milliseconds', { default: 1_000, min: 10, max: 60_000 }),
    backoff_max_ms: int('longest wait before opening again, milliseconds', { default: 30_000, min: 10, max: 3_600_000 }),
    backoff_auth_ms: int('wait after refused credentials, milliseconds: many cameras lock the account', { default: 300_000, min: 10, max: 86_400_000 }),
    healthy_after_ms: int('streaming for so long makes the next wait short again, milliseconds', { default: 10_000, min: 100, max: 600_000 }),
  },
  { ...closed, description: 'opening and reading streams' },
);

const EyeTracking = Type.Object(
  {
    enabled: bool('serve live eye tracking by WebSocket at / and /ws', true),
    source: text('what a start_tracking message without a source means: "webcam" (the first of 0, 1, 2 that opens), "webcam:N" or "camera:ID"', 'webcam', { rule: 'eye_source' }),
    fps: num('eye_data messages per second and client, at most', { default: 10, min: 0.5, max: 30 }),
    width: int('width of the picture that is searched, pixels; larger finds smaller faces and takes longer', { default: 640, min: 160, max: 1_920 }),
    away_after_ms: int('how long evidence for looking away has to last, milliseconds', { default: 1_000, min: 0, max: 60_000 }),
    back_after_ms: int('how long both eyes have to be seen until somebody looks again, milliseconds', { default: 200, min: 0, max: 60_000 }),
    lost_after_ms: int('without a new frame for so long a camera counts as lost, milliseconds', { default: 5_000, min: 200, max: 120_000 }),
    retry_min_ms: int('first wait before webcams are looked for again, milliseconds', { default: 1_000, min: 50, max: 60_000 }),
    retry_max_ms: int('longest wait before webcams are looked for again, milliseconds', { default: 15_000, min: 50, max: 600_000 }),
    max_clients: int('clients connected at once; further ones are closed with 1013', { default: 256, min: 1, max: 10_000 }),
    max_sources: int('cameras followed at once', { default: 4, min: 1, max: 64 }),
    allowed_origins: Type.Array(Type.String({ minLength: 1, maxLength: 256 }), {
      description: 'origins of pages, beside those of this server and of this machine, that may connect: https://app.example.org',
      default: [],
      maxItems: 64,
    }),
  },
  { ...closed, description: 'live eye tracking' },
);

const Server = Type.Object(
  {
    host: text('address the HTTP server listens on', 'localhost', { env: ['HOST'] }),
    port: int('port the HTTP server listens on; 0 = any free one', { default: 5000, min: 0, max: 65_535, env: ['PORT'] }),
    api_token: optionalText('token asked of API clients (Authorization: Bearer); needed when host is not a loopback address', {
      env: ['SIGHTLINE_API_TOKEN'],
      secret: true,
      rule: 'api_token',
    }),
    trust_proxy: bool('a reverse proxy in front sets X-Forwarded-*', false),
    body_limit_kib: int('largest request body, KiB', { default: 1_024, min: 1, max: 65_536 }),
    request_timeout_ms: int('time limit to receive a request, milliseconds', { default: 10_000, min: 100, max: 600_000 }),
  },
  { ...closed, description: 'the HTTP listener' },
);

const Database = Type.Object(
  {
    host: optionalText('MySQL host', { env: ['DB_HOST'] }),
    port: int('MySQL port', { default: 3306, min: 1, max: 65_535, env: ['DB_PORT'] }),
    user: optionalText('MySQL user', { env: ['DB_USER'] }),
    password: optionalText('MySQL password', { env: ['DB_PASSWORD', 'DB_PASS'], secret: true }),
    name: optionalText('MySQL database', { env: ['DB_NAME'] }),
    tls: bool('encrypt the connection and check the certificate of the database', false),
    encryption_key: optionalText('master key of encrypted stream URLs: 32 bytes, or 44 characters of base64', {
      env: ['FRAUD_ENCRYPTION_KEY'],
      secret: true,
      rule: 'encryption_key',
    }),
  },
  { ...closed, description: 'a database of the PHP system; without one the embedded database is used' },
);

const Columns = Type.Object(
  Object.fromEntries(REGISTRY_COLUMNS.map((name) => [name, optionalText(`column of ${name.replaceAll('_', ' ')}`)])) as Record<(typeof REGISTRY_COLUMNS)[number], ReturnType<typeof optionalText>>,
  { ...closed, description: 'columns of the camera table; without it they are found by their usual names' },
);

const RegistrySection = Type.Object(
  {
    table: text('table of the cameras', 'camera_network'),
    columns: Columns,
    poll_s: num('seconds between two looks at the table', { default: 5, min: 0.5, max: 3_600 }),
    write_status: bool('write health and last_seen of the cameras into the table', true),
    status_interval_s: num('seconds between two writings of last_seen', { default: 30, min: 1, max: 300 }),
    write_online: bool('write online as well: 0 hides a camera from the contract\'s own query, so also from the next start', false),
  },
  { ...closed, description: 'the camera table of the PHP system, read when a database is configured' },
);

const Shift = Type.Object(
  {
    camera_id: Type.Integer({ description: 'camera', minimum: 1, maximum: 2_147_483_647 }),
    staff_id: Type.Integer({ description: 'who is seen there', minimum: 1, maximum: 2_147_483_647 }),
    days: Type.Optional(Type.Array(Type.Union((['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const).map((day) => Type.Literal(day))), { description: 'days of the week on which it begins; without it every day', minItems: 1, maxItems: 7, uniqueItems: true })),
    from: Type.String({ description: 'HH:MM in php_system.timezone', minLength: 4, maxLength: 5, rule: 'time_of_day' }),
    to: Type.String({ description: 'HH:MM; not after `from`: on the next day', minLength: 4, maxLength: 5, rule: 'time_of_day' }),
  },
  { ...closed, description: 'a shift at a camera' },
);

const Staff = Type.Object(
  { roster: Type.Array(Shift, { description: 'who is seen at a camera by time of day ("from" and "to" as HH:MM in php_system.timezone, "days" from "mon" to "sun", without them every day); the first that fits wins, then the staff_id of the camera', default: [], maxItems: 10_000 }) },
  { ...closed, description: 'who is seen where' },
);

const Ptz = Type.Object(
  {
    devices_file: text('devices.yaml: the PTZ cameras that are monitored', 'devices.yaml', { env: ['PTZ_DEVICES'] }),
    settings_file: text('calibration_monitoring.ini; where it is missing everything has its default and stays local', 'configs/calibration_monitoring.ini', { env: ['PTZ_SETTINGS'] }),
  },
  { ...closed, description: 'PTZ calibration monitoring; docs/PTZ.md' },
);

const Evidence = Type.Object(
  {
    frames: bool('keep the frame that raised an event', true),
    clips: bool('keep a clip around an anomaly_alert, as the camera encoded it', true),
    clip_before_s: num('seconds of a clip before the alert; it begins at the key frame before', { default: 10, min: 0, max: 120 }),
    clip_after_s: num('seconds of a clip after the alert', { default: 5, min: 0, max: 60 }),
    clip_memory_mib: int('memory for packets that a clip may need, all cameras together, MiB', { default: 512, min: 1, max: 65_536 }),
    jpeg_quality: int('JPEG quality of frames', { default: 85, min: 1, max: 100 }),
    jpeg_width: int('largest width of frames, pixels', { default: 1_280, min: 16, max: 8_192 }),
    keep_days: int('days that events, frames and clips are kept', { default: 30, min: 1, max: 3_650 }),
    max_mib: int('size of frames and clips on the disk, MiB; beyond it the oldest go', { default: 4_096, min: 1, max: 1_048_576 }),
    max_events: int('events kept; beyond it the oldest go', { default: 100_000, min: 100, max: 10_000_000 }),
    path_prefix: optionalText('put before the frame_path of callbacks, such as a folder or URL under which the receiver finds STATE_DIR/evidence; without it the path is relative'),
  },
  { ...closed, description: 'what is kept of events, in STATE_DIR/evidence' },
);

const Logging = Type.Object(
  {
    level: oneOf('least level that is logged', ['trace', 'debug', 'info', 'warn', 'error'], 'info', { env: ['LOG_LEVEL'] }),
    format: oneOf('auto = lines for a terminal, JSON otherwise', ['auto', 'json', 'line'], 'auto'),
    summary_interval_s: num('seconds between two summary lines', { default: 10, min: 1, max: 3_600 }),
  },
  { ...closed, description: 'what is logged' },
);

export const ConfigSchema = Type.Object(
  {
    php_system: PhpSystem,
    cameras: Cameras,
    processing: Processing,
    detection: Detection,
    delivery: Delivery,
    models: Models,
    capture: Capture,
    eye_tracking: EyeTracking,
    server: Server,
    database: Database,
    registry: RegistrySection,
    staff: Staff,
    ptz: Ptz,
    evidence: Evidence,
    calibration: Calibration,
    logging: Logging,
    state_dir: text('folder of embedded databases, outbox and evidence', '.sightline', { env: ['STATE_DIR'] }),
  },
  { ...closed, description: 'Sightline' },
);

type DeepReadonly<T> = T extends (infer U)[] ? readonly DeepReadonly<U>[] : T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

/** A checked, complete, frozen configuration. `state_dir` and `models.dir` are absolute. */
export type Config = DeepReadonly<Static<typeof ConfigSchema>>;
export type Provider = 'cuda' | 'webgpu' | 'cpu';

/** Execution providers in the order they are tried. */
export function providersOf(processing: Config['processing']): readonly Provider[] {
  return processing.providers ?? (processing.use_gpu ? ['cuda', 'webgpu', 'cpu'] : ['cpu']);
}
