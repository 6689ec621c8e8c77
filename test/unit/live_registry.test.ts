/** The registry over changes of its settings: who watches goes on, and what streams stays until the new one has been read. */
import { mock } from 'node:test';
import t from 'tap';
import { LiveRegistry } from '../../src/cameras/live_registry.js';
import { startHealthWriter } from '../../src/cameras/health_writer.js';
import type { CameraHealth } from '../../src/cameras/mysql_registry.js';
import type { CameraTable, OpenRegistry } from '../../src/cameras/open_registry.js';
import type { RegistryState } from '../../src/cameras/registry.js';
import type { CameraRecord, CameraStatus } from '../../src/cameras/types.js';
import { changesBetween } from '../../src/config/changes.js';
import { loadConfig } from '../../src/config/load.js';
import type { Config } from '../../src/config/schema.js';

const load = (env: Record<string, string> = {}): Config => loadConfig({ env, cwd: '/' });
const camera = (camera_id: number): CameraRecord => ({
  camera_id, camera_name: `Camera ${camera_id}`, url: `rtsp://h/${camera_id}`, transport: null, priority: 5, location: null, outlet_id: null, staff_id: null, analysis_fps: null, enabled: true, created_at: '', updated_at: '',
});

/** Stands in for a database: `up` says whether it answers. */
class FakeRegistry implements OpenRegistry {
  up = true;
  closed = false;
  read = false;
  readonly watchers = new Set<() => void>();
  readonly edits: string[] = [];
  readonly table: CameraTable | undefined;

  constructor(public cameras: CameraRecord[], table?: CameraTable) {
    this.table = table;
  }

  readonly registry: OpenRegistry['registry'] = {
    list: async () => {
      if (this.up) this.read = true;
      return this.read ? this.cameras : [];
    },
    state: (): RegistryState => ({ source: 'mysql', state: this.up ? 'ok' : 'down', since: '', last_read_at: this.read ? 'now' : null, error: null, from_cache: false, cameras: this.read ? this.cameras.length : 0, problems: [] }),
    get: async () => undefined,
    add: async (one) => {
      this.edits.push(`add ${one.camera_id}`);
      return camera(one.camera_id);
    },
    update: async (id) => {
      this.edits.push(`update ${id}`);
      return camera(id);
    },
    remove: async (id) => { this.edits.push(`remove ${id}`); },
    watch: (onChange) => {
      this.watchers.add(onChange);
      return () => void this.watchers.delete(onChange);
    },
  };

  close = async (): Promise<void> => { this.closed = true; };
}

const ids = (cameras: readonly CameraRecord[]): number[] => cameras.map(({ camera_id }) => camera_id);

t.test('it goes over to the new settings: cameras, edits and those who watch', async (t) => {
  const opened = [new FakeRegistry([camera(1), camera(2)]), new FakeRegistry([camera(2), camera(3)])];
  let next = 0;
  const live = new LiveRegistry(() => opened[next++] as FakeRegistry, load());
  let changes = 0;
  const stop = live.watch(() => { changes += 1; });
  t.same(ids(await live.list()), [1, 2]);
  const [first, second] = opened as [FakeRegistry, FakeRegistry];
  await live.configure(load());
  t.ok(first.closed);
  t.equal(first.watchers.size, 0, 'nobody watches the old one');
  t.same(ids(await live.list()), [2, 3]);
  t.match(live.state(), { cameras: 2, from_cache: false });
  t.match(await live.get(3), { camera_id: 3 });
  for (const notify of second.watchers) notify();
  t.equal(changes, 1, 'who watched the old one hears of the new one');
  await live.add({ camera_id: 9, camera_name: 'x', url: 'rtsp://h/9' });
  await live.update(9, { priority: 1 });
  await live.remove(9);
  t.same([first.edits, second.edits], [[], ['add 9', 'update 9', 'remove 9']]);
  stop();
  t.equal(second.watchers.size, 0);
  await live.close();
  t.ok(second.closed);
});

