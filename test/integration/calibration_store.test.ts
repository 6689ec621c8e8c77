/** The calibration tables: the same suite on SQLite and on a MariaDB that the test starts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql, type KyselyPlugin } from 'kysely';
import t, { type Test } from 'tap';
import { FrameJournal } from '../../src/calibration/service/frame_journal.js';
import { createRecords, PLACE } from '../../src/calibration/service/records.js';
import { reseal } from '../../src/calibration/service/reseal.js';
import type { FrameRecord } from '../../src/calibration/service/types.js';
import { Vault } from '../../src/calibration/service/vault.js';
import { CALIBRATION_MIGRATIONS } from '../../src/store/calibration/migrations.js';
import { migrateCalibrationStore, openCalibrationStore, type CalibrationStore, type CalibrationStoreOptions } from '../../src/store/calibration/store.js';
import { begin, calibrate, framesOf, openWorld, PLACES } from '../fixtures/calibration_world.js';
import { mariadbMissing, startMariadb, type Mariadb } from '../fixtures/mariadb.js';

t.setTimeout(180_000);

const quiet = { error: () => undefined, warn: () => undefined, info: () => undefined };
const NEWEST = CALIBRATION_MIGRATIONS.length;
let maria: Mariadb | undefined;
const folder = mkdtempSync(join(tmpdir(), 'sightline-calstore-'));
t.teardown(async () => {
  await maria?.close();
  rmSync(folder, { recursive: true, force: true });
});

const sqlite: CalibrationStoreOptions = { kind: 'sqlite', file: join(folder, 'calibration.db') };
t.test('on SQLite', (t) => suite(t, async () => sqlite));
t.test('on MariaDB', { skip: mariadbMissing() }, async (t) => {
  maria = await startMariadb();
  const { host, port, user, password, name } = maria;
  const options: CalibrationStoreOptions = { kind: 'mysql', host, port, user, password, database: name, pool_size: 10 };
  await schemaTest(t, maria, options);
  await suite(t, async () => options);
  await outageTest(t, maria, options);
});

async function suite(t: Test, options: () => Promise<CalibrationStoreOptions>): Promise<void> {
  const where = await options();
  await t.test('migrations go up, down and up again', async (t) => {
    await migrateCalibrationStore(where, 0);
    t.same(await migrateCalibrationStore(where), { from: 0, to: NEWEST });
    t.same(await migrateCalibrationStore(where), { from: NEWEST, to: NEWEST }, 'again: nothing to do');
    t.same(await migrateCalibrationStore(where, 1), { from: NEWEST, to: 1 });
    t.same(await migrateCalibrationStore(where, 0), { from: 1, to: 0 });
    t.same(await Promise.all([migrateCalibrationStore(where), migrateCalibrationStore(where)]).then((all) => all.map(({ from }) => from).sort()), [0, NEWEST], 'of two at once one waits and finds it done');
    await t.rejects(migrateCalibrationStore(where, 99), { code: 'REQUEST_INVALID' });
  });
  await t.test('a calibration through the API', async (t) => {
    const world = await openWorld({ store: where });
    const { session_id, completed } = await calibrate(world, 'Bob');
    t.equal(completed.status, 200, JSON.stringify(completed.body));
    t.equal((await calibrate(world, 'bob')).completed.status, 200, 'another person, whose id differs in case');
    t.match((await world.call('POST', `/api/calibration/validate/${session_id}`)).body, { valid: true });
    const files = (await world.call('GET', '/api/calibration/download/Bob')).body;
    t.match(String(files['Bob_calibration.csv']), /,Bob\n$/);
    t.match((await world.call('GET', '/api/calibration/download/Bob')).raw.toString(), /"screen_width_mm": 597\.0,/, 'numbers keep their form');
    t.match((await world.call('GET', '/api/calibration/verify/Bob')).body, { exists: true, created_at: /^\d{4}-.*Z$/ });
    const age_ms = Date.now() - Date.parse(String((await world.call('GET', '/api/calibration/verify/Bob')).body.created_at));
    t.ok(age_ms > -2_000 && age_ms < 120_000, `in UTC: ${age_ms} ms old`);
    t.match((await world.call('DELETE', '/api/calibration/bob')).body, { deleted: { frames: 120, sessions: 1 } });
    t.equal((await world.call('GET', '/api/calibration/verify/Bob')).status, 200, 'only the one that was meant');
    t.ok((await world.call('GET', '/api/calibration/admin/audit?limit=1000')).body.entries.length > 10);
    await world.close();
  });
  await t.test('what is sealed, renamed, exported, kept and deleted', async (t) => {
    const world = await openWorld({ store: where, env: { CALIBRATION_ENCRYPTION_KEYS: `k=${Buffer.alloc(32, 7).toString('base64')}` } });
    const { session_id } = await calibrate(world, 'sealed one');
    t.match((await world.call('GET', '/api/calibration/download/sealed%20one')).body, { 'sealed one_calibration.csv': /^Unnamed: 0/ });
    t.match((await world.call('POST', `/api/calibration/validate/${session_id}`)).body, { valid: true });
    const { anonymised_as } = (await world.call('POST', '/api/calibration/anonymise/sealed%20one')).body;
    t.match((await world.call('GET', `/api/calibration/export/${String(anonymised_as)}`)).body, { sessions: [{ frames: { length: 120 } }] });
    await (await world.service.governance()).reseal();
    await world.close();
    const store = await openCalibrationStore(where);
    const raw = await store.db.selectFrom('calibration_data').select('calibration_csv').where('candidate_id', '=', String(anonymised_as)).executeTakeFirstOrThrow();
    t.match(raw.calibration_csv, /^sealed:v1:k:/);
    await store.close();
  });
  await t.test('a session with more frames than the main thread takes', async (t) => {
    const world = await openWorld({ store: where });
    const session_id = await begin(world, 'many frames');
    for (let target = 0; target < 4; target++) {
      for (let first = 0; first < 120; first += 60) {
        await world.call('POST', '/api/calibration/frames/batch', { session_id, candidate_id: 'many frames', frames: framesOf(target, 60, first).map((frame, n) => ({ ...frame, frame_index: target * 120 + first + n })) });
      }
    }
    t.match((await world.call('POST', '/api/calibration/complete', { session_id, candidate_id: 'many frames' })), { status: 200, body: { calibration_stats: { total_frames: 480 } } });
    t.match((await world.call('POST', `/api/calibration/validate/${session_id}`)).body, { valid: true });
    t.match((await world.call('GET', '/api/calibration/download/many%20frames')).body, { 'many frames_calibration.csv': /\n479,[^\n]*,many frames\n$/ });
    const { anonymised_as } = (await world.call('POST', '/api/calibration/anonymise/many%20frames')).body;
    t.match((await world.call('DELETE', `/api/calibration/${String(anonymised_as)}`)).body, { deleted: { frames: 480, sessions: 1, calibrations: 1 } });
    t.ok(world.service.status().work.thread >= 6);
    await world.close();
  });
  await t.test('sealing anew never brings back what was replaced meanwhile', (t) => resealTest(t, where));
  await t.test('frames: none lost, none doubled, whoever sends them', (t) => journalTest(t, where));
}

/** Each table's rows change once, between the job's read and its write. */
async function resealTest(t: Test, where: CalibrationStoreOptions): Promise<void> {
  await migrateCalibrationStore(where, 0);
  const store = await openCalibrationStore(where);
  const other = await openCalibrationStore(where);
  const [older, both] = [new Map([['one', Buffer.alloc(32, 1)]]), new Map([['two', Buffer.alloc(32, 2)], ['one', Buffer.alloc(32, 1)]])];
  const records = createRecords(store, new Vault(older));
  const writer = createRecords(other, new Vault(older)); // a daemon that does not have the new key yet
  const [candidate_id, session_id] = ['rotated', '00000000-0000-4000-8000-0000000000aa'];
  const screen = (monitor_name: string) => JSON.stringify({ candidate_id, monitor_name });
  const frame = (n: number) => JSON.stringify({ frame_index: 0, n });
  const place = PLACE.frame(session_id, 0);
  await records.saveScreen(candidate_id, screen('old'));
  await records.saveFiles(candidate_id, 'old', Buffer.from('old'));
  await records.addSession({ session_id, candidate_id, interview_id: null, now_ms: 1, metadata: null, timezone: null, clock_offset_ms: null });
  await store.db.insertInto('calibration_frames').values({ session_id, frame_index: 0, frame_data: new Vault(older).sealJson(frame(1), place) }).execute();
  const changes: Record<string, () => Promise<unknown>> = {
    screen_info: () => writer.saveScreen(candidate_id, screen('new')),
    calibration_data: () => writer.saveFiles(candidate_id, 'new', Buffer.from('new')),
    calibration_frames: () => other.db.updateTable('calibration_frames').set({ frame_data: new Vault(older).sealJson(frame(2), place) }).where('session_id', '=', session_id).execute(),
  };
  const reads = new WeakMap<object, string>();
  const between: KyselyPlugin = {
    transformQuery({ node, queryId }) {
      const table = node.kind === 'SelectQueryNode' ? JSON.stringify(node.from).match(/screen_info|calibration_data|calibration_frames/)?.[0] : undefined;
      if (table !== undefined) reads.set(queryId, table);
      return node;
    },
    async transformResult({ result, queryId }) {
      const table = reads.get(queryId) ?? '';
      const change = result.rows.length > 0 ? changes[table] : undefined;
      if (change !== undefined) {
        delete changes[table];
        await change();
      }
      return result;
    },
  };
  const done = await reseal({ db: store.db.withPlugin(between), dialect: store.dialect }, new Vault(both));
  t.same(changes, {}, 'each was changed in between');
  t.ok(done.resealed >= 3, `${done.resealed} were sealed anew: those that changed at the next pass`);
  const newest = createRecords(store, new Vault(new Map([['two', Buffer.alloc(32, 2)]])));
  t.match(await newest.screen(candidate_id), /"new"/);
  t.match(await newest.files(candidate_id), { csv: 'new', npz: Buffer.from('new') });
  t.match(await newest.frames(session_id), [{ n: 2 }]);
  await store.close();
  await other.close();
}

