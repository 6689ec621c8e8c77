import t from 'tap';
import { DEAD_LETTERS_MAX } from '../../src/delivery/outbox.js';
import type { UnattributedPayload } from '../../src/delivery/payloads.js';
import { alert, deliveryWorld, detection, frame, OK, SETTINGS, withDelivery, type Reply } from '../fixtures/delivery_world.js';

t.setTimeout(180_000);

const DOWN: Reply = { error: 'ECONNREFUSED' };
const unattributed: UnattributedPayload = { result_type: 'behavioral_detection', camera_id: 3, detection_type: 'stress_indicators', category: 'emotional', confidence: 0.9, timestamp: '2025-11-14 14:30:00', context: {} };
const local = { camera_id: 3, kind: 'behavioral_detection' } as const;

t.test('what the receiver has not taken survives a restart, with keys and age', async (t) => {
  const world = await deliveryWorld();
  world.answer(() => DOWN);
  await world.put(alert(1), frame(2), frame(2, 1));
  await world.clock.advance(20_000);
  const keys = new Set(world.posts.map(({ key }) => key));
  await world.restart();
  t.match(world.delivery.status(), { backlog: 3, delivered: 0 });
  t.ok(world.delivery.status().oldest_age_s >= 20);
  const from = world.posts.length;
  world.answer(() => OK);
  await world.clock.advance(60_000);
  t.match(world.delivery.status(), { backlog: 0, delivered: 3 });
  t.same(new Set(world.posts.slice(from).map(({ key }) => key)), new Set(['key-1', 'key-2', 'key-3']));
  t.ok([...keys].every((key) => ['key-1', 'key-2', 'key-3'].includes(key)));
  await world.restart();
  t.equal(world.delivery.status().backlog, 0, 'deliveries are recorded');
  await world.close();
});

t.test('a long backlog drains completely, though memory holds only the front of each lane', async (t) => {
  const world = await deliveryWorld(withDelivery({ rate_per_camera: 10, concurrency: 8 }));
  world.answer(() => DOWN);
  for (let n = 0; n < 8; n++) await world.put(...Array.from({ length: 50 }, (_, m) => frame((m % 4) + 1, n * 50 + m)));
  t.equal(world.delivery.status().backlog, 400);
  await world.restart();
  world.answer(() => OK);
  await world.put(frame(1, 400));
  await world.clock.advance(60_000);
  t.match(world.delivery.status(), { backlog: 0, delivered: 401 });
  const first_of = world.posts.slice(-401).filter(({ body }) => body.camera_id === 2).map(({ body }) => Number(String(body['session_id']).slice(1)));
  t.same(first_of, [...first_of].sort((a, b) => a - b), 'in order');
  await world.close();
});

t.test('when rows are full the oldest frame analysis goes first, alerts last', async (t) => {
  const world = await deliveryWorld(withDelivery({ outbox_max_rows: 6 }));
  world.answer(() => DOWN);
  await world.put(frame(1, 0));
  await world.clock.advance(30_000);
  await world.put(alert(1), frame(2, 1), detection(1), frame(1, 2), frame(2, 3));
  t.match(world.delivery.status(), { backlog: 6 });
  const kept = async (): Promise<string[]> => (await world.store.db.selectFrom('outbox').select('body').orderBy('id').execute()).map(({ body }) => {
    const { result_type, session_id = '' } = JSON.parse(body) as { result_type: string; session_id?: string };
    return result_type.slice(0, 5) + session_id;
  });
  t.same((await kept()).length, 6);
  await world.put(alert(2));
  t.same((await kept()).filter((text) => text.startsWith('frame')), ['frames1', 'frames2', 'frames3'], 'the oldest frame analysis is gone');
  await world.put(alert(3), alert(4), alert(5));
  t.same((await kept()).filter((text) => text.startsWith('frame')), []);
  t.equal((await kept()).filter((text) => text.startsWith('behav')).length, 1, 'the detection is still there');
  t.same(await world.put(frame(1, 9)), [{ stored: false, reason: 'outbox_full' }], 'a frame analysis finds no room');
  await world.put(alert(6));
  t.equal((await kept()).filter((text) => text.startsWith('behav')).length, 0);
  await world.put(alert(7));
  t.equal((await kept()).length, 6, 'and then the oldest alert');
  t.match(world.delivery.counters().dropped, { outbox_full: 7 });
  t.match(world.delivery.status(), { backlog: 6 });
  world.answer(() => OK);
  await world.clock.advance(60_000);
  t.match(world.delivery.status(), { backlog: 0, delivered: 6 });
  t.same([...new Set(world.posts.slice(-6).map(({ body }) => body.camera_id))].sort(), [2, 3, 4, 5, 6, 7]);
  await world.close();
});

