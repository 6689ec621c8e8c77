/**
 * Takes batches out of the slot pool and gives them to inference workers: the one place that decides what runs next.
 *
 * Runs on the main thread and touches numbers only. A batch leaves when it is full or when its oldest row has waited `batchWaitUs`; it leaves
 * only when a worker is free; rows for the sequence models go first, because a whole frame waits for them. Still pictures of people who calibrate
 * take turns with batches: where both wait each gets every other free worker. Overload drops frames in the slot pool (a camera's newer frame
 * replaces its waiting one), never here.
 */
import type { CaptureAddon, TakenBatch } from '../capture/types.js';
import { batchWaitUs, Percentiles, RateMeter, targetRows } from './deadline.js';
import type { FramesAnswer, SequencesAnswer, StillsAnswer } from './protocol.js';
import type { SequenceResult, SequenceRow, StillResult } from './results.js';
import { StillLane, type StillStats } from './still_lane.js';
import type { Workers } from './workers.js';

export type DispatcherAddon = Pick<
  CaptureAddon,
  'takeBatch' | 'releaseBatch' | 'armReady' | 'onReady' | 'poolStats' | 'setTargetRows' | 'monotonicUs'
>;

export interface DispatcherOptions {
  addon: DispatcherAddon;
  workers: Pick<Workers, 'run' | 'size'>;
  /** Rows that close a batch, at most. */
  target_rows: number;
  /** Packet to result. */
  latency_budget_us: number;
  /** A batch that a worker has not answered for so long is reported, once. */
  slow_after_ms: number;
  onSlow(batch: TakenBatch): void;
  /**
   * Called with the results of a batch. The batch, with its decoded frames, stays valid until the promise settles: this is where
   * evidence is cut. It must settle within a bounded time.
   */
  onFrames(answer: FramesAnswer, batch: TakenBatch): Promise<void>;
  /** A batch whose frames are lost because its worker failed. */
  onLost(batch: TakenBatch, error: unknown): void;
  /** Each answer, for the metrics. */
  onAnswer?(answer: FramesAnswer | SequencesAnswer | StillsAnswer): void;
}

/** Most rows of one sequence task, and most that may wait. */
const SEQUENCE_BATCH = 64;
const SEQUENCE_QUEUE = 1_024;

interface SequenceWaiter {
  row: SequenceRow;
  settle(result: SequenceResult | null): void;
}

