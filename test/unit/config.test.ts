import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadConfig, envFields, secretsOf, shownConfig } from '../../src/config/load.js';
import { configWarnings, encryptionKey, isLoopback } from '../../src/config/rules.js';
import { ConfigSchema, providersOf, type Config } from '../../src/config/schema.js';

type Env = Record<string, string>;
const load = (env: Env = {}, file?: string): Config => loadConfig({ env, file, cwd: '/srv' });

/** The problems of a configuration, without the title. */
function problems(env: Env, file?: string): string[] {
  try {
    load(env, file);
  } catch (error) {
    t.equal((error as { code?: string }).code, 'CONFIG_INVALID');
    return (error as Error).message.split('\n  ').slice(1);
  }
  return [];
}

function fileWith(content: unknown): string {
  const path = join(t.testdir(), `${Math.random()}.json`);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

t.test('defaults are complete and frozen', async (t) => {
  const config = load();
  t.same([config.processing.fps, config.processing.batch_size, config.cameras.max_concurrent], [5, 16, 120]);
  t.same([config.detection.confidence_threshold, config.detection.alert_threshold], [0.8, 0.9]);
  t.same([config.server.host, config.server.port], ['localhost', 5000]);
  t.equal(config.state_dir, '/srv/.sightline');
  t.equal(config.php_system.callback_url, undefined);
  t.throws(() => {
    (config.processing as { fps: number }).fps = 1;
  }, TypeError);
});

t.test('the file of the contract is taken as it stands', async (t) => {
  const config = load({}, fileWith({
    php_system: { callback_url: 'https://yourdomain.com/api/cv-callback.php', auth_token: 'your_token', timeout_seconds: 5, retry_attempts: 3 },
    cameras: { load_from_database: true, max_concurrent: 120, priority_threshold: 5 },
    processing: { fps: 5, batch_size: 16, use_gpu: true, gpu_device: 0, gpu_memory_fraction: 0.8 },
    detection: { confidence_threshold: 0.8, alert_threshold: 0.9, baseline_enabled: true, baseline_days: 30 },
  }));
  t.equal(config.cameras.priority_threshold, 5);
  t.equal(config.php_system.auth_token, 'your_token');
  t.equal(config.delivery.frame_interval_s, 2, 'the rest has defaults');
});

t.test('every variable of the contract is honoured and wins over the file', async (t) => {
  const file = fileWith({ processing: { fps: 2 }, php_system: { callback_url: 'https://file/' }, models: { dir: '/file' } });
  const config = load({
    PHP_CALLBACK_URL: 'https://env/cb', CV_PIPELINE_TOKEN: 'tok', DB_HOST: 'db', DB_USER: 'u', DB_PASS: 'secret', DB_NAME: 'fraud', DB_PORT: '3307',
    MAX_CAMERAS: '7', ANALYSIS_FPS: '2.5', BATCH_SIZE: '8', GPU_MEMORY_FRACTION: '0.5', MODEL_DIR: 'weights', EMOTION_MODEL: 'e.onnx', POSE_MODEL: 'p.onnx',
    OBJECT_MODEL: 'o.onnx', GAZE_MODEL: 'g.onnx', ACTION_MODEL: 'a.onnx', ANOMALY_MODEL: 'n.onnx', HOST: '127.0.0.1', PORT: '0', STATE_DIR: 'state',
    FRAUD_ENCRYPTION_KEY: '0123456789abcdef0123456789abcdef', CALIBRATION_DB_HOST: 'other', UNRELATED: 'x',
  }, file);
  t.same(config.php_system.callback_url, 'https://env/cb');
  t.same(config.php_system.auth_token, 'tok');
  t.same(config.database, { host: 'db', port: 3307, user: 'u', password: 'secret', name: 'fraud', tls: false, encryption_key: '0123456789abcdef0123456789abcdef' });
  t.same([config.cameras.max_concurrent, config.processing.fps, config.processing.batch_size, config.processing.gpu_memory_fraction], [7, 2.5, 8, 0.5]);
  t.same(config.models, { dir: '/srv/weights', emotion: 'e.onnx', pose: 'p.onnx', object: 'o.onnx', gaze: 'g.onnx', action: 'a.onnx', anomaly: 'n.onnx' });
  t.same([config.server.host, config.server.port, config.state_dir], ['127.0.0.1', 0, '/srv/state']);
  t.same(new Set(secretsOf(config)), new Set(['tok', 'secret', '0123456789abcdef0123456789abcdef']));
});

t.test('DB_PASS and DB_PASSWORD are the same setting', async (t) => {
  t.equal(load({ DB_PASSWORD: 'a' }).database.password, 'a');
  t.equal(load({ DB_PASSWORD: 'a', DB_PASS: 'a' }).database.password, 'a');
  t.same(problems({ DB_PASSWORD: 'geheim-a', DB_PASS: 'geheim-b' }), ['DB_PASS: expected the same value as DB_PASSWORD, received another one']);
});

t.test('an empty variable counts as not set', async (t) => {
  t.equal(load({ ANALYSIS_FPS: '', DB_PASS: '' }).processing.fps, 5);
  t.equal(load({ ANALYSIS_FPS: '' }, fileWith({ processing: { fps: 3 } })).processing.fps, 3);
});

t.test('all problems are listed at once, with path, expectation and what came', async (t) => {
  const file = fileWith({
    php_system: { auth_token: 5, callbak_url: 'x', timezone: 'Mars/Olympus', retry_attempts: 0 },
    fps: 3, processing: { fsp: 1, providers: ['cuda', 'cuda'], batch_size: 2.5 }, cameras: [], logging: { level: 'loud' },
    delivery: null, nonsense: 1, capture: { backoff_min_ms: 'soon' },
  });
  t.same(problems({ ANALYSIS_FPS: 'fast', PORT: '70000', GPU_MEMORY_FRACTION: '0x1' }, file).sort(), [
    'ANALYSIS_FPS (processing.fps): expected a number from 0.1 to 60, received "fast"',
    'GPU_MEMORY_FRACTION (processing.gpu_memory_fraction): expected a number from 0.05 to 1, received "0x1"',
    'PORT (server.port): expected an integer from 0 to 65535, received 70000',
    'cameras: expected an object, received a list',
    'capture.backoff_min_ms: expected an integer from 10 to 60000, received "soon"',
    'delivery: expected an object, received null',
    'fps: no such key (did you mean processing.fps?)',
    'logging.level: expected one of "trace", "debug", "info", "warn", "error", received "loud"',
    'nonsense: no such key',
    'php_system.auth_token: expected text of 1 to 1024 characters, received a number',
    'php_system.callbak_url: no such key (did you mean php_system.callback_url?)',
    'php_system.retry_attempts: expected an integer from 1 to 10, received 0',
    'php_system.timezone: expected an IANA time zone such as Pacific/Auckland, received "Mars/Olympus"',
    'processing.batch_size: expected an integer from 1 to 64, received 2.5',
    'processing.fsp: no such key (did you mean processing.fps?)',
    'processing.providers: expected a list of different "cuda", "webgpu", "cpu", received a list',
  ].sort());
});

t.test('the bounds themselves are taken, what lies beyond them is not', async (t) => {
  for (const [name, low, high, below, above] of [['ANALYSIS_FPS', '0.1', '60', '0.09', '60.1'], ['BATCH_SIZE', '1', '64', '0', '65'], ['PORT', '0', '65535', '-1', '65536'], ['MAX_CAMERAS', '1', '1024', '0', '1025']] as const) {
    t.same(problems({ [name]: low }), []);
    t.same(problems({ [name]: high }), []);
    t.equal(problems({ [name]: below }).length, 1, `${name}=${below}`);
    t.equal(problems({ [name]: above }).length, 1, `${name}=${above}`);
    for (const odd of ['', 'NaN', 'Infinity', '1,5', '5 fps', '--5']) t.equal(problems({ [name]: odd }).length, odd === '' ? 0 : 1, `${name}=${odd}`);
  }
});

t.test('values of secrets are never shown', async (t) => {
  const env = { CV_PIPELINE_TOKEN: 'geheim token', FRAUD_ENCRYPTION_KEY: 'geheim-key', SIGHTLINE_API_TOKEN: 'geheim', PHP_CALLBACK_URL: 'ftp://user:geheim@host/' };
  const found = problems(env, fileWith({ database: { password: { geheim: 1 } }, php_system: { auth_tokn: 'geheim' } }));
  t.equal(found.length, 6, found.join('\n'));
  t.notMatch(found.join('\n'), /geheim(?! ?token\b.*no such)/);
  const shown = JSON.stringify(shownConfig(load({ CV_PIPELINE_TOKEN: 'geheim', DB_PASS: 'geheim', PHP_CALLBACK_URL: 'https://user:geheim@host/x' })));
  t.notMatch(shown, /geheim|user/);
  t.match(shown, /"auth_token":"\*\*\*"/);
});

t.test('a file that is missing, no JSON or no object', async (t) => {
  t.throws(() => load({}, '/nowhere/config.json'), { code: 'CONFIG_INVALID', message: /--config: .*ENOENT/ });
  for (const text of ['{"php_system": {"auth_token": geheim}}', '{\n"a": 1,\n"auth_token": geheim\n}', '{"a": "geheim', '', '{"auth_token": "geheim"} x']) {
    t.throws(() => load({}, fileWith(text)), { code: 'CONFIG_INVALID', message: /expected JSON/ });
    try {
      load({}, fileWith(text));
    } catch (error) {
      t.notMatch(`${(error as Error).message}${String((error as Error).cause)}`, /geheim/);
    }
  }
  t.throws(() => load({}, fileWith('{\n"a": 1,\n"b": nope\n}')), { message: /line 3:/ });
  for (const text of ['[]', 'null', '3', '"x"']) t.throws(() => load({}, fileWith(text)), { code: 'CONFIG_INVALID', message: /expected a JSON object/ });
  t.equal(load({}, fileWith('\uFEFF{"processing":{"fps":4}}')).processing.fps, 4, 'a byte order mark is fine');
  t.same(problems({}, fileWith('{"__proto__": {"fps": 1}}')), ['__proto__: no such key']);
});

t.test('rules over several fields', async (t) => {
  t.match(problems({ HOST: '0.0.0.0' }), [/^server\.api_token: expected a token because server\.host "0\.0\.0\.0" is not a loopback address/]);
  t.same(problems({ HOST: '0.0.0.0', SIGHTLINE_API_TOKEN: 'x'.repeat(16) }), []);
  t.match(problems({}, fileWith({ capture: { backoff_min_ms: 5000, backoff_max_ms: 1000 } })), [/^capture\.backoff_max_ms: expected at least/]);
  for (const host of ['localhost', '127.0.0.1', '127.1.2.3', '::1', '[::1]']) t.ok(isLoopback(host), host);
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'localhost.evil.example', '127.0.0.1.evil.example', '']) t.notOk(isLoopback(host), host);
});

