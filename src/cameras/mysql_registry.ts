/**
 * The camera registry in the MySQL database of the PHP system, read as the contract's query reads it (cameras that are online) and looked at
 * again while it runs. When the database is away, what was read last goes on being the registry, also over a restart.
 */
import { sql, type RawBuilder } from 'kysely';
import type { Config } from '../config/schema.js';
import { SightlineError, type ErrorCode } from '../errors.js';
import { chooseColumns, healthValue, MEANINGS, plain, priorityValue, type Columns, type Meaning, type TableColumn } from './columns.js';
import { columnsOf, type Database, type Row } from './database.js';
import { phpJson, sealEnvelope } from './envelope.js';
import { checkCameraChange, checkNewCamera } from './fields.js';
import type { KnownRowsFile } from './known_rows.js';
import type { Overlays } from './overlays.js';
import type { Registry, RegistryState } from './registry.js';
import { camerasOf, type ReadRows } from './rows.js';
import type { CameraChange, CameraRecord, NewCamera } from './types.js';

/** Rows read at most. */
const ROWS_MAX = 4_096;
/** Longest wait between two looks at a database that is away. */
const RETRY_MAX_MS = 60_000;

export interface RegistryLog {
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
}

export interface MysqlRegistryOptions {
  database: Database;
  settings: Config['registry'];
  key: Buffer | undefined;
  known: KnownRowsFile;
  overlays: Overlays;
  log: RegistryLog;
  now: () => number;
  /** 0 ≤ r < 1, for the jitter of retries. */
  random: () => number;
}

/** What the daemon says of a camera, to be written into its row. */
export interface CameraHealth {
  camera_id: number;
  state: string;
  reason: string;
  /** It delivers frames now. */
  fresh: boolean;
}

export interface MysqlRegistry extends Registry {
  /** Writes health and last_seen where the table has columns for them. @throws REGISTRY_UNAVAILABLE */
  writeHealth(cameras: readonly CameraHealth[]): Promise<void>;
  /** Encrypts URLs that lie in clear in the column of encrypted ones; `write: false` only counts. @throws REGISTRY_*, CAMERA_INVALID without a key */
  encryptPlain(write: boolean): Promise<{ camera_id: number; from: 'stream_url' | 'stream_url_encrypted' }[]>;
}

export function createMysqlRegistry(options: MysqlRegistryOptions): MysqlRegistry {
  return new TableRegistry(options);
}

class TableRegistry implements MysqlRegistry {
  readonly #options: MysqlRegistryOptions;
  readonly #table: RawBuilder<unknown>;
  readonly #listeners = new Set<() => void>();
  #columns: Columns | undefined;
  #read: ReadRows = { cameras: [], problems: [] };
  #rows: Row[] = [];
  #shown = '';
  #loading: Promise<void> | undefined;
  #state: Pick<RegistryState, 'state' | 'since' | 'last_read_at' | 'error' | 'from_cache'>;

  constructor(options: MysqlRegistryOptions) {
    this.#options = options;
    this.#table = sql.id(options.settings.table);
    this.#state = { state: 'starting', since: this.#at(), last_read_at: null, error: null, from_cache: false };
  }