export interface DispatcherStats {
  /** Frames a second that leave the pool. */
  rows_per_second: number;
  utilisation: number;
  wait_us: number;
  target_rows: number;
  in_flight: number;
  sequence_backlog: number;
  sequence_dropped: number;
  /** Packet to dispatch, p50, p95, p99 in ms; null before the first. */
  dispatch_ms: number[] | null;
  /** A batch's time in a worker, p50, p95, p99 in ms. */
  service_ms: number[] | null;
  batch_rows: number[] | null;
}

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #sequences: SequenceWaiter[] = [];
  readonly #stills: StillLane;
  /** The last free worker went to stills: the next one is a batch's. */
  #stills_had_turn = false;
  readonly #arrivals = new RateMeter();
  readonly #service_us = new Percentiles(256);
  readonly #dispatch_us = new Percentiles(4_096);
  readonly #rows = new Percentiles(256);
  readonly #idle: (() => void)[] = [];
  #utilisation = 0;
  #target_rows: number;
  /** Exponential mean of a row's service time. */
  #row_us = 0;
  #utilisation_at_us: number;
  #busy = 0;
  #holding = 0;
  #sequence_dropped = 0;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#stills = new StillLane(() => options.addon.monotonicUs());
    this.#utilisation_at_us = options.addon.monotonicUs();
    this.#target_rows = options.target_rows;
    options.addon.setTargetRows(options.target_rows);
  }

  /** Starts to listen to the slot pool. */
  start(): void {
    this.#options.addon.onReady(() => {
      this.#pump();
    });
    this.#pump();
  }

  /**
   * Runs rows through the sequence models. Never rejects: a row that was not run (overload, failure, stop) is absent from the answer.
   */
  async sequences(rows: SequenceRow[]): Promise<SequenceResult[]> {
    const waiting = rows.map(
      (row) =>
        new Promise<SequenceResult | null>((settle) => {
          if (this.#stopped || this.#sequences.length >= SEQUENCE_QUEUE) {
            this.#sequence_dropped++;
            settle(null);
          } else this.#sequences.push({ row, settle });
        }),
    );
    this.#pump();
    const results = await Promise.all(waiting);
    return results.filter((result) => result !== null);
  }

  /** Looks at a picture file, of a person who takes turns with others. Never rejects; see StillResult for what may come instead. */
  still(file: Uint8Array, person: string): Promise<StillResult> {
    const result = this.#stills.push(file, person);
    this.#pump();
    return result;
  }

  stillStats(): StillStats {
    return this.#stills.stats();
  }

  /** Takes no further batch and waits until those under way are back, at most `deadline_ms`. */
  async stop(deadline_ms: number): Promise<void> {
    this.#stopped = true;
    this.#stills.stop();
    if (this.#timer) clearTimeout(this.#timer);
    for (const waiter of this.#sequences.splice(0)) waiter.settle(null);
    if (this.#busy === 0 && this.#holding === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, deadline_ms);
      this.#idle.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  stats(): DispatcherStats {
    const now = this.#options.addon.monotonicUs();
    return {
      rows_per_second: this.#arrivals.perSecond(now),
      utilisation: this.#observeUtilisation(now),
      wait_us: this.#waitUs(now),
      target_rows: this.#target_rows,
      in_flight: this.#busy,
      sequence_backlog: this.#sequences.length,
      sequence_dropped: this.#sequence_dropped,
      dispatch_ms: this.#dispatch_us.read(0.5, 0.95, 0.99)?.map((us) => us / 1000) ?? null,
      service_ms: this.#service_us.read(0.5, 0.95, 0.99)?.map((us) => us / 1000) ?? null,
      batch_rows: this.#rows.read(0.5, 0.95, 0.99),
    };
  }

  #pump(): void {
    if (this.#stopped) return;
    while (this.#busy < this.#options.workers.size) {
      if (this.#sequences.length > 0) {
        this.#runSequences(this.#sequences.splice(0, SEQUENCE_BATCH));
        continue;
      }
      if (this.#stills.waiting > 0 && !this.#stills_had_turn) {
        this.#stills_had_turn = true;
        this.#runStills();
        continue;
      }
      this.#stills_had_turn = false;
      const now = this.#options.addon.monotonicUs();
      const batch = this.#options.addon.takeBatch(now - this.#waitUs(now));
      if (batch) this.#runFrames(batch, now);
      else if (this.#stills.waiting === 0) break;
    }
    this.#arm();
  }

  /** The next look: when a row becomes ready (signal) or when the oldest waiting row has waited long enough (timer). */
  #arm(): void {
    this.#options.addon.armReady();
    if (this.#busy >= this.#options.workers.size) return;
    const oldest = this.#options.addon.poolStats().oldest_ready_us;
    if (oldest === 0 || this.#timer) return;
    const now = this.#options.addon.monotonicUs();
    const due_ms = Math.max(1, Math.ceil((oldest + this.#waitUs(now) - now) / 1000));
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#pump();
    }, due_ms);
  }

  #runFrames(batch: TakenBatch, taken_us: number): void {
    this.#enter(taken_us);
    this.#holding++;
    this.#arrivals.add(taken_us, batch.rows.length);
    this.#rows.add(batch.rows.length);
    for (const row of batch.rows) this.#dispatch_us.add(taken_us - row.packet_us);
    const slow = setTimeout(() => { this.#options.onSlow(batch); }, this.#options.slow_after_ms).unref();
    void this.#options.workers
      .run({ kind: 'frames', batch: batch.batch, rows: batch.rows })
      .then(async (answer) => {
        clearTimeout(slow);
        this.#leave(taken_us, batch.rows.length);
        if (answer.kind !== 'frames') throw new Error(`inference worker: expected frames, received ${answer.kind}`);
        this.#options.onAnswer?.(answer);
        const done = this.#options.onFrames(answer, batch);
        this.#pump();
        await done;
      }, (error: unknown) => {
        clearTimeout(slow);
        this.#leave(taken_us, 0);
        this.#options.onLost(batch, error);
      })
      .catch((error: unknown) => {
        this.#options.onLost(batch, error);
      })
      .finally(() => {
        this.#holding--;
        this.#release(batch);
        this.#settleIdle();
        this.#pump();
      });
  }

  /** After `stop` the pool may be closed already. */
  #release(batch: TakenBatch): void {
    try {
      this.#options.addon.releaseBatch(batch.batch);
    } catch (error) {
      if (!this.#stopped) throw error;
    }
  }

  #runStills(): void {
    const tickets = this.#stills.take();
    if (tickets.length === 0) return;
    const now = this.#options.addon.monotonicUs();
    this.#enter(now);
    void this.#options.workers
      .run({ kind: 'stills', files: tickets.map(({ file }) => file) })
      .then((answer) => {
        if (answer.kind !== 'stills') throw new Error(`inference worker: expected stills, received ${answer.kind}`);
        this.#options.onAnswer?.(answer);
        this.#stills.answer(tickets, answer.results);
      })
      .catch(() => { this.#stills.answer(tickets, []); })
      .finally(() => {
        this.#leave(now, 0);
        this.#settleIdle();
        this.#pump();
      });
  }

  #runSequences(waiters: SequenceWaiter[]): void {
    const now = this.#options.addon.monotonicUs();
    this.#enter(now);
    // Keys are the askers' own: number the rows for the way there and back.
    const rows = waiters.map((waiter, index) => ({ ...waiter.row, key: index }));
    void this.#options.workers
      .run({ kind: 'sequences', rows })
      .then((answer) => {
        if (answer.kind !== 'sequences') return;
        this.#options.onAnswer?.(answer);
        for (const result of answer.results) {
          const waiter = waiters[result.key];
          waiter?.settle({ ...result, key: waiter.row.key });
        }
      })
      .catch(() => {
        this.#sequence_dropped += waiters.length;
      })
      .finally(() => {
        this.#leave(now, 0);
        for (const waiter of waiters) waiter.settle(null); // no effect on those that have their result
        this.#settleIdle();
        this.#pump();
      });
  }

  #waitUs(now_us: number): number {
    return batchWaitUs({
      target_rows: this.#target_rows,
      arrival_rate: this.#arrivals.perSecond(now_us),
      utilisation: this.#utilisation,
      service_p95_us: this.#service_us.read(0.95)?.[0] ?? 0,
      budget_us: this.#options.latency_budget_us,
    });
  }

  #enter(now_us: number): void {
    this.#observeUtilisation(now_us);
    this.#busy++;
  }

  /** @param rows frames that were served, 0 = none (a failure, or windows) */
  #leave(started_us: number, rows: number): void {
    const now = this.#options.addon.monotonicUs();
    this.#observeUtilisation(now);
    this.#busy--;
    if (rows === 0) return;
    this.#service_us.add(now - started_us);
    const row_us = (now - started_us) / rows;
    this.#row_us = this.#row_us === 0 ? row_us : 0.9 * this.#row_us + 0.1 * row_us;
    const target = targetRows({ layout_rows: this.#options.target_rows, row_us: this.#row_us, budget_us: this.#options.latency_budget_us });
    if (target === this.#target_rows) return;
    this.#target_rows = target;
    this.#options.addon.setTargetRows(target);
  }

  /** Exponential mean of the busy fraction with a time constant of one second. */
  #observeUtilisation(now_us: number): number {
    const keep = Math.exp(-(now_us - this.#utilisation_at_us) / 1e6);
    this.#utilisation_at_us = now_us;
    this.#utilisation = keep * this.#utilisation + (1 - keep) * (this.#busy / this.#options.workers.size);
    return this.#utilisation;
  }

  #settleIdle(): void {
    if (this.#busy === 0 && this.#holding === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }
}