t.test('the bytes of the outbox are bounded as well', async (t) => {
  const world = await deliveryWorld(withDelivery({ outbox_max_mib: 1, outbox_max_rows: 100_000 }));
  world.answer(() => DOWN);
  for (let n = 0; n < 12; n++) await world.put(...Array.from({ length: 1000 }, (_, m) => frame(m % 50 + 1, n * 1000 + m)));
  const { bytes } = await world.store.db.selectFrom('outbox').select(({ fn }) => fn.sum<number>('bytes').as('bytes')).executeTakeFirstOrThrow();
  t.ok(bytes <= 1024 * 1024 && bytes > 1024 * 1024 - 1000, `${bytes} bytes`);
  const { backlog } = world.delivery.status();
  t.ok(backlog > 5_000, `${backlog} rows`);
  world.answer(() => OK);
  await world.clock.advance(200_000);
  t.equal(world.delivery.counters().dropped.outbox_full + world.delivery.status().delivered, 12_000, 'each drop is counted');
  t.equal(world.delivery.status().backlog, 0);
  await world.close();
});

t.test('an entry that is dropped while it is on its way is not sent again', async (t) => {
  const world = await deliveryWorld(withDelivery({ outbox_max_rows: 2 }));
  world.answer(() => 'silence');
  await world.put(frame(1, 0));
  await world.put(alert(1), alert(2));
  t.equal(world.delivery.status().backlog, 2);
  world.answer(() => OK);
  await world.clock.advance(60_000);
  t.equal(world.posts.filter(({ body }) => body.result_type === 'frame_analysis').length, 1);
  t.match(world.delivery.status(), { backlog: 0, delivered: 2 });
  t.match(world.delivery.counters().dropped, { outbox_full: 1 });
  await world.close();
});

t.test('events without a staff_id are kept here and counted, and replayed once somebody is known', async (t) => {
  const world = await deliveryWorld();
  const kept = world.delivery.keepLocal(unattributed, local);
  await world.clock.advance(50);
  t.match(await kept, { stored: true });
  t.match(world.delivery.counters(), { local_only: 1, dead_letters: 0 });
  t.equal(world.posts.length, 0);
  t.same(world.outcomes, ['behavioral_detection:no_staff_id']);
  t.match(await world.delivery.deadLetters(), [{ last_error: 'no_staff_id', attempts: 0, last_status: null, body: unattributed }]);
  const replay = async () => {
    const done = world.delivery.replay('all');
    await world.clock.advance(100);
    return done;
  };
  t.same(await replay(), { replayed: 0, kept: 1 });
  await world.restart(withDelivery({ unknown_staff_id: 999 }));
  t.match(world.delivery.counters(), { local_only: 1 });
  t.same(await replay(), { replayed: 1, kept: 0 });
  t.match(world.posts, [{ body: { ...unattributed, staff_id: 999 } }]);
  t.match(world.delivery.counters(), { local_only: 0 });
  await world.close();
});

t.test('a replayed event gets the staff_id of its camera before the stand-in', async (t) => {
  const world = await deliveryWorld(withDelivery({ unknown_staff_id: 999 }), { staffOf: (camera_id) => (camera_id === 3 ? 77 : null) });
  void world.delivery.keepLocal(unattributed, local);
  void world.delivery.keepLocal({ ...unattributed, camera_id: 4 }, { ...local, camera_id: 4 });
  await world.clock.advance(50);
  void world.delivery.replay('all');
  await world.clock.advance(100);
  t.same(world.posts.map(({ body }) => body['staff_id']), [77, 999]);
  await world.close();
});

