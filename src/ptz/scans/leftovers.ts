/** What a run that was killed in the middle left of a device: queries without a manifest, and files that were being written. Nobody reads either; they only take room. */
import type { PtzDevice } from '../config/devices.js';
import type { FileStore } from '../storage/files.js';
import { deviceFolder } from './manifests.js';

const DAY_MS = 86_400_000;
const MANIFEST = '/images/telemetry_manifest.json';

/**
 * Removes queries of today and yesterday that have no manifest and began before `before_ms` (wall clock): a run that is still at work is younger.
 * Answers how many files went.
 */
export async function removeLeftovers(store: FileStore, device: Pick<PtzDevice, 'deployment_folder' | 'device_id'>, before_ms: number, signal?: AbortSignal): Promise<number> {
  await store.clean(deviceFolder(device), signal);
  const queries = `${deviceFolder(device)}/query_scan/`;
  const days = [before_ms - DAY_MS, before_ms].map((ms) => new Date(ms).toISOString().slice(0, 10));
  const keys = (await Promise.all([...new Set(days)].map((day) => store.list(`${queries}${day}`, signal)))).flat();
  const scanOf = (key: string): string => key.slice(queries.length).split('/')[0] ?? '';
  const whole = new Set(keys.filter((key) => key.endsWith(MANIFEST)).map(scanOf));
  const half = keys.filter((key) => !whole.has(scanOf(key)) && Date.parse(`${scanOf(key)}Z`) < before_ms);
  if (half.length > 0) await store.remove(half, signal);
  return half.length;
}
