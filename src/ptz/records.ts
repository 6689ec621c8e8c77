/** What the HTTP API shows of the PTZ monitor: the devices of devices.yaml with their newest result, and the history. */
import { existsSync } from 'node:fs';
import type { StoreDb } from '../store/store.js';
import { loadDevices } from './config/devices.js';
import { openSettings, type PtzSources } from './open.js';
import { resultDocument, type ResultDocument } from './results/document.js';
import { createJournal, type HistoryQuery } from './results/journal.js';

export interface DeviceStatus {
  deployment_name: string;
  device_id: string;
  variant: string;
  /** How it is reached. */
  access: 'kubernetes' | 'direct' | 'folder';
  mode: 'passive' | 'active';
  reference_stops: number;
  /** null = it was never checked. */
  newest: ResultDocument | null;
}

export interface PtzRecords {
  /** `configured` is false where there is no devices.yaml. @throws PTZ_DEVICES_INVALID, PTZ_SETTINGS_INVALID */
  devices(): Promise<{ configured: boolean; devices: DeviceStatus[] }>;
  results(query: HistoryQuery): Promise<{ results: ResultDocument[]; next_before: number | null }>;
}

/** Files are read at each question: they are small, and people edit them. */
export function createPtzRecords(sources: PtzSources, db: StoreDb): PtzRecords {
  const journal = createJournal(db);
  return {
    async devices() {
      const { settings, places } = openSettings(sources);
      if (!existsSync(places.devices_file)) return { configured: false, devices: [] };
      const newest = new Map((await journal.newest()).map((result) => [`${result.row.deployment_name}/${result.row.device_id}`, resultDocument(result)]));
      const devices = loadDevices(places.devices_file, settings).map(({ deployment, device_id, variant, access, active_stops, reference_stops }) => ({
        deployment_name: deployment, device_id, variant, access: access.kind, mode: active_stops.length > 0 ? ('active' as const) : ('passive' as const),
        reference_stops: reference_stops.length, newest: newest.get(`${deployment}/${device_id}`) ?? null,
      }));
      return { configured: true, devices };
    },
    async results(query) {
      const found = await journal.history(query);
      return { results: found.map(resultDocument), next_before: found.length === query.limit ? (found.at(-1)?.id ?? null) : null };
    },
  };
}
