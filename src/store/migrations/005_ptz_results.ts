import type { Migration } from '../migrate.js';

/**
 * What the PTZ monitor found: the row of the contract, what it has no column for, and whether Athena and Slack have it. A row stands here before it goes
 * anywhere else, so a crash loses none and sends none twice.
 */
export const ptzResults: Migration = {
  version: 5,
  name: 'ptz_results',
  up: `
    CREATE TABLE ptz_runs (
      run_id      TEXT    PRIMARY KEY,
      started_ms  INTEGER NOT NULL,
      finished_ms INTEGER,
      devices     INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE ptz_results (
      id                INTEGER PRIMARY KEY AUTOINCREMENT,
      run_id            TEXT    NOT NULL,
      deployment_name   TEXT    NOT NULL,
      device_id         TEXT    NOT NULL,
      timestamp_s       INTEGER NOT NULL,
      pitch_offset      REAL    NOT NULL,
      yaw_offset        REAL    NOT NULL,
      roll_offset       REAL    NOT NULL,
      mode              TEXT    NOT NULL CHECK (mode IN ('passive', 'active')),
      capture_positions TEXT    NOT NULL,
      files_location    TEXT    NOT NULL,
      success           INTEGER NOT NULL CHECK (success IN (0, 1)),
      failure_log       TEXT    NOT NULL,
      status            TEXT    NOT NULL,
      reason            TEXT    NOT NULL,
      detail            TEXT    NOT NULL,
      alert             INTEGER NOT NULL CHECK (alert IN (0, 1)),
      estimate          TEXT,
      duration_ms       INTEGER NOT NULL,
      in_athena         INTEGER NOT NULL DEFAULT 0 CHECK (in_athena IN (0, 1, 2)),
      notified          INTEGER NOT NULL DEFAULT 0 CHECK (notified IN (0, 1, 2)),
      UNIQUE (deployment_name, device_id, timestamp_s)
    ) STRICT;
    CREATE INDEX ptz_results_history ON ptz_results (device_id, deployment_name, id);
    CREATE INDEX ptz_results_athena  ON ptz_results (id) WHERE in_athena = 0;
    CREATE INDEX ptz_results_slack   ON ptz_results (id) WHERE notified = 0;
  `,
  down: `
    DROP TABLE ptz_results;
    DROP TABLE ptz_runs;
  `,
};
