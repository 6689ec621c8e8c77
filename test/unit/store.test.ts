import { mkdtempSync, statSync, writeFileSync, chmodSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import t from 'tap';
import { migrate, type Migration } from '../../src/store/migrate.js';
import { MIGRATIONS } from '../../src/store/migrations/index.js';
import { openStore } from '../../src/store/store.js';

const log = { info: () => undefined };
const folder = (): string => mkdtempSync(join(tmpdir(), 'sightline-store-'));
const NOW = '2026-01-02T03:04:05.678Z';

/** Everything that the schema consists of, as text. */
function shape(sqlite: Sqlite.Database): string[] {
  return sqlite
    .prepare<[], { sql: string }>("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY name")
    .all()
    .map((row) => row.sql.replace(/\s+/g, ' '));
}

t.test('a new store has its tables, the promised settings and a file for its owner only', async (t) => {
  const file = join(folder(), 'deep', 'sightline.db');
  const store = await openStore({ file, log });
  await store.db.insertInto('cameras').values({ camera_id: 5, camera_name: 'Door', stream_url: 'rtsp://h/1', created_at: NOW, updated_at: NOW }).execute();
  const row = await store.db.selectFrom('cameras').selectAll().executeTakeFirstOrThrow();
  t.match(row, { camera_id: 5, priority: 5, enabled: 1, staff_id: null, transport: null, analysis_fps: null, location: null, outlet_id: null });
  for (const suffix of ['', '-wal', '-shm']) t.equal(statSync(file + suffix).mode & 0o777, 0o600, `mode of the file${suffix}`);
  await store.close();
  await store.close();
  const sqlite = new Sqlite(file);
  t.equal(sqlite.pragma('journal_mode', { simple: true }), 'wal');
  sqlite.close();
  const again = await openStore({ file, log });
  t.equal((await again.db.selectFrom('cameras').select('camera_id').execute()).length, 1, 'the row is there after closing and opening');
  await again.close();
});

t.test('commits are synced to the disk', async (t) => {
  const store = await openStore({ file: join(folder(), 'a.db'), log });
  t.teardown(() => store.close());
  const { sql } = await import('kysely');
  const { rows } = await sql<{ synchronous: number }>`PRAGMA synchronous`.execute(store.db);
  t.same(rows, [{ synchronous: 2 }]);
});

t.test('the database refuses what the registry does not allow', async (t) => {
  const store = await openStore({ file: join(folder(), 'a.db'), log });
  t.teardown(() => store.close());
  const good = { camera_id: 1, camera_name: 'x', stream_url: 'rtsp://h', created_at: NOW, updated_at: NOW };
  const bad: Record<string, unknown>[] = [{ priority: 0 }, { priority: 11 }, { camera_id: 0 }, { camera_id: 2 ** 31 }, { camera_name: '' }, { stream_url: '' }, { transport: 'http' }, { enabled: 2 }, { analysis_fps: 0 }, { priority: 'high' }];
  for (const fault of bad) {
    await t.rejects(
      store.db
        .insertInto('cameras')
        .values({ ...good, ...(fault as object) })
        .execute(),
      { code: /^SQLITE_CONSTRAINT/ },
      JSON.stringify(fault),
    );
  }
});

t.test('a file with a wider mode is narrowed', async (t) => {
  const file = join(folder(), 'a.db');
  writeFileSync(file, '');
  chmodSync(file, 0o644);
  const store = await openStore({ file, log });
  t.equal(statSync(file).mode & 0o777, 0o600);
  await store.close();
});

t.test('what cannot be opened says so with a code', async (t) => {
  const dir = folder();
  const text = join(dir, 'text.db');
  writeFileSync(text, 'this is not a database, however long it is, and it is left as it was'.repeat(20));
  await t.rejects(openStore({ file: text, log }), { code: 'STORE_OPEN_FAILED', message: /text\.db: .*not a database/ });
  t.ok(existsSync(text), 'and it is not removed');
  await t.rejects(openStore({ file: join(text, 'x.db'), log }), { code: 'STORE_OPEN_FAILED' }, 'folder is a file');
  const newer = join(dir, 'newer.db');
  await (await openStore({ file: newer, log })).close();
  const sqlite = new Sqlite(newer);
  sqlite.exec(`INSERT INTO schema_migrations VALUES (${MIGRATIONS.length + 1}, 'later', '')`);
  sqlite.close();
  await t.rejects(openStore({ file: newer, log }), { code: 'STORE_OPEN_FAILED', message: /newer/ });
});

t.test('each migration goes up, down and up again to the same schema', (t) => {
  const sqlite = new Sqlite(':memory:');
  const shapes: string[][] = [];
  for (let version = 0; version <= MIGRATIONS.length; version++) {
    migrate(sqlite, MIGRATIONS, version);
    shapes.push(shape(sqlite));
  }
  t.equal(new Set(shapes.map(String)).size, MIGRATIONS.length + 1, 'each one changes something');
  for (let version = MIGRATIONS.length - 1; version >= 0; version--) {
    t.same(migrate(sqlite, MIGRATIONS, version), { from: version + 1, to: version });
    t.same(shape(sqlite), shapes[version], `down to ${version}`);
  }
  t.same(migrate(sqlite, MIGRATIONS), { from: 0, to: MIGRATIONS.length });
  t.same(shape(sqlite), shapes.at(-1));
  t.same(migrate(sqlite, MIGRATIONS), { from: MIGRATIONS.length, to: MIGRATIONS.length }, 'nothing to do');
  t.end();
});

t.test('a migration that fails leaves the database as it was', (t) => {
  const sqlite = new Sqlite(':memory:');
  migrate(sqlite, MIGRATIONS);
  const before = shape(sqlite);
  const broken: Migration = { version: MIGRATIONS.length + 1, name: 'broken', up: 'CREATE TABLE half (x INTEGER); SELECT nonsense FROM nowhere;', down: '' };
  t.throws(() => migrate(sqlite, [...MIGRATIONS, broken]));
  t.same(shape(sqlite), before);
  t.throws(() => migrate(sqlite, [{ ...broken, version: 7 }]), /expected version 1/);
  t.throws(() => migrate(sqlite, MIGRATIONS, -1), RangeError);
  t.throws(() => migrate(sqlite, [{ ...(MIGRATIONS[0] as Migration), name: 'other' }, ...MIGRATIONS.slice(1)]), { code: 'STORE_OPEN_FAILED', message: /expected/ });
  t.end();
});
