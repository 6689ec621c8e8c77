/** Sets of views by the id of their device: the reference set, and the queries of past checks. */
import { SightlineError } from '../errors.js';
import { findDevice, type PtzDevice } from './config/devices.js';
import type { PtzSettings } from './config/settings.js';
import type { FeatureMethod, OffsetOptions, PtzCamera, PtzView } from './estimate/types.js';
import { deviceFolder, zoomOf } from './scans/manifests.js';
import { comparisonOptions } from './scans/collect.js';
import { loadReference } from './scans/reference.js';
import type { FileStore } from './storage/files.js';

/** A reference set with what the monitor would compare it with: its features' kind, its lens, and the margins, limits and threshold of the settings. */
export interface StoredReference {
  views: PtzView[];
  options: OffsetOptions & { method: FeatureMethod };
}

/** A stored query; `camera` is there where its folder said its own. */
export interface StoredQuery {
  views: PtzView[];
  camera?: PtzCamera;
}

export interface StoredSets {
  /** Errors: PTZ_DEVICE_UNKNOWN, PTZ_REFERENCE_MISSING, PTZ_REFERENCE_BROKEN. */
  reference(device_id: string, signal?: AbortSignal): Promise<StoredReference>;
  /** `scan` is the time stamp that names its folder; without it the newest. Errors: PTZ_DEVICE_UNKNOWN, NOT_FOUND. */
  query(device_id: string, scan: string | undefined, signal?: AbortSignal): Promise<StoredQuery>;
}

/** The parts of `telemetry_manifest.json` that are read. */
interface Manifest {
  camera?: PtzCamera;
  telemetry?: Record<string, { file_name?: string; again?: string[]; attitude?: { yaw: number; pitch: number; roll: number }; zoom_factor?: number; zoom?: number }>;
}

const SCAN = /^[0-9T:.+-]{10,40}$/;

/** Settings and devices are read at each question: the files are small, and people edit them. */
export function storedSets(open: () => { settings: PtzSettings; store: FileStore; devices: readonly PtzDevice[] }): StoredSets {
  const using = async <T>(work: (opened: ReturnType<typeof open>) => Promise<T>): Promise<T> => {
    const opened = open();
    try {
      return await work(opened);
    } finally {
      opened.store.close();
    }
  };
  return {
    reference: (device_id, signal) => using(async ({ settings, store, devices }) => {
      const set = await loadReference(store, findDevice(devices, device_id), signal);
      return { views: set.views, options: comparisonOptions(settings, set) };
    }),
    query: (device_id, scan, signal) => using(({ store, devices }) => queryViews(store, findDevice(devices, device_id), scan, signal)),
  };
}

/** This month, the last one, then all: a store may hold years of hourly checks. */
function recentMonths(): string[] {
  const now = new Date();
  const month = (back: number): string => new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back, 1)).toISOString().slice(0, 7);
  return [month(0), month(1), ''];
}

async function newestManifest(store: FileStore, folder: string, beginnings: readonly string[], signal: AbortSignal | undefined): Promise<string | undefined> {
  for (const beginning of beginnings) {
    const newest = (await store.list(`${folder}/${beginning}`, signal)).filter((key) => key.endsWith('/images/telemetry_manifest.json')).at(-1);
    if (newest !== undefined) return newest;
  }
  return undefined;
}

function manifestOf(source: Buffer, key: string): Manifest {
  try {
    return JSON.parse(source.toString('utf8')) as Manifest;
  } catch (error) {
    throw new SightlineError('PTZ_STORAGE_FAILED', `${key}: expected JSON, received text that does not parse`, { cause: error });
  }
}

async function queryViews(store: FileStore, device: PtzDevice, scan: string | undefined, signal: AbortSignal | undefined): Promise<StoredQuery> {
  const folder = `${deviceFolder(device)}/query_scan`;
  if (scan !== undefined && !SCAN.test(scan)) throw new SightlineError('REQUEST_INVALID', 'query.scan: expected the time stamp that names a query folder, received another text');
  const newest = await newestManifest(store, folder, scan === undefined ? recentMonths() : [scan], signal);
  const source = newest === undefined ? undefined : await store.get(newest, signal);
  if (newest === undefined || source === undefined) throw new SightlineError('NOT_FOUND', `${device.device_id}: there is no ${scan === undefined ? 'stored query' : `query ${scan}`}`);
  const images = newest.slice(0, newest.lastIndexOf('/'));
  const { telemetry = {}, camera } = manifestOf(source, newest);
  const views: PtzView[] = [];
  for (const { file_name, again = [], attitude, zoom_factor, zoom } of Object.values(telemetry)) {
    const picture = file_name === undefined ? undefined : await store.get(`${images}/${file_name}`, signal);
    if (file_name === undefined || attitude === undefined || picture === undefined) throw new SightlineError('NOT_FOUND', `${newest}: a picture that the manifest names is not there`);
    const { yaw, pitch, roll } = attitude;
    const further = await Promise.all(again.map((one) => store.get(`${images.slice(0, images.lastIndexOf('/'))}/again/${one}`, signal)));
    views.push({
      name: file_name, picture, pan_deg: yaw, tilt_deg: pitch, roll_deg: roll, zoom: zoomOf({ zoom_factor: zoom_factor ?? null, zoom: zoom ?? null }),
      again: further.filter((one) => one !== undefined),
    });
  }
  return { views, ...(camera === undefined ? {} : { camera }) };
}
