/** The command line as its users meet it: a child process, its exit code, and what is on stdout and stderr. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { runCli } from '../../src/cli/main.js';

const BIN = fileURLToPath(new URL('../../../bin/sightline', import.meta.url));
const ADDON = fileURLToPath(new URL('../../../build/native/bin/capture.node', import.meta.url));
const LIMIT_MS = 60_000;
t.setTimeout(240_000);

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

type Run = (args: string[], env?: Record<string, string>) => Promise<Ended>;

/** Runs in an empty folder with nothing of this process's environment but PATH: `run` a child process, `call` the same code in this one. */
function shell(t: Test): { dir: string; run: Run; call: Run } {
  const dir = t.testdir();
  return {
    dir,
    call: async (args, env = {}) => {
      const ended: Ended = { code: null, out: '', err: '' };
      const stdout = { write: (text: string) => (ended.out += text) };
      const stderr = { write: (text: string) => (ended.err += text) };
      ended.code = await runCli(args, { env: { STATE_DIR: join(dir, 'state'), ...env }, cwd: () => dir, stdout, stderr });
      return ended;
    },
    run: (args, env = {}) =>
      new Promise((resolve, reject) => {
        const child = spawn(process.execPath, [BIN, ...args], { cwd: dir, env: { PATH: process.env.PATH, STATE_DIR: join(dir, 'state'), ...env }, timeout: LIMIT_MS });
        let [out, err] = ['', ''];
        child.stdout.on('data', (data: Buffer) => (out += data.toString()));
        child.stderr.on('data', (data: Buffer) => (err += data.toString()));
        child.on('error', reject);
        child.on('close', (code) => { resolve({ code, out, err }); });
      }),
  };
}

t.test('a reader that goes early is no fault', async (t) => {
  const child = spawn(process.execPath, [BIN, 'config', 'schema'], { cwd: t.testdir(), env: { PATH: process.env.PATH }, timeout: LIMIT_MS });
  child.stdout.destroy();
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  t.same({ code, err }, { code: 0, err: '' });
});

t.test('cameras: add, list, remove', async (t) => {
  const { dir, run } = shell(t);
  const url = 'rtsp://admin:ge@heim@10.0.0.7:554/s';
  t.match(await run(['cameras', 'list']), { code: 0, out: /no cameras are registered/, err: '' });
  t.same(JSON.parse((await run(['cameras', 'list', '--json'])).out), { cameras: [] });
  const added = await run(['cameras', 'add', '--id', '7', '--name', 'Front desk', '--url', url, '--priority', '9', '--location', 'Hall', '--outlet-id', '3', '--json']);
  t.same([added.code, added.err], [0, '']);
  t.match(JSON.parse(added.out), { camera_id: 7, camera_name: 'Front desk', url: 'rtsp://***@10.0.0.7:554/s', priority: 9, location: 'Hall', outlet_id: 3, enabled: true });
  t.match(await run(['cameras', 'add', '--id', '8', '--name', 'Door', '--url', '/dev/video0', '--disabled']), { code: 0, out: /camera 8 "Door" registered/ });
  const list = await run(['cameras', 'list', '--json']);
  t.match(JSON.parse(list.out), { cameras: [{ camera_id: 7 }, { camera_id: 8, enabled: false, priority: 5 }] });
  t.match((await run(['cameras', 'list'])).out, /7 +Front desk +9 +yes +Hall +rtsp:\/\/\*\*\*@10\.0\.0\.7:554\/s\n8 +Door/);
  t.notMatch(added.out + list.out, /heim|admin/);
  t.equal(statSync(join(dir, 'state/sightline.db')).mode & 0o777, 0o600, 'the registry, which has the credentials, is its owner’s alone');
  t.match(await run(['cameras', 'remove', '--id', '7', '--json']), { code: 0, out: /"removed": 7/ });
  t.match(JSON.parse((await run(['cameras', 'list', '--json'])).out), { cameras: [{ camera_id: 8 }] });
});

