/** The rights of the people whose data this is, and the jobs that keep to them: deletion, export, anonymisation, retention, sealing anew after a change of keys. */
import { createHash } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { CalibrationTables } from '../../store/calibration/schema.js';
import { iso, type ServiceContext } from './context.js';
import { PLACE, type Db } from './records.js';
import type { Caller } from './tokens.js';
import { Vault } from './vault.js';

const DAY_MS = 86_400_000;
/** Candidates that one run of the retention job deletes at most before it looks again. */
const CANDIDATES_A_STEP = 200;
const ROWS_A_STEP = 200;

export function createGovernance(context: ServiceContext, vault: Vault) {
  const { records, access, live } = context;
  const { db } = records;

  /** All that is stored of a candidate is gone; the audit log keeps that something was there, under a name that leads nowhere. */
  const erase = async (candidate_id: string): Promise<Record<string, number>> => {
    live.forgetCandidate(candidate_id);
    return records.transaction(async (trx) => {
      const ids = (await trx.selectFrom('calibration_sessions').select('id').where('candidate_id', '=', candidate_id).execute()).map(({ id }) => id);
      const count = (rows: readonly { numDeletedRows: bigint }[]) => rows.reduce((sum, { numDeletedRows }) => sum + Number(numDeletedRows), 0);
      const frames = ids.length === 0 ? 0 : count(await trx.deleteFrom('calibration_frames').where('session_id', 'in', ids).execute());
      if (ids.length > 0) await trx.deleteFrom('calibration_session_details').where('session_id', 'in', ids).execute();
      const sessions = count(await trx.deleteFrom('calibration_sessions').where('candidate_id', '=', candidate_id).execute());
      const calibrations = count(await trx.deleteFrom('calibration_data').where('candidate_id', '=', candidate_id).execute());
      const screens = count(await trx.deleteFrom('screen_info').where('candidate_id', '=', candidate_id).execute());
      const consents = count(await trx.deleteFrom('calibration_consents').where('candidate_id', '=', candidate_id).execute());
      await trx.updateTable('calibration_audit_log').set({ candidate_id: pseudonym(candidate_id) }).where('candidate_id', '=', candidate_id).execute();
      return { frames, sessions, calibrations, screens, consents };
    });
  };

  return {
    async delete(caller: Caller, candidate_id: string) {
      await access.check(caller, 'data_delete', { candidate_id });
      const deleted = await erase(candidate_id);
      await access.note(caller, 'data_deleted', 'allowed', { candidate_id: pseudonym(candidate_id), detail: JSON.stringify(deleted) });
      return { candidate_id, deleted, deleted_at: iso(context.now_ms()) };
    },

    /** Everything that is stored of a candidate, in a form that other programs read. */
    async export(caller: Caller, candidate_id: string) {
      await access.check(caller, 'data_export', { candidate_id });
      const files = await records.files(candidate_id);
      const screen = await records.screen(candidate_id);
      const sessions = await Promise.all((await records.sessionsOf(candidate_id, 1000)).map(async (session) => ({ ...session, frames: await records.frames(session.session_id) })));
      return {
        format: 'sightline-calibration-export/1', exported_at: iso(context.now_ms()), candidate_id, screen_info: screen === undefined ? null : (JSON.parse(screen) as unknown),
        calibration: files === undefined ? null : { created_at: files.created_at, calibration_csv: files.csv, transform_matrix_npz_base64: files.npz.toString('base64') },
        sessions, consents: await records.consentsOf(candidate_id), audit_log: await records.auditOf({ candidate_id, after: 0, limit: 10_000 }),
      };
    },

    /** The calibration stays for statistics, the person goes: another id everywhere, no link to an interview, no free text, no picture positions. */
    async anonymise(caller: Caller, candidate_id: string) {
      await access.check(caller, 'data_anonymise', { candidate_id });
      const alias = `anon-${context.uuid()}`;
      live.forgetCandidate(candidate_id);
      await records.transaction((trx) => rename(trx, vault, candidate_id, alias));
      await access.note(caller, 'data_anonymised', 'allowed', { candidate_id: alias });
      return { anonymised_as: alias, anonymised_at: iso(context.now_ms()) };
    },

    auditLog: async (caller: Caller, filter: { candidate_id?: string | undefined; after: number; limit: number }) => {
      await access.check(caller, 'audit_read', { candidate_id: filter.candidate_id ?? null });
      return (await records.auditOf(filter)).map(({ at_ms, ...entry }) => ({ ...entry, at: iso(Number(at_ms)) }));
    },

    async runRetention(caller: Caller | null) {
      if (caller !== null) await access.check(caller, 'retention_run', { candidate_id: null });
      return retain(context, erase);
    },

    reseal: () => reseal(db, vault),
  };
}

