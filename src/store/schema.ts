/**
 * Tables of the embedded database, as Kysely types. Booleans are 0 or 1. Times ending in `_at` are ISO 8601 with milliseconds, UTC;
 * those ending in `_ms` are wall-clock milliseconds since 1970. A change here goes with a migration.
 */
import type { ColumnType, Generated, Insertable, Selectable, Updateable } from 'kysely';

export interface CamerasTable {
  /** Chosen by the operator, 1..2147483647. */
  camera_id: number;
  camera_name: string;
  location: Generated<string | null>;
  outlet_id: Generated<number | null>;
  /** With its credentials (the file is readable by its owner only); never log or show it. */
  stream_url: string;
  /** 1..10, 10 is the most important; default 5. */
  priority: Generated<number>;
  /** Default 1. */
  enabled: Generated<0 | 1>;
  staff_id: Generated<number | null>;
  /** null = as configured for all cameras. */
  transport: Generated<'tcp' | 'udp' | null>;
  /** null = as configured for all cameras. */
  analysis_fps: Generated<number | null>;
  created_at: string;
  updated_at: string;
}

/** What the camera table of another system has no column for; null = not set here. */
export interface CameraOverlaysTable {
  camera_id: number;
  transport: Generated<'tcp' | 'udp' | null>;
  staff_id: Generated<number | null>;
  analysis_fps: Generated<number | null>;
  enabled: Generated<0 | 1 | null>;
}

/** One day of a subject's baseline: encrypted, see src/baselines/repository.ts. */
export interface BaselineDaysTable {
  /** `staff:42` or `camera:7`. */
  subject: string;
  /** YYYY-MM-DD in the receiver's zone. */
  day: string;
  box: Buffer;
  bytes: number;
  updated_ms: number;
}

export interface BaselineSubjectsTable {
  subject: string;
  /** Last day that an update told of. */
  sent_day: string;
}

/** The fitted anomaly model of a camera, encrypted. */
export interface BaselineModelsTable {
  camera_id: number;
  box: Buffer;
  updated_ms: number;
}

export interface EventsTable {
  id: Generated<number>;
  camera_id: number;
  camera_name: string;
  staff_id: number | null;
  kind: string;
  type: string;
  category: string;
  severity: string;
  confidence: number;
  deviation: number | null;
  risk_score: number;
  /** JSON object of words. */
  context: string;
  /** JSON list of names. */
  indicators: string;
  frame_timestamp: string;
  duration_seconds: number;
  /** `posted`, `local_only` or `dropped`. */
  delivery: string;
  idempotency_key: string | null;
  /** Below STATE_DIR/evidence. */
  frame_path: Generated<string | null>;
  clip_path: Generated<string | null>;
  created_ms: number;
}

export interface EvidenceFilesTable {
  path: string;
  bytes: number;
  created_ms: number;
}

/** Callbacks that the receiver has not taken yet. A row is deleted in the transaction that records its delivery. */
export interface OutboxTable {
  /** Rises with each row, never used twice. */
  id: Generated<number>;
  /** Who it is for: `callbacks` or `webhooks`. */
  target: Generated<string>;
  /** The same on each attempt, also after a restart or a replay. */
  idempotency_key: string;
  result_type: string;
  /** null: about no single camera. */
  camera_id: number | null;
  /** Lower goes first and is dropped last; see src/delivery/types.ts. */
  priority: number;
  created_ms: number;
  /** The request body, JSON. */
  body: string;
  /** UTF-8 length of `body`. */
  bytes: number;
  /** Rounds of attempts that the receiver answered with a failure while it took other payloads. */
  rounds: Generated<number>;
  /** Not before; null = at once. */
  retry_at_ms: Generated<number | null>;
  /** Code of the last failure. */
  last_error: Generated<string | null>;
}

/** Callbacks that are not sent by themselves any more: refused for good, or without a staff_id. They can be replayed. */
export interface DeadLettersTable {
  id: Generated<number>;
  target: Generated<string>;
  idempotency_key: string;
  result_type: string;
  camera_id: number | null;
  priority: number;
  created_ms: number;
  body: string;
  bytes: number;
  /** Why it is here: `no_staff_id`, or the code of the failure. */
  reason: string;
  /** Last HTTP status; null where there was none. */
  status: number | null;
  attempts: number;
  dead_ms: number;
}

/** One round of the PTZ monitor; `finished_ms` is null while it runs, and for ever when it was killed. */
export interface PtzRunsTable {
  run_id: string;
  started_ms: number;
  finished_ms: number | null;
  devices: number;
}

/** What the PTZ monitor found for a device: the columns of the Athena table first. */
export interface PtzResultsTable {
  id: Generated<number>;
  run_id: string;
  deployment_name: string;
  device_id: string;
  timestamp_s: number;
  pitch_offset: number;
  yaw_offset: number;
  roll_offset: number;
  mode: 'passive' | 'active';
  /** JSON list of {pan, tilt, zoom}. */
  capture_positions: string;
  files_location: string;
  success: 0 | 1;
  /** Parts joined with " | ". */
  failure_log: string;
  status: string;
  reason: string;
  detail: string;
  alert: 0 | 1;
  /** JSON of the whole estimate; null where none was made. */
  estimate: string | null;
  duration_ms: number;
  /** 0 = waits, 1 = is there, 2 = was not wanted when it was found. */
  in_athena: Generated<0 | 1 | 2>;
  notified: Generated<0 | 1 | 2>;
}

/** One row per applied migration. */
export interface MigrationsTable {
  version: number;
  name: string;
  applied_at: ColumnType<string, string, never>;
}

/** The last attempts to deliver webhooks, the newest few thousand. */
export interface WebhookLogTable {
  id: Generated<number>;
  at_ms: number;
  idempotency_key: string;
  event: string;
  /** Whom it is about; null for attempts of before migration 8. */
  candidate_id: string | null;
  outcome: string;
  /** Why it failed; null = it did not. */
  code: string | null;
  status: number | null;
}

export interface StoreTables {
  webhook_log: WebhookLogTable;
  cameras: CamerasTable;
  camera_overlays: CameraOverlaysTable;
  baseline_days: BaselineDaysTable;
  baseline_subjects: BaselineSubjectsTable;
  baseline_models: BaselineModelsTable;
  events: EventsTable;
  evidence_files: EvidenceFilesTable;
  outbox: OutboxTable;
  dead_letters: DeadLettersTable;
  ptz_runs: PtzRunsTable;
  ptz_results: PtzResultsTable;
  schema_migrations: MigrationsTable;
}

export type CameraRow = Selectable<CamerasTable>;
export type NewCameraRow = Insertable<CamerasTable>;
export type CameraRowChange = Updateable<CamerasTable>;
export type EventRow = Selectable<EventsTable>;
export type OutboxRow = Selectable<OutboxTable>;
export type DeadLetterRow = Selectable<DeadLettersTable>;
