/** Writes the state of the cameras back into their table: each change soon, and `last_seen` of those that stream now and then. */
import type { CameraHealth, RegistryLog } from './mysql_registry.js';
import type { CameraTable } from './open_registry.js';
import type { CameraStatus } from './types.js';

/** A frame at most so old counts as seen. */
const FRESH_MS = 10_000;
/** Changes are looked for so often. */
const LOOK_MS = 2_000;

export interface HealthWriterOptions {
  /** The table in force; undefined: there is none. Another one is written to from the beginning. */
  table(): Pick<CameraTable, 'writeHealth' | 'settings'> | undefined;
  statuses(): CameraStatus[];
  log: RegistryLog;
  now: () => number;
}

/** Starts; the returned function stops it. One writing at a time; one that fails is made up for by the next. */
export function startHealthWriter({ log, now, ...source }: HealthWriterOptions): () => void {
  const written = new Map<number, string>();
  let all_at_ms = -Infinity;
  let busy = false;
  let failing = false;
  let before: ReturnType<HealthWriterOptions['table']>;
  const look = async (): Promise<void> => {
    const table = source.table();
    if (table === undefined || !table.settings.write_status) return;
    if (table !== before) {
      before = table;
      written.clear();
      all_at_ms = -Infinity;
    }
    const due = now() - all_at_ms >= table.settings.status_interval_s * 1000;
    const cameras = healthOf(source.statuses());
    const wanted = cameras.filter(({ camera_id, state, reason }) => due || written.get(camera_id) !== `${state}|${reason}`);
    if (wanted.length === 0) return;
    await table.writeHealth(wanted);
    for (const { camera_id, state, reason } of wanted) written.set(camera_id, `${state}|${reason}`);
    for (const camera_id of written.keys()) if (!cameras.some((camera) => camera.camera_id === camera_id)) written.delete(camera_id);
    if (due) all_at_ms = now();
  };
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    look()
      .then(() => { failing = false; })
      .catch((error: unknown) => {
        if (!failing) log.warn({ err: error }, 'the state of the cameras could not be written into the registry');
        failing = true;
      })
      .finally(() => { busy = false; });
  }, LOOK_MS);
  timer.unref();
  return () => { clearInterval(timer); };
}

/** Cameras that are being opened for the first time say nothing yet. */
function healthOf(statuses: readonly CameraStatus[]): CameraHealth[] {
  return statuses
    .filter(({ state, reason }) => state !== 'disabled' && !(state === 'connecting' && reason === ''))
    .map(({ camera_id, state, reason, frame_age_ms }) => ({ camera_id, state, reason, fresh: state === 'streaming' && frame_age_ms !== null && frame_age_ms <= FRESH_MS }));
}
