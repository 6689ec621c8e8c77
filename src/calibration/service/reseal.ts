/** Sealing anew after a change of keys, beside a service that goes on writing: a row that changed between its read and its write keeps the newer value. */
import { sql } from 'kysely';
import { SightlineError } from '../../errors.js';
import type { CalibrationStore } from '../../store/calibration/store.js';
import { PLACE } from './records.js';
import { Vault } from './vault.js';

const ROWS_A_STEP = 200;
/** Over the tables; a further one only for rows that changed during the last, which an older key may have sealed meanwhile. */
const PASSES_MAX = 5;

/** What became of the rows. */
export interface Resealed {
  resealed: number;
  /** Rows that stay as they are because they cannot be opened: their key is not configured, or they were damaged. */
  unopened: number;
  /** Ids of the keys that sealed those. */
  keys_of_unopened: string[];
}

interface Pass {
  resealed: number;
  /** Rows that changed meanwhile. */
  changed: number;
  unopened: number;
  keys: Set<string>;
}

/** Seals what is plain or sealed with an older key with the newest one; what cannot be opened is left and counted. */
export async function reseal(store: Pick<CalibrationStore, 'db' | 'dialect'>, vault: Vault): Promise<Resealed> {
  let resealed = 0;
  let pass = newPass();
  for (let turn = 0; turn < PASSES_MAX; turn++) {
    pass = newPass();
    await resealScreens(store, vault, pass);
    await resealFiles(store, vault, pass);
    await resealFrames(store, vault, pass);
    resealed += pass.resealed;
    if (pass.changed === 0) break;
  }
  return { resealed, unopened: pass.unopened, keys_of_unopened: [...pass.keys].sort() };
}

function newPass(): Pass {
  return { resealed: 0, changed: 0, unopened: 0, keys: new Set() };
}

/** @returns undefined, and counts it, where the values cannot be opened */
function anew<T>(pass: Pass, values: readonly (string | Buffer)[], seal: () => T): T | undefined {
  try {
    return seal();
  } catch (error) {
    if (!(error instanceof SightlineError && error.code === 'CALIBRATION_KEY_UNKNOWN')) throw error;
    pass.unopened++;
    for (const value of values) {
      const key = Vault.keyOf(value);
      if (key !== null) pass.keys.add(key);
    }
    return undefined;
  }
}

async function resealScreens({ db, dialect }: Pick<CalibrationStore, 'db' | 'dialect'>, vault: Vault, pass: Pass): Promise<void> {
  for (let after = 0; ; ) {
    const rows = await db.selectFrom('screen_info').select(['id', 'candidate_id', 'screen_data']).where('id', '>', after).orderBy('id').limit(ROWS_A_STEP).execute();
    for (const { id, candidate_id, screen_data } of rows) {
      if (!stale(vault, screen_data)) continue;
      const place = PLACE.screen(candidate_id);
      const sealed = anew(pass, [screen_data], () => vault.sealJson(vault.openJson(screen_data, place), place));
      if (sealed === undefined) continue;
      note(pass, await db.updateTable('screen_info').set({ screen_data: sealed }).where('id', '=', id).where(still(dialect, 'screen_data', screen_data)).executeTakeFirst());
    }
    if (rows.length < ROWS_A_STEP) return;
    after = rows.at(-1)?.id ?? after;
  }
}

async function resealFiles({ db, dialect }: Pick<CalibrationStore, 'db' | 'dialect'>, vault: Vault, pass: Pass): Promise<void> {
  // One at a time: a calibration may have megabytes.
  for (let after = 0; ; ) {
    const row = await db.selectFrom('calibration_data').selectAll().where('id', '>', after).orderBy('id').limit(1).executeTakeFirst();
    if (row === undefined) return;
    after = row.id;
    const { id, candidate_id, calibration_csv, transform_matrix_data } = row;
    if (!(stale(vault, calibration_csv) || stale(vault, transform_matrix_data))) continue;
    const [csv, npz] = [PLACE.csv(candidate_id), PLACE.npz(candidate_id)];
    const sealed = anew(pass, [calibration_csv, transform_matrix_data], () => ({
      calibration_csv: vault.sealText(vault.openText(calibration_csv, csv), csv), transform_matrix_data: vault.sealBytes(vault.openBytes(transform_matrix_data, npz), npz),
    }));
    if (sealed === undefined) continue;
    const update = db.updateTable('calibration_data').set(sealed).where('id', '=', id);
    note(pass, await update.where(still(dialect, 'calibration_csv', calibration_csv)).where(still(dialect, 'transform_matrix_data', transform_matrix_data)).executeTakeFirst());
  }
}

async function resealFrames({ db, dialect }: Pick<CalibrationStore, 'db' | 'dialect'>, vault: Vault, pass: Pass): Promise<void> {
  for (let after = 0; ; ) {
    const rows = await db.selectFrom('calibration_frames').select(['id', 'session_id', 'frame_index', 'frame_data']).where('id', '>', after).orderBy('id').limit(ROWS_A_STEP).execute();
    for (const { id, session_id, frame_index, frame_data } of rows) {
      if (!stale(vault, frame_data)) continue;
      const place = PLACE.frame(session_id, frame_index);
      const sealed = anew(pass, [frame_data], () => vault.sealJson(vault.openJson(frame_data, place), place));
      if (sealed === undefined) continue;
      note(pass, await db.updateTable('calibration_frames').set({ frame_data: sealed }).where('id', '=', id).where(still(dialect, 'frame_data', frame_data)).executeTakeFirst());
    }
    if (rows.length < ROWS_A_STEP) return;
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