t.test('the encryption key is 32 raw bytes or base64 of them, never hex', async (t) => {
  t.equal(encryptionKey('0123456789abcdef0123456789abcdef')?.toString('latin1'), '0123456789abcdef0123456789abcdef');
  t.equal(encryptionKey(Buffer.alloc(32, 7).toString('base64'))?.toString('hex'), '07'.repeat(32));
  for (const bad of ['', 'x', 'a'.repeat(31), 'a'.repeat(33), 'a'.repeat(64), 'ä'.repeat(32), Buffer.alloc(31).toString('base64'), `${'-'.repeat(43)}=`]) t.equal(encryptionKey(bad), undefined, bad);
});

t.test('a database needs a user, unless the cameras do not come from it', async (t) => {
  t.throws(() => load({ DB_HOST: 'db' }), { code: 'CONFIG_INVALID', message: /database\.user: expected a user/ });
  t.throws(() => load({ DB_NAME: 'fraud_detection' }), { code: 'CONFIG_INVALID' });
  t.match(load({ DB_HOST: 'db', DB_USER: 'u' }), { database: { host: 'db' }, registry: { table: 'camera_network', write_online: false } });
  t.doesNotThrow(() => load({ DB_HOST: 'db' }, fileWith({ cameras: { load_from_database: false } })));
});

t.test('warnings', async (t) => {
  t.match(configWarnings(load()), [/callback_url is not set/]);
  t.match(configWarnings(load({ PHP_CALLBACK_URL: 'http://php.example/cb' })), [/unencrypted/, /auth_token is not set/]);
  t.same(configWarnings(load({ PHP_CALLBACK_URL: 'http://127.0.0.1:9/cb', CV_PIPELINE_TOKEN: 't' })), []);
});

t.test('providers follow use_gpu unless they are given', async (t) => {
  t.same(providersOf(load().processing), ['cuda', 'webgpu', 'cpu']);
  t.same(providersOf(load({}, fileWith({ processing: { use_gpu: false } })).processing), ['cpu']);
  t.same(providersOf(load({}, fileWith({ processing: { providers: ['cpu', 'cuda'] } })).processing), ['cpu', 'cuda']);
});

t.test('no variable sets two fields', async (t) => {
  const names = envFields(ConfigSchema).flatMap(({ names: all }) => all);
  t.equal(new Set(names).size, names.length);
});