/** A name that leads nowhere, the same for the same person. */
function pseudonym(candidate_id: string): string {
  return `deleted:${createHash('sha256').update(`sightline audit ${candidate_id}`).digest('hex').slice(0, 16)}`;
}

/** Deletes candidates whose last sign is older than the retention, and audit entries older than theirs. */
async function retain(context: ServiceContext, erase: (candidate_id: string) => Promise<Record<string, number>>): Promise<{ candidates: number; audit_entries: number }> {
  const { settings, records, access, log } = context;
  const { db } = records;
  const before_ms = context.now_ms() - settings.retention_days * DAY_MS;
  const before = iso(before_ms).slice(0, 19).replace('T', ' ');
  let candidates = 0;
  for (;;) {
    const recent = db.selectFrom('calibration_session_details').select('candidate_id').where('updated_ms', '>=', before_ms);
    const sessions = await db.selectFrom('calibration_session_details').select('candidate_id').distinct().where('updated_ms', '<', before_ms).where('candidate_id', 'not in', recent).limit(CANDIDATES_A_STEP).execute();
    const files = await db.selectFrom('calibration_data').select('candidate_id').where('created_at', '<', before).where('candidate_id', 'not in', recent).limit(CANDIDATES_A_STEP).execute();
    const screens = await db.selectFrom('screen_info').select('candidate_id').where('created_at', '<', before).where('candidate_id', 'not in', recent).limit(CANDIDATES_A_STEP).execute();
    // A screen may be older than the calibration that was made with it.
    const current = new Set((await db.selectFrom('calibration_data').select('candidate_id').where('created_at', '>=', before).execute()).map(({ candidate_id }) => candidate_id));
    const expired = [...new Set([...sessions, ...files, ...screens].map(({ candidate_id }) => candidate_id))].filter((id) => !current.has(id));
    for (const candidate_id of expired) {
      const deleted = await erase(candidate_id);
      await access.note({ actor: 'system', role: 'system' }, 'retention_deleted', 'allowed', { candidate_id: pseudonym(candidate_id), detail: JSON.stringify(deleted) });
    }
    candidates += expired.length;
    if (expired.length === 0) break;
  }
  const audit = await db.deleteFrom('calibration_audit_log').where('at_ms', '<', context.now_ms() - settings.audit_retention_days * DAY_MS).executeTakeFirst();
  const audit_entries = Number(audit.numDeletedRows);
  if (candidates + audit_entries > 0) log.info({ candidates, audit_entries, retention_days: settings.retention_days }, 'calibrations past their retention were deleted');
  return { candidates, audit_entries };
}

