import type { Migration } from '../migrate.js';

/**
 * Whom webhooks are about can be found, so that it can be erased: payloads by an index on their body (of webhooks alone, callbacks cost nothing), attempts in the log by
 * a column. Attempts of before about payloads that have left name nobody.
 */
export const webhookCandidates: Migration = {
  version: 8,
  name: 'webhook_candidates',
  up: `
    CREATE INDEX outbox_candidate       ON outbox       (json_extract(body, '$.candidate_id')) WHERE target = 'webhooks';
    CREATE INDEX dead_letters_candidate ON dead_letters (json_extract(body, '$.candidate_id')) WHERE target = 'webhooks';
    ALTER TABLE webhook_log ADD COLUMN candidate_id TEXT;
    CREATE INDEX webhook_log_candidate ON webhook_log (candidate_id);
    UPDATE webhook_log SET candidate_id = kept.candidate_id
      FROM (SELECT idempotency_key, json_extract(body, '$.candidate_id') AS candidate_id FROM outbox WHERE target = 'webhooks'
            UNION ALL SELECT idempotency_key, json_extract(body, '$.candidate_id') FROM dead_letters WHERE target = 'webhooks') AS kept
      WHERE kept.idempotency_key = webhook_log.idempotency_key;
  `,
  down: `
    DROP INDEX outbox_candidate;
    DROP INDEX dead_letters_candidate;
    DROP INDEX webhook_log_candidate;
    ALTER TABLE webhook_log DROP COLUMN candidate_id;
  `,
};
