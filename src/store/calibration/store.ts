/**
 * The calibration database: MySQL or MariaDB where one is configured, else a SQLite file of its own in the state folder. What both can do is written once,
 * through Kysely; where their SQL differs (`upsert`, row locks) `dialect` decides.
 */
import { chmodSync, closeSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import Sqlite from 'better-sqlite3';
import { Kysely, SqliteDialect } from 'kysely';
import { messageOf, SightlineError } from '../../errors.js';
import { makeFolder } from '../folder.js';
import { migrate } from '../migrate.js';
import { CALIBRATION_MIGRATIONS } from './migrations.js';
import { migrateMysql, mysqlDb, type MysqlOptions } from './mysql.js';
import type { CalibrationTables } from './schema.js';

export type CalibrationDb = Kysely<CalibrationTables>;

export type CalibrationStoreOptions = { kind: 'sqlite'; file: string } | ({ kind: 'mysql' } & MysqlOptions);

export interface CalibrationStore {
  db: CalibrationDb;
  dialect: 'sqlite' | 'mysql';
  /** Where the data lies, without a secret. */
  where: string;
  close(): Promise<void>;
}

const BUSY_TIMEOUT_MS = 2_000;

/** Opens the database and brings it to the newest form. @throws CALIBRATION_STORE_FAILED with the cause in words */
export async function openCalibrationStore(options: CalibrationStoreOptions): Promise<CalibrationStore> {
  try {
    if (options.kind === 'mysql') {
      await migrateMysql(options);
      const db = mysqlDb(options);
      return { db, dialect: 'mysql', where: `${options.database} at ${options.host}:${options.port}`, close: once(() => db.destroy()) };
    }
    const sqlite = openFile(options.file);
    migrateSqlite(sqlite);
    const db = new Kysely<CalibrationTables>({ dialect: new SqliteDialect({ database: sqlite }) });
    return { db, dialect: 'sqlite', where: options.file, close: once(() => db.destroy()) };
  } catch (error) {
    throw failure(options, error);
  }
}

/** Brings the tables up or down without opening the store. @throws CALIBRATION_STORE_FAILED */
export async function migrateCalibrationStore(options: CalibrationStoreOptions, target?: number): Promise<{ from: number; to: number }> {
  const newest = CALIBRATION_MIGRATIONS.length;
  if (target !== undefined && !(Number.isInteger(target) && target >= 0 && target <= newest)) {
    throw new SightlineError('REQUEST_INVALID', `--to: expected a version from 0 to ${newest}, received ${target}`);
  }
  try {
    if (options.kind === 'mysql') return await migrateMysql(options, target);
    const sqlite = openFile(options.file);
    try {
      return migrateSqlite(sqlite, target);
    } finally {
      sqlite.close();
    }
  } catch (error) {
    throw failure(options, error);
  }
}

function migrateSqlite(sqlite: Sqlite.Database, target?: number): { from: number; to: number } {
  const migrations = CALIBRATION_MIGRATIONS.map(({ version, name, sqlite: { up, down } }) => ({ version, name, up, down }));
  return migrate(sqlite, migrations, target);
}

function openFile(file: string): Sqlite.Database {
  makeFolder(dirname(file));
  closeSync(openSync(file, 'a', 0o600));
  chmodSync(file, 0o600);
  const sqlite = new Sqlite(file, { timeout: BUSY_TIMEOUT_MS });
  sqlite.pragma('journal_mode = WAL');
  // FULL: a row that was answered for must survive a power loss.
  sqlite.pragma('synchronous = FULL');
  sqlite.pragma('foreign_keys = ON');
  // Deleted rows are people's data: overwritten, not only unlinked.
  sqlite.pragma('secure_delete = ON');
  return sqlite;
}

function failure(options: CalibrationStoreOptions, error: unknown): SightlineError {
  if (error instanceof SightlineError) return error;
  const where = options.kind === 'mysql' ? `MySQL database ${options.database} at ${options.host}:${options.port}` : options.file;
  // mysql2's messages name user and host, never a password.
  return new SightlineError('CALIBRATION_STORE_FAILED', `${where}: ${messageOf(error)}`, { cause: error });
}

function once(close: () => Promise<void>): () => Promise<void> {
  let closing: Promise<void> | undefined;
  return () => (closing ??= close());
}
