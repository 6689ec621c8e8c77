import t from 'tap';
import { createLog, toLine, type LogOptions } from '../../src/observability/log.js';
import { createSecrets, isSecretKey, maskFields, maskUrls } from '../../src/observability/redact.js';
import { createRepeats } from '../../src/observability/repeats.js';
import { SightlineError } from '../../src/errors.js';

function logTo(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const secrets = createSecrets();
  const log = createLog({ level: 'info', format: 'json', tty: false, sink: { write: (line) => lines.push(line) }, secrets, ...options });
  return { log, lines, secrets };
}

t.test('credentials in URLs never reach a line, wherever they stand', async (t) => {
  const url = 'rtsp://admin:ge:he@im/x@cam.example/stream';
  for (const format of ['json', 'line'] as const) {
    const { log, lines } = logTo({ format });
    log.info(`opening ${url}`);
    log.info({ url }, 'opening');
    log.info({ nested: { list: [{ url }] } }, 'opening');
    log.error({ err: new Error(`could not open ${url}: refused`) }, 'failed');
    log.error({ err: new SightlineError('CAMERA_INVALID', `bad "${url}"`, { cause: new Error(url) }) }, 'failed');
    log.child({ url }).warn('child');
    log.info('http://h/cgi?user=admin&pwd=geheim&x=1');
    t.equal(lines.length, 7);
    t.notMatch(lines.join(''), /admin|geheim|ge:he|im\/x/);
    t.match(lines.join(''), /cam\.example\/stream/);
  }
});

t.test('values under telling keys are masked', async (t) => {
  const { log, lines } = logTo();
  log.info({ auth_token: 'geheim', password: 'geheim', headers: { authorization: 'Bearer geheim', 'x-cv-auth-token': 'geheim', cookie: 'geheim' }, DB_PASS: 'geheim', encryption_key: 'geheim', apiKey: 'geheim' }, 'x');
  log.child({ token: 'geheim' }).info('x');
  t.notMatch(lines.join(''), /geheim/);
  for (const key of ['idempotency_key', 'waiting_key', 'passed', 'tokens_used', 'camera_id', 'keyframe']) t.notOk(isSecretKey(key), key);
  t.same(maskFields({ password: '', token: null }), { password: '', token: null }, 'nothing to hide');
});

t.test('registered secrets are masked in every spelling', async (t) => {
  const { log, lines, secrets } = logTo();
  secrets.add(['p"w\\d', 'two words', 'abc', undefined, 'p@ss+1']);
  log.info('one p"w\\d two two words three p%40ss%2B1');
  log.info({ deep: 'x p"w\\d y' }, 'abc is too short to be masked');
  t.notMatch(lines.join(''), /w\\\\d|two words|p%40ss/);
  t.match(lines[1], /abc is too short/);
  t.equal(createSecrets().mask('plain'), 'plain');
});

t.test('a longer secret is not given away by a shorter one', async (t) => {
  const secrets = createSecrets();
  secrets.add(['geheim', 'geheim-und-mehr']);
  t.equal(secrets.mask('x geheim-und-mehr y geheim'), 'x *** y ***');
});

t.test('what is no URL with user-info stays', async (t) => {
  for (const text of ['rtsp://cam/stream', 'mail an a@b.example', 'https://h/x?y=1', '3:4@5']) t.equal(maskUrls(text), text);
});

t.test('cycles and depths are cut, errors keep code and stack only', async (t) => {
  const { log, lines } = logTo();
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  log.info(cycle, 'cycle');
  const error = Object.assign(new SightlineError('INTERNAL', 'words'), { secretish: 'geheim' });
  log.error({ err: error }, 'failed');
  t.match(lines[0], /\[deep\]/);
  t.match(JSON.parse(lines[1] ?? ''), { level: 'error', err: { code: 'INTERNAL', message: 'words', type: 'SightlineError' } });
  t.notMatch(lines[1], /geheim/);
});

t.test('lines for a terminal', async (t) => {
  const { log, lines } = logTo({ format: 'auto', tty: true });
  log.warn({ stage: 'capture', camera_id: 3, code: 'CAPTURE_TIMEOUT' }, 'camera stalled');
  t.match(lines[0], /^\d\d:\d\d:\d\d WARN {2}capture: camera stalled \(camera_id=3, code=CAPTURE_TIMEOUT\)\n$/);
  t.equal(toLine('no json\n'), 'no json\n');
  t.equal(logTo({ format: 'auto', tty: false }).lines.length, 0);
});

t.test('repeats are said once a window', async (t) => {
  let now = 0;
  const said: [Record<string, unknown>, string][] = [];
  const repeats = createRepeats({ log: { warn: (fields, message) => said.push([fields, message]), error: (fields, message) => said.push([fields, `error: ${message}`]) }, now: () => now, window_ms: 60_000, max_kinds: 2 });
  const warn = (camera_id: number, message = 'decode error') => repeats.warn({ code: 'DECODE', camera_id }, message);
  for (let i = 0; i < 13; i++) warn(1, `decode error ${i}`);
  warn(2);
  t.same(said.map(([, message]) => message), ['decode error 0', 'decode error'], 'the first of each camera at once');
  now = 60_000;
  repeats.sweep();
  t.same(said.slice(2), [[{ code: 'DECODE', camera_id: 1, repeats: 12 }, '12 more in 60 s, the last: decode error 12']]);
  repeats.sweep();
  t.equal(said.length, 3, 'a quiet kind says nothing');
  warn(1, 'again');
  t.equal(said.at(-1)?.[1], 'again', 'after the window the next is said at once');
  warn(1);
  warn(2);
  warn(3);
  t.ok(said.some(([fields]) => fields.repeats === 1), 'a kind that gives way is flushed');
  repeats.flush();
  repeats.flush();
  said.length = 0;
  for (let i = 0; i < 3; i++) repeats.error({ rows: i }, 'a batch was lost');
  repeats.flush();
  t.same(said, [[{ rows: 0 }, 'error: a batch was lost'], [{ rows: 2, repeats: 2 }, 'error: 2 more in 0 s, the last: a batch was lost']], 'an error stays one, without a code its message is its kind');
});