  async list(): Promise<CameraRecord[]> {
    if (this.#columns === undefined) await this.#load().catch(() => this.#recall());
    return this.#read.cameras;
  }

  async get(cameraId: number): Promise<CameraRecord | undefined> {
    return (await this.list()).find(({ camera_id }) => camera_id === cameraId);
  }

  state(): RegistryState {
    return { source: 'mysql', ...this.#state, cameras: this.#read.cameras.length, problems: this.#read.problems };
  }

  async add(value: NewCamera): Promise<CameraRecord> {
    const camera = checkNewCamera(value);
    const columns = await this.#known();
    const set = this.#assignments(columns, camera.camera_id, { priority: 5, ...camera });
    const pairs: [Meaning, unknown][] = [['camera_id', camera.camera_id], ...set];
    if (columns.online !== undefined) pairs.push(['online', 1]);
    const names = sql.join(pairs.map(([meaning]) => sql.id((columns[meaning] as { name: string }).name)));
    await this.#edit(sql<Row>`INSERT INTO ${this.#table} (${names}) VALUES (${sql.join(pairs.map(([, item]) => item))})`, camera.camera_id);
    await this.#overlay(columns, camera.camera_id, camera);
    return this.#edited(camera.camera_id);
  }

  async update(cameraId: number, value: CameraChange): Promise<CameraRecord> {
    const change = checkCameraChange(value);
    const columns = await this.#known();
    if ((await this.get(cameraId)) === undefined) throw notFound(cameraId);
    const set = this.#assignments(columns, cameraId, change);
    if (set.length > 0) {
      const pairs = set.map(([meaning, item]) => sql`${sql.id((columns[meaning] as { name: string }).name)} = ${item}`);
      await this.#edit(sql<Row>`UPDATE ${this.#table} SET ${sql.join(pairs)} WHERE ${this.#id(columns)} = ${cameraId}`, cameraId);
    }
    await this.#overlay(columns, cameraId, change);
    return this.#edited(cameraId);
  }

  async remove(cameraId: number): Promise<void> {
    const columns = await this.#known();
    if ((await this.#edit(sql<Row>`DELETE FROM ${this.#table} WHERE ${this.#id(columns)} = ${cameraId}`, cameraId)) === 0) throw notFound(cameraId);
    await this.#options.overlays.remove(cameraId);
    await this.#reload();
  }

  async writeHealth(cameras: readonly CameraHealth[]): Promise<void> {
    const columns = this.#columns;
    if (columns === undefined || this.#state.state !== 'ok') return;
    const groups = new Map<string, { set: RawBuilder<unknown>[]; ids: number[] }>();
    for (const { camera_id, state, reason, fresh } of cameras) {
      const health = columns.health_status === undefined ? undefined : healthValue(columns.health_status, state, reason);
      const key = `${health ?? ''}|${fresh}`;
      const set = groups.get(key)?.set ?? [
        ...(columns.health_status === undefined ? [] : [sql`${sql.id(columns.health_status.name)} = ${health}`]),
        ...(columns.last_seen === undefined || !fresh ? [] : [sql`${sql.id(columns.last_seen.name)} = NOW()`]),
        ...(columns.online === undefined || !this.#options.settings.write_online ? [] : [sql`${sql.id(columns.online.name)} = ${state === 'streaming' ? 1 : 0}`]),
      ];
      groups.set(key, { set, ids: [...(groups.get(key)?.ids ?? []), camera_id] });
    }
    for (const { set, ids } of groups.values()) {
      if (set.length === 0) continue;
      await this.#options.database.query(sql<Row>`UPDATE ${this.#table} SET ${sql.join(set)} WHERE ${this.#id(columns)} IN (${sql.join(ids)})`);
    }
  }

  async encryptPlain(write: boolean): Promise<{ camera_id: number; from: 'stream_url' | 'stream_url_encrypted' }[]> {
    await this.#load();
    const columns = await this.#known();
    if (columns.stream_url_encrypted === undefined) throw new SightlineError('REGISTRY_SHAPE', `${this.#options.settings.table}: expected a column stream_url_encrypted, found none; name it in registry.columns`);
    // Not every row is a camera, and of two with one id the first is.
    const texts = new Map(this.#rows.map((row) => [Number(plain(row['camera_id'])), plain(row['stream_url_encrypted']).trim()] as const).reverse());
    const clear = this.#read.cameras.flatMap(({ camera_id, url, fault }) => {
      const stored = texts.get(camera_id) ?? '';
      if (fault !== undefined || stored.startsWith('{')) return [];
      return [{ camera_id, url, from: stored === '' ? ('stream_url' as const) : ('stream_url_encrypted' as const) }];
    });
    if (clear.length > 0) this.#key('url');
    for (const { camera_id, url } of write ? clear : []) await this.update(camera_id, { url });
    return clear.map(({ camera_id, from }) => ({ camera_id, from }));
  }

  watch(onChange: () => void): () => void {
    this.#listeners.add(onChange);
    let failures = 0;
    let timer: NodeJS.Timeout | undefined;
    const { poll_s } = this.#options.settings;
    const again = (): void => {
      const wait_ms = Math.min(Math.max(RETRY_MAX_MS, poll_s * 1000), poll_s * 1000 * 2 ** Math.min(failures, 10)) * (0.85 + 0.3 * this.#options.random());
      timer = setTimeout(look, wait_ms);
      timer.unref();
    };
    const look = (): void => {
      this.#load()
        .then(() => { failures = 0; }, () => { failures += 1; })
        .finally(() => { if (this.#listeners.has(onChange)) again(); });
    };
    again();
    return () => {
      this.#listeners.delete(onChange);
      clearTimeout(timer);
    };
  }

  /** One reading at a time; those who ask meanwhile get its outcome. */
  #load(): Promise<void> {
    this.#loading ??= this.#readTable().finally(() => { this.#loading = undefined; });
    return this.#loading;
  }

  async #readTable(): Promise<void> {
    const { database, settings } = this.#options;
    try {
      const { rows: found } = await database.query(columnsOf(settings.table));
      const columns = chooseColumns(settings.table, found.map((row) => ({ name: String(row['name']), type: String(row['type']).toLowerCase(), declared: String(row['declared']) }) satisfies TableColumn), settings.columns);
      const wanted = MEANINGS.flatMap((meaning) => (columns[meaning] === undefined ? [] : [sql`${sql.id(columns[meaning].name)} AS ${sql.id(meaning)}`]));
      const online = columns.online === undefined ? sql`` : sql`WHERE ${sql.id(columns.online.name)} = 1`;
      const order = columns.priority === undefined ? this.#id(columns) : sql`${sql.id(columns.priority.name)} DESC`;
      const { rows } = await database.query(sql<Row>`SELECT ${sql.join(wanted)} FROM ${this.#table} ${online} ORDER BY ${order} LIMIT ${sql.lit(ROWS_MAX)}`);
      await this.#took(rows, columns);
    } catch (error) {
      this.#failed(error);
      throw error;
    }
  }

  async #took(rows: Row[], columns: Columns): Promise<void> {
    const { known, log } = this.#options;
    const before = this.#state;
    await this.#interpret(rows, columns);
    const read_at = this.#at();
    this.#state = { state: 'ok', since: before.state === 'ok' ? before.since : read_at, last_read_at: read_at, error: null, from_cache: false };
    if (before.state !== 'ok') log.info({ cameras: this.#read.cameras.length, problems: this.#read.problems.length }, 'the camera registry is read from the database');
    const text = JSON.stringify([rows, this.#read.cameras.map(({ created_at, updated_at, ...camera }) => [camera, created_at === updated_at])]);
    if (text === this.#shown) return;
    this.#shown = text;
    for (const { camera_id, code, message } of this.#read.problems) log.warn({ camera_id, code, problem: message }, 'a row of the camera registry cannot be used');
    await known.save({ rows, columns, read_at }).catch((error: unknown) => { log.warn({ err: error }, 'the camera registry could not be kept for the next start'); });
    for (const listener of this.#listeners) listener();
  }

  async #interpret(rows: Row[], columns: Columns): Promise<void> {
    const overlays = await this.#options.overlays.all();
    this.#columns = columns;
    this.#rows = rows;
    this.#read = camerasOf(rows, columns, { key: this.#options.key, overlays, at: this.#at() });
  }

  #failed(error: unknown): void {
    const code: ErrorCode = error instanceof SightlineError ? error.code : 'INTERNAL';
    const message = error instanceof SightlineError ? error.message : 'a fault of ours; the log has the cause';
    const { state, last_read_at, from_cache, since } = this.#state;
    if (state !== 'down' || this.#state.error?.code !== code) {
      this.#options.log.warn({ code, cause: message, cameras: this.#read.cameras.length }, 'the camera registry cannot be read, going on with what is known');
    }
    this.#state = { state: 'down', since: state === 'down' ? since : this.#at(), last_read_at, error: { code, message }, from_cache };
  }

  /** What was known before the last stop. */
  async #recall(): Promise<void> {
    const known = await this.#options.known.load();
    if (known === undefined || this.#columns !== undefined) return;
    await this.#interpret(known.rows, known.columns);
    this.#state = { ...this.#state, last_read_at: known.read_at, from_cache: true };
    this.#options.log.warn({ cameras: this.#read.cameras.length, read_at: known.read_at }, 'cameras are those of the last run, until the database is back');
  }

  async #known(): Promise<Columns> {
    if (this.#columns === undefined || this.#state.state !== 'ok') await this.#load();
    return this.#columns as Columns;
  }

  async #edit(statement: RawBuilder<Row>, cameraId: number): Promise<number> {
    try {
      return (await this.#options.database.query(statement)).affected;
    } catch (error) {
      const code = error instanceof SightlineError ? plain(error.details?.['code']) : '';
      if (code === 'ER_DUP_ENTRY') throw new SightlineError('CAMERA_EXISTS', `camera_id: expected an id that is free, received ${cameraId}`);
      if (/^ER_(BAD_NULL|NO_DEFAULT|NO_REFERENCED|DATA_TOO_LONG|TRUNCATED|WARN_DATA|ROW_IS_REFERENCED|CONSTRAINT)/.test(code)) throw new SightlineError('CAMERA_INVALID', `camera ${cameraId}: the table ${this.#options.settings.table} refuses it (${code})`);
      throw error;
    }
  }

  async #edited(cameraId: number): Promise<CameraRecord> {
    await this.#reload();
    const camera = this.#read.cameras.find(({ camera_id }) => camera_id === cameraId);
    if (camera === undefined) throw notFound(cameraId);
    return camera;
  }

  /** A reading that began before an edit does not count. */
  async #reload(): Promise<void> {
    await this.#loading?.catch(() => undefined);
    await this.#load();
  }

  #assignments(columns: Columns, cameraId: number, change: CameraChange): [Meaning, unknown][] {
    const set: [Meaning, unknown][] = [];
    const direct = ['camera_name', 'location', 'outlet_id', 'staff_id', 'transport', 'analysis_fps'] as const;
    for (const meaning of direct) if (change[meaning] !== undefined && columns[meaning] !== undefined) set.push([meaning, change[meaning]]);
    for (const meaning of ['location', 'outlet_id'] as const) {
      if (change[meaning] !== undefined && change[meaning] !== null && columns[meaning] === undefined) throw new SightlineError('CAMERA_INVALID', `${meaning}: the table ${this.#options.settings.table} has no column for it`);
    }
    if (change.priority !== undefined && columns.priority !== undefined) set.push(['priority', priorityValue(columns.priority, change.priority)]);
    if (change.enabled !== undefined && columns.enabled !== undefined) set.push(['enabled', change.enabled ? 1 : 0]);
    if (change.url === undefined) return set;
    if (columns.stream_url_encrypted === undefined) return [...set, ['stream_url', change.url]];
    // The AAD that the PHP page reads a camera with.
    set.push(['stream_url_encrypted', sealEnvelope(change.url, this.#key('url'), phpJson({ camera_id: cameraId }), this.#options.now() / 1000)]);
    if (columns.stream_url !== undefined) set.push(['stream_url', '']);
    return set;
  }

  #overlay(columns: Columns, cameraId: number, change: CameraChange): Promise<void> {
    const own = (['transport', 'staff_id', 'analysis_fps'] as const).filter((name) => change[name] !== undefined && columns[name] === undefined);
    const rest = Object.fromEntries(own.map((name) => [name, change[name]]));
    return this.#options.overlays.set(cameraId, { ...rest, ...(change.enabled === undefined || columns.enabled !== undefined ? {} : { enabled: change.enabled ? 1 : 0 }) });
  }

  #key(field: string): Buffer {
    if (this.#options.key !== undefined) return this.#options.key;
    throw new SightlineError('CAMERA_INVALID', `${field}: expected database.encryption_key (FRAUD_ENCRYPTION_KEY) to be set, because the table keeps URLs encrypted`);
  }

  #id(columns: Columns): RawBuilder<unknown> {
    return sql.id((columns.camera_id as { name: string }).name);
  }

  #at(): string {
    return new Date(this.#options.now()).toISOString();
  }
}

function notFound(cameraId: number): SightlineError {
  return new SightlineError('CAMERA_NOT_FOUND', `camera_id: expected a registered camera, received ${cameraId}`);
}