/** Two writers (two daemons on one database, or a client that repeats itself), the same and other frames, all at once. */
async function journalTest(t: Test, where: CalibrationStoreOptions): Promise<void> {
  const stores: CalibrationStore[] = [await openCalibrationStore(where), await openCalibrationStore(where)];
  const vault = new Vault(new Map());
  const journals = stores.map((store) => new FrameJournal({ store, vault, log: quiet, frames_per_session: 150, now_ms: Date.now }));
  const records = createRecords(stores[0] as CalibrationStore, vault);
  const sessions = Array.from({ length: 8 }, (_, index) => `00000000-0000-4000-8000-00000000000${index}`);
  for (const session_id of sessions) await records.addSession({ session_id, candidate_id: `j-${session_id}`, interview_id: null, now_ms: 1, metadata: null, timezone: null, clock_offset_ms: null });
  const frame = (frame_index: number) => ({ frame_index, target_index: 0, target_position: PLACES[0] }) as unknown as FrameRecord;
  const work = sessions.flatMap((session_id) => Array.from({ length: 20 }, (_, batch) => journals.map((journal) => journal.add(session_id, Array.from({ length: 5 }, (_x, n) => frame(batch * 5 + n))))).flat());
  const stored = await Promise.all(work);
  t.ok(stored.every(({ outcome }) => outcome === 'stored'));
  for (const session_id of sessions) {
    const rows = await records.frames(session_id);
    t.same(rows.map(({ frame_index }) => frame_index), Array.from({ length: 100 }, (_, index) => index), session_id);
  }
  const [first = ''] = sessions;
  t.match(await journals[0]?.add(first, Array.from({ length: 60 }, (_, n) => frame(1_000 + n))), { outcome: 'full' });
  t.equal(await records.frameCount(first), 100, 'a batch that does not fit is left out as a whole');
  await records.setStatus(first, 'completed', { updated_ms: 2 });
  t.match(await journals[1]?.add(first, [frame(500)]), { outcome: 'completed' });
  t.match(await journals[1]?.add('00000000-0000-4000-8000-0000000000ff', [frame(500)]), { outcome: 'gone' });
  await t.rejects(records.transaction(async (trx) => {
    await records.saveFiles('rolled back', 'csv', Buffer.from('npz'), trx);
    throw new Error('in the middle');
  }), /in the middle/);
  t.match(await records.presence('rolled back'), { has_calibration_data: false }, 'all of it or nothing');
  await records.saveFiles('upsert', 'one', Buffer.from('1'));
  await records.saveFiles('upsert', 'two', Buffer.from('2'));
  t.same((await stores[0]?.db.selectFrom('calibration_data').selectAll().where('candidate_id', '=', 'upsert').execute())?.map((row) => row.calibration_csv), ['two']);
  for (const journal of journals) await journal.close();
  await t.rejects((journals[0] as FrameJournal).add(first, [frame(1)]), { code: 'CALIBRATION_STORE_FAILED' });
  for (const store of stores) await store.close();
}