async function rename(trx: Db, vault: Vault, from: string, to: string): Promise<void> {
  const sessions = await trx.selectFrom('calibration_sessions').select('id').where('candidate_id', '=', from).execute();
  for (const { id } of sessions) {
    const frames = await trx.selectFrom('calibration_frames').select(['id', 'frame_index', 'frame_data']).where('session_id', '=', id).execute();
    for (const frame of frames) {
      const place = PLACE.frame(id, frame.frame_index);
      const record = JSON.parse(vault.openJson(frame.frame_data, place)) as Record<string, unknown>;
      await trx.updateTable('calibration_frames').set({ frame_data: vault.sealJson(JSON.stringify({ ...record, client_timestamp: null }), place) }).where('id', '=', frame.id).execute();
    }
  }
  await trx.updateTable('calibration_sessions').set({ candidate_id: to, interview_id: null }).where('candidate_id', '=', from).execute();
  await trx.updateTable('calibration_session_details').set({ candidate_id: to, metadata: null, timezone: null, error_message: null, report: null }).where('candidate_id', '=', from).execute();
  const screen = await trx.selectFrom('screen_info').selectAll().where('candidate_id', '=', from).executeTakeFirst();
  if (screen !== undefined) {
    const info = { ...(JSON.parse(vault.openJson(screen.screen_data, PLACE.screen(from))) as Record<string, unknown>), candidate_id: to };
    if ('monitor_name' in info) info.monitor_name = 'Unknown';
    await trx.updateTable('screen_info').set({ candidate_id: to, screen_data: vault.sealJson(JSON.stringify(info, null, 2), PLACE.screen(to)) }).where('id', '=', screen.id).execute();
  }
  const data = await trx.selectFrom('calibration_data').selectAll().where('candidate_id', '=', from).executeTakeFirst();
  if (data !== undefined) {
    const csv = renamedCsv(vault.openText(data.calibration_csv, PLACE.csv(from)), to);
    const npz = vault.openBytes(data.transform_matrix_data, PLACE.npz(from));
    const sealed = { calibration_csv: vault.sealText(csv, PLACE.csv(to)), transform_matrix_data: vault.sealBytes(npz, PLACE.npz(to)) };
    await trx.updateTable('calibration_data').set({ candidate_id: to, ...sealed }).where('id', '=', data.id).execute();
  }
  await trx.deleteFrom('calibration_consents').where('candidate_id', '=', from).execute();
  await trx.updateTable('calibration_audit_log').set({ candidate_id: to, actor: 'anonymised', detail: null }).where('candidate_id', '=', from).execute();
}

/** The last column of each line is the candidate; the numbers before it hold no comma and no quote. */
function renamedCsv(csv: string, to: string): string {
  const columns = 40;
  return csv
    .split('\n')
    .filter((line) => line !== '')
    .map((line, index) => (index === 0 ? line : /^\d+,/.test(line) ? [...line.split(',').slice(0, columns), to].join(',') : ''))
    .filter((line) => line !== '')
    .map((line) => `${line}\n`)
    .join('');
}

/** Seals what is plain or sealed with an older key with the newest one. @returns how many values were changed */
async function reseal(db: Kysely<CalibrationTables>, vault: Vault): Promise<{ resealed: number }> {
  let resealed = 0;
  const stale = (stored: string | Buffer): boolean => {
    const sealed = Vault.sealedText(stored);
    return sealed === null ? vault.active !== null : !vault.current(sealed);
  };
  for (const { id, candidate_id, screen_data } of await db.selectFrom('screen_info').select(['id', 'candidate_id', 'screen_data']).execute()) {
    if (!stale(screen_data)) continue;
    const place = PLACE.screen(candidate_id);
    await db.updateTable('screen_info').set({ screen_data: vault.sealJson(vault.openJson(screen_data, place), place) }).where('id', '=', id).execute();
    resealed++;
  }
  for (const { id } of await db.selectFrom('calibration_data').select('id').execute()) {
    const row = await db.selectFrom('calibration_data').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined || !(stale(row.calibration_csv) || stale(row.transform_matrix_data))) continue;
    const [csv, npz] = [PLACE.csv(row.candidate_id), PLACE.npz(row.candidate_id)];
    const sealed = { calibration_csv: vault.sealText(vault.openText(row.calibration_csv, csv), csv), transform_matrix_data: vault.sealBytes(vault.openBytes(row.transform_matrix_data, npz), npz) };
    await db.updateTable('calibration_data').set(sealed).where('id', '=', id).execute();
    resealed++;
  }
  for (let after = 0; ; ) {
    const rows = await db.selectFrom('calibration_frames').select(['id', 'session_id', 'frame_index', 'frame_data']).where('id', '>', after).orderBy('id').limit(ROWS_A_STEP).execute();
    for (const { id, session_id, frame_index, frame_data } of rows) {
      if (!stale(frame_data)) continue;
      const place = PLACE.frame(session_id, frame_index);
      await db.updateTable('calibration_frames').set({ frame_data: vault.sealJson(vault.openJson(frame_data, place), place) }).where('id', '=', id).execute();
      resealed++;
    }
    if (rows.length < ROWS_A_STEP) return { resealed };
    after = rows.at(-1)?.id ?? after;
  }
}
