/** The rights of the people whose data this is, and the jobs that keep to them: deletion, export, anonymisation, retention, sealing anew after a change of keys. */
import { createHash } from 'node:crypto';
import type { CalibrationStore } from '../../store/calibration/store.js';
import { iso, type ServiceContext } from './context.js';
import { PLACE, type Db } from './records.js';
import { reseal } from './reseal.js';
import { retain } from './retention.js';
import type { Caller } from './tokens.js';
import type { Vault } from './vault.js';

export function createGovernance(context: ServiceContext, store: CalibrationStore, vault: Vault) {
  const { records, access } = context;

  /** Around a change, before and after it: whoever asked meanwhile may have brought back what was there. */
  const forget = (candidate_id: string): void => {
    context.live.forgetCandidate(candidate_id);
    context.looks.forgetCandidate(candidate_id);
  };

  /** All that is stored of a candidate is gone; the audit log keeps that something was there, under a name that leads nowhere. */
  const erase = async (candidate_id: string): Promise<Record<string, number>> => {
    forget(candidate_id);
    const deleted = await records.transaction(async (trx) => {
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
    forget(candidate_id);
    return { ...deleted, ...(await eraseTraces(candidate_id)) };
  };
  /**
   * The webhooks after the calibration: they lie in another database, so a crash may come in between, and who has no session any more is how the next retention run
   * finds what it left. The other way round, an event that was announced in between would stay, and a calibration too, of somebody who asked for its deletion.
   */
  const eraseTraces = async (candidate_id: string): Promise<Record<string, number>> => ({ ...(await context.traces?.erase(candidate_id)) });
  const expire = async (candidate_id: string): Promise<void> => {
    const deleted = await erase(candidate_id);
    await access.note({ actor: 'system', role: 'system' }, 'retention_deleted', 'allowed', { candidate_id: pseudonym(candidate_id), detail: JSON.stringify(deleted) });
  };

  /** What a deletion or anonymisation that was cut off left of somebody in the webhooks. */
  const sweep = async (candidate_id: string): Promise<number> => {
    const erased = await eraseTraces(candidate_id);
    await access.note({ actor: 'system', role: 'system' }, 'webhooks_erased', 'allowed', { candidate_id: pseudonym(candidate_id), detail: JSON.stringify(erased) });
    return Object.values(erased).reduce((sum, count) => sum + count, 0);
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
      forget(candidate_id);
      await records.transaction((trx) => rename(trx, vault, candidate_id, alias));
      forget(candidate_id);
      // Removed and not renamed: the receiver knows the session and the interview, and would learn from such an event whose the new id is.
      const erased = await eraseTraces(candidate_id);
      await access.note(caller, 'data_anonymised', 'allowed', { candidate_id: alias, detail: JSON.stringify(erased) });
      return { anonymised_as: alias, anonymised_at: iso(context.now_ms()) };
    },

    auditLog: async (caller: Caller, filter: { candidate_id?: string | undefined; after: number; limit: number }) => {
      await access.check(caller, 'audit_read', { candidate_id: filter.candidate_id ?? null });
      return (await records.auditOf(filter)).map(({ at_ms, ...entry }) => ({ ...entry, at: iso(Number(at_ms)) }));
    },

    async runRetention(caller: Caller | null) {
      if (caller !== null) await access.check(caller, 'retention_run', { candidate_id: null });
      return retain(context, { expire, sweep });
    },

    reseal: () => reseal(store, vault),
  };
}

/** A name that leads nowhere, the same for the same person. */
function pseudonym(candidate_id: string): string {
  return `deleted:${createHash('sha256').update(`sightline audit ${candidate_id}`).digest('hex').slice(0, 16)}`;
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
