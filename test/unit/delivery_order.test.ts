import t from 'tap';
import { Breaker } from '../../src/delivery/breaker.js';
import { RateLimit } from '../../src/delivery/rate_limit.js';
import { alert, deliveryWorld, detection, frame, OK, withDelivery, type Post, type Reply } from '../fixtures/delivery_world.js';

const types = (posts: readonly Post[]): string[] => posts.map(({ body }) => body.result_type);
t.setTimeout(180_000);

const DOWN: Reply = { error: 'ECONNREFUSED' };

t.test('no camera sends more than ten requests in any second, retries and backlog included', async (t) => {
  const world = await deliveryWorld(withDelivery({ concurrency: 16 }));
  let served = 0;
  world.answer(() => (++served % 7 === 0 ? { status: 500, text: '' } : OK));
  await world.put(...Array.from({ length: 60 }, (_, n) => frame(1, n)), ...Array.from({ length: 5 }, (_, n) => frame(2, n)));
  await world.clock.advance(20_000);
  t.match(world.delivery.status(), { backlog: 0, delivered: 65 });
  for (const camera of [1, 2]) {
    const times = world.posts.filter(({ body }) => body.camera_id === camera).map(({ at_ms }) => at_ms);
    const busiest = Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + 1000).length));
    t.ok(busiest <= 10, `camera ${camera}: at most ${busiest} in a second`);
    if (camera === 1) t.equal(busiest, 10, 'the limit is used');
  }
  const last_of_2 = Math.max(...world.posts.filter(({ body }) => body.camera_id === 2).map(({ at_ms }) => at_ms));
  t.ok(last_of_2 < 1_500, 'a busy camera does not hold up another');
  await world.close();
});

t.test('the rate is a sliding window, also below one per second', (t) => {
  const rate = new RateLimit(0.5);
  rate.take(1, 0);
  t.equal(rate.wait_ms(1, 500), 1_500);
  t.equal(rate.wait_ms(1, 2_000), 0);
  t.equal(rate.wait_ms(2, 500), 0);
  rate.prune(2_000);
  t.equal(rate.wait_ms(1, 0), 0, 'forgotten');
  t.end();
});

t.test('an alert goes before a detection, and that before frame analyses, whatever came first', async (t) => {
  const world = await deliveryWorld(withDelivery({ concurrency: 1 }));
  world.answer(() => DOWN);
  await world.put(frame(1));
  await world.clock.advance(3_000);
  t.equal(world.delivery.status().targets[0]?.state, 'open');
  await world.put(frame(2), frame(3), detection(4), alert(5), frame(1), alert(6));
  const from = world.posts.length;
  world.answer(() => OK);
  await world.clock.advance(60_000);
  t.same(types(world.posts.slice(from)), ['anomaly_alert', 'anomaly_alert', 'behavioral_detection', 'frame_analysis', 'frame_analysis', 'frame_analysis', 'frame_analysis']);
  await world.close();
});

t.test('slow answers to frame analyses leave connections free for an alert', async (t) => {
  const world = await deliveryWorld(withDelivery({ concurrency: 4 }));
  world.answer((post) => (post.body.result_type === 'frame_analysis' ? 'silence' : OK));
  await world.put(...Array.from({ length: 10 }, (_, n) => frame(n + 1)));
  t.equal(world.posts.length, 3, 'frame analyses take three of four');
  await world.put(alert(1));
  t.same(types(world.posts).slice(3), ['anomaly_alert']);
  t.equal(world.delivery.status().delivered, 1);
  await world.close();
});

t.test('never more requests in flight than allowed', async (t) => {
  const world = await deliveryWorld(withDelivery({ concurrency: 3 }));
  let flying = 0;
  let most = 0;
  world.answer(async () => {
    most = Math.max(most, ++flying);
    await new Promise<void>((resolve) => void world.clock.after(40, resolve));
    flying--;
    return OK;
  });
  await world.put(...Array.from({ length: 30 }, (_, n) => detection(n + 1)));
  await world.clock.advance(5_000);
  t.equal(most, 3);
  t.equal(world.delivery.status().delivered, 30);
  await world.close();
});

t.test('cameras of one priority take turns', async (t) => {
  const world = await deliveryWorld(withDelivery({ concurrency: 1 }));
  world.answer((_, index) => (index === 0 ? 'silence' : OK));
  await world.put(frame(9));
  await world.put(...[1, 1, 1, 2, 2, 3].map((camera, n) => frame(camera, n)));
  await world.clock.advance(10_000);
  const cameras = world.posts.filter(({ body }) => body.camera_id !== 9).map(({ body }) => body.camera_id);
  t.same(cameras, [1, 2, 3, 1, 2, 1]);
  t.same(world.posts.filter(({ body }) => body.camera_id === 1).map(({ body }) => body['session_id']), ['s0', 's1', 's2'], 'in order within a camera');
  await world.close();
});

