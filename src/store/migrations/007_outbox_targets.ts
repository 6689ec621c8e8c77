import type { Migration } from '../migrate.js';

/** Payloads of the outbox go to one of several receivers: the callbacks' or the webhooks'. The log of webhook attempts is bounded by who writes it. */
export const outboxTargets: Migration = {
  version: 7,
  name: 'outbox_targets',
  up: `
    ALTER TABLE outbox ADD COLUMN target TEXT NOT NULL DEFAULT 'callbacks';
    ALTER TABLE dead_letters ADD COLUMN target TEXT NOT NULL DEFAULT 'callbacks';
    DROP INDEX outbox_lane;
    DROP INDEX outbox_drop;
    DROP INDEX outbox_retry;
    CREATE INDEX outbox_lane  ON outbox (target, priority, camera_id, id) WHERE retry_at_ms IS NULL;
    CREATE INDEX outbox_drop  ON outbox (target, priority DESC, id);
    CREATE INDEX outbox_retry ON outbox (target, retry_at_ms) WHERE retry_at_ms IS NOT NULL;
    CREATE TABLE webhook_log (
      id              INTEGER PRIMARY KEY AUTOINCREMENT,
      at_ms           INTEGER NOT NULL,
      idempotency_key TEXT    NOT NULL,
      event           TEXT    NOT NULL,
      outcome         TEXT    NOT NULL,
      code            TEXT,
      status          INTEGER
    ) STRICT;
  `,
  down: `
    DROP TABLE webhook_log;
    DROP INDEX outbox_lane;
    DROP INDEX outbox_drop;
    DROP INDEX outbox_retry;
    DELETE FROM outbox WHERE target <> 'callbacks';
    DELETE FROM dead_letters WHERE target <> 'callbacks';
    ALTER TABLE outbox DROP COLUMN target;
    ALTER TABLE dead_letters DROP COLUMN target;
    CREATE INDEX outbox_lane  ON outbox (priority, camera_id, id) WHERE retry_at_ms IS NULL;
    CREATE INDEX outbox_drop  ON outbox (priority DESC, id);
    CREATE INDEX outbox_retry ON outbox (retry_at_ms) WHERE retry_at_ms IS NOT NULL;
  `,
};
