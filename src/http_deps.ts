/** What the HTTP server asks, answered by the stages. */
import type { Stages } from './stages.js';
import { checkCameraChange, checkNewCamera } from './cameras/fields.js';
import { captureOptions } from './cameras/plan.js';
import type { CameraChange, CameraRecord, NewCamera } from './cameras/types.js';
import { providersOf } from './config/schema.js';
import type { HttpDeps } from './http/deps.js';
import { liveness, readiness } from './health.js';
import type { Reading } from './observability/history.js';
import { shownConfig } from './config/load.js';
import { SightlineError } from './errors.js';
import { createPtzRecords } from './ptz/records.js';
import { Progress } from './progress.js';
import { partsOf } from './stage_parts.js';

export function httpDeps(stages: Stages): HttpDeps {
  const { options, addon, cameras, registry, metrics, frames } = stages;
  const { config } = options;
  const progress = new Progress();
  return {
    settings: { ...config.server, eye_origins: config.eye_tracking.allowed_origins },
    eye_tracking: stages.eyes,
    version: options.version,
    // Pages and scripts ask again and again: what fails fails often.
    log: { info: (fields, message) => { options.log.info(fields, message); }, warn: stages.repeats.warn, error: stages.repeats.error },
    health: {
      live: () => liveness(progress.look(partsOf(stages), performance.now())),
      ready: () =>
        readiness({
          cameras: cameras.statuses(),
          networks_missing: stages.engine.networks.filter((network) => network.provider === null).map((network) => network.network),
          results: stages.report.frames,
          up_ms: Date.now() - stages.started_ms,
          stopping: stages.stopping,
          registry_down: registry.state().state !== 'ok',
        }),
    },
    metrics,
    config: {
      shown: () => shownConfig(stages.config) as Record<string, unknown>,
      reload: () => stages.options.reload?.() ?? Promise.reject(new SightlineError('NOT_READY', 'this daemon was not started from a configuration')),
    },
    cameras: {
      statuses: () => cameras.statuses(),
      async add(camera) {
        const record = await registry.add(camera);
        await cameras.refresh();
        return record;
      },
      get: async (camera_id) => (await registry.get(camera_id)) ?? (await options.extra_cameras?.list())?.find((camera) => camera.camera_id === camera_id),
      async update(camera_id, change) {
        const record = await registry.update(camera_id, change);
        await cameras.refresh();
        return record;
      },
      async remove(camera_id) {
        await registry.remove(camera_id);
        await cameras.refresh();
      },
      preview: (camera, camera_id) => preview(stages, camera, camera_id),
      registry: () => registry.state(),
      probe(url, transport) {
        const settings = { fps: config.processing.fps, capture: config.capture, hw_device: '' };
        const { options: capture, secrets } = captureOptions({ camera_id: 0, url, transport, analysis_fps: null }, settings);
        options.secrets.add(secrets);
        return addon.probe(capture);
      },
      snapshot: (camera_id, wanted) => cameras.snapshot(camera_id, wanted),
    },
    analysis: { newest: (camera_id) => frames.newest(camera_id)?.analysis },
    events: stages.events,
    baselines: {
      list: async () => ({ ...(await stages.learning.baselines.status()), unreadable: stages.learning.unreadable, baselines: stages.learning.baselines.list() }),
    },
    ptz_records: createPtzRecords({ config, env: options.env, cwd: options.cwd }, stages.store.db),
    pipeline: { snapshot: () => pipelineSnapshot(stages) },
    history: stages.history,
    ...(stages.calibration === undefined
      ? {}
      : {
          calibration: {
            service: stages.calibration.service,
            allowed_origins: config.calibration.allowed_origins ?? [],
            rate_limit_per_s: config.calibration.rate_limit_per_s,
            body_limit_kib: config.calibration.body_limit_kib,
          },
        }),
    ptz_offset: stages.ptz_offset,
    callbacks: {
      summary: () => ({ ...stages.delivery.status(), ...counters(stages) }),
      replay: (ids) => stages.delivery.replay(ids),
      deadLetters: (page) => stages.delivery.deadLetters(page),
      test: () => stages.delivery.test(),
    },
  };
}

/** What a camera would be, by the same checks. */
async function preview({ registry }: Stages, given: NewCamera | CameraChange, camera_id: number | undefined): Promise<CameraRecord> {
  if (camera_id !== undefined) {
    const before = await registry.get(camera_id);
    if (before === undefined) throw new SightlineError('CAMERA_NOT_FOUND', `camera_id: expected a registered camera, received ${camera_id}`);
    return { ...before, ...checkCameraChange(given) };
  }
  const camera = checkNewCamera(given);
  if ((await registry.get(camera.camera_id)) !== undefined) throw new SightlineError('CAMERA_EXISTS', `camera_id: expected an id that is free, received ${camera.camera_id}`);
  const at = new Date().toISOString();
  return { transport: null, priority: 5, location: null, outlet_id: null, staff_id: null, analysis_fps: null, enabled: true, created_at: at, updated_at: at, ...camera };
}

function counters(stages: Stages): Pick<ReturnType<HttpDeps['callbacks']['summary']>, 'dead_letters' | 'local_only' | 'dropped'> {
  const { dead_letters, local_only, dropped } = stages.delivery.counters();
  return { dead_letters, local_only, dropped };
}

/** What a sample of the history is made of. */
export function historyReading(stages: Stages): Reading {
  const { frames_per_s, latency_ms, batches, drops } = pipelineSnapshot(stages);
  return { frames_per_s, latency_ms, batches, drops, backlog: stages.delivery.status().backlog };
}

function pipelineSnapshot(stages: Stages): ReturnType<HttpDeps['pipeline']['snapshot']> {
  const { addon, dispatcher, engine, report, options } = stages;
  const drops: Record<string, number> = { camera_gone: stages.frames.orphans };
  for (const camera of stages.cameras.statuses()) {
    for (const [reason, count] of Object.entries(camera.drops)) drops[reason] = (drops[reason] ?? 0) + count;
  }
  const threads = Object.values(engine.layout.networks)[0]?.threads ?? 1;
  const snapshot = report.snapshot({
    now_us: addon.monotonicUs(),
    pool: addon.poolStats(),
    dispatcher: dispatcher.stats(),
    networks: engine.networks,
    wanted_provider: providersOf(options.config.processing)[0] ?? 'cpu',
    batch_targets: { ...Object.fromEntries(Object.entries(engine.layout.networks).map(([id, layout]) => [id, layout.batch])) },
    workers: { count: engine.workers.size, threads_per_worker: threads, restarts: engine.workers.restarts() },
    capture_drops: drops,
  });
  const models = Object.fromEntries(engine.networks.map(({ network, state, provider, failures, last_error }) => [network, { state, provider, failures, last_error }]));
  return { ...snapshot, models, degradation: stages.degradation.snapshot() };
}
