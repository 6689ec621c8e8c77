/** The last hour of the pipeline in samples a few seconds apart, for the plots of the operations page: made once for all who look, bounded. */

/** Counters and gauges at a moment; networks with their counts since the start. */
export interface Reading {
  frames_per_s: number;
  latency_ms: { p50: number | null; p95: number | null; p99: number | null };
  batches: Record<string, { count: number; mean_size: number; target_size?: number | undefined }>;
  drops: Record<string, number>;
  backlog: number;
}

export interface HistorySample {
  /** Milliseconds since 1970. */
  at_ms: number;
  frames_per_s: number;
  p50_ms: number | null;
  p99_ms: number | null;
  /** Share of the target size that the batches since the sample before had, by network; absent where none ran. */
  fill: Record<string, number>;
  /** Frames dropped since the sample before. */
  dropped: number;
  backlog: number;
}

export interface History {
  /** Samples later than this one, oldest first. */
  since(at_ms: number): HistorySample[];
  stop(): void;
}

/** An hour at 5 s. */
const SAMPLES_MAX = 720;
export const SAMPLE_EVERY_MS = 5_000;

export class HistoryRing {
  readonly #samples: HistorySample[] = [];
  #before: Reading | undefined;

  constructor(private readonly limit = SAMPLES_MAX) {}

  take(reading: Reading, at_ms: number): void {
    const before = this.#before;
    this.#before = reading;
    this.#samples.push({
      at_ms,
      frames_per_s: reading.frames_per_s,
      p50_ms: reading.latency_ms.p50,
      p99_ms: reading.latency_ms.p99,
      fill: before === undefined ? {} : fillsBetween(before, reading),
      dropped: before === undefined ? 0 : Math.max(0, sum(reading.drops) - sum(before.drops)),
      backlog: reading.backlog,
    });
    if (this.#samples.length > this.limit) this.#samples.shift();
  }

  since(at_ms: number): HistorySample[] {
    return this.#samples.filter((sample) => sample.at_ms > at_ms);
  }
}

/** Samples now and every few seconds until stopped. */
export function startHistory(read: () => Reading, now: () => number = Date.now): History {
  const ring = new HistoryRing();
  const take = (): void => { ring.take(read(), now()); };
  take();
  const timer = setInterval(take, SAMPLE_EVERY_MS);
  timer.unref();
  return { since: (at_ms) => ring.since(at_ms), stop: () => { clearInterval(timer); } };
}

function fillsBetween(before: Reading, after: Reading): Record<string, number> {
  const fills: Record<string, number> = {};
  for (const [network, { count, mean_size, target_size }] of Object.entries(after.batches)) {
    const earlier = before.batches[network];
    const runs = count - (earlier?.count ?? 0);
    const items = count * mean_size - (earlier === undefined ? 0 : earlier.count * earlier.mean_size);
    if (runs > 0 && target_size !== undefined && target_size > 0) fills[network] = Math.round((1000 * items) / (runs * target_size)) / 1000;
  }
  return fills;
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
