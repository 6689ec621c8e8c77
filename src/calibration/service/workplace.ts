/**
 * Where work on whole sessions is done. A usual calibration (a few hundred frames) is read, fitted and written in a few milliseconds on the calling thread, faster than
 * it could be handed over; thousands of frames would hold up everybody's frames and the cameras there, so they go to a thread of its own with its own connection.
 */
import { Piscina } from 'piscina';
import { SightlineError, type ErrorCode } from '../../errors.js';
import type { CalibrationStore, CalibrationStoreOptions } from '../../store/calibration/store.js';
import type { Records } from './records.js';
import { createSessionWork, type SessionWork } from './session_work.js';
import type { ServiceCounts } from './types.js';
import type { Vault } from './vault.js';

/** Frames up to which the calling thread does the work itself. */
export const FRAMES_HERE_MAX = 400;
/** Bytes that a frame has in the CSV, about: how much work on files is. */
export const CSV_BYTES_A_FRAME = 320;
/** Pieces of work that may wait for the thread; beyond it the caller is told to come again. */
const WAITING_MAX = 16;
/** For one piece of work; 100000 frames take a fraction of it. */
const DEADLINE_MS = 120_000;
/** How long a piece of work may go on when the service is closed. */
const CLOSE_MS = 2_000;
/** Bytes above which memory is handed over to the thread and not copied. */
const MOVED_BYTES = 64 * 1024;
const WRITES: ReadonlySet<WorkKind> = new Set(['keep', 'removeTarget', 'erase', 'rename']);

export type WorkKind = keyof SessionWork;
export type WorkInput<K extends WorkKind> = Parameters<SessionWork[K]>[0];
export type WorkOutput<K extends WorkKind> = Awaited<ReturnType<SessionWork[K]>>;

/** What the thread is told, and what it says. An expected failure is told as data: an error loses its class between threads. */
export interface WorkTask {
  kind: WorkKind;
  input: unknown;
}
export type WorkAnswer = { value: unknown } | { failed: { code: ErrorCode; message: string; details: Record<string, unknown> | undefined } };
export interface WorkSetup {
  store: CalibrationStoreOptions;
  /** As in the configuration; undefined = nothing is sealed. */
  encryption_keys: string | undefined;
}

export interface WorkplaceOptions {
  records: Records;
  vault: Vault;
  store: Pick<CalibrationStore, 'db' | 'dialect'>;
  setup: WorkSetup;
  counts: ServiceCounts['work'];
}

export class Workplace {
  readonly #here: SessionWork;
  #pool: Piscina<WorkTask, WorkAnswer> | undefined;
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(private readonly options: WorkplaceOptions) {
    this.#here = createSessionWork(options.records, options.vault);
  }

  /**
   * @param frames How many the work is about.
   * @throws RATE_LIMITED where too much waits, CALIBRATION_STORE_FAILED past the deadline; else what the work throws
   */
  async run<K extends WorkKind>(kind: K, frames: number, input: WorkInput<K>): Promise<WorkOutput<K>> {
    if (frames > FRAMES_HERE_MAX) return (await this.#inTurn(kind, input)) as WorkOutput<K>;
    this.options.counts.here++;
    const work = this.#here[kind] as (given: WorkInput<K>) => Promise<WorkOutput<K>>;
    return work(input);
  }

  /** Waits for what is being done; what waits behind it is refused. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
    await this.#pool?.close();
  }

  /** One piece of work after the other: the thread is one, and who writes has to have the turn before it takes the database. */
  async #inTurn(kind: WorkKind, input: unknown): Promise<unknown> {
    const { counts, store } = this.options;
    if (this.#waiting >= WAITING_MAX) {
      counts.refused++;
      throw new SightlineError('RATE_LIMITED', `at most ${WAITING_MAX} requests about thousands of frames may wait; ask again in a few seconds`);
    }
    this.#waiting++;
    const before = this.#last;
    const mine = (async () => {
      await before;
      if (this.#closed) throw new SightlineError('CALIBRATION_STORE_FAILED', 'the calibration service is stopping');
      // The embedded database has one writer. While the thread writes, this thread's queries wait in turn for the connection instead of blocking the whole daemon in SQLite.
      if (store.dialect === 'sqlite' && WRITES.has(kind)) return store.db.connection().execute(() => this.#handOver(kind, input));
      return this.#handOver(kind, input);
    })().finally(() => { this.#waiting--; });
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  async #handOver(kind: WorkKind, input: unknown): Promise<unknown> {
    this.options.counts.thread++;
    const deadline = AbortSignal.timeout(DEADLINE_MS);
    let answer: WorkAnswer;
    try {
      answer = await this.#thread().run({ kind, input }, { signal: deadline, transferList: movable(input) });
    } catch (error) {
      if (!deadline.aborted) throw error;
      throw new SightlineError('CALIBRATION_STORE_FAILED', `the work on this session took longer than ${DEADLINE_MS / 1000} s and was ended`, { cause: error });
    }
    if ('value' in answer) return answer.value;
    const { code, message, details } = answer.failed;
    throw new SightlineError(code, message, details === undefined ? {} : { details });
  }

  /** Started when it is needed first: most services never need it. */
  #thread(): Piscina<WorkTask, WorkAnswer> {
    if (this.#pool !== undefined) return this.#pool;
    const pool = new Piscina<WorkTask, WorkAnswer>({
      filename: new URL('./work_thread.js', import.meta.url).href,
      minThreads: 1,
      maxThreads: 1,
      idleTimeout: 0x7fff_ffff,
      maxQueue: 1,
      concurrentTasksPerWorker: 1,
      // Between tasks its database connection has to be served.
      atomics: 'disabled',
      resourceLimits: { maxOldGenerationSizeMb: 1_024 },
      env: {},
      argv: [],
      execArgv: [],
      workerData: this.options.setup,
      niceIncrement: 0,
      trackUnmanagedFds: false,
      closeTimeout: CLOSE_MS,
      recordTiming: false,
      workerHistogram: false,
    });
    // Emitted when the idle thread dies; it has been replaced by then, and work in flight was rejected.
    pool.on('error', () => undefined);
    this.#pool = pool;
    return pool;
  }
}

/** Memory of the fields of a value that can be handed to another thread. Small texts lie in a pool that others share. */
export function movable(value: unknown): ArrayBuffer[] {
  const fields: unknown[] = value instanceof Uint8Array ? [value] : typeof value === 'object' && value !== null ? Object.values(value) : [];
  return fields.filter((field) => field instanceof Uint8Array && field.byteLength >= MOVED_BYTES && field.byteLength === field.buffer.byteLength).map((field) => (field as Uint8Array<ArrayBuffer>).buffer);
}
