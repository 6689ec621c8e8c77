/**
 * Frames on their way to the disk, many people's in one transaction: a commit costs a sync, and thirty frames a second and person would cost too many. A promise
 * resolves when its rows are on the disk. A frame_index that the session has already is not stored again, whoever sent it and however often, so a
 * client that repeats a batch after a crash neither loses nor doubles a row.
 */
import { sql, type Transaction } from 'kysely';
import { messageOf, SightlineError } from '../../errors.js';
import type { CalibrationTables } from '../../store/calibration/schema.js';
import type { CalibrationStore } from '../../store/calibration/store.js';
import { PLACE } from './records.js';
import type { FrameRecord, ServiceLog } from './types.js';
import type { Vault } from './vault.js';

/**
 * Frames that come within this time share a commit. The embedded database syncs the disk on this thread, so the next commit waits for a multiple of what the last one
 * took: they take at most a fifth of its time.
 */
const GATHER_MS = 8;
const GATHER_LONGEST_MS = 60;
const SPACING = 4;
/** Rows that may wait; beyond it a batch is turned away. */
const ROWS_WAITING_MAX = 20_000;
const ROWS_A_STATEMENT = 400;
/** Attempts of a transaction that the database ended because of another one (deadlock, lock wait). */
const ATTEMPTS = 4;
const RETRY_MS = 20;
const AGAIN = new Set(['ER_LOCK_DEADLOCK', 'ER_LOCK_WAIT_TIMEOUT', 'ER_CHECKREAD', 'SQLITE_BUSY', 'SQLITE_BUSY_SNAPSHOT']);
/** Sessions whose frame indexes are kept in memory. */
const SESSIONS_KNOWN_MAX = 2_000;

/** What became of one batch. `repeated`: frame indexes that were there before. */
export type Stored = { outcome: 'stored'; repeated: number[] } | { outcome: 'completed' | 'gone' | 'full' };

interface Waiting {
  session_id: string;
  records: readonly FrameRecord[];
  settle(stored: Stored): void;
  fail(error: SightlineError): void;
}

export interface FrameJournalOptions {
  store: CalibrationStore;
  vault: Vault;
  log: ServiceLog;
  frames_per_session: number;
  now_ms(): number;
}

export class FrameJournal {
  private waiting: Waiting[] = [];
  private rows_waiting = 0;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();
  private busy = false;
  private closed = false;
  /** Frame indexes by session, of the embedded database alone: there another writer shows in `data_version`. */
  private readonly remembered = new Map<string, Set<number>>();
  private data_version = -1;
  private last_commit_ms = 0;

  constructor(private readonly options: FrameJournalOptions) {}

  /** @throws CALIBRATION_STORE_FAILED, RATE_LIMITED when more wait than may */
  add(session_id: string, records: readonly FrameRecord[]): Promise<Stored> {
    if (this.closed) return Promise.reject(new SightlineError('CALIBRATION_STORE_FAILED', 'the calibration service is stopping'));
    if (this.rows_waiting + records.length > ROWS_WAITING_MAX) return Promise.reject(new SightlineError('RATE_LIMITED', 'the database does not take frames as fast as they come; send fewer'));
    this.rows_waiting += records.length;
    return new Promise((settle, fail) => {
      this.waiting.push({ session_id, records, settle, fail });
      this.schedule();
    });
  }

  /** false: the session certainly has none of these frames. */
  mayHave(session_id: string, indexes: readonly number[]): boolean {
    const known = this.remembered.get(session_id);
    return known === undefined || indexes.some((index) => known.has(index));
  }

  /** Frames of the session were removed: their indexes are free again. */
  forget(session_id: string): void {
    this.remembered.delete(session_id);
  }

