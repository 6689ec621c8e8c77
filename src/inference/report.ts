/**
 * What the pipeline did lately, for `GET /api/pipeline`, the summary line and the metrics. Bounded: rings and counters by name, names from
 * the manifest.
 */
import type { PoolStats } from '../capture/types.js';
import { Percentiles, RateMeter } from './deadline.js';
import type { DispatcherStats } from './dispatcher.js';
import type { FramesAnswer, NetworkStatus, SequencesAnswer, StillsAnswer } from './protocol.js';

export interface PercentilesMs {
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

export interface PipelineSnapshot {
  frames_per_s: number;
  frames_total: number;
  latency_ms: PercentilesMs;
  stages: Record<string, { runs: number; latency_ms: PercentilesMs }>;
  batches: Record<string, { count: number; mean_size: number; target_size: number }>;
  drops: Record<string, number>;
  queue: { waiting_frames: number; batches_in_flight: number; oldest_ms: number | null };
  providers: Record<string, { wanted: string; used: string; fallbacks: number }>;
  workers: { count: number; threads_per_worker: number; restarts: number };
}

interface StageCounter {
  runs: number;
  us: Percentiles;
}

export class PipelineReport {
  readonly #stages = new Map<string, StageCounter>();
  readonly #batches = new Map<string, { count: number; items: number }>();
  readonly #failures = new Map<string, { count: number; message: string }>();
  readonly #latency_us = new Percentiles(4_096);
  readonly #results = new RateMeter();
  #frames = 0;
  #lost = 0;
  #answers = 0;

  /** Counts an answer of a worker. */
  answer(answer: FramesAnswer | SequencesAnswer | StillsAnswer): void {
    this.#answers++;
    for (const [stage, us] of Object.entries(answer.stage_us)) this.stage(stage, us);
    for (const [network, sizes] of Object.entries(answer.batches)) {
      const counter = this.#batches.get(network) ?? { count: 0, items: 0 };
      counter.count += sizes.length;
      counter.items += sizes.reduce((a, b) => a + b, 0);
      this.#batches.set(network, counter);
    }
    for (const failure of answer.failures) {
      const known = this.#failures.get(failure.network);
      this.#failures.set(failure.network, { count: (known?.count ?? 0) + 1, message: failure.message });
    }
  }

  /** Time of one run of a stage. */
  stage(stage: string, us: number): void {
    let counter = this.#stages.get(stage);
    if (!counter) this.#stages.set(stage, (counter = { runs: 0, us: new Percentiles(512) }));
    counter.runs++;
    counter.us.add(us);
  }

  /** A frame whose result is complete: packet to now. */
  result(latency_us: number, now_us: number): void {
    this.#frames++;
    this.#latency_us.add(latency_us);
    this.#results.add(now_us);
  }

  /** Frames whose batch was lost with its worker. */
  lost(frames: number): void {
    this.#answers++;
    this.#lost += frames;
  }

  get frames(): number {
    return this.#frames;
  }

  /** Batches that came back from a worker, with results or as lost: what shows that inference advances. */
  get answers(): number {
    return this.#answers;
  }

  /** Failed runs by network, with the newest reason. */
  get failures(): ReadonlyMap<string, { count: number; message: string }> {
    return this.#failures;
  }

  framesPerSecond(now_us: number): number {
    return this.#results.perSecond(now_us);
  }

  latency(): PercentilesMs {
    return named(this.#latency_us);
  }

  snapshot(deps: {
    now_us: number;
    pool: PoolStats;
    dispatcher: DispatcherStats;
    networks: NetworkStatus[];
    wanted_provider: string;
    batch_targets: Record<string, number>;
    workers: { count: number; threads_per_worker: number; restarts: number };
    /** Drops counted by capture, all cameras. */
    capture_drops: Record<string, number>;
  }): PipelineSnapshot {
    const stages: PipelineSnapshot['stages'] = {};
    for (const [name, counter] of this.#stages) stages[name] = { runs: counter.runs, latency_ms: named(counter.us) };
    if (deps.dispatcher.dispatch_ms) {
      stages.dispatch = { runs: deps.pool.batches_taken, latency_ms: triple(deps.dispatcher.dispatch_ms) };
    }
    const batches: PipelineSnapshot['batches'] = {};
    for (const [network, counter] of this.#batches) {
      batches[network] = {
        count: counter.count,
        mean_size: counter.count === 0 ? 0 : counter.items / counter.count,
        target_size: deps.batch_targets[network] ?? 1,
      };
    }
    const providers: PipelineSnapshot['providers'] = {};
    for (const status of deps.networks) {
      providers[status.network] = { wanted: deps.wanted_provider, used: status.provider ?? 'none', fallbacks: status.refusals.length };
    }
    return {
      frames_per_s: this.#results.perSecond(deps.now_us),
      frames_total: this.#frames,
      latency_ms: this.latency(),
      stages,
      batches,
      drops: { ...deps.capture_drops, inference_failed: this.#lost },
      queue: {
        waiting_frames: deps.pool.waiting_rows,
        batches_in_flight: deps.dispatcher.in_flight,
        oldest_ms: deps.pool.oldest_ready_us === 0 ? null : (deps.now_us - deps.pool.oldest_ready_us) / 1000,
      },
      providers,
      workers: deps.workers,
    };
  }
}

function named(percentiles: Percentiles): PercentilesMs {
  const read = percentiles.read(0.5, 0.95, 0.99);
  return read ? triple(read.map((us) => us / 1000)) : { p50: null, p95: null, p99: null };
}

function triple(values: number[]): PercentilesMs {
  return { p50: values[0] ?? null, p95: values[1] ?? null, p99: values[2] ?? null };
}
