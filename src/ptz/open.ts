/** Opens what the PTZ commands and routes work with: settings, devices, stores, and the ways out. Nothing connects yet. */
import path from 'node:path';
import type { CaptureAddon } from '../capture/types.js';
import type { Config } from '../config/schema.js';
import { lockCamera } from '../store/lock.js';
import type { StoreDb } from '../store/store.js';
import { openGrabber, type Grabber } from './camera/rtsp.js';
import { loadDevices, type PtzDevice } from './config/devices.js';
import { loadSettings, type PtzSettings } from './config/settings.js';
import { openOffsetEngine } from './estimate/engine.js';
import type { MonitorDeps } from './monitor.js';
import { createSlack } from './notify/slack.js';
import { createAthena } from './results/athena.js';
import { createJournal } from './results/journal.js';
import type { CollectDeps } from './scans/collect.js';
import { localFiles, type FileStore } from './storage/files.js';
import { s3Files } from './storage/s3.js';
import type { PtzLog } from './types.js';

export interface PtzPlaces {
  settings_file: string;
  devices_file: string;
  kubeconfig: string | null;
}

/** What PTZ settings are read from, by commands and the daemon alike: some variables of the environment win over the file. */
export interface PtzSources {
  config: Config;
  env: Readonly<Record<string, string | undefined>>;
  /** Relative files are looked for here. */
  cwd: string;
}

/** Settings and where things lie. @throws PTZ_SETTINGS_INVALID */
export function openSettings({ config, env, cwd }: PtzSources): { settings: PtzSettings; places: PtzPlaces } {
  const settings_file = path.resolve(cwd, config.ptz.settings_file);
  const settings = loadSettings({ file: settings_file, env });
  const beside = (file: string): string => path.resolve(path.dirname(settings_file), file);
  return {
    settings,
    places: {
      settings_file,
      devices_file: settings.devices.file === undefined ? path.resolve(cwd, config.ptz.devices_file) : beside(settings.devices.file),
      kubeconfig: settings.devices.kubeconfig === undefined ? null : beside(settings.devices.kubeconfig),
    },
  };
}

/** Values of the settings that must not be logged. */
export function ptzSecrets({ aws, slack, devices }: PtzSettings): string[] {
  return [aws.secret_access_key, aws.session_token, slack.webhook_url, devices.mqtt_password].filter((secret) => secret !== undefined);
}

/** The bucket, or the folder of this machine. */
export function openFiles(settings: PtzSettings, state_dir: string): FileStore {
  const { s3_bucket } = settings.aws;
  return s3_bucket === undefined ? localFiles(path.join(state_dir, 'ptz')) : s3Files(settings.aws, s3_bucket);
}

export interface PtzWorld {
  settings: PtzSettings;
  devices: PtzDevice[];
  places: PtzPlaces;
  deps: MonitorDeps & CollectDeps;
  close(): Promise<void>;
}

export interface WorldOptions extends PtzSources {
  db: StoreDb;
  /** Called when the first RTSP stream is opened. */
  loadAddon: () => CaptureAddon;
  log: PtzLog;
  /** Hears of secrets before anything could log them. */
  onSecrets?: (secrets: string[]) => void;
}

/** @throws PTZ_SETTINGS_INVALID, PTZ_DEVICES_INVALID */
export function openWorld({ config, env, cwd, db, loadAddon, log, onSecrets }: WorldOptions): PtzWorld {
  const { settings, places } = openSettings({ config, env, cwd });
  onSecrets?.(ptzSecrets(settings));
  const devices = loadDevices(places.devices_file, settings);
  const store = openFiles(settings, config.state_dir);
  const { aws, slack } = settings;
  const athena = aws.s3_bucket === undefined || !aws.athena_enabled ? null : createAthena(aws, aws.s3_bucket, log);
  let grabber: Grabber | undefined;
  const engine = openOffsetEngine({ opencv_options: { log } });
  const deps: PtzWorld['deps'] = {
    settings, log, store, athena,
    kubeconfig: places.kubeconfig,
    journal: createJournal(db),
    slack: slack.webhook_url === undefined ? null : createSlack({ url: slack.webhook_url, channel: slack.channel }),
    estimate: engine.estimateOffset,
    extractFeatures: engine.extractFeatures,
    hold: (device) => lockCamera(config.state_dir, device),
    grabber: () => (grabber ??= openGrabber({ addon: loadAddon(), sizes: devices, streams: settings.monitoring.concurrency, capture: config.capture })),
  };
  return {
    settings, devices, places, deps,
    async close() {
      await grabber?.close();
      athena?.close();
      store.close();
      await engine.close();
    },
  };
}