/** The platform's tables exactly as its plan writes them. */
async function schemaTest(t: Test, server: Mariadb, where: CalibrationStoreOptions): Promise<void> {
  await t.test('the platform\'s columns, types and indexes', async (t) => {
    await migrateCalibrationStore(where);
    const columns = await server.query<{ t: string; c: string; y: string; n: string; k: string }>(
      "SELECT table_name t, column_name c, column_type y, is_nullable n, column_key k FROM information_schema.columns WHERE table_schema = 'fraud_detection' AND table_name IN ('calibration_sessions', 'screen_info', 'calibration_data', 'calibration_frames') ORDER BY table_name, ordinal_position",
    );
    t.same(columns.map((row) => `${row.t}.${row.c} ${row.y.replace('(11)', '')} ${row.n} ${row.k}`.trimEnd()), [
      'calibration_data.id int NO PRI', 'calibration_data.candidate_id varchar(255) NO UNI', 'calibration_data.calibration_csv longtext NO', 'calibration_data.transform_matrix_data longblob NO', 'calibration_data.created_at timestamp YES',
      'calibration_frames.id int NO PRI', 'calibration_frames.session_id varchar(36) NO MUL', 'calibration_frames.frame_index int NO', 'calibration_frames.frame_data longtext NO', 'calibration_frames.created_at timestamp YES',
      'calibration_sessions.id varchar(36) NO PRI', 'calibration_sessions.candidate_id varchar(255) NO MUL', 'calibration_sessions.created_at timestamp YES', 'calibration_sessions.updated_at timestamp YES',
      "calibration_sessions.status enum('in_progress','completed','failed') YES MUL", 'calibration_sessions.interview_id varchar(255) YES',
      'screen_info.id int NO PRI', 'screen_info.candidate_id varchar(255) NO UNI', 'screen_info.screen_data longtext NO', 'screen_info.created_at timestamp YES',
    ]);
    const indexes = await server.query<{ i: string }>(
      "SELECT DISTINCT CONCAT(table_name, '.', index_name) i FROM information_schema.statistics WHERE table_schema = 'fraud_detection' AND table_name IN ('calibration_sessions', 'screen_info', 'calibration_data', 'calibration_frames') ORDER BY i",
    );
    t.same(indexes.map(({ i }) => i), [
      'calibration_data.idx_candidate_id', 'calibration_data.PRIMARY', 'calibration_data.unique_candidate', 'calibration_frames.idx_session_id', 'calibration_frames.PRIMARY', 'calibration_sessions.idx_candidate_id',
      'calibration_sessions.idx_status', 'calibration_sessions.PRIMARY', 'screen_info.candidate_id', 'screen_info.idx_candidate_id', 'screen_info.PRIMARY',
    ]);
  });
}

