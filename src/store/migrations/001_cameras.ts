import type { Migration } from '../migrate.js';

/** The embedded camera registry. */
export const cameras: Migration = {
  version: 1,
  name: 'cameras',
  up: `
    CREATE TABLE cameras (
      camera_id    INTEGER PRIMARY KEY CHECK (camera_id BETWEEN 1 AND 2147483647),
      camera_name  TEXT    NOT NULL CHECK (camera_name <> ''),
      location     TEXT,
      outlet_id    INTEGER,
      stream_url   TEXT    NOT NULL CHECK (stream_url <> ''),
      priority     INTEGER NOT NULL DEFAULT 5 CHECK (priority BETWEEN 1 AND 10),
      enabled      INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
      staff_id     INTEGER,
      transport    TEXT    CHECK (transport IN ('tcp', 'udp')),
      analysis_fps REAL    CHECK (analysis_fps > 0),
      created_at   TEXT    NOT NULL,
      updated_at   TEXT    NOT NULL
    ) STRICT;
  `,
  down: `DROP TABLE cameras;`,
};
