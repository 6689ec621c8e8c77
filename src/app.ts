/**
 * The composition root: opens the stages in the order in which a frame meets them and closes them in reverse, also after a half-failed start.
 *
 *   capture pool → inference engine → dispatcher → analysis → delivery → cameras → eye tracking → http
 */
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { startHealthWriter } from './cameras/health_writer.js';
import { openRegistry, type OpenRegistry } from './cameras/open_registry.js';
import type { CameraSettings } from './cameras/plan.js';
import type { Registry } from './cameras/registry.js';
import { createCameras, type Cameras, type CameraSource } from './cameras/supervisor.js';
import { loadCapture } from './capture/native.js';
import type { CaptureAddon } from './capture/types.js';
import { createCalibration, gazeOf, type CalibrationStage } from './calibration_stage.js';
import { Closers } from './closers.js';
import { configWarnings } from './config/rules.js';
import { providersOf, type Config } from './config/schema.js';
import { Cadence } from './delivery/cadence.js';
import { createDelivery } from './delivery/delivery.js';
import { localTimestamps } from './delivery/timestamps.js';
import type { Delivery } from './delivery/types.js';
import { applyConfig } from './apply.js';
import { mergeSources } from './camera_sources.js';
import type { Changes } from './config/changes.js';
import { Degradation, ladderOf } from './degradation.js';
import { openEyeTracking, type OpenEyeTracking } from './eye_tracking.js';
import { FramePath, type EvidencePath } from './frame_path.js';
import { createServer } from './http/server.js';
import { historyReading, httpDeps } from './http_deps.js';
import { Dispatcher } from './inference/dispatcher.js';
import { poolInputs, startEngine, type Engine } from './inference/engine.js';
import { EventRecorder } from './evidence/recorder.js';
import { Learning } from './learning.js';
import { loadModels } from './inference/models.js';
import { ortPackageVersion } from './inference/ort_version.js';
import { PipelineReport } from './inference/report.js';
import { startHistory, type History } from './observability/history.js';
import { createMetrics, type Metrics } from './observability/metrics.js';
import { createRepeats, type Repeats } from './observability/repeats.js';
import type { Log } from './observability/log.js';
import type { Secrets } from './observability/redact.js';
import { lockState } from './store/lock.js';
import { openStore, type Store } from './store/store.js';
import { offsetChecks } from './ptz/offset_daemon.js';
import type { OffsetChecks } from './ptz/offset_request.js';
import type { AnalyserOptions } from './analysis/types.js';
import { gpuPresent } from './gpu.js';
import type { Part } from './progress.js';
import { partsOf } from './stage_parts.js';

export interface AppOptions {
  config: Config;
  /** Root of the installation: models lie in it. */
  root: string;
  version: string;
  log: Log;
  secrets: Secrets;
  /** Cameras beside those of the registry (the demo's). */
  extra_cameras?: CameraSource;
  /** Settings of the analysers that go beyond the configuration (the demo's short baseline). */
  analyser?: Partial<AnalyserOptions>;
  /** Aborted: a start that is under way ends at its next step, with what it had opened closed again. */
  stop?: AbortSignal;
  /** Reads the configuration again, for those who ask over HTTP. */
  reload?: () => Promise<Changes>;
}

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

/** Everything that is open, for those who ask questions about it. */
export interface Stages {
  options: AppOptions;
  /** What is in force; `options.config` is that of the start. */
  config: Config;
  addon: CaptureAddon;
  store: Store;
  engine: Engine;
  dispatcher: Dispatcher;
  report: PipelineReport;
  frames: FramePath;
  learning: Learning;
  events: EventRecorder;
  delivery: Delivery;
  /** undefined: switched off. */
  calibration: CalibrationStage | undefined;
  cameras: Cameras;
  degradation: Degradation;
  /** undefined: switched off, or not open yet. */
  eyes: OpenEyeTracking | undefined;
  registry: Registry;
  metrics: Metrics;
  /** Says repeated camera faults once a minute. */
  repeats: Repeats;
  /** Samples of the last hour; empty until everything runs. */
  history: History;
  /** Where PTZ cameras really look; opens its own process when it is first asked. */
  ptz_offset: OffsetChecks;
  started_ms: number;
  stopping: boolean;
}