t.test('dead letters are bounded; those that were never posted go first', async (t) => {
  const world = await deliveryWorld();
  const row = (n: number) => ({ idempotency_key: `old-${n}`, result_type: 'frame_analysis', camera_id: 1, priority: 4, created_ms: 0, body: '{}', bytes: 2, reason: n === 5 ? 'no_staff_id' : 'http_400', status: 400, attempts: 1, dead_ms: 0 });
  for (let n = 0; n < DEAD_LETTERS_MAX; n += 1000) await world.store.db.insertInto('dead_letters').values(Array.from({ length: 1000 }, (_, m) => row(n + m))).execute();
  world.answer(() => ({ status: 400, text: '' }));
  await world.put(frame(1), frame(2));
  await world.clock.advance(100);
  const letters = await world.store.db.selectFrom('dead_letters').select('idempotency_key').orderBy('id').execute();
  t.equal(letters.length, DEAD_LETTERS_MAX);
  const keys = new Set(letters.map(({ idempotency_key }) => idempotency_key));
  t.notOk(keys.has('old-5'));
  t.notOk(keys.has('old-0'));
  t.ok(keys.has('old-1') && keys.has('key-1') && keys.has('key-2'));
  t.match(world.delivery.counters(), { dead_letters: DEAD_LETTERS_MAX, dropped: { dead_letters_full: 2 } });
  await world.close();
});

t.test('enqueue refuses what the contract does not allow, and a context that does not fit', async (t) => {
  const world = await deliveryWorld();
  const wrong = { ...detection(1), confidence: 1.5 } as ReturnType<typeof detection>;
  await t.rejects(world.delivery.enqueue(wrong, { camera_id: 1, kind: 'behavioral_detection' }), { code: 'DELIVERY_PAYLOAD_INVALID', message: /behavioral_detection\/confidence/ });
  await t.rejects(world.delivery.enqueue(frame(1), { camera_id: 2, kind: 'frame_analysis' }), { code: 'DELIVERY_PAYLOAD_INVALID' });
  await t.rejects(world.delivery.enqueue(frame(1), { camera_id: 1, kind: 'anomaly_alert' }), { code: 'DELIVERY_PAYLOAD_INVALID' });
  await t.rejects(world.delivery.keepLocal({ ...unattributed, confidence: NaN }, local), { code: 'DELIVERY_PAYLOAD_INVALID' });
  t.equal(world.delivery.status().backlog, 0);
  await world.close();
  await t.rejects(world.delivery.enqueue(frame(1), { camera_id: 1, kind: 'frame_analysis' }), { code: 'DELIVERY_STOPPED' });
  await t.rejects(world.delivery.start(), { code: 'DELIVERY_STOPPED' });
  await world.delivery.stop(10);
});

t.test('without a callback URL nothing is stored or sent', async (t) => {
  const php_system = { ...SETTINGS.php_system };
  delete php_system.callback_url;
  const world = await deliveryWorld({ ...SETTINGS, php_system });
  t.same(await world.put(frame(1)), [{ stored: false, reason: 'no_target' }]);
  t.match(world.delivery.status(), { backlog: 0, targets: [] });
  t.match(await world.delivery.test(), { reached: false, message: /callback_url/ });
  await world.close();
});

t.test('a disk that refuses writes: payloads wait a moment, sending pauses, then it is said plainly', async (t) => {
  const world = await deliveryWorld();
  const { sql } = await import('kysely');
  await sql`CREATE TRIGGER full BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'disk is full'); END`.execute(world.store.db);
  const early = world.delivery.enqueue(frame(1), { camera_id: 1, kind: 'frame_analysis' });
  await world.clock.advance(1_000);
  t.equal(world.delivery.status().backlog, 1);
  t.equal(world.logs.filter(({ level, message }) => level === 'error' && message.includes('does not take writes')).length, 1);
  await world.clock.advance(10_000);
  t.same(await early, { stored: false, reason: 'store_failed' });
  const late = world.delivery.enqueue(alert(2), { camera_id: 2, kind: 'anomaly_alert' });
  await world.clock.advance(100);
  await sql`DROP TRIGGER full`.execute(world.store.db);
  await world.clock.advance(5_000);
  t.match(await late, { stored: true });
  t.match(world.delivery.status(), { backlog: 0, delivered: 1 });
  t.equal(world.posts.length, 1);
  await world.close();
});

