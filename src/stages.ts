/** The stages, and how they are wired to each other. Who opens and closes them: app.ts. */
import { randomUUID } from 'node:crypto';
import type { CameraSettings } from './cameras/plan.js';
import type { LiveRegistry } from './cameras/live_registry.js';
import { createCameras, type Cameras, type CameraSource } from './cameras/supervisor.js';
import type { CaptureAddon } from './capture/types.js';
import { createCalibration, gazeOf, type CalibrationStage } from './calibration_stage.js';
import { providersOf, type Config } from './config/schema.js';
import { BatchTally } from './delivery/batch_tally.js';
import { Cadence } from './delivery/cadence.js';
import { createDelivery } from './delivery/delivery.js';
import { localTimestamps } from './delivery/timestamps.js';
import type { Delivery } from './delivery/types.js';
import { mergeSources } from './camera_sources.js';
import type { Changes } from './config/changes.js';
import { Degradation, ladderOf } from './degradation.js';
import type { OpenEyeTracking } from './eye_tracking.js';
import { FramePath } from './frame_path.js';
import type { EvidencePath } from './raise_event.js';
import { Dispatcher } from './inference/dispatcher.js';
import type { Engine } from './inference/engine.js';
import { EventRecorder } from './evidence/recorder.js';
import { Learning } from './learning.js';
import { PipelineReport } from './inference/report.js';
import type { History } from './observability/history.js';
import { createMetrics, type Metrics } from './observability/metrics.js';
import { createRepeats, type Repeats } from './observability/repeats.js';
import type { Log } from './observability/log.js';
import type { Secrets } from './observability/redact.js';
import type { Store } from './store/store.js';
import { offsetChecks } from './ptz/offset_daemon.js';
import type { OffsetChecks } from './ptz/offset_request.js';
import type { AnalyserOptions, Tuning } from './analysis/types.js';
import { gpuPresent } from './gpu.js';

export interface AppOptions {
  config: Config;
  /** Root of the installation: models lie in it. */
  root: string;
  version: string;
  log: Log;
  secrets: Secrets;
  /** Settings beside the configuration come from it (those of PTZ devices). */
  env: Readonly<Record<string, string | undefined>>;
  /** Relative files are looked for here. */
  cwd: string;
  /** Cameras beside those of the registry (the demo's). */
  extra_cameras?: CameraSource;
  /** Settings of the analysers that go beyond the configuration (the demo's short baseline). */
  analyser?: Partial<AnalyserOptions>;
  /** Aborted: a start that is under way ends at its next step, with what it had opened closed again. */
  stop?: AbortSignal;
  /** Reads the configuration again, for those who ask over HTTP. */
  reload?: () => Promise<Changes>;
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
  registry: LiveRegistry;
  metrics: Metrics;
  /** Says repeated faults once a minute, with how often they came. */
  repeats: Repeats;
  /** Samples of the last hour; empty until everything runs. */
  history: History;
  /** Where PTZ cameras really look; opens its own process when it is first asked. */
  ptz_offset: OffsetChecks;
  started_ms: number;
  stopping: boolean;
}

/** The same fault of the same camera is said once in this time, with how often it came. */
const REPEAT_WINDOW_MS = 60_000;
/** A worker that needs longer for a batch hangs. */
const SLOW_AFTER_MS = 10_000;
/** Packets are kept so much longer than a clip is: results come a moment after their packet. */
const CLIP_SLACK_S = 2;
const CLIP_BYTES_MAX = 64 * 2 ** 20;

/** Wires the stages to each other; nothing runs yet. */
export function joinStages(options: AppOptions, opened: { addon: CaptureAddon; store: Store; engine: Engine; registry: LiveRegistry }): Stages {
  const { config, log } = options;
  const { addon, store, engine, registry } = opened;
  const report = new PipelineReport();
  const repeats = createRepeats({ log, now: () => performance.now(), window_ms: REPEAT_WINDOW_MS });
  const cameras = createCameras({
    addon,
    registry: options.extra_cameras ? mergeSources(registry, options.extra_cameras) : registry,
    settings: cameraSettings(config),
    log: { info: (fields, message) => { log.info(fields, message); }, warn: repeats.warn, error: repeats.error },
    onSecrets: (secrets) => { options.secrets.add(secrets); },
  });
  const info = addon.info();
  const metrics = createMetrics(metricSources(() => stages), { version: options.version, simd: info.simd, libav: info.libav });
  const delivery = createDelivery({ store, settings: config, log, metrics, staffOf: (camera_id) => frames.staffOf(camera_id) });
  const learning = new Learning({ db: store.db, config, delivery, log });
  const events = new EventRecorder({ db: store.db, settings: config.evidence, state_dir: config.state_dir, addon, log: repeats });
  const dispatcher: Dispatcher = new Dispatcher({
    addon,
    workers: engine.workers,
    target_rows: engine.layout.target_rows,
    latency_budget_us: config.processing.latency_budget_ms * 900,
    slow_after_ms: SLOW_AFTER_MS,
    onSlow: (batch) => { repeats.error({ rows: batch.rows.length, after_ms: SLOW_AFTER_MS }, 'an inference worker does not answer'); },
    onFrames: (answer, batch) => frames.take(answer.frames, batch),
    onLost: (batch, error) => {
      report.lost(batch.rows.length);
      repeats.error({ rows: batch.rows.length, err: error }, 'a batch was lost');
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
    tally: new BatchTally(config.delivery.batch_complete_frames),
    report,
    observe: { latency: (seconds) => { metrics.observeLatency(seconds); } },
    monotonicUs: () => addon.monotonicUs(),
    log: repeats,
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
    ptz_offset: offsetChecks({ config, env: options.env, cwd: options.cwd }, log, (secrets) => { options.secrets.add(secrets); }),
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
  return {
    ...tuningOf(config),
    baseline_enabled: config.detection.baseline_enabled,
  };
}

/** What a reload changes of analysers that run. */
export function tuningOf({ detection }: Config): Tuning {
  const { confidence_threshold, alert_threshold, cooldown_s, indicators } = detection;
  return { confidence_threshold, alert_threshold, cooldown_ms: cooldown_s * 1000, indicators };
}

function metricSources(stages: () => Stages): Parameters<typeof createMetrics>[0] {
  return {
    cameras: () => stages().cameras.statuses(),
    callbacks: () => stages().delivery.status(),
    eyes: () => stages().eyes?.stats(),
    evidence: () => stages().events.counts,
    calibration: () => stages().calibration?.service.status(),
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