/** A database that goes away takes nothing with it but the answer. */
async function outageTest(t: Test, server: Mariadb, where: CalibrationStoreOptions): Promise<void> {
  await t.test('the database goes away in the middle and comes back', async (t) => {
    const world = await openWorld({ store: where });
    const candidate_id = 'outage';
    const session_id = await begin(world, candidate_id);
    const send = (first: number) => world.call('POST', '/api/calibration/frames/batch', { session_id, candidate_id, frames: framesOf(0, 5, first) });
    t.match((await send(0)).body, { successful_frames: 5 });
    await server.signal('SIGKILL');
    const refused = await send(5);
    t.ok(refused.status >= 500, `refused with ${refused.status}`);
    await server.start();
    let answer = await send(5);
    for (const end = Date.now() + 20_000; answer.status !== 200 && Date.now() < end; answer = await send(5)) await new Promise((resolve) => setTimeout(resolve, 200));
    t.match(answer.body, { successful_frames: 5 });
    t.match((await world.call('GET', `/api/calibration/session/${session_id}`)).body, { frames: 10 }, 'none lost, none doubled');
    await world.close();
    const store = await openCalibrationStore(where);
    t.same((await sql<{ n: number }>`SELECT COUNT(DISTINCT frame_index) AS n FROM calibration_frames WHERE session_id = ${session_id}`.execute(store.db)).rows.map(({ n }) => Number(n)), [10]);
    await store.close();
  });
}
