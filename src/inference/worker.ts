/**
 * An inference worker: opens its sessions, then answers tasks one at a time. A task awaits everything it starts, because between tasks the
 * thread sleeps. This file and worker_session.ts are the only importers of onnxruntime-node.
 */
import { threadId, workerData } from 'node:worker_threads';
import { loadCapture } from '../capture/native.js';
import type { Outputs } from './decoders/types.js';
import type { Network } from './manifest.js';
import type { FramesAnswer, SequencesAnswer, StillsAnswer, WorkerAnswer, WorkerSetup, WorkerTask } from './protocol.js';
import { SequenceStage } from './sequences.js';
import { SessionKeeper } from './session_keeper.js';
import { StageGraph } from './stages.js';
import { StillStage } from './stills.js';
import { NetworkSession, ortVersion } from './worker_session.js';

/** How long parties of a barrier wait for each other. */
const BARRIER_MS = 60_000;

const setup = workerData as WorkerSetup;
const keeper = new SessionKeeper<NetworkSession>({
  networks: setup.networks.map((network) => network.id),
  providers: setup.providers,
  open: (id, providers) =>
    NetworkSession.open({
      network: id,
      file: setup.networks.find((network) => network.id === id)?.file ?? '',
      providers,
      gpu_device: setup.gpu_device,
      threads: setup.layout[id]?.threads ?? 1,
    }),
  now_ms: () => performance.now(),
});
await keeper.openAll();

let graph: StageGraph | null = null;
const sequences = new SequenceStage({
  networks: setup.networks,
  available: (id) => keeper.session(id) !== null,
  run: (network, inputs) => sessionOf(network).run(inputs),
  now_us,
});

function stageGraph(): StageGraph {
  graph ??= new StageGraph({ ...graphOptions(), addon: loadCapture() });
  return graph;
}

let still_stage: StillStage | null = null;

function stillStage(): StillStage {
  still_stage ??= new StillStage({ ...graphOptions(), addon: loadCapture() });
  return still_stage;
}

function graphOptions() {
  return {
    networks: setup.networks,
    inputs: setup.inputs,
    batch: Object.fromEntries(Object.entries(setup.layout).map(([id, layout]) => [id, layout.batch])),
    run: runImages,
    available: (id: string) => keeper.session(id) !== null,
    now_us,
  };
}

function sessionOf(network: Network): NetworkSession {
  const session = keeper.session(network.id);
  if (!session) throw new Error(`${network.id}: not loaded`);
  return session;
}

function runImages(network: Network, data: Uint8Array, items: number): Promise<Outputs> {
  const { tensor, width, height } = network.input;
  return sessionOf(network).run([{ name: tensor, data, dims: [items, height, width, 3] }]);
}

function now_us(): number {
  return performance.now() * 1000;
}

/** Answers one task. */
export default async function answer(task: WorkerTask): Promise<WorkerAnswer> {
  switch (task.kind) {
    case 'frames':
      return withNews(() => stageGraph().frames(task.batch, task.rows));
    case 'sequences':
      return withNews(() => sequences.run(task.rows));
    case 'stills':
      return withNews(() => stillStage().run(task.files));
    case 'status':
      meet(task.barrier, task.parties);
      return { kind: 'status', thread: threadId, networks: keeper.statuses(), ort_version: ortVersion() };
    case 'measure':
      return { kind: 'measure', run_us: await measure(task.network, task.batch, task.runs, task.barrier, task.parties) };
  }
}

/** Runs a task with the sessions that can be used now, and says what has become of them. */
async function withNews<A extends FramesAnswer | SequencesAnswer | StillsAnswer>(run: () => Promise<A>): Promise<A> {
  await keeper.mend();
  const answer = await run();
  keeper.note(answer.failures, Object.keys(answer.batches));
  const changed = keeper.takeChanges();
  if (changed.length > 0) answer.news = { thread: threadId, changed };
  return answer;
}

/** Waits until all parties are here. */
function meet(barrier: SharedArrayBuffer, parties: number): void {
  const count = new Int32Array(barrier);
  const end = Date.now() + BARRIER_MS;
  if (Atomics.add(count, 0, 1) + 1 >= parties) Atomics.notify(count, 0);
  for (let seen = Atomics.load(count, 0); seen < parties; seen = Atomics.load(count, 0)) {
    const left = end - Date.now();
    if (left <= 0) throw new Error(`barrier: expected ${parties} workers, ${seen} came`);
    Atomics.wait(count, 0, seen, Math.min(left, 100));
  }
}

/** Median microseconds of one run of `items`, after one that is not counted. 0 for a network that is not loaded. */
async function measure(id: string, items: number, runs: number, barrier: SharedArrayBuffer, parties: number): Promise<number> {
  const network = setup.networks.find((candidate) => candidate.id === id);
  const session = keeper.session(id);
  if (network && session) await measureOnce(network, session, items);
  meet(barrier, parties);
  if (!network || !session) return 0;
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const started = now_us();
    await measureOnce(network, session, items);
    times.push(now_us() - started);
  }
  return times.sort((a, b) => a - b)[times.length >> 1] ?? 0;
}

const noise = new Map<string, Uint8Array>();

async function measureOnce(network: Network, session: NetworkSession, items: number): Promise<void> {
  if (network.source.kind === 'window') {
    await session.run(sequences.blank(network, items));
    return;
  }
  const { tensor, width, height } = network.input;
  const bytes = items * width * height * 3;
  const key = `${network.id}:${items}`;
  let data = noise.get(key);
  if (!data) {
    noise.clear();
    data = new Uint8Array(bytes);
    for (let i = 0, x = 1; i < bytes; i++) {
      x = (x * 1_103_515_245 + 12_345) & 0x7fff_ffff;
      data[i] = x >> 16;
    }
    noise.set(key, data);
  }
  await session.run([{ name: tensor, data, dims: [items, height, width, 3] }]);
}