const NO_GPU = 'there is no NVIDIA GPU: /dev/nvidia0 is missing';

/** The same fault of the same camera is said once in this time, with how often it came. */
const REPEAT_WINDOW_MS = 60_000;
/** How long measuring the layout may take at the first start. */
const MEASURE_LIMIT_MS = 12_000;
/** A worker that needs longer for a batch hangs. */
const SLOW_AFTER_MS = 10_000;
/** Packets are kept so much longer than a clip is: results come a moment after their packet. */
const CLIP_SLACK_S = 2;
const CLIP_BYTES_MAX = 64 * 2 ** 20;
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
  const registry = openRegistry(config, store.db, log);
  closers.push('registry', 2_000, () => registry.close());
  const stages = join(options, { addon, store, engine, registry: registry.registry });
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
  closers.push('camera states', 100, writeHealth(stages, registry));
  stages.history = startHistory(() => historyReading(stages));
  closers.push('history', 100, () => { stages.history.stop(); });
  stages.eyes = openEyeTracking(stages);
  closers.push('eye tracking', 1_500, () => stages.eyes?.close());
  closers.push('ptz offset checks', 1_000, () => stages.ptz_offset.close());
  const server = await createServer(httpDeps(stages));
  closers.push('http', 1_000, () => server.close());
  const url = await server.listen({ host: config.server.host, port: config.server.port });
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

