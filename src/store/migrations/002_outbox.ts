import type { Migration } from '../migrate.js';

/**
 * Callbacks on their way. AUTOINCREMENT, so that an id is never used twice: what is in memory of a deleted row cannot be taken for
 * another. One index feeds a camera's queue, one finds what is dropped first when the outbox is full, one what waits for another round.
 */
export const outbox: Migration = {
  version: 2,
  name: 'outbox',
  up: `
    CREATE TABLE outbox (
      id              INTEGER PRIMARY KEY AUTOINCREMENT,
      idempotency_key TEXT    NOT NULL,
      result_type     TEXT    NOT NULL,
      camera_id       INTEGER,
      priority        INTEGER NOT NULL,
      created_ms      INTEGER NOT NULL,
      body            TEXT    NOT NULL,
      bytes           INTEGER NOT NULL,
      rounds          INTEGER NOT NULL DEFAULT 0,
      retry_at_ms     INTEGER,
      last_error      TEXT
    ) STRICT;
    CREATE INDEX outbox_lane  ON outbox (priority, camera_id, id) WHERE retry_at_ms IS NULL;
    CREATE INDEX outbox_drop  ON outbox (priority DESC, id);
    CREATE INDEX outbox_retry ON outbox (retry_at_ms) WHERE retry_at_ms IS NOT NULL;

    CREATE TABLE dead_letters (
      id              INTEGER PRIMARY KEY AUTOINCREMENT,
      idempotency_key TEXT    NOT NULL,
      result_type     TEXT    NOT NULL,
      camera_id       INTEGER,
      priority        INTEGER NOT NULL,
      created_ms      INTEGER NOT NULL,
      body            TEXT    NOT NULL,
      bytes           INTEGER NOT NULL,
      reason          TEXT    NOT NULL,
      status          INTEGER,
      attempts        INTEGER NOT NULL,
      dead_ms         INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX dead_letters_drop ON dead_letters ((reason = 'no_staff_id') DESC, priority DESC, id);
  `,
  down: `
    DROP TABLE dead_letters;
    DROP TABLE outbox;
  `,
};
