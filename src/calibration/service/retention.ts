/** The retention job: candidates whose last sign is older than the retention are deleted, and audit entries older than theirs. */
import { iso } from './clock.js';
import type { ServiceContext } from './context.js';

const DAY_MS = 86_400_000;
/** Candidates that are read at a time. */
const CANDIDATES_A_STEP = 200;

/** Both note in the audit log what they did. */
export interface RetentionWork {
  /** Deletes a candidate. */
  expire: (candidate_id: string) => Promise<void>;
  /** Erases the webhooks about a candidate. @returns how many rows */
  sweep: (candidate_id: string) => Promise<number>;
}

/** @returns what was deleted; `webhooks`: rows about people of whom nothing else was left */
export async function retain(context: ServiceContext, { expire, sweep }: RetentionWork): Promise<{ candidates: number; webhooks: number; audit_entries: number }> {
  const { settings, records: { db }, log } = context;
  let candidates = 0;
  for (const read of expired(context)) {
    // On by the id of the last one and not from the start: whoever could not be deleted does not hold up those behind.
    for (let after = ''; ; ) {
      const ids = await read(after);
      for (const candidate_id of ids) await expire(candidate_id);
      candidates += ids.length;
      after = ids.at(-1) ?? after;
      if (ids.length < CANDIDATES_A_STEP) break;
    }
  }
  const webhooks = await sweepAll(context, sweep);
  const audit = await db.deleteFrom('calibration_audit_log').where('at_ms', '<', context.now_ms() - settings.audit_retention_days * DAY_MS).executeTakeFirst();
  const audit_entries = Number(audit.numDeletedRows);
  if (candidates + webhooks + audit_entries > 0) log.info({ candidates, webhooks, audit_entries, retention_days: settings.retention_days }, 'calibrations past their retention were deleted');
  return { candidates, webhooks, audit_entries };
}

/** Webhooks about people who have no session: every event is one of a session, so these were deleted or renamed, and a crash kept the rest from following. */
async function sweepAll({ traces, records: { db } }: ServiceContext, sweep: RetentionWork['sweep']): Promise<number> {
  let swept = 0;
  for (let after = ''; traces !== undefined; ) {
    const ids = await traces.candidates(after, CANDIDATES_A_STEP);
    const known = ids.length === 0 ? [] : await db.selectFrom('calibration_sessions').select('candidate_id').distinct().where('candidate_id', 'in', ids).execute();
    const there = new Set(known.map(({ candidate_id }) => candidate_id));
    for (const candidate_id of ids) if (!there.has(candidate_id)) swept += await sweep(candidate_id);
    after = ids.at(-1) ?? after;
    if (ids.length < CANDIDATES_A_STEP) break;
  }
  return swept;
}

/** Who has no sign since the retention, by each table that names candidates: a page of ids above `after`, ascending. */
function expired({ settings, records: { db }, now_ms }: ServiceContext): ((after: string) => Promise<string[]>)[] {
  const before_ms = now_ms() - settings.retention_days * DAY_MS;
  const before = iso(before_ms).slice(0, 19).replace('T', ' ');
  const recent = db.selectFrom('calibration_session_details').select('candidate_id').where('updated_ms', '>=', before_ms);
  // A screen, or a session, may be older than the calibration that was made with it or came after it (an imported one).
  const current = db.selectFrom('calibration_data').select('candidate_id').where('created_at', '>=', before);
  const ids = (rows: readonly { candidate_id: string }[]) => rows.map(({ candidate_id }) => candidate_id);
  return [
    async (after) =>
      ids(
        await db.selectFrom('calibration_session_details').select('candidate_id').distinct()
          .where('updated_ms', '<', before_ms).where('candidate_id', '>', after).where('candidate_id', 'not in', recent).where('candidate_id', 'not in', current)
          .orderBy('candidate_id').limit(CANDIDATES_A_STEP).execute(),
      ),
    ...(['calibration_data', 'screen_info'] as const).map((table) => async (after: string) =>
      ids(
        await db.selectFrom(table).select('candidate_id')
          .where('created_at', '<', before).where('candidate_id', '>', after).where('candidate_id', 'not in', recent).where('candidate_id', 'not in', current)
          .orderBy('candidate_id').limit(CANDIDATES_A_STEP).execute(),
      )),
  ];
}
