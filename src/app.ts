/**
 * The composition root: opens the stages in the order in which a frame meets them and closes them in reverse, also after a half-failed start.
 *
 *   capture pool → inference engine → dispatcher → analysis → delivery → cameras → eye tracking → http
 */
import path from 'node:path';
import { startHealthWriter } from './cameras/health_writer.js';
import { LiveRegistry } from './cameras/live_registry.js';
import { openRegistry } from './cameras/open_registry.js';
import { loadCapture } from './capture/native.js';
import type { CaptureAddon } from './capture/types.js';
import { Closers } from './closers.js';
import { configWarnings } from './config/rules.js';
import { providersOf, type Config } from './config/schema.js';
import { applyConfig } from './apply.js';
import { openEyeTracking } from './eye_tracking.js';
import { listen, tryAddress } from './http/listen.js';
import { createServer } from './http/server.js';
import { historyReading, httpDeps } from './http_deps.js';
import { poolInputs, startEngine } from './inference/engine.js';
import { loadModels } from './inference/models.js';
import { ortPackageVersion } from './inference/ort_version.js';
import { startHistory } from './observability/history.js';
import { lockState } from './store/lock.js';
import { openStore } from './store/store.js';
import { gpuPresent } from './gpu.js';
import type { Part } from './progress.js';
import { partsOf } from './stage_parts.js';
import { joinStages, type AppOptions, type Stages } from './stages.js';

export interface App {
  /** Where the HTTP server listens. */
  url: string;
  /** What is in force. */
  config(): Config;
  /** Puts another configuration into force, as far as that goes without a restart (config/changes.ts). */
  apply(config: Config): Promise<void>;
  summary(): Summary;
  /** What has to advance, for the watchdog. */
  parts(): Part[];
  /** Stops everything, bounded in time. Idempotent. */
  close(): Promise<void>;
}

/** The numbers of the summary line. */
export interface Summary {
  cameras: number;
  streaming: number;
  frames_per_s: number;
  latency_p99_ms: number | null;
  backlog: number;
  delivered: number;
}

const NO_GPU = 'there is no NVIDIA GPU: /dev/nvidia0 is missing';

/** How long measuring the layout may take at the first start. */
const MEASURE_LIMIT_MS = 12_000;
/** Batch slots beyond those that hold a waiting frame of every camera: one a worker, one to fill, one being handled. */
const SPARE_SLOTS = 4;

/** Opens everything. On a failure whatever had been opened is closed again and the error is thrown. */
export async function openApp(options: AppOptions): Promise<App> {
  const closers = new Closers(options.log);
  try {
    return await open(options, closers);
  } catch (error) {
    await closers.closeAll();
    throw error;
  }
}

