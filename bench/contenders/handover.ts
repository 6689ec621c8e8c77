/**
 * Capture, slots, batching and dispatch of N RTSP cameras with inference replaced by the smallest ONNX model: `handover.js '{"cameras":100,...}'`.
 * The conversion is that of the real pipeline: both frame-level inputs of the default manifest. Prints one JSON line.
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { GraphBuilder } from '../../models/onnx/builder.js';
import { encodeModel } from '../../models/onnx/codec.js';
import { DataType } from '../../models/onnx/types.js';
import { captureOptions } from '../../src/cameras/plan.js';
import { loadCapture } from '../../src/capture/native.js';
import { loadConfig } from '../../src/config/load.js';
import { rtspServerBinary, startRtspServer } from '../../src/demo/rtsp_server.js';
import { Dispatcher } from '../../src/inference/dispatcher.js';
import { poolInputs } from '../../src/inference/engine.js';
import { loadModels } from '../../src/inference/models.js';
import type { WorkerAnswer, WorkerTask } from '../../src/inference/protocol.js';

export interface HandoverTrial {
  cameras: number;
  clip: string;
  fps: number;
  warmup_s: number;
  seconds: number;
  scratch: string;
}

export interface HandoverFigures {
  streaming: number;
  offered_per_s: number;
  dispatched_per_s: number;
  dropped: number;
  drops: string;
  corrupt: number;
  dispatch_p50_ms: number | null;
  dispatch_p95_ms: number | null;
  dispatch_p99_ms: number | null;
  batch_rows_p50: number | null;
  cpu_cores: number;
  server_cores: number;
  rss_mib: number;
  threads: number;
  close_s: number;
}

const trial = JSON.parse(process.argv[2] ?? '{}') as HandoverTrial;
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const server = await startRtspServer({ binary: rtspServerBinary(root) });
const addon = loadCapture();
const inputs = poolInputs(await loadModels({ root }));
const rows = 16;
addon.openPool({ batches: Math.ceil(trial.cameras / rows) + 4, rows, inputs });
const smallest = inputs.reduce((a, b, index) => (b.width * b.height < a.size ? { index, size: b.width * b.height } : a), { index: 0, size: Infinity });
const input = inputs[smallest.index];
if (!input) throw new Error('the manifest has no frame-level input');
const pool = new Piscina<WorkerTask, WorkerAnswer>({
  filename: new URL('./tiny_worker.js', import.meta.url).href,
  minThreads: 1, maxThreads: 1, idleTimeout: 0x7fff_ffff, maxQueue: 1, concurrentTasksPerWorker: 1, atomics: 'sync',
  workerData: { file: await tinyModel(input.width, input.height), input: smallest.index, width: input.width, height: input.height },
});
let dispatched = 0;
const dispatcher = new Dispatcher({
  addon,
  workers: { size: 1, run: (task) => pool.run(task) },
  target_rows: rows,
  latency_budget_us: 270_000,
  slow_after_ms: 10_000,
  onSlow: () => { throw new Error('the worker does not answer'); },
  async onFrames(_answer, batch) { dispatched += batch.rows.length; },
  onLost: (_batch, error) => { throw error; },
});
dispatcher.start();
const config = loadConfig({ env: {}, cwd: root });
for (let index = 0; index < trial.cameras; index++) {
  const mount = `/cam${index + 1}`;
  await server.mount(mount, trial.clip, { phase_ms: Math.round((index * 1000) / trial.fps / trial.cameras) });
  const camera = { camera_id: index + 1, url: server.url(mount), transport: null, analysis_fps: trial.fps };
  addon.addCamera({ ...captureOptions(camera, { fps: trial.fps, capture: config.capture, hw_device: '' }).options, generation: 1 });
}
await sleep(trial.warmup_s);
const before = await sample();
await sleep(trial.seconds);
const after = await sample();
const elapsed = (after.at - before.at) / 1000;
const stats = dispatcher.stats();
const rss = process.memoryUsage.rss() / 2 ** 20;
const status = await readFile('/proc/self/status', 'utf8');
const closing = performance.now();
await dispatcher.stop(1_000);
await addon.close();
const close_s = (performance.now() - closing) / 1000;
const figures: HandoverFigures = {
  streaming: after.streaming,
  offered_per_s: (after.frames - before.frames) / elapsed,
  dispatched_per_s: (after.dispatched - before.dispatched) / elapsed,
  dropped: after.dropped - before.dropped,
  drops: JSON.stringify(Object.fromEntries(Object.entries(after.drops).map(([reason, n]) => [reason, n - (before.drops[reason] ?? 0)]))),
  corrupt: after.corrupt - before.corrupt,
  dispatch_p50_ms: stats.dispatch_ms?.[0] ?? null,
  dispatch_p95_ms: stats.dispatch_ms?.[1] ?? null,
  dispatch_p99_ms: stats.dispatch_ms?.[2] ?? null,
  batch_rows_p50: stats.batch_rows?.[0] ?? null,
  cpu_cores: (after.cpu_us - before.cpu_us) / 1e6 / elapsed,
  server_cores: (after.server_s - before.server_s) / elapsed,
  rss_mib: rss,
  threads: Number(/Threads:\s+(\d+)/.exec(status)?.[1] ?? NaN),
  close_s,
};
process.stdout.write(`${JSON.stringify(figures)}\n`);
await pool.destroy();
await server.close();

async function tinyModel(width: number, height: number): Promise<string> {
  const graph = new GraphBuilder('mean');
  const image = graph.input('image', 'uint8', ['batch', height, width, 3]);
  const grey = graph.node('Cast', [image], { to: DataType.float32 });
  graph.node('ReduceMean', [grey, graph.ints([1, 2, 3])], { keepdims: 0 }, ['mean']);
  graph.output('mean', 'float32', ['batch']);
  const file = path.join(trial.scratch, 'mean.onnx');
  await writeFile(file, encodeModel(graph.build()));
  return file;
}

function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

async function sample() {
  const cameras = addon.cameraStats();
  const drops: Record<string, number> = {};
  for (const camera of cameras) for (const [reason, n] of Object.entries(camera.drops)) drops[reason] = (drops[reason] ?? 0) + n;
  const usage = process.cpuUsage();
  const stat = await readFile(`/proc/${server.pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return {
    at: performance.now(),
    streaming: cameras.filter((camera) => camera.state === 'streaming').length,
    frames: cameras.reduce((sum, camera) => sum + camera.frames, 0),
    corrupt: cameras.reduce((sum, camera) => sum + camera.corrupt, 0),
    dispatched,
    drops,
    dropped: Object.values(drops).reduce((a, b) => a + b, 0),
    cpu_us: usage.user + usage.system,
    server_s: (Number(fields[11]) + Number(fields[12])) / 100,
  };
}
