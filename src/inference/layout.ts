/**
 * How many workers, how many threads each, and how many items a run: measured on this machine with these models, kept for the next start.
 *
 * Batches that pay on a GPU cost on a CPU (batches of 16 were measured slower than 1–4 for half of the default networks), so nothing is assumed:
 * each candidate layout runs each network at growing batch sizes on all its workers at once, and the cheapest frame wins.
 */
import { Type, type Static } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { NetworkLayout, Provider } from './protocol.js';

export const LayoutSchema = Type.Object({
  /** What the measurement depends on: another key, another measurement. */
  key: Type.String(),
  workers: Type.Integer({ minimum: 1, maximum: 64 }),
  /** Rows that close a batch of frames. */
  target_rows: Type.Integer({ minimum: 1, maximum: 64 }),
  networks: Type.Record(
    Type.String(),
    Type.Object({ batch: Type.Integer({ minimum: 1, maximum: 64 }), threads: Type.Integer({ minimum: 1, maximum: 256 }) }),
  ),
  /** Microseconds of worker time per frame that the choice was measured to cost. */
  frame_us: Type.Number(),
  measured_at: Type.String(),
});
export type Layout = Static<typeof LayoutSchema>;

/** Microseconds of one run by batch size, for one network under one candidate. */
export type RunTimes = Map<number, number>;

export interface Candidate {
  workers: number;
  threads: number;
}

/** A network as far as the choice goes. */
export interface LayoutNetwork {
  id: string;
  /** Items a frame brings on average: 1 for a frame-level network, about the number of crops for the others. */
  items_per_frame: number;
  /** Upper bound of its batch (1 for a model with a fixed batch dimension). */
  max_batch: number;
}

/** Layouts worth measuring: workers × threads never exceed the cores. */
export function candidates(provider: Provider, cores: number): Candidate[] {
  if (provider !== 'cpu') return [1, 2, 3].filter((workers) => workers <= Math.max(1, cores - 1)).map((workers) => ({ workers, threads: 1 }));
  const seen = new Set<number>();
  const out: Candidate[] = [];
  for (const threads of [1, 2, 4, 8]) {
    const workers = Math.max(1, Math.floor(cores / threads));
    if (threads > cores || seen.has(workers) || workers > 16) continue;
    seen.add(workers);
    out.push({ workers, threads });
  }
  return out;
}

/** The batch size with the cheapest item; a larger batch must be 3 % cheaper to be worth its latency. */
export function cheapestBatch(times: RunTimes): number {
  let best = 1;
  let cost = Infinity;
  for (const [batch, us] of [...times].sort((a, b) => a[0] - b[0])) {
    if (us / batch < cost * 0.97) {
      best = batch;
      cost = us / batch;
    }
  }
  return best;
}

/** Worker microseconds per frame when batches of `rows` frames are taken and each network runs at most its own batch size at a time. */
export function frameCost(networks: LayoutNetwork[], times: Map<string, RunTimes>, batch: Map<string, number>, rows: number): number {
  let total = 0;
  for (const network of networks) {
    const measured = times.get(network.id);
    if (!measured || measured.size === 0) continue;
    const items = Math.max(1, Math.min(batch.get(network.id) ?? 1, Math.ceil(rows * network.items_per_frame)));
    const sizes = [...measured.keys()].filter((size) => size <= items);
    const size = Math.max(...sizes, 1);
    total += (network.items_per_frame * (measured.get(size) ?? 0)) / size;
  }
  return total;
}

/** The cheapest candidate: its batch sizes, and the smallest batch of frames within 10 % of its best cost. */
export function choose(
  networks: LayoutNetwork[],
  measured: { candidate: Candidate; times: Map<string, RunTimes> }[],
  max_rows: number,
): { candidate: Candidate; target_rows: number; networks: Record<string, NetworkLayout>; frame_us: number } {
  const choices = measured.map(({ candidate, times }) => {
    const batch = new Map(networks.map((network) => [network.id, cheapestBatch(times.get(network.id) ?? new Map<number, number>())]));
    const costs = batchSizes(max_rows).map((rows) => ({ rows, cost: frameCost(networks, times, batch, rows) }));
    const least = Math.min(...costs.map((entry) => entry.cost));
    const target = costs.find((entry) => entry.cost <= least * 1.1) ?? { rows: 1, cost: least };
    const layout = Object.fromEntries(networks.map((network) => [network.id, { batch: batch.get(network.id) ?? 1, threads: candidate.threads }]));
    return { candidate, target_rows: target.rows, networks: layout, frame_us: target.cost / candidate.workers };
  });
  return choices.reduce((a, b) => (b.frame_us < a.frame_us * 0.97 ? b : a));
}

/** 1, 2, 4, … up to `max`, and `max` itself. */
export function batchSizes(max: number): number[] {
  const sizes = [1, 2, 4, 8, 16, 32, 64].filter((size) => size < max);
  return [...sizes, max];
}

export interface MeasureDeps {
  /** Opens workers with this layout; `measure` runs a network on all of them at once and gives microseconds of one run. */
  open(candidate: Candidate): Promise<{ measure(network: string, batch: number, runs: number): Promise<number>; close(): Promise<void> }>;
  now_ms(): number;
  /** Measuring stops trying larger batches and further candidates after so long. */
  limit_ms: number;
  /** true: what is not measured yet is left out; the result is not to be used. */
  stopped?(): boolean;
}

/** Measures the candidates. At least one of them is measured at batch 1 for every network, however short the limit. */
export async function measureCandidates(
  networks: LayoutNetwork[],
  list: Candidate[],
  max_batch: number,
  deps: MeasureDeps,
): Promise<{ candidate: Candidate; times: Map<string, RunTimes> }[]> {
  const end = deps.now_ms() + deps.limit_ms;
  const out: { candidate: Candidate; times: Map<string, RunTimes> }[] = [];
  for (const candidate of list) {
    if ((out.length > 0 && deps.now_ms() > end) || deps.stopped?.() === true) break;
    const workers = await deps.open(candidate);
    try {
      const times = new Map<string, RunTimes>();
      for (const network of networks) if (deps.stopped?.() !== true) times.set(network.id, await measureNetwork(network, max_batch, end, workers, deps));
      out.push({ candidate, times });
    } finally {
      await workers.close();
    }
  }
  return out;
}

async function measureNetwork(
  network: LayoutNetwork,
  max_batch: number,
  end_ms: number,
  workers: { measure(network: string, batch: number, runs: number): Promise<number> },
  deps: MeasureDeps,
): Promise<RunTimes> {
  const times: RunTimes = new Map();
  let least = Infinity;
  for (const batch of batchSizes(Math.min(max_batch, network.max_batch))) {
    if ((times.size > 0 && deps.now_ms() > end_ms) || deps.stopped?.() === true) break;
    const us = await workers.measure(network.id, batch, times.size === 0 ? 5 : 3);
    times.set(batch, us);
    if (us / batch > least * 1.15) break; // it only gets worse from here
    least = Math.min(least, us / batch);
  }
  return times;
}

/** The kept layout, or null when there is none for this key (or the file is damaged: then it is measured again). */
export async function loadLayout(file: string, key: string): Promise<Layout | null> {
  try {
    const layout: unknown = JSON.parse(await readFile(file, 'utf8'));
    return Value.Check(LayoutSchema, layout) && layout.key === key ? layout : null;
  } catch {
    return null;
  }
}

export async function saveLayout(file: string, layout: Layout): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(`${file}.new`, `${JSON.stringify(layout, null, 2)}\n`);
  await rename(`${file}.new`, file);
}