t.test('cameras: bad input exits 2 with one line that has the code and no credentials', async (t) => {
  const { call } = shell(t);
  await call(['cameras', 'add', '--id', '1', '--name', 'a', '--url', '/a.mp4']);
  const good = ['cameras', 'add', '--id', '2', '--name', 'b'];
  const cases: [string[], RegExp][] = [
    [['cameras', 'add', '--id', '1', '--name', 'b', '--url', '/b.mp4'], /^sightline: CAMERA_EXISTS: camera_id: expected an id that is free, received 1\n$/],
    [[...good, '--url', 'gopher://user:geheim@x'], /^sightline: CAMERA_INVALID: url: expected .*\n$/],
    [[...good, '--url', 'rtsp://x/', '--priority', '11'], /^sightline: CAMERA_INVALID: priority: expected an integer from 1 to 10, received 11\n$/],
    [[...good, '--url', 'rtsp://x/', '--priority', 'high'], /^sightline: CAMERA_INVALID: priority: /],
    [[...good, '--url', 'rtsp://x/', '--transport', 'sctp'], /^sightline: CAMERA_INVALID: transport: expected one of "tcp", "udp" or null, received "sctp"\n$/],
    [['cameras', 'add', '--id', 'x', '--name', 'b', '--url', 'rtsp://x/'], /^sightline: CAMERA_INVALID: camera_id: /],
    [['cameras', 'remove', '--id', '9'], /^sightline: CAMERA_NOT_FOUND: camera_id: expected a registered camera, received 9\n$/],
    [['cameras', 'probe', 'ftp://user:geheim@x'], /^sightline: CAMERA_INVALID: url: /],
    [good, /^sightline: Missing required argument: url; see "sightline cameras add --help"\n$/],
    [['cameras'], /^sightline: cameras: expected one of add, list, probe, remove, import, encrypt; see "sightline cameras --help"\n$/], [['cameras', 'ad'], /^sightline: Unknown.*; see "sightline cameras --help"\n$/],
    [['cameras', 'list', '--jsn'], /^sightline: Unknown argument: jsn; see "sightline cameras list --help"\n$/], [['run', '--jsn'], /; see "sightline run --help"\n$/],
    [[], /^sightline: expected a command; see "sightline --help"\n$/], [['sing'], /^sightline: Unknown.*; see "sightline --help"\n$/],
  ];
  for (const [args, err] of cases) {
    const ended = await call([...args, ...(args.includes('add') ? ['--json'] : [])]);
    t.same([ended.code, ended.out], [2, ''], args.join(' '));
    t.match(ended.err, err);
    t.notMatch(ended.err, /geheim/);
  }
});

t.test('a child process says the same', async (t) => {
  const { run } = shell(t);
  t.match(await run(['cameras', 'add', '--id', '2', '--name', 'b', '--url', 'gopher://user:geheim@x', '--json']), { code: 2, out: '', err: /^sightline: CAMERA_INVALID: url: (?!.*geheim)/ });
  t.match(await run(['sing']), { code: 2, out: '', err: /^sightline: Unknown/ });
});

t.test('config: check, print, schema', async (t) => {
  const { dir, call } = shell(t);
  t.match(await call(['config', 'check']), { code: 0, out: 'the configuration is valid\n', err: /warning: php_system\.callback_url is not set/ });
  writeFileSync(join(dir, 'config.json'), JSON.stringify({ processing: { fsp: 5 }, server: { port: 'x' } }));
  const bad = await call(['config', 'check', '--config', 'config.json'], { ANALYSIS_FPS: 'fast' });
  t.same([bad.code, bad.out], [2, '']);
  t.match(bad.err, /^sightline: CONFIG_INVALID: the configuration has 3 problems:\n/);
  t.match(await call(['config', 'check', '--config', 'nowhere.json']), { code: 2, err: /ENOENT/ });
  t.match(await call(['config', 'check'], { DB_HOST: 'db' }), { code: 2, err: /database\.user: expected a user/ });
  const printed = await call(['config', 'print'], { CV_PIPELINE_TOKEN: 'geheim', PORT: '6000' });
  t.match(JSON.parse(printed.out), { php_system: { auth_token: '***' }, server: { port: 6000 }, state_dir: join(dir, 'state') });
  t.match(JSON.parse((await call(['config', 'schema'])).out), { type: 'object', additionalProperties: false });
  t.match(JSON.parse((await call(['config', 'check', '--json'])).out), { ok: true, warnings: [/callback_url/] });
});