t.test('what cannot be marked as delivered is not sent', async (t) => {
  const world = await deliveryWorld();
  const { sql } = await import('kysely');
  world.answer((_, index) => (index === 0 ? OK : DOWN));
  await sql`CREATE TRIGGER full BEFORE DELETE ON outbox BEGIN SELECT RAISE(ABORT, 'disk is full'); END`.execute(world.store.db);
  await world.put(frame(1));
  t.equal(world.posts.length, 1);
  const more = world.delivery.enqueue(frame(2), { camera_id: 2, kind: 'frame_analysis' });
  world.answer(() => OK);
  await world.clock.advance(2_000);
  t.equal(world.posts.length, 1, 'a crash now would repeat the first, and no other');
  await sql`DROP TRIGGER full`.execute(world.store.db);
  await world.clock.advance(5_000);
  t.match(await more, { stored: true });
  t.equal(world.posts.length, 2);
  t.match(world.delivery.status(), { backlog: 0, delivered: 2 });
  await world.close();
});

t.test('more than the disk can take is turned away, not piled up', async (t) => {
  const world = await deliveryWorld(withDelivery({ outbox_max_rows: 100_000 }));
  world.answer(() => DOWN);
  const results = Promise.all(Array.from({ length: 10_050 }, (_, n) => world.delivery.enqueue(frame(n % 100 + 1), { camera_id: n % 100 + 1, kind: 'frame_analysis' })));
  await world.clock.advance(1_000);
  const turned_away = (await results).filter((result) => !result.stored);
  t.equal(turned_away.length, 50);
  t.match(turned_away[0], { reason: 'overloaded' });
  t.equal(world.delivery.status().backlog, 10_000);
  await world.close();
});

t.test('stop waits for an answer under way, aborts one that takes too long, and loses neither', async (t) => {
  const world = await deliveryWorld();
  let answer: (reply: Reply) => void = () => undefined;
  world.answer((post) => (post.body.camera_id === 1 ? new Promise<Reply>((resolve) => (answer = resolve)) : 'silence'));
  await world.put(frame(1), frame(2));
  const stopped = world.delivery.stop(1_000);
  await world.clock.advance(500);
  answer(OK);
  await world.clock.advance(1_000);
  await stopped;
  t.match(world.delivery.status(), { backlog: 1, delivered: 1 });
  t.same((await world.store.db.selectFrom('outbox').select('camera_id').execute()), [{ camera_id: 2 }]);
  t.equal(world.clock.pending, 0);
  await world.store.close();
});

t.test('the receiver is asked without leaving a trace', async (t) => {
  const world = await deliveryWorld();
  const table: [Reply, Record<string, unknown>][] = [
    [{ status: 400, text: '{"success": false, "error": "Unknown result type: connection_test"}' }, { reached: true, authorized: true, status: 400 }],
    [{ status: 401, text: '' }, { reached: true, authorized: false, status: 401, message: /CV_PIPELINE_TOKEN/ }],
    [{ status: 405, text: '' }, { reached: true, authorized: null }],
    [{ status: 404, text: '' }, { reached: true, authorized: null, message: /path/ }],
    [{ status: 302, text: '' }, { reached: true, message: /redirected/ }],
    [{ status: 500, text: '' }, { reached: true, authorized: null }],
    [OK, { reached: true, authorized: null, message: /not known to give/ }],
    [{ error: 'ECONNREFUSED' }, { reached: false, authorized: null, status: null, message: /connection_refused/ }],
  ];
  for (const [reply, expected] of table) {
    world.answer(() => reply);
    t.match(await world.delivery.test(), expected, JSON.stringify(reply));
  }
  t.match(world.delivery.status(), { backlog: 0, delivered: 0, failed: 0 });
  await world.close();
});
