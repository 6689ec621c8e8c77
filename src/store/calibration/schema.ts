/**
 * Tables of calibrations, as Kysely types: the same on MySQL, MariaDB and SQLite. The first four are the platform's own (other programs read them), the
 * rest is ours beside them. Times of the platform's tables are `YYYY-MM-DD HH:MM:SS` in UTC, ours end in `_ms`: milliseconds since 1970.
 */
import type { Generated, Selectable } from 'kysely';

export type SessionStatus = 'in_progress' | 'completed' | 'failed';

export interface CalibrationSessionsTable {
  /** UUID. */
  id: string;
  candidate_id: string;
  created_at: Generated<string>;
  updated_at: Generated<string>;
  status: Generated<SessionStatus>;
  interview_id: string | null;
}

export interface ScreenInfoTable {
  id: Generated<number>;
  candidate_id: string;
  /** JSON; sealed, it is `{"sealed": text}`. */
  screen_data: string;
  created_at: Generated<string>;
}

export interface CalibrationDataTable {
  id: Generated<number>;
  candidate_id: string;
  calibration_csv: string;
  transform_matrix_data: Buffer;
  created_at: Generated<string>;
}

export interface CalibrationFramesTable {
  id: Generated<number>;
  session_id: string;
  frame_index: number;
  /** JSON; sealed, it is `{"sealed": text}`. */
  frame_data: string;
  created_at: Generated<string>;
}

/** What a session has beyond the platform's columns. */
export interface SessionDetailsTable {
  session_id: string;
  candidate_id: string;
  created_ms: number;
  updated_ms: number;
  /** When `calibration/start` was called. */
  started_ms: number | null;
  completed_ms: number | null;
  /** JSON as the client sent it. */
  metadata: string | null;
  /** IANA name of the client's zone. */
  timezone: string | null;
  /** The client's clock minus ours. */
  clock_offset_ms: number | null;
  error_message: string | null;
  /** JSON: what `complete` answered. */
  report: string | null;
}

export interface ConsentsTable {
  id: Generated<number>;
  candidate_id: string;
  session_id: string | null;
  given_ms: number;
  withdrawn_ms: number | null;
  /** `explicit`: the client said so; `start`: the person began a calibration. */
  basis: 'explicit' | 'start';
  /** Version of the text that was agreed to, as the client says. */
  policy_version: string | null;
  actor: string;
}

export interface AuditTable {
  id: Generated<number>;
  at_ms: number;
  /** Subject of the token, `local` for this machine's own user, `system` for jobs. */
  actor: string;
  role: string;
  action: string;
  outcome: 'allowed' | 'denied' | 'failed';
  candidate_id: string | null;
  session_id: string | null;
  detail: string | null;
}

export interface CalibrationTables {
  calibration_sessions: CalibrationSessionsTable;
  screen_info: ScreenInfoTable;
  calibration_data: CalibrationDataTable;
  calibration_frames: CalibrationFramesTable;
  calibration_session_details: SessionDetailsTable;
  calibration_consents: ConsentsTable;
  calibration_audit_log: AuditTable;
}

export type SessionDetailsRow = Selectable<SessionDetailsTable>;
export type ConsentRow = Selectable<ConsentsTable>;
export type AuditRow = Selectable<AuditTable>;
