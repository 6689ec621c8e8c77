/** Sets of views by the id of their device: the reference set, and the queries of past checks. */
import { SightlineError } from '../errors.js';
import { findDevice, type PtzDevice } from './config/devices.js';
import type { PtzView } from './estimate/types.js';
import { deviceFolder, zoomOf } from './scans/manifests.js';
import { loadReference, type ReferenceSet } from './scans/reference.js';
import type { FileStore } from './storage/files.js';

export interface StoredSets {
  /** Errors: PTZ_DEVICE_UNKNOWN, PTZ_REFERENCE_MISSING, PTZ_REFERENCE_BROKEN. */
  reference(device_id: string, signal?: AbortSignal): Promise<ReferenceSet>;
  /** `scan` is the time stamp that names its folder; without it the newest. Errors: PTZ_DEVICE_UNKNOWN, NOT_FOUND. */
  query(device_id: string, scan: string | undefined, signal?: AbortSignal): Promise<PtzView[]>;
}

/** The parts of `telemetry_manifest.json` that are read. */
interface Manifest {
  telemetry?: Record<string, { file_name?: string; again?: string[]; attitude?: { yaw: number; pitch: number; roll: number }; zoom_factor?: number; zoom?: number }>;
}

const SCAN = /^[0-9T:.+-]{10,40}$/;

export function storedSets(open: () => { store: FileStore; devices: readonly PtzDevice[] }): StoredSets {
  return {
    async reference(device_id, signal) {
      const { store, devices } = open();
      return loadReference(store, findDevice(devices, device_id), signal);
    },
    async query(device_id, scan, signal) {
      const { store, devices } = open();
      const folder = `${deviceFolder(findDevice(devices, device_id))}/query_scan`;
      if (scan !== undefined && !SCAN.test(scan)) throw new SightlineError('REQUEST_INVALID', 'query.scan: expected the time stamp that names a query folder, received another text');
      const newest = (await store.list(`${folder}/${scan ?? ''}`, signal)).filter((key) => key.endsWith('/images/telemetry_manifest.json')).at(-1);
      const source = newest === undefined ? undefined : await store.get(newest, signal);
      if (newest === undefined || source === undefined) throw new SightlineError('NOT_FOUND', `${device_id}: there is no ${scan === undefined ? 'stored query' : `query ${scan}`}`);
      const images = newest.slice(0, newest.lastIndexOf('/'));
      const { telemetry = {} } = JSON.parse(source.toString('utf8')) as Manifest;
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
      return views;
    },
  };
}