t.test('a new one that does not answer takes no camera away; once it answers, its cameras are those', async (t) => {
  const opened = [new FakeRegistry([camera(1), camera(2)]), new FakeRegistry([camera(2)]), new FakeRegistry([camera(5)])];
  let next = 0;
  const live = new LiveRegistry(() => opened[next++] as FakeRegistry, load());
  await live.list();
  const [, away, third] = opened as [FakeRegistry, FakeRegistry, FakeRegistry];
  away.up = false;
  third.up = false;
  await live.configure(load());
  t.same(ids(await live.list()), [1, 2]);
  t.match(live.state(), { state: 'down', from_cache: true, cameras: 2 }, 'and it is said');
  t.match(await live.get(1), { camera_id: 1 });
  away.up = true;
  t.same(ids(await live.list()), [2]);
  t.match(live.state(), { state: 'ok', from_cache: false, cameras: 1 });
  await live.configure(load());
  t.same(ids(await live.list()), [2], 'now these are the ones before');
  third.cameras = [];
  third.up = true;
  t.same(await live.list(), [], 'read, and there is none');
});

t.test('a reading that was under way while the settings changed does not count', async (t) => {
  const opened = [new FakeRegistry([camera(1)]), new FakeRegistry([camera(2)])];
  let next = 0;
  const live = new LiveRegistry(() => opened[next++] as FakeRegistry, load());
  const under_way = live.list();
  await live.configure(load());
  t.same(ids(await under_way), [2]);
});

t.test('states are written into the table in force, from the beginning into another one', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.teardown(() => { mock.timers.reset(); });
  const written: [string, number[]][] = [];
  const tableOf = (name: string, write_status = true): CameraTable => ({
    settings: { write_status, status_interval_s: 300 },
    writeHealth: async (cameras: readonly CameraHealth[]) => void written.push([name, cameras.map(({ camera_id }) => camera_id)]),
    encryptPlain: async () => [],
  });
  let table: CameraTable | undefined = tableOf('a');
  const status = { camera_id: 1, state: 'streaming', reason: '', frame_age_ms: 5 } as unknown as CameraStatus;
  const stop = startHealthWriter({ table: () => table, statuses: () => [status], log: { info: () => undefined, warn: () => undefined }, now: () => performance.now() });
  t.teardown(stop);
  const look = async (): Promise<void> => {
    mock.timers.tick(2_000);
    for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  await look();
  await look();
  table = undefined;
  await look();
  table = tableOf('b', false);
  await look();
  table = tableOf('c');
  await look();
  t.same(written, [['a', [1]], ['c', [1]]]);
});

t.test('which of its keys wait for a restart: those of a database that the calibration tables share', async (t) => {
  const db = { DB_HOST: 'one', DB_USER: 'u', DB_PASSWORD: 'p', DB_NAME: 'n' };
  const started = load(db);
  const other = load({ ...db, DB_HOST: 'two' });
  t.same(changesBetween(started, other), { applied: ['database.host'], needs_restart: ['database.host'] }, 'the cameras follow at once, the calibrations do not');
  t.same(changesBetween(other, other, started), { applied: [], needs_restart: ['database.host'] }, 'and it is named until then');
  t.same(changesBetween(other, started, started), { applied: ['database.host'], needs_restart: [] }, 'set back');
  const own = { ...db, CALIBRATION_DB_HOST: 'three' };
  t.same(changesBetween(load(own), load({ ...own, DB_HOST: 'two' })), { applied: ['database.host'], needs_restart: [] });
  const off = (config: Config): Config => ({ ...config, calibration: { ...config.calibration, enabled: false } });
  t.same(changesBetween(off(started), off(other)), { applied: ['database.host'], needs_restart: [] });
  const registry = { ...started, registry: { ...started.registry, table: 'cams', poll_s: 1, columns: { camera_id: 'nr' } }, cameras: { ...started.cameras, load_from_database: false, registry_poll_s: 1 } };
  t.same(changesBetween(started, registry), { applied: ['cameras.load_from_database', 'cameras.registry_poll_s', 'registry.table', 'registry.columns.camera_id', 'registry.poll_s'], needs_restart: [] });
});