t.test('the breaker opens after N failures in a row, probes with one request, waits longer each time, closes and drains', async (t) => {
  const world = await deliveryWorld(withDelivery({ concurrency: 4 }));
  world.answer(() => DOWN);
  await world.put(...Array.from({ length: 20 }, (_, n) => frame(n + 1)));
  const state = (): string | undefined => world.delivery.status().targets[0]?.state;
  await world.clock.advance(400);
  t.equal(state(), 'open');
  const opened = world.posts.length;
  t.ok(opened >= 5 && opened <= 8, `${opened} requests before it opened`);
  const from = world.clock.monoMs();
  await world.clock.advance(60_000);
  const probes = world.posts.slice(opened).map(({ at_ms }) => at_ms);
  const waits = probes.slice(1).map((at, index) => Math.round((at - (probes[index] as number)) / 1000));
  t.same(waits.slice(0, 5), [2, 4, 8, 15, 15], 'one at a time, further and further apart');
  t.ok((probes[0] as number) - from <= 1_000);
  t.equal(new Set(world.posts.slice(opened, opened + 4).map(({ key }) => key)).size, 4, 'each probe with another payload');
  t.equal(world.logs.filter(({ message }) => message.includes('is away')).length <= 6, true, 'without a line for each');
  world.answer(() => OK);
  await world.clock.advance(30_000);
  t.equal(state(), 'closed');
  t.match(world.delivery.status(), { backlog: 0, delivered: 20, oldest_age_s: 0 });
  t.ok(world.logs.some(({ message }) => message.includes('is back')));
  await world.close();
});

t.test('an alert brings the next probe forward', async (t) => {
  const world = await deliveryWorld();
  world.answer(() => DOWN);
  await world.put(frame(1));
  await world.clock.advance(40_000);
  world.answer(() => OK);
  const before = world.clock.monoMs();
  await world.put(alert(2));
  await world.clock.advance(1_200);
  t.match(world.posts.at(-2)?.body ?? world.posts.at(-1)?.body, { result_type: 'anomaly_alert' });
  t.ok((world.posts.find(({ body }) => body.result_type === 'anomaly_alert')?.at_ms ?? Infinity) - before < 1_100);
  await world.close();
});

t.test('breaker: each transition', (t) => {
  const breaker = new Breaker({ failures: 3, first_ms: 1_000, longest_ms: 4_000, random: () => 0.5 });
  t.same(breaker.gate(0), { send: 'any' });
  t.throws(() => breaker.beginProbe(0), /not closed/);
  t.notOk(breaker.failure(0));
  t.notOk(breaker.failure(0));
  t.notOk(breaker.success(), 'a success begins the count anew');
  t.notOk(breaker.failure(0));
  t.notOk(breaker.failure(0));
  t.ok(breaker.failure(0), 'opens');
  t.notOk(breaker.failure(0), 'late failures change nothing');
  t.same(breaker.gate(400), { send: 'none', wait_ms: 600 });
  t.same(breaker.gate(1_000), { send: 'probe' });
  breaker.beginProbe(1_000);
  t.equal(breaker.state, 'half_open');
  t.same(breaker.gate(1_000), { send: 'none', wait_ms: Infinity }, 'one probe at a time');
  t.ok(breaker.failure(1_100));
  t.same(breaker.gate(1_100), { send: 'none', wait_ms: 2_000 });
  breaker.hurry(1_200);
  t.same(breaker.gate(1_200), { send: 'none', wait_ms: 900 }, 'hurried, but not at once after a probe');
  breaker.hurry(5_000);
  t.same(breaker.gate(5_000), { send: 'probe' });
  t.ok(breaker.success(), 'a late success closes it from any state');
  t.equal(breaker.state, 'closed');
  t.ok(breaker.trip(0));
  t.notOk(breaker.trip(0));
  t.same(breaker.gate(0), { send: 'none', wait_ms: 1_000 }, 'waits begin anew after a success');
  t.end();
});

t.test('401s open the breaker too: a wrong token does not turn the whole backlog into dead letters', async (t) => {
  const world = await deliveryWorld();
  world.answer(() => ({ status: 401, text: '{"success": false, "error": "Unauthorized"}' }));
  await world.put(...Array.from({ length: 100 }, (_, n) => frame(n + 1)));
  await world.clock.advance(10_000);
  const { dead_letters } = world.delivery.counters();
  t.ok(dead_letters >= 5 && dead_letters < 15, `${dead_letters} dead letters`);
  t.equal(world.delivery.status().backlog, 100 - dead_letters);
  t.ok(world.logs.some(({ level, message }) => level === 'error' && message.includes('CV_PIPELINE_TOKEN')));
  world.answer(() => OK);
  await world.clock.advance(60_000);
  t.equal(world.delivery.status().delivered, 100 - dead_letters);
  await world.close();
});

t.test('400s do not: the receiver is well', async (t) => {
  const world = await deliveryWorld();
  world.answer((post) => (post.body.result_type === 'behavioral_detection' ? { status: 400, text: '' } : OK));
  await world.put(...Array.from({ length: 20 }, (_, n) => detection(n + 1)));
  await world.clock.advance(1_000);
  t.equal(world.delivery.status().targets[0]?.state, 'closed');
  t.match(world.delivery.counters(), { dead_letters: 20 });
  await world.close();
});