const WEIGHTS = fileURLToPath(new URL('../../../models/weights/', import.meta.url));
t.test('models: list, check, convert', { skip: existsSync(WEIGHTS) ? false : 'the default models are not made' }, async (t) => {
  const { dir, call } = shell(t);
  const list = await call(['models', 'list', '--json']);
  t.same([list.code, list.err], [0, '']);
  const { models } = JSON.parse(list.out) as { models: { id: string; bytes: number; checksum_ok: boolean }[] };
  t.ok(models.length >= 6 && models.every(({ bytes }) => bytes > 0));
  t.match(await call(['models', 'list']), { code: 0, out: /objects \(object\): / });
  const check = await call(['models', 'check', '--json']);
  t.same([check.code, (JSON.parse(check.out) as { ok: boolean }).ok], [0, true], check.out);
  writeFileSync(join(dir, 'mine.h5'), 'x');
  t.match(await call(['models', 'check'], { MODEL_DIR: dir, EMOTION_MODEL: 'mine.h5' }), { code: 2, out: '', err: /^sightline: MODEL_FORMAT: / });
  t.match(await call(['models', 'list'], { MODEL_DIR: dir, EMOTION_MODEL: 'nowhere.onnx' }), { code: 2, out: '', err: /^sightline: MODEL_MISSING: / });
  t.match(await call(['models', 'convert', 'nowhere.json', '--out', 'x.onnx']), { code: 2, out: '', err: /^sightline: MODEL_MISSING: / });
  t.match(await call(['models', 'convert', 'mine.h5', '--out', 'x.onnx']), { code: 2, out: '', err: /^sightline: REQUEST_INVALID: slot: / });
  t.match(await call(['models', 'convert', 'mine.h5', '--out', 'x.onnx', '--range', '0']), { code: 2, err: /--range: expected two numbers, received 1/ });
  t.match(await call(['models', 'convert', 'mine.h5', '--out', 'x.onnx', '--slot', 'nose']), { code: 2, err: /Invalid values/ });
  t.match(await call(['models', 'convert', 'mine.h5', '--out', 'x.onnx', '--slot', 'emotion', '--entry', 'nowhere.json']), { code: 2, err: /^sightline: MODEL_MANIFEST: --entry: / });
  t.notOk(existsSync(join(dir, 'x.onnx')), 'what fails writes nothing');
});

t.test('run refuses a bad configuration before it opens anything', async (t) => {
  const { dir, run } = shell(t);
  t.match(await run(['run'], { PORT: '70000' }), { code: 2, out: '', err: /CONFIG_INVALID/ });
  t.match(await run(['run', '--config', 'nowhere.json']), { code: 2, err: /CONFIG_INVALID/ });
  t.notOk(existsSync(join(dir, 'state')));
});

t.test('help and version', async (t) => {
  const { run } = shell(t);
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  t.same(await run(['--version']), { code: 0, out: `${version}\n`, err: '' });
  t.match(await run(['--help']), { code: 0, out: /sightline run[\s\S]*sightline cameras[\s\S]*Exit codes: |Exit codes/, err: '' });
  t.match(await run(['cameras', 'add', '--help']), { code: 0, out: /--outlet-id/ });
});

t.test('probe opens a stream', { skip: existsSync(ADDON) ? false : 'the native addon is not built' }, async (t) => {
  const { run } = shell(t);
  const good = await run(['cameras', 'probe', 'lavfi:testsrc=size=320x180:rate=5', '--json']);
  t.same([good.code, good.err], [0, '']);
  t.match(JSON.parse(good.out), { ok: true, width: 320, height: 180 });
  const missing = await run(['cameras', 'probe', '/nowhere.mp4', '--json']);
  t.equal(missing.code, 1);
  t.match(JSON.parse(missing.out), { ok: false, reason: /^CAPTURE_/ });
  t.match(await run(['cameras', 'probe', 'rtsp://user:geheim@127.0.0.1:1/x']), { code: 1, out: '', err: /^sightline: CAPTURE_[A-Z]+: rtsp:\/\/\*\*\*@127\.0\.0\.1:1\/x: (?!.*geheim)/ });
});
