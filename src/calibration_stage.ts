/** Opens the web calibration beside the cameras: its database, its tokens, its webhooks, and the lane of the inference pool that looks at its frames. */
import path from 'node:path';
import { CalibrationService } from './calibration/service/service.js';
import { createVerifier } from './calibration/service/tokens.js';
import type { GazeSource, ServiceLog } from './calibration/service/types.js';
import { isLoopback } from './config/rules.js';
import type { Config } from './config/schema.js';
import type { DeliveryMetrics } from './delivery/types.js';
import { webhookTraces } from './delivery/webhook_traces.js';
import { Webhooks } from './delivery/webhooks.js';
import type { Dispatcher } from './inference/dispatcher.js';
import type { CalibrationStoreOptions } from './store/calibration/store.js';
import type { Store } from './store/store.js';

export interface CalibrationStageOptions {
  config: Config;
  store: Store;
  gaze: GazeSource;
  metrics?: DeliveryMetrics & { observeGaze(seconds: number): void };
  log: ServiceLog;
}

export interface CalibrationStage {
  service: CalibrationService;
  start(): Promise<void>;
  close(): Promise<void>;
}

const WEBHOOK_TIMEOUT_MS = 10_000;

/** Where calibrations lie: MySQL where any database is named, else a file of the state folder. What is not given of the first is the second's. */
export function calibrationStoreOptions({ calibration, database, state_dir }: Pick<Config, 'calibration' | 'database' | 'state_dir'>): CalibrationStoreOptions {
  const own = calibration.database;
  if ([own.host, own.name, database.host, database.name].every((value) => value === undefined)) return { kind: 'sqlite', file: path.join(state_dir, 'calibration.db') };
  return {
    kind: 'mysql',
    host: own.host ?? database.host ?? 'localhost',
    port: own.port ?? database.port,
    user: own.user ?? database.user ?? 'root',
    password: own.password ?? database.password,
    database: own.name ?? database.name ?? 'calibration_db',
    pool_size: own.pool_size,
  };
}

/** undefined: switched off. @throws CONFIG_INVALID for a key file that is none */
export function createCalibration({ config, store, gaze, metrics, log }: CalibrationStageOptions): CalibrationStage | undefined {
  const { calibration, server, delivery, php_system } = config;
  if (!calibration.enabled) return undefined;
  const webhooks =
    calibration.webhook_url === undefined || calibration.webhook_secret === undefined
      ? undefined
      : new Webhooks({
          store, log, url: calibration.webhook_url, secret: calibration.webhook_secret, ...(metrics === undefined ? {} : { metrics }),
          settings: {
            timeout_ms: WEBHOOK_TIMEOUT_MS, retry_attempts: php_system.retry_attempts, replay_interval_ms: delivery.replay_interval_s * 1000,
            breaker_failures: delivery.breaker_failures, breaker_open_ms: delivery.breaker_open_s * 1000,
          },
        });
  const traces = webhookTraces(store.db);
  const keyed = [calibration.jwt_secret, calibration.jwt_key_file, calibration.jwks_url, server.api_token].some((key) => key !== undefined);
  const service = new CalibrationService({
    settings: calibration,
    store: calibrationStoreOptions(config),
    tokens: createVerifier(calibration, config.state_dir),
    gaze,
    log,
    open_to_local: calibration.auth === 'auto' && !keyed && isLoopback(server.host) && !server.trust_proxy,
    api_token: server.api_token,
    traces: { of: traces.of, candidates: traces.candidates, erase: async (candidate_id) => (webhooks === undefined ? traces.erase(candidate_id) : webhooks.erase(candidate_id)) },
    ...(metrics === undefined ? {} : { observeGaze: (seconds: number) => { metrics.observeGaze(seconds); } }),
    ...(webhooks === undefined
      ? {}
      : {
          announce: async ({ event, ...rest }) => { await webhooks.enqueue(event, { event, ...rest }); },
          webhooks: async () => ({ ...(await webhooks.status()) }),
        }),
  });
  return {
    service,
    async start() {
      await webhooks?.start();
      await service.start();
    },
    async close() {
      await service.close();
      await webhooks?.stop(1_500);
    },
  };
}

/** The pictures' lane of the dispatcher. */
export function gazeOf(dispatcher: Pick<Dispatcher, 'still' | 'stillStats'>): GazeSource {
  return {
    still: (file, candidate_id) => dispatcher.still(file, candidate_id),
    load() {
      const { waiting, waiting_for_ms, done } = dispatcher.stillStats();
      return { waiting, waiting_for_ms, answered: done };
    },
  };
}
