/** The embedded camera registry: the only SQL over `cameras`. The daemon and the command line may have it open at the same time. */
import { sql } from 'kysely';
import { SightlineError } from '../errors.js';
import type { CameraRow, CameraRowChange } from '../store/schema.js';
import type { StoreDb } from '../store/store.js';
import { checkCameraChange, checkNewCamera } from './fields.js';
import type { RegistryProblem } from './rows.js';
import type { CameraSource } from './supervisor.js';
import type { CameraChange, CameraRecord, NewCamera } from './types.js';

/** Where the cameras come from and how that goes, for the API. */
export interface RegistryState {
  source: 'embedded' | 'mysql';
  /** `starting` until the first reading; `down`: it can't be read now, what was read last is in force. */
  state: 'starting' | 'ok' | 'down';
  /** Since when, ISO 8601, UTC. */
  since: string;
  last_read_at: string | null;
  /** Why it is down; no secrets. */
  error: { code: string; message: string } | null;
  /** The cameras are those of an earlier run or of the settings before: the database has not answered since the start, or since its settings changed. */
  from_cache: boolean;
  cameras: number;
  /** Rows that can't be used, or not wholly. */
  problems: RegistryProblem[];
}

export interface Registry extends CameraSource {
  state(): RegistryState;
  /** Errors: CAMERA_INVALID, CAMERA_EXISTS. */
  add(camera: NewCamera): Promise<CameraRecord>;
  get(cameraId: number): Promise<CameraRecord | undefined>;
  /** Errors: CAMERA_INVALID, CAMERA_NOT_FOUND. */
  update(cameraId: number, change: CameraChange): Promise<CameraRecord>;
  /** Errors: CAMERA_NOT_FOUND. */
  remove(cameraId: number): Promise<void>;
}

export interface RegistryOptions {
  db: StoreDb;
  /** Wall-clock milliseconds. */
  now: () => number;
  /** Time between two looks for writes of other processes. */
  poll_ms: number;
}

export function createRegistry({ db, now, poll_ms }: RegistryOptions): Registry {
  const listeners = new Set<() => void>();
  const changed = () => listeners.forEach((listener) => listener());
  const read = async (cameraId: number) => db.selectFrom('cameras').selectAll().where('camera_id', '=', cameraId).executeTakeFirst();

  let count = 0;
  const started = new Date(now()).toISOString();
  let read_at: string | null = null;

  return {
    state: () => ({ source: 'embedded', state: 'ok', since: started, last_read_at: read_at, error: null, from_cache: false, cameras: count, problems: [] }),
    async list() {
      const rows = await db.selectFrom('cameras').selectAll().orderBy('camera_id').execute();
      count = rows.length;
      read_at = new Date(now()).toISOString();
      return rows.map(toRecord);
    },
    async get(cameraId) {
      const row = await read(cameraId);
      return row === undefined ? undefined : toRecord(row);
    },
    async add(value) {
      const camera = checkNewCamera(value);
      const at = new Date(now()).toISOString();
      const row = await db
        .insertInto('cameras')
        .values({ ...toRow(camera), camera_id: camera.camera_id, camera_name: camera.camera_name, stream_url: camera.url, created_at: at, updated_at: at })
        .onConflict((conflict) => conflict.column('camera_id').doNothing())
        .returningAll()
        .executeTakeFirst();
      if (row === undefined) throw new SightlineError('CAMERA_EXISTS', `camera_id: expected an id that is free, received ${camera.camera_id}`);
      changed();
      return toRecord(row);
    },
    async update(cameraId, value) {
      const change = toRow(checkCameraChange(value));
      const row = await db
        .updateTable('cameras')
        .set({ ...change, updated_at: new Date(now()).toISOString() })
        .where('camera_id', '=', cameraId)
        .returningAll()
        .executeTakeFirst();
      if (row === undefined) throw notFound(cameraId);
      changed();
      return toRecord(row);
    },
    async remove(cameraId) {
      const { numDeletedRows } = await db.deleteFrom('cameras').where('camera_id', '=', cameraId).executeTakeFirst();
      if (numDeletedRows === 0n) throw notFound(cameraId);
      changed();
    },
    watch(onChange) {
      listeners.add(onChange);
      const stop = pollOthers(db, poll_ms, onChange);
      return () => {
        listeners.delete(onChange);
        stop();
      };
    },
  };
}

/** SQLite's `data_version` moves when another connection has committed; own writes don't move it. */
function pollOthers(db: StoreDb, poll_ms: number, onChange: () => void): () => void {
  let last: number | undefined;
  let stopped = false;
  const look = async (): Promise<void> => {
    const { rows } = await sql<{ data_version: number }>`PRAGMA data_version`.execute(db);
    const version = rows[0]?.data_version;
    if (stopped) return;
    if (last !== undefined && version !== last) onChange();
    last = version;
  };
  // A failed look (database busy or closing) is made up for by the next one.
  const tick = () => void look().catch(() => undefined);
  tick();
  const timer = setInterval(tick, poll_ms);
  timer.unref();
  return () => {
    stopped = true;
    clearInterval(timer);
  };
}

function toRecord({ stream_url, enabled, ...row }: CameraRow): CameraRecord {
  return { ...row, url: stream_url, enabled: enabled === 1 };
}

function toRow({ url, enabled, ...rest }: CameraChange): CameraRowChange {
  return { ...rest, ...(url === undefined ? {} : { stream_url: url }), ...(enabled === undefined ? {} : { enabled: enabled ? 1 : 0 }) };
}

function notFound(cameraId: number): SightlineError {
  return new SightlineError('CAMERA_NOT_FOUND', `camera_id: expected a registered camera, received ${cameraId}`);
}
