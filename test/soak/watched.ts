/** Something that runs cameras and says how they are: the whole daemon, or capture alone with nothing behind it. */
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCameras } from '../../src/cameras/supervisor.js';
import type { CameraRecord, CameraStatus } from '../../src/cameras/types.js';
import { loadCapture } from '../../src/capture/native.js';
import { loadConfig } from '../../src/config/load.js';
import type { SoakCamera } from './faulty_cameras.js';

export interface Watched {
  pid: number | 'self';
  statuses: () => Promise<CameraStatus[]>;
  /** Lines of the log so far; none for capture alone. */
  output(): string;
  /** null: it ran in this process, or was killed. */
  close(): Promise<number | null>;
}

/** Short times, so that a run sees many turns of the reconnect loop. */
export const CAPTURE = { open_timeout_ms: 3_000, read_timeout_ms: 2_000, stall_limit_ms: 4_000, backoff_min_ms: 500, backoff_max_ms: 4_000, healthy_after_ms: 2_000 };

export interface DaemonOptions {
  root: string;
  folder: string;
  cameras: readonly SoakCamera[];
  /** Analysed frames per second and camera. */
  analysis_fps: number;
  start_limit_s: number;
}

/** The daemon as `sightline run` starts it, cameras registered, ready. */
export async function startDaemon({ root, folder, cameras, analysis_fps, start_limit_s }: DaemonOptions): Promise<Watched> {
  const file = path.join(folder, 'config.json');
  await writeFile(file, JSON.stringify({ processing: { fps: analysis_fps, degradation: 'rate' }, capture: CAPTURE, logging: { format: 'json', summary_interval_s: 60 } }));
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, HOST: '127.0.0.1', PORT: '0', STATE_DIR: path.join(folder, 'state') };
  const child = spawn(process.execPath, [path.join(root, 'bin/sightline'), 'run', '--config', file], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const url = await until(`the daemon listens:\n${text}`, start_limit_s, async () => /listening on (http:[^"\s]+)/.exec(text)?.[1] ?? (child.exitCode === null ? null : Promise.reject(new Error(text.slice(-2_000)))));
  for (const { camera_id, camera_name, url: stream } of cameras) {
    const answer = await fetch(`${url}/api/cameras`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ camera_id, camera_name, url: stream }) });
    if (answer.status !== 201) throw new Error(`camera ${camera_id}: ${answer.status} ${await answer.text()}`);
  }
  return {
    pid: child.pid ?? 0,
    statuses: async () => ((await (await fetch(`${url}/api/cameras`)).json()) as { cameras: CameraStatus[] }).cameras,
    output: () => text,
    async close() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
      const code = await exited;
      clearTimeout(timer);
      return code;
    },
  };
}

/** The cameras in this process; batches are taken and given back unread. */
export async function startCapture(cameras: readonly SoakCamera[], capture: Partial<typeof CAPTURE> = {}): Promise<Watched> {
  const config = loadConfig({ env: {}, cwd: process.cwd() });
  const addon = loadCapture();
  addon.openPool({ batches: 8, rows: 16, inputs: [{ name: 'x', width: 64, height: 64, fit: 'letterbox', pad: 0 }] });
  const at = new Date().toISOString();
  const records = cameras.map(({ camera_id, camera_name, url }): CameraRecord => ({
    camera_id, camera_name, url, transport: null, priority: 5, location: null, outlet_id: null, staff_id: null, analysis_fps: null, enabled: true, created_at: at, updated_at: at,
  }));
  const silent = (): void => undefined;
  const supervisor = createCameras({
    addon,
    registry: { list: async () => records, watch: () => silent },
    settings: { max_concurrent: 128, priority_threshold: 1, fps: 2, capture: { ...config.capture, ...CAPTURE, ...capture }, hw_device: '' },
    log: { info: silent, warn: silent, error: silent },
  });
  const timer = setInterval(() => {
    for (let batch = addon.takeBatch(addon.monotonicUs()); batch !== null; batch = addon.takeBatch(addon.monotonicUs())) addon.releaseBatch(batch.batch);
  }, 20);
  await supervisor.start();
  return {
    pid: 'self',
    statuses: async () => supervisor.statuses(),
    output: () => '',
    async close() {
      clearInterval(timer);
      await supervisor.stop();
      await addon.close();
      return null;
    },
  };
}

/** Asks until there is an answer; throws after the limit. */
export async function until<T>(what: string, limit_s: number, look: () => Promise<T | null | false>): Promise<T> {
  const end = Date.now() + limit_s * 1000;
  while (Date.now() < end) {
    const found = await look();
    if (found !== null && found !== false) return found;
    await sleep(50);
  }
  throw new Error(`not within ${limit_s} s: ${what}`);
}
