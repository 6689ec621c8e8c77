/**
 * Opens the inference threads with the layout that was measured best for this machine and these models, or measures it first. Order of the
 * start: manifest → slot pool (app.ts) → engine → dispatcher → cameras.
 */
import { createHash } from 'node:crypto';
import { availableParallelism, cpus } from 'node:os';
import type { PoolInput } from '../capture/types.js';
import { SightlineError } from '../errors.js';
import { candidates, choose, loadLayout, measureCandidates, saveLayout, type Candidate, type Layout, type LayoutNetwork } from './layout.js';
import type { Manifest, Network } from './manifest.js';
import { NetworkStates, type StateLog } from './network_states.js';
import type { NetworkLayout, NetworkStatus, Provider, WorkerNews, WorkerSetup } from './protocol.js';
import { startWorkers, type Workers } from './workers.js';

export interface EngineOptions {
  manifest: Manifest;
  /** Tried in this order. */
  providers: readonly Provider[];
  gpu_device: number;
  /** Upper bound of every batch. */
  batch_size: number;
  /** 0 = measured. */
  workers: number;
  /** 0 = measured. */
  threads_per_worker: number;
  /** Where the measured layout is kept. */
  layout_file: string;
  /** Version of ONNX Runtime, part of the layout's key. */
  ort_version: string;
  /** Providers that are not even tried, with the reason. */
  unavailable: Partial<Record<Provider, string>>;
  /** How long measuring may take. */
  measure_limit_ms: number;
  /** Aborted: measuring and opening end with the run or session under way, and startEngine throws. */
  stop?: AbortSignal;
  log: StateLog;
}

export interface Engine {
  workers: Workers;
  layout: Layout;
  /** What is open, by network, now; the worst that any worker says. */
  readonly networks: NetworkStatus[];
  /** Takes note of what an answer says has become of the networks. */
  note(news: WorkerNews): void;
  close(): Promise<void>;
}

/** How long sessions may take to open: the first run on a GPU compiles kernels. */
const OPEN_DEADLINE_MS = 180_000;
const MEASURE_DEADLINE_MS = 60_000;

/** Frame-level inputs that the slot pool has to have, in the manifest's order; named after their networks. */
export function poolInputs(manifest: Manifest): PoolInput[] {
  return manifest.networks
    .filter((network) => network.source.kind === 'frame')
    .map(({ id, input }) => ({ name: id, width: input.width, height: input.height, fit: input.fit, pad: input.pad }));
}

/**
 * Errors: MODEL_UNAVAILABLE when no network at all can be opened. A network that no provider takes is in `networks` with provider null, and in
 * the log; the others run.
 */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const layout = await layoutFor(options);
  const workers = startWorkers({ size: layout.workers, setup: workerSetup(options, layout.networks) });
  try {
    const answers = await workers.status(OPEN_DEADLINE_MS);
    options.stop?.throwIfAborted();
    const skipped = options.providers.flatMap((provider) => {
      const message = options.unavailable[provider];
      return message === undefined ? [] : [{ provider, message }];
    });
    const networks = (answers[0]?.networks ?? []).map((network) => ({ ...network, refusals: [...skipped, ...network.refusals] }));
    reportNetworks(networks, options);
    if (!networks.some((network) => network.provider !== null)) {
      throw new SightlineError('MODEL_UNAVAILABLE', `no model could be opened: ${networks[0]?.refusals[0]?.message ?? 'the manifest is empty'}`);
    }
    const states = new NetworkStates(networks, options.log);
    return {
      workers,
      layout,
      get networks() { return states.all; },
      note: ({ thread, changed }) => { states.note(thread, changed); },
      close: () => workers.close(),
    };
  } catch (error) {
    await workers.close();
    throw error;
  }
}

function workerSetup(options: EngineOptions, layout: Record<string, NetworkLayout>): WorkerSetup {
  return {
    networks: options.manifest.networks,
    inputs: poolInputs(options.manifest),
    providers: options.providers.filter((provider) => options.unavailable[provider] === undefined),
    gpu_device: options.gpu_device,
    layout,
  };
}

