/** Sealing anew after a change of keys, beside a service that goes on writing: a row that changed between its read and its write keeps the newer value. */
import { sql } from 'kysely';
import type { CalibrationStore } from '../../store/calibration/store.js';
import { PLACE } from './records.js';
import { Vault } from './vault.js';

const ROWS_A_STEP = 200;
/** Over the tables; a further one only for rows that changed during the last, which an older key may have sealed meanwhile. */
const PASSES_MAX = 5;

interface Pass {
  resealed: number;
  /** Rows that changed meanwhile. */
  changed: number;
}

/** Seals what is plain or sealed with an older key with the newest one. @returns how many values were changed */
export async function reseal(store: Pick<CalibrationStore, 'db' | 'dialect'>, vault: Vault): Promise<{ resealed: number }> {
  let resealed = 0;
  for (let turn = 0; turn < PASSES_MAX; turn++) {
    const passes = [await resealScreens(store, vault), await resealFiles(store, vault), await resealFrames(store, vault)];
    resealed += passes.reduce((sum, pass) => sum + pass.resealed, 0);
    if (passes.every(({ changed }) => changed === 0)) break;
  }
  return { resealed };
}

async function resealScreens({ db, dialect }: Pick<CalibrationStore, 'db' | 'dialect'>, vault: Vault): Promise<Pass> {
  const pass: Pass = { resealed: 0, changed: 0 };
  for (let after = 0; ; ) {
    const rows = await db.selectFrom('screen_info').select(['id', 'candidate_id', 'screen_data']).where('id', '>', after).orderBy('id').limit(ROWS_A_STEP).execute();
    for (const { id, candidate_id, screen_data } of rows) {
      if (!stale(vault, screen_data)) continue;
      const place = PLACE.screen(candidate_id);
      const sealed = vault.sealJson(vault.openJson(screen_data, place), place);
      note(pass, await db.updateTable('screen_info').set({ screen_data: sealed }).where('id', '=', id).where(still(dialect, 'screen_data', screen_data)).executeTakeFirst());
    }
    if (rows.length < ROWS_A_STEP) return pass;
    after = rows.at(-1)?.id ?? after;
  }
}

async function resealFiles({ db, dialect }: Pick<CalibrationStore, 'db' | 'dialect'>, vault: Vault): Promise<Pass> {
  const pass: Pass = { resealed: 0, changed: 0 };
  // One at a time: a calibration may have megabytes.
  for (let after = 0; ; ) {
    const row = await db.selectFrom('calibration_data').selectAll().where('id', '>', after).orderBy('id').limit(1).executeTakeFirst();
    if (row === undefined) return pass;
    after = row.id;
    const { id, candidate_id, calibration_csv, transform_matrix_data } = row;
    if (!(stale(vault, calibration_csv) || stale(vault, transform_matrix_data))) continue;
    const [csv, npz] = [PLACE.csv(candidate_id), PLACE.npz(candidate_id)];
    const sealed = { calibration_csv: vault.sealText(vault.openText(calibration_csv, csv), csv), transform_matrix_data: vault.sealBytes(vault.openBytes(transform_matrix_data, npz), npz) };
    const update = db.updateTable('calibration_data').set(sealed).where('id', '=', id);
    note(pass, await update.where(still(dialect, 'calibration_csv', calibration_csv)).where(still(dialect, 'transform_matrix_data', transform_matrix_data)).executeTakeFirst());
  }
}

async function resealFrames({ db, dialect }: Pick<CalibrationStore, 'db' | 'dialect'>, vault: Vault): Promise<Pass> {
  const pass: Pass = { resealed: 0, changed: 0 };
  for (let after = 0; ; ) {
    const rows = await db.selectFrom('calibration_frames').select(['id', 'session_id', 'frame_index', 'frame_data']).where('id', '>', after).orderBy('id').limit(ROWS_A_STEP).execute();
    for (const { id, session_id, frame_index, frame_data } of rows) {
      if (!stale(vault, frame_data)) continue;
      const place = PLACE.frame(session_id, frame_index);
      const sealed = vault.sealJson(vault.openJson(frame_data, place), place);
      note(pass, await db.updateTable('calibration_frames').set({ frame_data: sealed }).where('id', '=', id).where(still(dialect, 'frame_data', frame_data)).executeTakeFirst());
    }
    if (rows.length < ROWS_A_STEP) return pass;
    after = rows.at(-1)?.id ?? after;
  }
}

function stale(vault: Vault, stored: string | Buffer): boolean {
  const sealed = Vault.sealedText(stored);
  return sealed === null ? vault.active !== null : !vault.current(sealed);
}

/** The column holds what was read from it. By bytes: MySQL compares text by its collation, and a JSON column never equals a text. */
function still(dialect: CalibrationStore['dialect'], column: string, read: string | Buffer) {
  return dialect === 'mysql' ? sql<boolean>`CAST(${sql.ref(column)} AS BINARY) = CAST(${read} AS BINARY)` : sql<boolean>`${sql.ref(column)} = ${read}`;
}

function note(pass: Pass, { numUpdatedRows }: { numUpdatedRows: bigint }): void {
  if (numUpdatedRows > 0n) pass.resealed++;
  else pass.changed++;
}
