/**
 * Six models over real frames on one worker: `inference.js '{"mode":"sightline"|"bare",...}'`.
 *
 *   sightline  batches of real frames go through the stage graph (crops, decoders, mapping and all); prints the runs it made
 *   bare       a plain ONNX Runtime loop makes the same runs on the same models, nothing else
 *
 * Both on one thread; prints CPU milliseconds per frame.
 */
import * as ort from 'onnxruntime-node';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { captureOptions } from '../../src/cameras/plan.js';
import { loadCapture } from '../../src/capture/native.js';
import type { TakenBatch } from '../../src/capture/types.js';
import { loadConfig } from '../../src/config/load.js';
import { poolInputs } from '../../src/inference/engine.js';
import { loadModels } from '../../src/inference/models.js';
import type { Network } from '../../src/inference/manifest.js';
import { StageGraph } from '../../src/inference/stages.js';
import { NetworkSession } from '../../src/inference/worker_session.js';

export interface InferenceTrial {
  mode: 'sightline' | 'bare';
  clip: string;
  /** Frames of a batch. */
  rows: number;
  batches: number;
  repeats: number;
  /** Items of one run, by network. */
  batch: Record<string, number>;
  /** bare: runs to make, as sightline printed them: network and items. */
  runs?: [string, number][];
}

export interface InferenceFigures {
  cpu_ms_per_frame: number;
  frames: number;
  runs: [string, number][];
  faces: number;
  persons: number;
  objects: number;
}

const trial = JSON.parse(process.argv[2] ?? '{}') as InferenceTrial;
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const manifest = await loadModels({ root });
const networks = manifest.networks.filter((network) => network.source.kind !== 'window');
const frames = trial.rows * trial.batches * trial.repeats;
const figures = trial.mode === 'bare' ? await bare(trial.runs ?? []) : await sightline();
process.stdout.write(`${JSON.stringify(figures)}\n`);

async function sightline(): Promise<InferenceFigures> {
  const taken = await realBatches();
  const addon = loadCapture();
  const sessions = new Map<string, NetworkSession>();
  for (const network of networks) {
    const { session } = await NetworkSession.open({ network: network.id, file: network.file, providers: ['cpu'], gpu_device: 0, threads: 1 });
    if (!session) throw new Error(`${network.id} could not be opened`);
    sessions.set(network.id, session);
  }
  const runs: [string, number][] = [];
  let recording = true;
  const graph = new StageGraph({
    networks: manifest.networks,
    inputs: poolInputs(manifest),
    batch: trial.batch,
    addon,
    available: (id) => sessions.has(id),
    now_us: () => performance.now() * 1000,
    run(network, data, items) {
      if (recording) runs.push([network.id, items]);
      const { tensor, width, height } = network.input;
      const session = sessions.get(network.id);
      if (!session) throw new Error(network.id);
      return session.run([{ name: tensor, data, dims: [items, height, width, 3] }]);
    },
  });
  const found = { faces: 0, persons: 0, objects: 0 };
  for (const batch of taken) {
    const answer = await graph.frames(batch.batch, batch.rows); // not counted: warms up, records the runs
    if (answer.failures.length > 0) throw new Error(JSON.stringify(answer.failures));
    for (const frame of answer.frames) {
      found.faces += frame.faces.length;
      found.persons += frame.persons.length;
      found.objects += frame.objects.length;
    }
  }
  recording = false;
  const started = process.cpuUsage();
  for (let repeat = 0; repeat < trial.repeats; repeat++) for (const batch of taken) await graph.frames(batch.batch, batch.rows);
  const cpu_ms = cpuMs(started);
  for (const batch of taken) addon.releaseBatch(batch.batch);
  await addon.close();
  return { cpu_ms_per_frame: cpu_ms / frames, frames, runs, ...found };
}

async function bare(runs: [string, number][]): Promise<InferenceFigures> {
  const loops = await Promise.all(networks.map(async (network): Promise<[string, { session: ort.InferenceSession; network: Network; inputs: Map<number, ort.Tensor> }]> => {
    const session = await ort.InferenceSession.create(network.file, {
      executionProviders: ['cpu'], graphOptimizationLevel: 'all', intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential',
      extra: { session: { intra_op: { allow_spinning: '0' } } },
    });
    return [network.id, { session, network, inputs: new Map() }];
  }));
  const by_id = new Map(loops);
  const once = async (): Promise<void> => {
    for (const [id, items] of runs) {
      const loop = by_id.get(id);
      if (!loop) throw new Error(id);
      const { session, network, inputs } = loop;
      let input = inputs.get(items);
      if (!input) {
        const { width, height } = network.input;
        const data = Uint8Array.from({ length: items * width * height * 3 }, (_, i) => (i * 7919) & 255);
        inputs.set(items, (input = new ort.Tensor('uint8', data, [items, height, width, 3])));
      }
      await session.run({ [network.input.tensor]: input });
    }
  };
  await once();
  const started = process.cpuUsage();
  for (let repeat = 0; repeat < trial.repeats; repeat++) await once();
  return { cpu_ms_per_frame: cpuMs(started) / frames, frames, runs, faces: 0, persons: 0, objects: 0 };
}

/** Batches of real frames, kept in use while they are run again and again; the camera is stopped then. */
async function realBatches(): Promise<TakenBatch[]> {
  const addon = loadCapture();
  addon.openPool({ batches: trial.batches + 2, rows: trial.rows, inputs: poolInputs(manifest) });
  addon.setTargetRows(trial.rows);
  const config = loadConfig({ env: {}, cwd: root });
  const taken: TakenBatch[] = [];
  const handles = Array.from({ length: trial.rows }, (_, index) =>
    addon.addCamera({
      ...captureOptions({ camera_id: index + 1, url: trial.clip, transport: null, analysis_fps: 2 }, { fps: 2, capture: config.capture, hw_device: '' }).options,
      generation: 1,
    }),
  );
  const end = Date.now() + 60_000;
  while (taken.length < trial.batches && Date.now() < end) {
    const batch = addon.takeBatch(0);
    if (batch && batch.rows.length === trial.rows) taken.push(batch);
    else if (batch) addon.releaseBatch(batch.batch);
    else await new Promise((resolve) => setTimeout(resolve, 20));
  }
  for (const handle of handles) await addon.removeCamera(handle);
  if (taken.length < trial.batches) throw new Error(`${taken.length} of ${trial.batches} batches came`);
  return taken;
}

function cpuMs(since: NodeJS.CpuUsage): number {
  const usage = process.cpuUsage(since);
  return (usage.user + usage.system) / 1000;
}
