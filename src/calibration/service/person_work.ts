/** Taking a person out of the calibration database: everything, or everything that leads to them. Each in one transaction. */
import { PLACE, type Db, type Records } from './records.js';
import type { Vault } from './vault.js';

/** @param alias What the audit log has in place of the candidate from now on. @returns how much of what was deleted */
export async function erasePerson(records: Records, candidate_id: string, alias: string): Promise<Record<string, number>> {
  return records.transaction(async (trx) => {
    const ids = (await trx.selectFrom('calibration_sessions').select('id').where('candidate_id', '=', candidate_id).execute()).map(({ id }) => id);
    const count = (rows: readonly { numDeletedRows: bigint }[]) => rows.reduce((sum, { numDeletedRows }) => sum + Number(numDeletedRows), 0);
    const frames = ids.length === 0 ? 0 : count(await trx.deleteFrom('calibration_frames').where('session_id', 'in', ids).execute());
    if (ids.length > 0) await trx.deleteFrom('calibration_session_details').where('session_id', 'in', ids).execute();
    const sessions = count(await trx.deleteFrom('calibration_sessions').where('candidate_id', '=', candidate_id).execute());
    const calibrations = count(await trx.deleteFrom('calibration_data').where('candidate_id', '=', candidate_id).execute());
    const screens = count(await trx.deleteFrom('screen_info').where('candidate_id', '=', candidate_id).execute());
    const consents = count(await trx.deleteFrom('calibration_consents').where('candidate_id', '=', candidate_id).execute());
    await trx.updateTable('calibration_audit_log').set({ candidate_id: alias }).where('candidate_id', '=', candidate_id).execute();
    return { frames, sessions, calibrations, screens, consents };
  });
}

/** The numbers stay, under `to`; no link to an interview, no free text, no time of the client's clock. */
export async function renamePerson(records: Records, vault: Vault, from: string, to: string): Promise<void> {
  await records.transaction((trx) => rename(trx, vault, from, to));
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
