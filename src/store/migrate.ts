/**
 * Numbered migrations with an undo. All steps of a call run in one IMMEDIATE transaction: a crash in between leaves the former
 * version, and of two processes that start at once the second waits and finds the work done. Kysely's own migrator does
 * neither on SQLite.
 */
import type { Database } from 'better-sqlite3';
import { SightlineError } from '../errors.js';

export interface Migration {
  /** 1, 2, 3, ... without gaps. */
  version: number;
  name: string;
  /** SQL, run as written. */
  up: string;
  /** SQL that undoes `up`; data in what `up` made is lost. */
  down: string;
}

export interface MigrationReport {
  from: number;
  to: number;
}

/**
 * Brings the database to `target` (default: the newest), upwards or downwards.
 * @throws STORE_OPEN_FAILED when the database was made by a newer Sightline or holds another migration under a known number.
 */
export function migrate(sqlite: Database, migrations: readonly Migration[], target: number = migrations.length): MigrationReport {
  migrations.forEach((migration, index) => {
    if (migration.version !== index + 1) throw new RangeError(`migration ${migration.name}: expected version ${index + 1}, found ${migration.version}`);
  });
  if (!Number.isInteger(target) || target < 0 || target > migrations.length) throw new RangeError(`expected a version from 0 to ${migrations.length}, received ${target}`);
  return sqlite.transaction(() => run(sqlite, migrations, target)).immediate();
}

function run(sqlite: Database, migrations: readonly Migration[], target: number): MigrationReport {
  sqlite.exec('CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL) STRICT');
  const applied = sqlite.prepare<[], { version: number; name: string }>('SELECT version, name FROM schema_migrations ORDER BY version').all();
  applied.forEach((row, index) => {
    const known = migrations[index];
    if (known === undefined) {
      throw new SightlineError('STORE_OPEN_FAILED', `the database is at version ${applied.length}, this Sightline knows ${migrations.length}: it was used by a newer one`);
    }
    if (row.version !== known.version || row.name !== known.name) {
      throw new SightlineError('STORE_OPEN_FAILED', `the database has migration ${row.version} "${row.name}" where ${known.version} "${known.name}" is expected`);
    }
  });
  const from = applied.length;
  const note = sqlite.prepare('INSERT INTO schema_migrations (version, name, applied_at) VALUES (?, ?, ?)');
  const forget = sqlite.prepare('DELETE FROM schema_migrations WHERE version = ?');
  for (const migration of migrations.slice(from, target)) {
    sqlite.exec(migration.up);
    note.run(migration.version, migration.name, new Date().toISOString());
  }
  for (const migration of migrations.slice(target, from).reverse()) {
    sqlite.exec(migration.down);
    forget.run(migration.version);
  }
  return { from, to: target };
}
