import t from 'tap';
import { classifyAnswer, classifyFault, faultCode } from '../../src/delivery/classify.js';
import { alert, deliveryWorld, detection, frame, OK, SETTINGS, withDelivery, type Reply } from '../fixtures/delivery_world.js';

// Much happens in little time here, but a busy machine takes its own.
t.setTimeout(180_000);

t.test('success is status 200, a body that parses, and success true; nothing less', (t) => {
  const table: [status: number, text: string, outcome: string, code?: string][] = [
    [200, '{"success": true}', 'delivered'],
    [200, '{\n    "success": true,\n    "risk_score": 0.45\n}', 'delivered'],
    [200, '{"success": false, "error": "x"}', 'retry', 'not_success'],
    [200, '{"success": 1}', 'retry', 'not_success'],
    [200, '{"success": "true"}', 'retry', 'not_success'],
    [200, '{}', 'retry', 'not_success'],
    [200, '[true]', 'retry', 'not_success'],
    [200, 'null', 'retry', 'not_success'],
    [200, 'true', 'retry', 'not_success'],
    [200, '', 'retry', 'empty_body'],
    [200, ' \n', 'retry', 'empty_body'],
    [200, '<br />\n<b>Fatal error</b>: Uncaught TypeError', 'retry', 'body_not_json'],
    [200, '{"success": true', 'retry', 'body_not_json'],
    [201, '{"success": true}', 'retry', 'http_201'],
    [204, '', 'retry', 'http_204'],
    [301, '', 'retry', 'http_301'],
    [400, '{"success": false}', 'refused', 'http_400'],
    [401, '{"success": false}', 'refused', 'http_401'],
    [405, '{"success": false}', 'refused', 'http_405'],
    [413, '', 'refused', 'http_413'],
    [403, '', 'retry', 'http_403'],
    [404, '', 'retry', 'http_404'],
    [429, '', 'retry', 'http_429'],
    [500, '{"success": false, "error": "Internal server error"}', 'retry', 'http_500'],
    [500, '', 'retry', 'http_500'],
    [502, '<html>', 'retry', 'http_502'],
    [500, '{"success": true}', 'retry', 'http_500'],
  ];
  for (const [status, text, outcome, code] of table) t.match(classifyAnswer({ status, text }), { outcome, status, ...(code === undefined ? {} : { code }) }, `${status} ${JSON.stringify(text)}`);
  t.match(classifyAnswer({ status: 400, text: '' }), { configuration: false });
  t.match(classifyAnswer({ status: 401, text: '' }), { configuration: true });
  t.end();
});

t.test('faults of a connection have codes without addresses', (t) => {
  const coded = (code: string): Error => Object.assign(new Error(`${code} 10.0.0.1`), { code });
  t.equal(faultCode(coded('ECONNREFUSED')), 'connection_refused');
  t.equal(faultCode(coded('ECONNRESET')), 'connection_reset');
  t.equal(faultCode(coded('UND_ERR_SOCKET')), 'connection_reset');
  t.equal(faultCode(coded('UND_ERR_HEADERS_TIMEOUT')), 'timeout');
  t.equal(faultCode(coded('ENOTFOUND')), 'dns');
  t.equal(faultCode(coded('EHOSTUNREACH')), 'unreachable');
  t.equal(faultCode(coded('DEPTH_ZERO_SELF_SIGNED_CERT')), 'tls');
  t.equal(faultCode(coded('ERR_TLS_CERT_ALTNAME_INVALID')), 'tls');
  t.equal(faultCode(coded('UNABLE_TO_VERIFY_LEAF_SIGNATURE')), 'tls');
  t.equal(faultCode(coded('HPE_INVALID_CONSTANT')), 'bad_http');
  t.equal(faultCode(Object.assign(new Error('x'), { name: 'HTTPParserError', code: undefined })), 'bad_http');
  t.equal(faultCode(new Error('no code')), 'connection_failed');
  t.equal(faultCode(new TypeError('fetch failed', { cause: coded('ECONNREFUSED') })), 'connection_refused');
  t.equal(faultCode(new AggregateError([coded('ECONNREFUSED')])), 'connection_refused');
  t.equal(faultCode('text'), 'connection_failed');
  t.match(classifyFault('timeout'), { outcome: 'retry', answered: false, code: 'timeout', status: null });
  t.end();
});