/** One line a reason, not one a network: all of them usually fall back for the same one. */
function reportNetworks(networks: NetworkStatus[], options: EngineOptions): void {
  const wanted = options.providers[0];
  const groups = new Map<string, { status: NetworkStatus; names: string[] }>();
  for (const status of networks) {
    if (status.provider === wanted) continue;
    const key = JSON.stringify([status.provider, status.refusals]);
    const group = groups.get(key) ?? { status, names: [] };
    group.names.push(status.network);
    groups.set(key, group);
  }
  for (const { status, names } of groups.values()) {
    const fields = { networks: names, provider: status.provider, wanted, refusals: status.refusals };
    if (status.provider === null) options.log.warn(fields, `${names.length} of ${networks.length} models not loaded: their results will be absent`);
    else options.log.warn(fields, `${names.length} of ${networks.length} models run on ${status.provider}, not on ${String(wanted)}`);
  }
}

async function layoutFor(options: EngineOptions): Promise<Layout> {
  const provider = await providerInUse(options);
  options.stop?.throwIfAborted();
  const key = layoutKey(options, provider);
  const kept = await loadLayout(options.layout_file, key);
  if (kept) return kept;
  options.log.info({ limit_ms: options.measure_limit_ms }, 'measuring batch sizes and worker layout for this machine');
  const networks = options.manifest.networks.map(layoutNetwork);
  const measured = await measureCandidates(networks, candidateList(options, provider), options.batch_size, {
    now_ms: () => performance.now(),
    limit_ms: options.measure_limit_ms,
    open: (candidate) => openCandidate(options, candidate),
    stopped: () => options.stop?.aborted === true,
  });
  options.stop?.throwIfAborted();
  const chosen = choose(networks, measured, options.batch_size);
  const layout: Layout = {
    key,
    workers: chosen.candidate.workers,
    target_rows: chosen.target_rows,
    networks: chosen.networks,
    frame_us: chosen.frame_us,
    measured_at: new Date().toISOString(),
  };
  await saveLayout(options.layout_file, layout);
  options.log.info({ workers: layout.workers, target_rows: layout.target_rows, networks: layout.networks }, 'layout measured');
  return layout;
}

/** The provider that takes the first network: a GPU that is gone needs another layout than one that is there. */
async function providerInUse(options: EngineOptions): Promise<Provider> {
  const manifest: Manifest = { version: 1, networks: options.manifest.networks.slice(0, 1) };
  const workers = startWorkers({ size: 1, setup: workerSetup({ ...options, manifest }, {}) });
  try {
    const [answer] = await workers.status(OPEN_DEADLINE_MS);
    return answer?.networks[0]?.provider ?? 'cpu';
  } finally {
    await workers.close();
  }
}

function candidateList(options: EngineOptions, provider: Provider): Candidate[] {
  const cores = availableParallelism();
  if (options.workers > 0) return [{ workers: options.workers, threads: options.threads_per_worker || Math.max(1, Math.floor(cores / options.workers)) }];
  const list = candidates(provider, cores);
  if (options.threads_per_worker === 0) return list;
  return [{ workers: Math.max(1, Math.floor(cores / options.threads_per_worker)), threads: options.threads_per_worker }];
}

function layoutNetwork(network: Network): LayoutNetwork {
  return { id: network.id, items_per_frame: network.items_per_frame, max_batch: network.max_batch };
}

async function openCandidate(
  options: EngineOptions,
  candidate: Candidate,
): Promise<{ measure(network: string, batch: number, runs: number): Promise<number>; close(): Promise<void> }> {
  const layout = Object.fromEntries(options.manifest.networks.map((network) => [network.id, { batch: options.batch_size, threads: candidate.threads }]));
  const workers = startWorkers({ size: candidate.workers, setup: workerSetup(options, layout) });
  try {
    await workers.status(OPEN_DEADLINE_MS);
  } catch (error) {
    await workers.close();
    throw error;
  }
  return { measure: (network, batch, runs) => workers.measure(network, batch, runs, MEASURE_DEADLINE_MS), close: () => workers.close() };
}

/** Another machine, provider, model, bound or runtime: another measurement. */
function layoutKey(options: EngineOptions, provider: Provider): string {
  const parts = [
    provider,
    String(options.gpu_device),
    cpus()[0]?.model ?? '',
    String(availableParallelism()),
    options.ort_version,
    String(options.batch_size),
    String(options.workers),
    String(options.threads_per_worker),
    ...options.manifest.networks.map((network) => `${network.id}:${network.sha256 ?? network.file}:${network.items_per_frame}`),
  ];
  return createHash('sha256').update(parts.join('\n')).digest('hex');
}
