/**
 * How long the oldest waiting frame may wait for its batch to fill: pure arithmetic, so that a table can test it.
 *
 * A batch that leaves early costs efficiency, one that leaves late costs latency. When workers are mostly idle, efficiency is worth nothing,
 * so the wait shrinks with utilisation; when they are busy, a batch fills while it waits for a worker anyway. Therefore:
 *
 *   fill_us = target_rows / arrival_rate                       time a batch needs to fill
 *   slack_us = budget - 2 × service p95                        what the budget leaves after one batch ahead of us and our own
 *   wait_us = clamp(utilisation × fill_us, min_wait, max(min_wait, slack_us / 2))
 */

export interface DeadlineInput {
  /** Rows that close a batch. */
  target_rows: number;
  /** Frames per second that become ready, 0 = unknown. */
  arrival_rate: number;
  /** Busy fraction of the workers, 0..1. */
  utilisation: number;
  /** 95th percentile of a batch's service time. */
  service_p95_us: number;
  /** Packet to result, promised. */
  budget_us: number;
}

/** Frames of cameras that tick together arrive within a few milliseconds: waiting so long costs nothing that can be noticed. */
export const MIN_WAIT_US = 4_000;

export function batchWaitUs(input: DeadlineInput): number {
  const slack = Math.max(0, input.budget_us - 2 * input.service_p95_us) / 2;
  const ceiling = Math.max(MIN_WAIT_US, slack);
  if (input.arrival_rate <= 0) return MIN_WAIT_US;
  const fill = (input.target_rows / input.arrival_rate) * 1e6;
  const wanted = Math.min(1, Math.max(0, input.utilisation)) * fill;
  return Math.round(Math.min(ceiling, Math.max(MIN_WAIT_US, wanted)));
}

/**
 * How many rows close a batch: as many as the layout says is efficient, fewer where the machine is slower than it was measured to be, so
 * that serving a batch takes at most a third of the latency budget (another third is for waiting, the last one for the batch ahead).
 *
 * @param row_us mean service time of a row, 0 = unknown
 */
export function targetRows(input: { layout_rows: number; row_us: number; budget_us: number }): number {
  if (input.row_us <= 0) return input.layout_rows;
  return Math.min(input.layout_rows, Math.max(1, Math.floor(input.budget_us / 3 / input.row_us)));
}

/**
 * A rate over a sliding window of whole intervals: counts in, events per second out. Bounded memory, no timer.
 */
export class RateMeter {
  readonly #slots: Float64Array;
  readonly #slot_us: number;
  #epoch = -1;

  /** @param window_us length of the window; @param slots number of intervals in it */
  constructor(window_us = 4_000_000, slots = 16) {
    this.#slots = new Float64Array(slots);
    this.#slot_us = window_us / slots;
  }

  add(now_us: number, count = 1): void {
    this.#advance(now_us);
    const at = this.#epoch % this.#slots.length;
    this.#slots[at] = (this.#slots[at] ?? 0) + count;
  }

  /** Events per second over the window; the running interval counts by the part of it that has passed. */
  perSecond(now_us: number): number {
    this.#advance(now_us);
    const total = this.#slots.reduce((a, b) => a + b, 0);
    const partial = now_us / this.#slot_us - this.#epoch;
    return (total * 1e6) / ((this.#slots.length - 1 + partial) * this.#slot_us);
  }

  #advance(now_us: number): void {
    const epoch = Math.floor(now_us / this.#slot_us);
    if (this.#epoch < 0) this.#epoch = epoch;
    const steps = Math.min(epoch - this.#epoch, this.#slots.length);
    for (let i = 1; i <= steps; i++) this.#slots[(this.#epoch + i) % this.#slots.length] = 0;
    if (epoch > this.#epoch) this.#epoch = epoch;
  }
}

/** Percentiles over the newest `capacity` observations. Sorting happens at reading time only. */
export class Percentiles {
  readonly #ring: Float64Array;
  #count = 0;

  constructor(capacity = 512) {
    this.#ring = new Float64Array(capacity);
  }

  add(value: number): void {
    this.#ring[this.#count++ % this.#ring.length] = value;
  }

  get size(): number {
    return Math.min(this.#count, this.#ring.length);
  }

  /** Nearest-rank percentiles, `q` in 0..1; null before the first observation. */
  read(...quantiles: number[]): number[] | null {
    const size = this.size;
    if (size === 0) return null;
    const sorted = this.#ring.slice(0, size).sort();
    return quantiles.map((q) => sorted[Math.min(size - 1, Math.max(0, Math.ceil(q * size) - 1))] ?? 0);
  }
}