async function open(options: AppOptions, closers: Closers): Promise<App> {
  const { config, log } = options;
  for (const warning of configWarnings(config)) log.warn(warning);

  const lock = lockState(config.state_dir);
  closers.push('state folder', 100, () => { lock.release(); });
  await tryAddress(config.server);
  const store = await openStore({ file: path.join(config.state_dir, 'sightline.db'), log });
  closers.push('store', 2_000, () => store.close());
  const manifest = await loadModels({ root: options.root, models: config.models, cache_dir: path.join(config.state_dir, 'models'), log });
  options.stop?.throwIfAborted();
  const addon = openPool(options, poolInputs(manifest), closers);
  const engine = await startEngine({
    manifest,
    providers: providersOf(config.processing),
    gpu_device: config.processing.gpu_device,
    batch_size: config.processing.batch_size,
    workers: config.processing.workers,
    threads_per_worker: config.processing.threads_per_worker,
    layout_file: path.join(config.state_dir, 'layout.json'),
    ort_version: ortPackageVersion(options.root),
    measure_limit_ms: MEASURE_LIMIT_MS,
    unavailable: gpuPresent() ? {} : { cuda: NO_GPU, webgpu: NO_GPU },
    log,
    ...(options.stop === undefined ? {} : { stop: options.stop }),
  });
  closers.push('inference', 3_000, () => engine.close());

  options.stop?.throwIfAborted();
  const registry = new LiveRegistry((settings) => openRegistry(settings, store.db, log), config);
  closers.push('registry', 2_000, () => registry.close());
  const stages = joinStages(options, { addon, store, engine, registry });
  closers.push('delivery', 2_500, () => stages.delivery.stop(2_000));
  await stages.delivery.start();
  await stages.learning.load();
  closers.push('events', 2_000, () => stages.events.stop());
  closers.push('baselines', 2_000, () => stages.learning.stop(Date.now()));
  closers.push('dispatcher', 3_000, () => stages.dispatcher.stop(2_500));
  stages.dispatcher.start();
  closers.push('calibration', 3_000, () => stages.calibration?.close());
  await stages.calibration?.start();
  closers.push('cameras', 3_000, () => stages.cameras.stop());
  await stages.cameras.start();
  stages.degradation.start();
  closers.push('degradation', 100, () => { stages.degradation.stop(); });
  closers.push('camera states', 100, startHealthWriter({ table: () => registry.table, statuses: () => stages.cameras.statuses(), log, now: () => performance.now() }));
  stages.history = startHistory(() => historyReading(stages));
  closers.push('history', 100, () => { stages.history.stop(); });
  stages.eyes = openEyeTracking(stages);
  closers.push('eye tracking', 1_500, () => stages.eyes?.close());
  closers.push('ptz offset checks', 1_000, () => stages.ptz_offset.close());
  const server = await createServer(httpDeps(stages));
  closers.push('http', 1_000, () => server.close());
  const url = await listen(server, config.server);
  const housekeeping = setInterval(() => {
    stages.frames.keepOnly(new Set(stages.cameras.statuses().map((camera) => camera.camera_id)));
    stages.repeats.sweep();
    stages.events.prune(Date.now()).catch((error: unknown) => { stages.repeats.warn({ err: error }, 'old evidence could not be forgotten'); });
    stages.learning.tick(Date.now()).catch((error: unknown) => { stages.repeats.warn({ err: error }, 'the baselines could not be kept'); });
  }, 10_000);
  closers.push('housekeeping', 100, () => {
    clearInterval(housekeeping);
    stages.repeats.flush();
  });

  return {
    url,
    config: () => stages.config,
    apply: (changed) => applyConfig(stages, changed),
    summary: () => summaryOf(stages),
    parts: () => partsOf(stages),
    close: () => {
      stages.stopping = true;
      // Batches under way finish while the cameras are being closed.
      void stages.dispatcher.stop(2_500);
      return closers.closeAll();
    },
  };
}

/** Reserves the slot pool: room for a waiting frame of every camera, so that the newest frame always finds a place. */
function openPool({ config, log }: AppOptions, inputs: ReturnType<typeof poolInputs>, closers: Closers): CaptureAddon {
  const addon = loadCapture();
  const rows = config.processing.batch_size;
  const batches = config.processing.batch_slots || Math.min(64, Math.ceil(config.cameras.max_concurrent / rows) + SPARE_SLOTS);
  addon.openPool({ batches, rows, inputs });
  closers.push('capture', 3_000, () => addon.close());
  const info = addon.info();
  log.info({ libav: info.libav, simd: info.simd, slots: batches, rows, slot_mib: Math.round(addon.poolStats().bytes / 2 ** 20) }, 'capture ready');
  return addon;
}

function summaryOf(stages: Stages): Summary {
  const statuses = stages.cameras.statuses();
  const delivery = stages.delivery.status();
  return {
    cameras: statuses.filter((camera) => camera.state !== 'disabled').length,
    streaming: statuses.filter((camera) => camera.state === 'streaming').length,
    frames_per_s: stages.report.framesPerSecond(stages.addon.monotonicUs()),
    latency_p99_ms: stages.report.latency().p99,
    backlog: delivery.backlog,
    delivered: delivery.delivered,
  };
}