  /** Writes what waits and takes nothing more. */
  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    for (this.run(); this.busy || this.waiting.length > 0; this.run()) await this.running;
  }

  private schedule(): void {
    if (this.busy || this.waiting.length === 0) return;
    this.timer ??= setTimeout(() => { this.run(); }, Math.max(GATHER_MS, Math.min(GATHER_LONGEST_MS, SPACING * this.last_commit_ms)));
  }

  private run(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.busy || this.waiting.length === 0) return;
    this.busy = true;
    this.running = this.writeAll().finally(() => {
      this.busy = false;
      // What came during the commit.
      this.schedule();
    });
  }

  private async writeAll(): Promise<void> {
    const batches = this.waiting;
    this.waiting = [];
    const rows = batches.reduce((sum, { records }) => sum + records.length, 0);
    const since_ms = performance.now();
    try {
      const stored = await this.commit(batches);
      this.last_commit_ms = performance.now() - since_ms;
      batches.forEach((batch, index) => { batch.settle(stored[index] as Stored); });
    } catch (error) {
      this.options.log.error({ err: error, rows }, 'calibration frames could not be stored');
      const failure = new SightlineError('CALIBRATION_STORE_FAILED', 'the frames could not be stored; send them again', { cause: error });
      for (const batch of batches) batch.fail(failure);
    } finally {
      this.rows_waiting -= rows;
    }
  }

  private async commit(batches: readonly Waiting[]): Promise<Stored[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.options.store.db.transaction().execute((trx) => this.write(trx, batches));
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : '';
        // Nothing of it is in the database: what was remembered meanwhile is not true.
        this.remembered.clear();
        if (attempt >= ATTEMPTS || !AGAIN.has(code)) throw error;
        this.options.log.warn({ code, attempt, cause: messageOf(error) }, 'the calibration database asks to try again');
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS * attempt * (0.5 + Math.random())));
      }
    }
  }

  private async write(trx: Transaction<CalibrationTables>, batches: readonly Waiting[]): Promise<Stored[]> {
    const { store, vault, frames_per_session } = this.options;
    const ids = [...new Set(batches.map(({ session_id }) => session_id))].sort();
    const sessions = trx.selectFrom('calibration_sessions').select(['id', 'status']).where('id', 'in', ids).orderBy('id');
    // Locked, so that `complete`, a deletion, or another daemon on the same database cannot come in between.
    const states = new Map((await (store.dialect === 'mysql' ? sessions.forUpdate() : sessions).execute()).map(({ id, status }) => [id, status]));
    const known = await this.known(trx, ids);
    const fresh: { session_id: string; frame_index: number; frame_data: string }[] = [];
    const stored = batches.map(({ session_id, records }): Stored => {
      const status = states.get(session_id);
      if (status === undefined) return { outcome: 'gone' };
      if (status === 'completed') return { outcome: 'completed' };
      const indexes = known.get(session_id) ?? new Set<number>();
      known.set(session_id, indexes);
      const repeated = records.filter(({ frame_index }) => indexes.has(frame_index)).map(({ frame_index }) => frame_index);
      const added = new Map(records.filter(({ frame_index }) => !indexes.has(frame_index)).map((record) => [record.frame_index, record]));
      if (indexes.size + added.size > frames_per_session) return { outcome: 'full' };
      for (const [frame_index, record] of added) {
        indexes.add(frame_index);
        fresh.push({ session_id, frame_index, frame_data: vault.sealJson(JSON.stringify(record), PLACE.frame(session_id, frame_index)) });
      }
      return { outcome: 'stored', repeated };
    });
    for (let at = 0; at < fresh.length; at += ROWS_A_STATEMENT) await trx.insertInto('calibration_frames').values(fresh.slice(at, at + ROWS_A_STATEMENT)).execute();
    const touched = [...new Set(fresh.map(({ session_id }) => session_id))];
    if (touched.length > 0) await trx.updateTable('calibration_session_details').set({ updated_ms: this.options.now_ms() }).where('session_id', 'in', touched).execute();
    const revived = touched.filter((id) => states.get(id) === 'failed');
    if (revived.length > 0) await trx.updateTable('calibration_sessions').set({ status: 'in_progress', updated_at: sql<string>`CURRENT_TIMESTAMP` }).where('id', 'in', revived).execute();
    return stored;
  }

  /** Frame indexes that sessions have: from memory where that is certain, else from the database. */
  private async known(trx: Transaction<CalibrationTables>, ids: readonly string[]): Promise<Map<string, Set<number>>> {
    if (this.options.store.dialect === 'mysql') return this.read(trx, ids);
    const { rows } = await sql<{ data_version: number }>`PRAGMA data_version`.execute(trx);
    const version = rows[0]?.data_version ?? -1;
    if (version !== this.data_version) this.remembered.clear();
    this.data_version = version;
    const absent = ids.filter((id) => !this.remembered.has(id));
    if (absent.length > 0) {
      const read = await this.read(trx, absent);
      for (const id of absent) this.remembered.set(id, read.get(id) ?? new Set());
      for (const id of [...this.remembered.keys()].slice(0, Math.max(0, this.remembered.size - SESSIONS_KNOWN_MAX))) if (!ids.includes(id)) this.remembered.delete(id);
    }
    return new Map(ids.map((id) => [id, this.remembered.get(id) ?? new Set<number>()]));
  }

  private async read(trx: Transaction<CalibrationTables>, ids: readonly string[]): Promise<Map<string, Set<number>>> {
    const rows = await trx.selectFrom('calibration_frames').select(['session_id', 'frame_index']).where('session_id', 'in', ids).execute();
    const known = new Map<string, Set<number>>();
    for (const { session_id, frame_index } of rows) {
      const indexes = known.get(session_id);
      if (indexes === undefined) known.set(session_id, new Set([frame_index]));
      else indexes.add(frame_index);
    }
    return known;
  }
}
