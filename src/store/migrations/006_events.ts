import type { Migration } from '../migrate.js';

/** Events and the files of their evidence. */
export const events: Migration = {
  version: 6,
  name: 'events',
  up: `
    CREATE TABLE events (
      id               INTEGER PRIMARY KEY AUTOINCREMENT,
      camera_id        INTEGER NOT NULL,
      camera_name      TEXT    NOT NULL,
      staff_id         INTEGER,
      kind             TEXT    NOT NULL,
      type             TEXT    NOT NULL,
      category         TEXT    NOT NULL,
      severity         TEXT    NOT NULL,
      confidence       REAL    NOT NULL,
      deviation        REAL,
      risk_score       REAL    NOT NULL,
      context          TEXT    NOT NULL,
      indicators       TEXT    NOT NULL,
      frame_timestamp  TEXT    NOT NULL,
      duration_seconds REAL    NOT NULL,
      delivery         TEXT    NOT NULL,
      idempotency_key  TEXT,
      frame_path       TEXT,
      clip_path        TEXT,
      created_ms       INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX events_camera ON events (camera_id, id);
    CREATE INDEX events_time   ON events (created_ms);
    CREATE INDEX events_frame  ON events (frame_path) WHERE frame_path IS NOT NULL;
    CREATE INDEX events_clip   ON events (clip_path)  WHERE clip_path  IS NOT NULL;
    CREATE TABLE evidence_files (
      path       TEXT PRIMARY KEY,
      bytes      INTEGER NOT NULL,
      created_ms INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX evidence_files_age ON evidence_files (created_ms, path);
  `,
  down: `
    DROP TABLE evidence_files;
    DROP TABLE events;
  `,
};
