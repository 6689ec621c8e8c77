/** The retention job: candidates whose last sign is older than the retention are deleted, and audit entries older than theirs. */
import { iso, type ServiceContext } from './context.js';

const DAY_MS = 86_400_000;
/** Candidates that are read at a time. */
const CANDIDATES_A_STEP = 200;

/** @param expire deletes a candidate, noted as the retention's doing. @returns what was deleted */
export async function retain(context: ServiceContext, expire: (candidate_id: string) => Promise<void>): Promise<{ candidates: number; audit_entries: number }> {
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
  const audit = await db.deleteFrom('calibration_audit_log').where('at_ms', '<', context.now_ms() - settings.audit_retention_days * DAY_MS).executeTakeFirst();
  const audit_entries = Number(audit.numDeletedRows);
  if (candidates + audit_entries > 0) log.info({ candidates, audit_entries, retention_days: settings.retention_days }, 'calibrations past their retention were deleted');
  return { candidates, audit_entries };
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
