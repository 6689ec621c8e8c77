/** The camera registry in a real MariaDB: shapes of tables, edits, outages, and what is written back. */
import { mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { openDatabase } from '../../src/cameras/database.js';
import { openEnvelope, phpJson, sealEnvelope } from '../../src/cameras/envelope.js';
import { knownRowsFile } from '../../src/cameras/known_rows.js';
import { LiveRegistry } from '../../src/cameras/live_registry.js';
import { createMysqlRegistry, type MysqlRegistry } from '../../src/cameras/mysql_registry.js';
import { openRegistry } from '../../src/cameras/open_registry.js';
import { createOverlays } from '../../src/cameras/overlays.js';
import { createCameras } from '../../src/cameras/supervisor.js';
import { loadConfig } from '../../src/config/load.js';
import type { Config } from '../../src/config/schema.js';
import { examineDatabase } from '../../src/service/peers.js';
import { openStore } from '../../src/store/store.js';
import { createVault, stateKey } from '../../src/store/vault.js';
import { mariadbMissing, startMariadb, type Mariadb } from '../fixtures/mariadb.js';

t.setTimeout(120_000);
const KEY = 'Sightline-test-master-key-32byte';
const SECRET = 'geheim-9271';
const quiet = { info: () => undefined };

interface Opened {
  registry: MysqlRegistry;
  logs: string[];
  state_dir: string;
  close(): Promise<void>;
}

async function open(db: Mariadb, change: { registry?: Partial<Config['registry']>; state_dir?: string; key?: boolean } = {}): Promise<Opened> {
  const state_dir = change.state_dir ?? mkdtempSync(join(tmpdir(), 'sightline-registry-'));
  const config = loadConfig({ env: { ...db.env, STATE_DIR: state_dir }, cwd: '/' });
  const store = await openStore({ file: join(state_dir, 'sightline.db'), log: quiet });
  const database = openDatabase(config.database, 1_500);
  const logs: string[] = [];
  const log = (fields: Record<string, unknown>, message: string): void => void logs.push(`${message} ${JSON.stringify(fields)}`);
  const registry = createMysqlRegistry({
    database, settings: { ...config.registry, poll_s: 0.2, ...change.registry }, key: change.key === false ? undefined : Buffer.from(KEY), known: knownRowsFile(state_dir, createVault(stateKey(state_dir))),
    overlays: createOverlays(store.db), log: { info: log, warn: log }, now: Date.now, random: () => 0.5,
  });
  return {
    registry, logs, state_dir,
    async close() {
      await database.close();
      await store.close();
    },
  };
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 30_000; !condition(); ) {
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const CONTRACT_TABLE = `CREATE TABLE camera_network (camera_id INT PRIMARY KEY, camera_name VARCHAR(100), location VARCHAR(200), outlet_id INT, stream_url_encrypted TEXT, priority INT DEFAULT 5,
  online TINYINT(1) DEFAULT 1, health_status VARCHAR(255), last_seen DATETIME, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)`;

t.test('with a database', { skip: mariadbMissing() }, async (t) => {
  const db = await startMariadb();
  t.teardown(() => db.close());
  const sealed = (path: string, aad: unknown): string => sealEnvelope(`rtsp://u:${SECRET}@10.0.0.7/${path}`, Buffer.from(KEY), phpJson(aad), 0);

  await t.test('the contract’s table: read, edited, followed, written back', async (t) => {
    await db.query(CONTRACT_TABLE);
    for (const [id, text, priority, online] of [[5, sealed('5', { outlet_id: '3' }), 8, 1], [6, 'rtsp://10.0.0.8/6', 2, 1], [7, sealed('7', { camera_id: 7 }), 9, 0]]) {
      await db.query('INSERT INTO camera_network (camera_id, camera_name, location, outlet_id, stream_url_encrypted, priority, online) VALUES (?, ?, ?, 3, ?, ?, ?)', [id, `Cam ${id}`, 'Hall', text, priority, online]);
    }
    const opened = await open(db);
    const { registry, logs, state_dir } = opened;
    t.match(await registry.list(), [{ camera_id: 5, url: `rtsp://u:${SECRET}@10.0.0.7/5`, priority: 8, location: 'Hall', outlet_id: 3 }, { camera_id: 6, url: 'rtsp://10.0.0.8/6' }], 'those that are online, decrypted');
    t.match(registry.state(), { source: 'mysql', state: 'ok', cameras: 2, problems: [], error: null });

    let changes = 0;
    const unwatch = registry.watch(() => { changes += 1; });
    await db.query('UPDATE camera_network SET online = 1 WHERE camera_id = 7');
    await until('the change is seen', () => changes === 1);
    t.equal((await registry.list()).length, 3);

    const added = await registry.add({ camera_id: 9, camera_name: 'New', url: `rtsp://u:${SECRET}@10.0.0.9/n`, priority: 7, staff_id: 42, transport: 'udp', analysis_fps: 2 });
    t.match(added, { camera_id: 9, url: `rtsp://u:${SECRET}@10.0.0.9/n`, priority: 7, staff_id: 42, transport: 'udp', analysis_fps: 2 });
    const [row] = await db.query<{ stream_url_encrypted: string; online: number }>('SELECT * FROM camera_network WHERE camera_id = 9');
    t.equal(row?.online, 1);
    t.equal(openEnvelope(row?.stream_url_encrypted ?? '', Buffer.from(KEY), ['{"camera_id":9}']), `rtsp://u:${SECRET}@10.0.0.9/n`, 'as the PHP page opens it');
    await t.rejects(registry.add({ camera_id: 9, camera_name: 'x', url: 'rtsp://h/' }), { code: 'CAMERA_EXISTS' });
    t.match(await registry.update(9, { camera_name: 'Newer', enabled: false, staff_id: null }), { camera_name: 'Newer', enabled: false, staff_id: null, url: `rtsp://u:${SECRET}@10.0.0.9/n` });
    await t.rejects(registry.update(10, { camera_name: 'x' }), { code: 'CAMERA_NOT_FOUND' });
    await t.rejects(registry.update(9, { priority: 11 }), { code: 'CAMERA_INVALID' });
    await registry.remove(9);
    await t.rejects(registry.remove(9), { code: 'CAMERA_NOT_FOUND' });

    await registry.writeHealth([{ camera_id: 5, state: 'streaming', reason: '', fresh: true }, { camera_id: 6, state: 'backing_off', reason: 'CAPTURE_REFUSED', fresh: false }]);
    t.match(await db.query('SELECT camera_id, online, health_status, last_seen IS NULL AS never FROM camera_network ORDER BY camera_id'), [
      { camera_id: 5, online: 1, health_status: 'healthy', never: 0 }, { camera_id: 6, online: 1, health_status: 'unreachable (CAPTURE_REFUSED)', never: 1 }, { camera_id: 7, health_status: null },
    ], 'online stays as it was');
    await db.query(`INSERT INTO camera_network (camera_id, camera_name, stream_url_encrypted, priority) VALUES (-1, 'no id', '', 10)`);
    t.same(await registry.encryptPlain(false), [{ camera_id: 6, from: 'stream_url_encrypted' }], 'a row that is no camera does not shift the others');
    await db.query('DELETE FROM camera_network WHERE camera_id = -1');
    await registry.encryptPlain(true);
    t.same(await registry.encryptPlain(false), []);
    t.match((await db.query<{ stream_url_encrypted: string }>('SELECT stream_url_encrypted FROM camera_network WHERE camera_id = 6'))[0]?.stream_url_encrypted, /^\{"encrypted_data"/);
    unwatch();
    await opened.close();
    t.notMatch(logs.join('\n'), SECRET);
    for (const file of readdirSync(state_dir)) t.notMatch(readFileSync(join(state_dir, file), 'latin1'), SECRET, `${file} holds no credentials`);
  });

  await t.test('write_online, words of an ENUM, and a table of the older schema', async (t) => {
    await db.query(`CREATE TABLE older (camera_id INT AUTO_INCREMENT PRIMARY KEY, camera_name VARCHAR(100), camera_location VARCHAR(200), outlet_id INT NOT NULL, stream_url VARCHAR(500), priority ENUM('low','medium','high','critical') DEFAULT 'medium',
      cv_enabled BOOL DEFAULT 1, analysis_fps INT DEFAULT 5, online BOOL DEFAULT 1, last_frame_at DATETIME, health_check_status ENUM('healthy','degraded','offline','error') DEFAULT 'offline')`);
    await db.query(`INSERT INTO older (camera_name, camera_location, outlet_id, stream_url, priority, cv_enabled) VALUES ('A', 'Shop', 1, 'rtsp://h/a', 'critical', 0)`);
    const older = await open(db, { registry: { table: 'older', write_online: true }, key: false });
    const { registry } = older;
    t.match(await registry.list(), [{ camera_id: 1, location: 'Shop', priority: 10, enabled: false, analysis_fps: 5 }]);
    await registry.writeHealth([{ camera_id: 1, state: 'failed', reason: 'CAPTURE_AUTH', fresh: false }]);
    t.match(await db.query('SELECT online, health_check_status AS health FROM older'), [{ online: 0, health: 'error' }]);
    t.match(await registry.add({ camera_id: 2, camera_name: 'B', url: 'rtsp://h/b', priority: 8, outlet_id: 4 }), { priority: 8, outlet_id: 4 });
    await t.rejects(registry.add({ camera_id: 3, camera_name: 'C', url: 'rtsp://h/c' }), { code: 'CAMERA_INVALID', message: /refuses it \(ER_/ }, 'outlet_id is needed there');
    await t.rejects(registry.encryptPlain(true), { code: 'REGISTRY_SHAPE' });
    await older.close();
    const missing = await open(db, { registry: { table: 'nowhere' } });
    t.same(await missing.registry.list(), []);
    t.match(missing.registry.state(), { state: 'down', error: { code: 'REGISTRY_SHAPE', message: /found no "nowhere"/ } });
    await missing.close();
  });

  await t.test('doctor reads the table as the daemon would, and says how to mend what is wrong', async (t) => {
    const look = (env: Record<string, string>, table = 'camera_network') => {
      const config = loadConfig({ env: { ...db.env, FRAUD_ENCRYPTION_KEY: KEY, ...env }, cwd: '/' });
      return examineDatabase({ ...config, registry: { ...config.registry, table } });
    };
    t.match(await look({}), { state: 'ok', found: 'camera_network has 3 cameras that are online', mend: '' });
    t.match(await look({ FRAUD_ENCRYPTION_KEY: KEY.replace('S', 's') }), { state: 'warning', found: /rows with problems: 3: camera 7: url: expected a text that the key opens/, mend: /FRAUD_ENCRYPTION_KEY/ });
    t.match(await look({ DB_PASS: 'wrong' }), { state: 'failed', found: /refused database.user or database.password/, mend: /DB_USER, DB_PASSWORD/ });
    t.match(await look({ DB_NAME: 'nowhere' }), { state: 'failed', mend: /DB_/ });
    t.match(await look({}, 'nowhere'), { state: 'failed', mend: /registry\.table/ });
    t.match(await look({ DB_PORT: '1' }), { state: 'failed', found: /ECONNREFUSED/, mend: /start the database/ });
  });

  await t.test('other settings while it runs: streams of cameras that stay are not touched', async (t) => {
    const state_dir = mkdtempSync(join(tmpdir(), 'sightline-registry-'));
    const store = await openStore({ file: join(state_dir, 'sightline.db'), log: quiet });
    t.teardown(() => store.close());
    const settings = (env: Record<string, string>, table = 'followed'): Config => {
      const config = loadConfig({ env: { STATE_DIR: state_dir, ...env }, cwd: '/' });
      return { ...config, registry: { ...config.registry, table, poll_s: 0.2 } };
    };
    for (const table of ['followed', 'followed_2']) await db.query(CONTRACT_TABLE.replace('camera_network', table));
    await db.query(`INSERT INTO followed (camera_id, camera_name, stream_url_encrypted) VALUES (1, 'One', 'rtsp://h/1'), (2, 'Two', 'rtsp://h/two'), (4, 'Four', 'rtsp://h/4')`);
    await db.query(`INSERT INTO followed_2 (camera_id, camera_name, stream_url_encrypted) VALUES (1, 'One renamed', 'rtsp://h/1')`);

    const live = new LiveRegistry((config) => openRegistry(config, store.db, { info: () => undefined, warn: () => undefined }), settings({}));
    for (const camera_id of [1, 2, 3]) await live.add({ camera_id, camera_name: `Own ${camera_id}`, url: `rtsp://h/${camera_id}` });
    const calls: string[] = [];
    let handle = 0;
    const labels = new Map<number, string>();
    const cameras = createCameras({
      addon: {
        addCamera({ label }) {
          calls.push(`+${label}`);
          handle += 1;
          labels.set(handle, label);
          return handle;
        },
        async removeCamera(gone) { calls.push(`-${labels.get(gone)}`); },
        cameraStats: () => [], onState: () => undefined, monotonicUs: () => 0, setAnalysisRate: () => true, snapshot: async () => null,
      },
      registry: live, settings: { max_concurrent: 10, priority_threshold: 1, fps: 5, capture: settings({}).capture, hw_device: '' },
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    });
    await cameras.start();
    t.equal(calls.length, 3);
    const reload = async (config: Config): Promise<string[]> => {
      calls.length = 0;
      await live.configure(config);
      await cameras.configure({});
      return calls.toSorted();
    };
    t.same(await reload(settings({ ...db.env, DB_PASS: 'wrong' })), [], 'a database that refuses us takes no stream away');
    t.match(live.state(), { source: 'mysql', state: 'down', from_cache: true, cameras: 3, error: { message: /refused database.user or database.password/ } });
    const [one, two] = labels.values() as unknown as [string, string];
    t.match(await reload(settings(db.env)), [`+${two}`, /^\+/, `-${two}`, /^-/], 'camera 2 has another URL, 3 is gone, 4 is new');
    t.notOk(calls.some((call) => call.endsWith(one)), 'camera 1 streams on');
    t.same(cameras.statuses().map(({ camera_id }) => camera_id), [1, 2, 4]);
    t.equal((await reload(settings(db.env, 'followed_2'))).filter((call) => call.startsWith('+')).length, 0);
    t.match(cameras.statuses(), [{ camera_id: 1, camera_name: 'One renamed' }]);
    t.notOk(calls.some((call) => call.endsWith(one)), 'nor for another name');
    await db.query(`INSERT INTO followed_2 (camera_id, camera_name, stream_url_encrypted) VALUES (7, 'Seven', 'rtsp://h/7')`);
    await until('the new table is followed', () => cameras.statuses().length === 2);
    await cameras.stop();
    await live.close();
  });

  await t.test('away, frozen, and back: the cameras stay', async (t) => {
    const first = await open(db);
    const { registry } = first;
    t.equal((await registry.list()).length, 3);
    let changes = 0;
    const unwatch = registry.watch(() => { changes += 1; });
    await db.signal('SIGSTOP');
    await until('it is noticed that it hangs', () => registry.state().state === 'down');
    t.match(registry.state(), { error: { code: 'REGISTRY_UNAVAILABLE', message: /no answer within 1500 ms/ }, cameras: 3 });
    await db.signal('SIGCONT');
    await until('it answers', () => registry.state().state === 'ok');
    await db.signal('SIGKILL');
    await until('it is gone', () => registry.state().state === 'down');
    t.equal((await registry.list()).length, 3);
    await t.rejects(registry.add({ camera_id: 30, camera_name: 'x', url: 'rtsp://h/' }), { code: 'REGISTRY_UNAVAILABLE' });

    const second = await open(db, { state_dir: first.state_dir });
    t.equal((await second.registry.list()).length, 3, 'known from the last run');
    t.match(second.registry.state(), { state: 'down', from_cache: true });
    await second.close();
    const stranger = await open(db);
    t.same(await stranger.registry.list(), [], 'nothing is known without a last run');
    await stranger.close();

    await db.start();
    await until('it is back', () => registry.state().state === 'ok');
    t.equal(changes, 0, 'nothing had changed');
    unwatch();
    await first.close();
    t.ok(first.logs.length < 12, 'an outage is said, not repeated at each look');
    t.notMatch(first.logs.join('\n'), new RegExp(`${SECRET}|${db.password}`));
  });
});