/** States go back into the table of the PHP system, where cameras come from there. */
function writeHealth({ cameras, options: { config, log } }: Stages, { table }: OpenRegistry): () => void {
  if (table === undefined || !config.registry.write_status) return () => undefined;
  return startHealthWriter({ table, statuses: () => cameras.statuses(), interval_s: config.registry.status_interval_s, log, now: () => performance.now() });
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

/** Wires the stages to each other; nothing runs yet. */
function join(options: AppOptions, opened: { addon: CaptureAddon; store: Store; engine: Engine; registry: Registry }): Stages {
  const { config, log } = options;
  const { addon, store, engine, registry } = opened;
  const report = new PipelineReport();
  const repeats = createRepeats({ log, now: () => performance.now(), window_ms: REPEAT_WINDOW_MS });
  const cameras = createCameras({
    addon,
    registry: options.extra_cameras ? mergeSources(registry, options.extra_cameras) : registry,
    settings: cameraSettings(config),
    log: {
      info: (fields, message) => { log.info(fields, message); },
      warn: (fields, message) => { repeats.warn(fields, message); },
      error: (fields, message) => { log.error(fields, message); },
    },
    onSecrets: (secrets) => { options.secrets.add(secrets); },
  });
  const info = addon.info();
  const metrics = createMetrics(metricSources(() => stages), { version: options.version, simd: info.simd, libav: info.libav });
  const delivery = createDelivery({ store, settings: config, log, metrics, staffOf: (camera_id) => frames.staffOf(camera_id) });
  const learning = new Learning({ db: store.db, config, delivery, log });
  const events = new EventRecorder({ db: store.db, settings: config.evidence, state_dir: config.state_dir, addon, log: { warn: (fields, message) => { repeats.warn(fields, message); } } });
  const dispatcher: Dispatcher = new Dispatcher({
    addon,
    workers: engine.workers,
    target_rows: engine.layout.target_rows,
    latency_budget_us: config.processing.latency_budget_ms * 900,
    slow_after_ms: SLOW_AFTER_MS,
    onSlow: (batch) => { log.error({ rows: batch.rows.length, after_ms: SLOW_AFTER_MS }, 'an inference worker does not answer'); },
    onFrames: (answer, batch) => frames.take(answer.frames, batch),
    onLost: (batch, error) => {
      report.lost(batch.rows.length);
      log.error({ rows: batch.rows.length, err: error }, 'a batch was lost');
    },
    onAnswer: (answer) => {
      report.answer(answer);
      if (answer.news) engine.note(answer.news);
      for (const [stage, us] of Object.entries(answer.stage_us)) metrics.observeStage(stage, us / 1e6);
      for (const [network, sizes] of Object.entries(answer.batches)) for (const size of sizes) metrics.observeBatch(network, size);
    },
  });
  const frames: FramePath = new FramePath({
    cameraOf: (handle) => cameras.cameraOf(handle),
    sequences: (rows) => dispatcher.sequences(rows),
    analyser: { ...analyserOptions(config), ...options.analyser },
    delivery,
    body: {
      session_id: randomUUID(),
      timestamp: localTimestamps(config.php_system.timezone),
      unknown_staff_id: config.delivery.unknown_staff_id,
    },
    learning,
    evidence: evidencePath(addon, events, config),
    cadence: new Cadence({ interval_ms: config.delivery.frame_interval_s * 1000, stagger_ms: config.delivery.stagger_ms }),
    report,
    observe: { latency: (seconds) => { metrics.observeLatency(seconds); } },
    monotonicUs: () => addon.monotonicUs(),
    log,
  });
  const degradation = new Degradation({
    cameras,
    poolStats: () => addon.poolStats(),
    ladder: () => ladderOf(stages.config),
    log,
  });
  const stages: Stages = {
    options, addon, store, engine, dispatcher, report, frames, learning, events, delivery, cameras, registry, metrics, repeats,
    degradation, calibration: createCalibration({ config, store, gaze: gazeOf(dispatcher), metrics, log }),
    history: { since: () => [], stop: () => undefined },
    eyes: undefined,
    ptz_offset: offsetChecks(config, log),
    config, started_ms: Date.now(),
    stopping: false,
  };
  return stages;
}

function evidencePath(addon: CaptureAddon, recorder: EventRecorder, { evidence }: Config): EvidencePath {
  const options = { quality: evidence.jpeg_quality, max_width: evidence.jpeg_width };
  const prefix = evidence.path_prefix ?? '';
  return { recorder, jpeg: (batch, row) => addon.rowJpeg(batch, row, options), path_prefix: prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/` };
}

/** Memory for clips is shared out evenly among the cameras that may run. */
function clipSettings({ evidence, cameras }: Config): { ms: number; bytes: number } {
  if (!evidence.clips) return { ms: 0, bytes: 0 };
  return { ms: Math.ceil((evidence.clip_before_s + evidence.clip_after_s + CLIP_SLACK_S) * 1000), bytes: Math.min(CLIP_BYTES_MAX, Math.floor((evidence.clip_memory_mib * 2 ** 20) / cameras.max_concurrent)) };
}

function cameraSettings(config: Config): CameraSettings {
  return {
    max_concurrent: config.cameras.max_concurrent,
    priority_threshold: config.cameras.priority_threshold,
    fps: config.processing.fps,
    capture: config.capture,
    hw_device: config.capture.hw_decode === 'auto' && config.processing.use_gpu && gpuPresent() ? `cuda:${config.processing.gpu_device}` : '',
    clip: clipSettings(config),
  };
}

function analyserOptions(config: Config): AnalyserOptions {
  const { detection } = config;
  return {
    confidence_threshold: detection.confidence_threshold,
    alert_threshold: detection.alert_threshold,
    baseline_enabled: detection.baseline_enabled,
    cooldown_ms: detection.cooldown_s * 1000,
    indicators: detection.indicators,
  };
}

function metricSources(stages: () => Stages): Parameters<typeof createMetrics>[0] {
  return {
    cameras: () => stages().cameras.statuses(),
    callbacks: () => stages().delivery.status(),
    eyes: () => stages().eyes?.stats(),
    evidence: () => stages().events.counts,
    registry: () => stages().registry.state(),
    slots: () => stages().addon.poolStats(),
    degradation: () => stages().degradation.snapshot(),
    providers: () =>
      stages().engine.networks.map((network) => ({
        model: network.network,
        wanted: providersOf(stages().options.config.processing)[0] ?? 'cpu',
        used: network.provider ?? 'none',
        fallbacks: network.refusals.length,
        up: network.state === 'running',
        failures: network.failures,
      })),
  };
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
