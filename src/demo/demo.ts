/**
 * The demo of `npm start`: its cameras, its receiver, and the configuration that belongs to them. Everything else is the production path: the demo
 * lowers thresholds and shortens the baseline, it injects nothing.
 */
import { randomBytes } from 'node:crypto';
import type { AnalyserOptions } from '../analysis/types.js';
import type { CameraSource } from '../cameras/supervisor.js';
import type { CameraRecord } from '../cameras/types.js';
import type { Config } from '../config/schema.js';
import { startDemo, type DemoCameraDefinition } from './cameras.js';
import { startReceiver } from './receiver.js';

export interface OpenDemo {
  config: Config;
  cameras: CameraSource;
  analyser: Partial<AnalyserOptions>;
  /** Values that must not be logged. */
  secrets: string[];
  /** Where the embedded receiver can be looked at. */
  receiver_url: string;
  close(): Promise<void>;
}

export interface DemoLog {
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
}

/** Starts the receiver and the cameras. Errors: DEMO_MISSING, DEMO_SERVER. */
export async function openDemo({ root, config, log }: { root: string; config: Config; log: DemoLog }): Promise<OpenDemo> {
  const token = randomBytes(24).toString('hex');
  const receiver = await startReceiver({ token });
  try {
    const demo = await startDemo({ root, log });
    log.info({ cameras: demo.cameras.length, receiver: `${receiver.url}/received` }, 'demo cameras and receiver are up');
    return {
      config: demoConfig(config, receiver.callback_url, token),
      cameras: fixedSource(demo.cameras.map(toRecord)),
      analyser: DEMO_ANALYSER,
      secrets: [token],
      receiver_url: receiver.url,
      async close() {
        await demo.close();
        await receiver.close();
      },
    };
  } catch (error) {
    await receiver.close();
    throw error;
  }
}

/** A baseline within seconds instead of minutes: somebody is looking at a screen. */
const DEMO_ANALYSER: Partial<AnalyserOptions> = { min_samples: 32, sample_ms: 200, cooldown_ms: 15_000 };

function demoConfig(config: Config, callback_url: string, auth_token: string): Config {
  return {
    ...config,
    php_system: { ...config.php_system, callback_url, auth_token },
    detection: { ...config.detection, confidence_threshold: 0.3, alert_threshold: 0.4 },
    // A small machine analyses less, but shows every camera.
    processing: { ...config.processing, degradation: 'rate' },
    // Somebody is watching: a connection without packets is given up soon.
    capture: { ...config.capture, read_timeout_ms: Math.min(2_000, config.capture.read_timeout_ms), stall_limit_ms: Math.min(4_000, config.capture.stall_limit_ms) },
    delivery: { ...config.delivery, frame_interval_s: 2 },
    logging: { ...config.logging, summary_interval_s: Math.min(5, config.logging.summary_interval_s) },
  };
}

function toRecord(camera: DemoCameraDefinition): CameraRecord {
  const at = new Date(0).toISOString();
  const { stream_url, ...rest } = camera;
  return { ...rest, url: stream_url, analysis_fps: null, enabled: true, created_at: at, updated_at: at };
}

function fixedSource(records: CameraRecord[]): CameraSource {
  return { list: async () => records, watch: () => () => undefined };
}
