/**
 * The embedded database: one SQLite file for the camera registry, the outbox and the dead letters, read and written through
 * Kysely. Calls on one store are answered in order on the calling thread; a commit has been synced to the disk when it returns.
 */
import { chmodSync, closeSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import Sqlite from 'better-sqlite3';
import { Kysely, SqliteDialect, type Transaction } from 'kysely';
import { SightlineError } from '../errors.js';
import { makeFolder } from './folder.js';
import { migrate } from './migrate.js';
import { MIGRATIONS } from './migrations/index.js';
import type { StoreTables } from './schema.js';

/** Another process (the command line beside the daemon) holds the write lock for milliseconds; this thread waits at most so long. */
const BUSY_TIMEOUT_MS = 2_000;
/** The WAL is cut back to this size after a burst. */
const WAL_BYTES_KEPT = 16 * 1024 * 1024;

export type StoreDb = Kysely<StoreTables>;
export type StoreTransaction = Transaction<StoreTables>;

/** What the store logs with: pino's signature. */
export interface StoreLog {
  info(fields: Record<string, unknown>, message: string): void;
}

export interface StoreOptions {
  /** `STATE_DIR/sightline.db`; its folder is made if missing. */
  file: string;
  log: StoreLog;
}

export interface Store {
  db: StoreDb;
  /** Checkpoints and closes; the second call does nothing. */
  close(): Promise<void>;
}

/**
 * Opens (or makes) the database and brings it to the newest form. The file is readable by its owner only, since it holds stream
 * URLs with credentials; SQLite gives its `-wal` and `-shm` files the same mode.
 * @throws STORE_OPEN_FAILED with the cause in words: no permission, not a database, made by a newer Sightline.
 */
export async function openStore({ file, log }: StoreOptions): Promise<Store> {
  let sqlite: Sqlite.Database | undefined;
  try {
    makeFolder(dirname(file));
    closeSync(openSync(file, 'a', 0o600));
    chmodSync(file, 0o600);
    sqlite = new Sqlite(file, { timeout: BUSY_TIMEOUT_MS });
    configure(sqlite);
    const { from, to } = migrate(sqlite, MIGRATIONS);
    if (from !== to) log.info({ from, to }, 'embedded database migrated');
  } catch (error) {
    sqlite?.close();
    if (error instanceof SightlineError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new SightlineError('STORE_OPEN_FAILED', `${file}: ${why}`, { cause: error });
  }
  const db = new Kysely<StoreTables>({ dialect: new SqliteDialect({ database: sqlite }) });
  let closing: Promise<void> | undefined;
  return { db, close: () => (closing ??= db.destroy()) };
}

function configure(sqlite: Sqlite.Database): void {
  const mode: unknown = sqlite.pragma('journal_mode = WAL', { simple: true });
  if (mode !== 'wal') throw new SightlineError('STORE_OPEN_FAILED', `${sqlite.name}: write-ahead logging is needed and not possible here (journal mode ${String(mode)}); is it on a network file system?`);
  // FULL, not the usual NORMAL: with NORMAL a power loss takes the last commits with it, and a commit is what "accepted" means.
  sqlite.pragma('synchronous = FULL');
  sqlite.pragma('foreign_keys = ON');
  // Webhooks that are erased with a person are overwritten, as far as their pages are written anyway.
  sqlite.pragma('secure_delete = FAST');
  sqlite.pragma(`journal_size_limit = ${WAL_BYTES_KEPT}`);
}