t.test('a payload is posted once with token, key and path, and leaves the outbox', async (t) => {
  const world = await deliveryWorld();
  t.same(await world.put(frame(5)), [{ stored: true, idempotency_key: 'key-1' }]);
  t.equal(world.posts.length, 1);
  t.match(world.posts[0], { key: 'key-1', token: 'tok', path: '/api/cv-callback.php?secret=1', body: frame(5) });
  t.match(world.posts[0]?.headers, { 'content-type': 'application/json', authorization: `Basic ${Buffer.from('user:hush').toString('base64')}` });
  t.notOk('content-encoding' in (world.posts[0]?.headers ?? {}), 'never compressed');
  const status = world.delivery.status();
  t.same(Object.keys(status).sort(), ['backlog', 'delivered', 'failed', 'oldest_age_s', 'targets']);
  t.match(status, { backlog: 0, delivered: 1, failed: 0, oldest_age_s: 0 });
  t.match(status.targets, [{ url: 'http://receiver.test/api/cv-callback.php', state: 'closed', delivered: 1, failed: 0, last_error: null, last_success_at: /^2025-11-14T14:30:00\.\d{3}Z$/ }]);
  t.notMatch(JSON.stringify([status, world.logs]), /hush|secret|tok"/, 'no credential is shown');
  t.same(world.outcomes, ['frame_analysis:delivered']);
  await world.close();
  t.equal(world.clock.pending, 0, 'no timer is left');
});

t.test('three attempts in a round, with growing jittered waits and the same key', async (t) => {
  for (const reply of [{ status: 500, text: '' }, { status: 200, text: '' }, { status: 200, text: '<b>Fatal error</b>' }, { error: 'ECONNRESET' }] satisfies Reply[]) {
    const world = await deliveryWorld();
    world.answer((_, index) => (index < 2 ? reply : OK));
    await world.put(frame(1));
    await world.clock.advance(2_000);
    t.equal(world.posts.length, 3, JSON.stringify(reply));
    t.same(new Set(world.posts.map(({ key }) => key)), new Set(['key-1']));
    const [first = 0, second = 0, third = 0] = world.posts.map(({ at_ms }) => at_ms);
    t.same([second - first, third - second], [250, 500], 'with the jitter in its middle');
    t.match(world.delivery.status(), { backlog: 0, delivered: 1, failed: 2 });
    await world.close();
  }
});

t.test('the jitter spreads waits from half to one and a half', async (t) => {
  const waits: number[] = [];
  for (const random of [0, 0.999]) {
    const world = await deliveryWorld(SETTINGS, { random: () => random });
    world.answer((_, index) => (index === 0 ? { status: 500, text: '' } : OK));
    await world.put(frame(1));
    await world.clock.advance(1_000);
    waits.push((world.posts[1]?.at_ms ?? 0) - (world.posts[0]?.at_ms ?? 0));
    await world.close();
  }
  t.match(waits, [125, 374.75]);
});

t.test('a hanging receiver is given up after timeout_seconds and tried again', async (t) => {
  const world = await deliveryWorld();
  world.answer((_, index) => (index === 0 ? 'silence' : OK));
  await world.put(frame(1));
  await world.clock.advance(4_900);
  t.equal(world.posts.length, 1);
  t.equal(world.delivery.status().backlog, 1);
  await world.clock.advance(1_000);
  t.equal(world.posts.length, 2);
  t.match(world.delivery.status(), { backlog: 0, delivered: 1, failed: 1, targets: [{ last_error: 'timeout' }] });
  await world.close();
});

t.test('400, 401 and 405 are not tried again: dead letters, loud, replayable under their key', async (t) => {
  for (const status of [400, 401, 405]) {
    const world = await deliveryWorld();
    world.answer(() => ({ status, text: '{"success": false, "error": "no"}' }));
    await world.put(detection(3));
    await world.clock.advance(60_000);
    t.equal(world.posts.length, 1, `${status} is posted once`);
    t.match(world.delivery.status(), { backlog: 0, delivered: 0, failed: 1 });
    t.match(world.delivery.counters(), { dead_letters: 1, local_only: 0 });
    t.ok(world.logs.some(({ level, fields }) => level === 'error' && fields['code'] === `http_${status}`), 'an error is logged');
    t.match(await world.delivery.deadLetters(), [{ id: 1, idempotency_key: 'key-1', result_type: 'behavioral_detection', camera_id: 3, attempts: 1, last_status: status, last_error: `http_${status}`, body: detection(3) }]);
    world.answer(() => OK);
    await world.restart();
    t.match(world.delivery.counters(), { dead_letters: 1 }, 'kept over a restart');
    t.equal(world.posts.length, 1, 'and not sent by itself');
    const replayed = world.delivery.replay(1);
    await world.clock.advance(100);
    t.same(await replayed, { replayed: 1, kept: 0 });
    t.match(world.posts[1], { key: 'key-1', body: detection(3) });
    t.match(world.delivery.counters(), { dead_letters: 0 });
    t.match(world.delivery.status(), { backlog: 0, delivered: 1 });
    await world.close();
  }
});

t.test('replay takes one, some or all, and ignores ids that are not there', async (t) => {
  const world = await deliveryWorld(withDelivery({ breaker_failures: 100 }));
  world.answer(() => ({ status: 400, text: '' }));
  await world.put(frame(1), frame(2), frame(3), alert(4), detection(5));
  await world.clock.advance(100);
  t.same((await world.delivery.deadLetters({ limit: 2, after: 1 })).map(({ id }) => id), [2, 3]);
  world.answer(() => OK);
  const replay = async (ids: number | number[] | 'all') => {
    const done = world.delivery.replay(ids);
    await world.clock.advance(100);
    return done;
  };
  t.same(await replay(77), { replayed: 0, kept: 0 });
  t.same(await replay(2), { replayed: 1, kept: 0 });
  t.same(await replay([1, 3, 1, 99]), { replayed: 2, kept: 0 });
  t.same(await replay('all'), { replayed: 2, kept: 0 });
  t.same(await replay('all'), { replayed: 0, kept: 0 });
  t.equal(new Set(world.posts.slice(5).map(({ key }) => key)).size, 5, 'each once, under its own key');
  t.match(world.delivery.status(), { backlog: 0, delivered: 5 });
  await world.close();
});

t.test('a payload that alone fails ends as a dead letter, after rounds with growing pauses, and holds nobody up', async (t) => {
  const world = await deliveryWorld();
  world.answer((post) => (post.body.result_type === 'behavioral_detection' ? { status: 500, text: '{"success": false, "error": "Internal server error"}' } : OK));
  await world.put(frame(2));
  await world.put(detection(1));
  for (let second = 0; second < 1_500; second += 25) {
    await world.put(frame(2));
    await world.clock.advance(24_950);
  }
  const bad = world.posts.filter(({ body }) => body.result_type === 'behavioral_detection');
  t.equal(bad.length, 18, 'six rounds of three');
  t.equal(new Set(bad.map(({ key }) => key)).size, 1);
  const pauses = [3, 6, 9, 12, 15].map((index) => Math.round(((bad[index]?.at_ms ?? 0) - (bad[index - 1]?.at_ms ?? 0)) / 1000));
  t.ok(pauses.every((pause, index) => index === 0 || pause > (pauses[index - 1] as number) * 1.5), `pauses grow: ${pauses.join(' ')} s`);
  t.match(await world.delivery.deadLetters(), [{ last_error: 'http_500', last_status: 500 }]);
  t.match(world.delivery.status(), { backlog: 0, delivered: 61 });
  await world.close();
});

t.test('while the receiver is away nothing becomes a dead letter, however long it takes', async (t) => {
  for (const reply of [{ error: 'ECONNREFUSED' }, { status: 500, text: '' }, { status: 404, text: 'Not Found' }] satisfies Reply[]) {
    const world = await deliveryWorld();
    world.answer(() => reply);
    await world.put(alert(1), detection(2), frame(3), frame(4));
    await world.clock.advance(1_800_000);
    t.equal(world.delivery.status().backlog, 4, JSON.stringify(reply));
    t.match(world.delivery.counters(), { dead_letters: 0 });
    t.equal(world.delivery.status().oldest_age_s > 1_700, true);
    const away = world.posts.length;
    t.ok(away < 1_800 / 10, `and it is asked seldom: ${away} times in half an hour`);
    world.answer(() => OK);
    await world.clock.advance(60_000);
    t.match(world.delivery.status(), { backlog: 0, delivered: 4 });
    await world.close();
  }
});

t.test('a payload that the receiver answers with 500 is kept for ever while nothing shows that the receiver is well', async (t) => {
  const world = await deliveryWorld(withDelivery({ breaker_failures: 100 }));
  world.answer(() => ({ status: 500, text: '' }));
  await world.put(detection(1));
  await world.clock.advance(3_600_000);
  t.ok(world.posts.length > 3 * 6, `${world.posts.length} requests`);
  t.match(world.delivery.counters(), { dead_letters: 0 });
  t.equal(world.delivery.status().backlog, 1);
  await world.close();
});

t.test('an endless answer is cut off', async (t) => {
  const world = await deliveryWorld();
  world.answer((_, index) => (index === 0 ? { status: 200, text: `{"success": true}${' '.repeat(100_000)}` } : OK));
  await world.put(frame(1));
  await world.clock.advance(1_000);
  t.match(world.delivery.status(), { delivered: 1, failed: 1, targets: [{ last_error: 'body_too_large' }] });
  await world.close();
});

t.test('the payload that the receiver stumbles over does not stay the probe', async (t) => {
  for (const stumble of [{ status: 500, text: '' }, 'silence', { error: 'ECONNRESET' }] satisfies Reply[]) {
    const world = await deliveryWorld();
    world.answer(() => ({ error: 'ECONNREFUSED' }));
    await world.put(alert(1), ...Array.from({ length: 9 }, (_, n) => frame(n + 1)));
    await world.clock.advance(5_000);
    t.equal(world.delivery.status().targets[0]?.state, 'open');
    world.answer((post) => (post.body.result_type === 'anomaly_alert' ? stumble : OK));
    await world.clock.advance(60_000);
    t.match(world.delivery.status(), { delivered: 9, backlog: 1 }, JSON.stringify(stumble));
    await world.close();
  }
});

t.test('an error of a callback is logged with its camera and its code, and the other cameras’ callbacks go on', async (t) => {
  const kept = /callback failed, it is kept and tried again/;
  const replies: [Reply, string, RegExp, RegExp][] = [
    ['silence', 'warn', /^timeout$/, kept], [{ error: 'ECONNREFUSED' }, 'warn', /refused/i, kept], [{ status: 200, text: '{"success": false, "error": "x"}' }, 'warn', /^not_success$/, kept],
    [{ status: 400, text: '{"success": false, "error": "x"}' }, 'error', /^http_400$/, /refuses callbacks; they are kept as dead letters/],
  ];
  for (const [reply, level, code, message] of replies) {
    const world = await deliveryWorld();
    world.answer(({ body }) => (body.camera_id === 5 ? reply : OK));
    await world.put(frame(5));
    await world.put(frame(6));
    await world.clock.advance(6_000);
    const told = world.logs.find(({ fields }) => fields['camera_id'] === 5);
    t.match(told, { level, message, fields: { result_type: 'frame_analysis', code } });
    t.ok(world.delivery.status().delivered >= 1, 'camera 6');
    await world.close();
  }
});
