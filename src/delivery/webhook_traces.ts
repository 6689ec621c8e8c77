/** What webhooks hold of candidates, in the database: payloads that wait, dead letters, the log of attempts. What a former configuration left is found without a receiver too. */
import { sql } from 'kysely';
import type { StoreDb } from '../store/store.js';
import type { Evicted } from './outbox.js';

/** How much was erased. */
export interface ErasedTraces {
  webhooks: number;
  dead_letters: number;
  webhook_log: number;
}

/** As the indexes have it, word for word: no other payload is looked at. */
const OF_WEBHOOKS = sql<boolean>`target = 'webhooks'`;
const CANDIDATE = sql<string>`json_extract(body, '$.candidate_id')`;

export function webhookTraces(db: StoreDb) {
  const traces = {
    /** Removes payloads and dead letters about a candidate, all or none. */
    payloads: (candidate_id: string): Promise<{ rows: Evicted[]; dead_letters: number }> =>
      db.transaction().execute(async (trx) => {
        const rows = await trx.deleteFrom('outbox').where(OF_WEBHOOKS).where(CANDIDATE, '=', candidate_id).returning(['id', 'priority', 'camera_id', 'bytes', 'result_type', 'retry_at_ms']).execute();
        const letters = await trx.deleteFrom('dead_letters').where(OF_WEBHOOKS).where(CANDIDATE, '=', candidate_id).executeTakeFirst();
        return { rows, dead_letters: Number(letters.numDeletedRows) };
      }),

    /** Everything about a candidate, the oldest first; times in UTC. */
    of: async (candidate_id: string) => {
      const at = (ms: number) => new Date(ms).toISOString();
      const outbox = await db.selectFrom('outbox').select(['result_type', 'created_ms', 'body']).where(OF_WEBHOOKS).where(CANDIDATE, '=', candidate_id).orderBy('id').execute();
      const letters = await db.selectFrom('dead_letters').select(['result_type', 'created_ms', 'body', 'reason', 'dead_ms']).where(OF_WEBHOOKS).where(CANDIDATE, '=', candidate_id).orderBy('id').execute();
      const log = await db.selectFrom('webhook_log').selectAll().where('candidate_id', '=', candidate_id).orderBy('id').execute();
      const told = ({ result_type, created_ms, body }: (typeof outbox)[number]) => ({ event: result_type, created_at: at(created_ms), payload: JSON.parse(body) as unknown });
      return {
        waiting: outbox.map(told),
        refused: letters.map((letter) => ({ ...told(letter), reason: letter.reason, refused_at: at(letter.dead_ms) })),
        attempts: log.map(({ event, at_ms, outcome, code, status }) => ({ event, at: at(at_ms), outcome, code, status })),
      };
    },

    /** Removes what the log has of them. @returns how many attempts */
    attempts: async (candidate_id: string): Promise<number> => Number((await db.deleteFrom('webhook_log').where('candidate_id', '=', candidate_id).executeTakeFirst()).numDeletedRows),

    /** Whom anything is about: a page of ids above `after`, ascending. */
    candidates: async (after: string, limit: number): Promise<string[]> => {
      const { rows } = await sql<{ candidate_id: string }>`
        SELECT ${CANDIDATE} AS candidate_id FROM outbox WHERE ${OF_WEBHOOKS} AND ${CANDIDATE} > ${after}
        UNION SELECT ${CANDIDATE} FROM dead_letters WHERE ${OF_WEBHOOKS} AND ${CANDIDATE} > ${after}
        UNION SELECT candidate_id FROM webhook_log WHERE candidate_id > ${after}
        ORDER BY 1 LIMIT ${limit}`.execute(db);
      return rows.map(({ candidate_id }) => candidate_id);
    },

    /** Everything about a candidate, while nobody sends. */
    async erase(candidate_id: string): Promise<ErasedTraces> {
      const { rows, dead_letters } = await traces.payloads(candidate_id);
      return { webhooks: rows.length, dead_letters, webhook_log: await traces.attempts(candidate_id) };
    },
  };
  return traces;
}
