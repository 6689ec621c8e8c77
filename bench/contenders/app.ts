/**
 * The whole daemon over N RTSP cameras, as a process of its own: `app.js '{"cameras":4,...}'`. Serves the clip itself, callbacks go to the embedded
 * receiver. Prints one JSON line.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { openApp } from '../../src/app.js';
import type { CameraRecord } from '../../src/cameras/types.js';
import { loadConfig } from '../../src/config/load.js';
import { startReceiver } from '../../src/demo/receiver.js';
import { rtspServerBinary, startRtspServer } from '../../src/demo/rtsp_server.js';
import { createLog } from '../../src/observability/log.js';
import { createSecrets } from '../../src/observability/redact.js';

export interface AppTrial {
  cameras: number;
  clip: string;
  /** Analysed frames per second and camera. */
  fps: number;
  warmup_s: number;
  seconds: number;
  state_dir: string;
  use_gpu: boolean;
}

export interface AppFigures {
  results_per_s: number;
  wanted_per_s: number;
  dropped: number;
  latency_p50_ms: number | null;
  latency_p95_ms: number | null;
  latency_p99_ms: number | null;
  cpu_cores: number;
  server_cores: number;
  rss_mib: number;
  gpu_mib: number | null;
  providers: string;
  layout: string;
}

const trial = JSON.parse(process.argv[2] ?? '{}') as AppTrial;
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
await mkdir(trial.state_dir, { recursive: true });
const server = await startRtspServer({ binary: rtspServerBinary(root) });
const receiver = await startReceiver({ token: 'bench' });
const cameras: CameraRecord[] = [];
for (let index = 0; index < trial.cameras; index++) {
  const mount = `/cam${index + 1}`;
  await server.mount(mount, trial.clip, { phase_ms: (index * 37) % 1000 });
  cameras.push(cameraRecord(index + 1, server.url(mount)));
}
const secrets = createSecrets();
const app = await openApp({
  config: {
    ...loadConfig({
      env: { PORT: '0', STATE_DIR: trial.state_dir, ANALYSIS_FPS: String(trial.fps), PHP_CALLBACK_URL: receiver.callback_url, CV_PIPELINE_TOKEN: 'bench' },
      cwd: root,
    }),
    ...processing(),
  },
  root,
  version: 'bench',
  log: createLog({ level: 'error', format: 'line', tty: false, sink: process.stderr, secrets }),
  secrets,
  env: {},
  cwd: root,
  extra_cameras: { list: async () => cameras, watch: () => () => undefined },
});
await sleep(trial.warmup_s);
const before = await sample();
await sleep(trial.seconds);
const after = await sample();
const elapsed = (after.at - before.at) / 1000;
const figures: AppFigures = {
  results_per_s: (after.results - before.results) / elapsed,
  wanted_per_s: trial.cameras * trial.fps,
  dropped: after.dropped - before.dropped,
  latency_p50_ms: after.latency.p50,
  latency_p95_ms: after.latency.p95,
  latency_p99_ms: after.latency.p99,
  cpu_cores: (after.cpu_us - before.cpu_us) / 1e6 / elapsed,
  server_cores: (after.server_s - before.server_s) / elapsed,
  rss_mib: process.memoryUsage.rss() / 2 ** 20,
  gpu_mib: gpuMemory(),
  providers: after.providers,
  layout: after.layout,
};
process.stdout.write(`${JSON.stringify(figures)}\n`);
await app.close();
await receiver.close();
await server.close();

function processing(): { processing: ReturnType<typeof loadConfig>['processing'] } {
  const config = loadConfig({ env: { ANALYSIS_FPS: String(trial.fps) }, cwd: root });
  return { processing: { ...config.processing, use_gpu: trial.use_gpu } };
}

function cameraRecord(camera_id: number, url: string): CameraRecord {
  const at = new Date(0).toISOString();
  return {
    camera_id, camera_name: `cam${camera_id}`, url, transport: 'tcp', priority: 5, location: null, outlet_id: null, staff_id: 1,
    analysis_fps: null, enabled: true, created_at: at, updated_at: at,
  };
}

function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

interface PipelineAnswer {
  frames_total: number;
  latency_ms: { p50: number | null; p95: number | null; p99: number | null };
  drops: Record<string, number>;
  providers: Record<string, { used: string }>;
  batches: Record<string, { target_size: number }>;
  workers: { count: number; threads_per_worker: number };
}

async function sample() {
  const pipeline = (await (await fetch(`${app.url}/api/pipeline`)).json()) as PipelineAnswer;
  const usage = process.cpuUsage();
  return {
    at: performance.now(),
    results: pipeline.frames_total,
    latency: pipeline.latency_ms,
    dropped: Object.values(pipeline.drops).reduce((a, b) => a + b, 0),
    cpu_us: usage.user + usage.system,
    server_s: await cpuSeconds(server.pid),
    providers: [...new Set(Object.values(pipeline.providers).map((provider) => provider.used))].join(', '),
    layout: `${pipeline.workers.count} workers × ${pipeline.workers.threads_per_worker} threads, batches ${Object.entries(pipeline.batches).map(([id, batch]) => `${id} ${batch.target_size}`).join(', ')}`,
  };
}

/** User and system time of another process, from /proc (100 ticks a second). */
async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function gpuMemory(): number | null {
  try {
    return Number(execFileSync('nvidia-smi', ['--query-gpu=memory.used', '--format=csv,noheader,nounits'], { stdio: ['ignore', 'pipe', 'ignore'] }).toString().split('\n')[0]);
  } catch {
    return null;
  }
}
