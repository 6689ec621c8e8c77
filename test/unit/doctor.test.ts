/** `sightline doctor`: each finding says how to mend it, and shows no secret. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadConfig } from '../../src/config/load.js';
import { startReceiver } from '../../src/demo/receiver.js';
import { gpuPresent } from '../../src/gpu.js';
import { examine } from '../../src/service/doctor.js';
import { examineReceiver } from '../../src/service/peers.js';

t.test('what is away is named with a way to mend it', async (t) => {
  const env = { PHP_CALLBACK_URL: 'http://user:hidden-word@127.0.0.1:1/x', DB_HOST: '127.0.0.1', DB_PORT: '1', DB_USER: 'reader', DB_NAME: 'x', STATE_DIR: t.testdir(), CV_PIPELINE_TOKEN: 'hidden-token-1234', CALIBRATION_DB_PORT: '2' };
  const findings = await examine({ root: process.cwd(), config: loadConfig({ env, cwd: '/' }) });
  const by = new Map(findings.map((one) => [one.name, one]));
  t.same([...by.keys()], ['node', 'packages', 'addons', 'ffmpeg', 'opencv', 'models', 'gpu', 'nvdec', 'state', 'database', 'calibration', 'callback']);
  t.match(by.get('database'), { state: 'failed', found: /ECONNREFUSED/ });
  t.match(by.get('calibration'), { state: 'failed', found: /ECONNREFUSED/ });
  t.match(by.get('callback'), { state: 'failed', found: /connection_refused/ });
  t.equal(by.get('state')?.state, 'ok');
  for (const one of findings) t.equal(one.mend === '', one.state === 'ok', `${one.name}: ${one.found}`);
  t.notMatch(JSON.stringify(findings), /hidden-/);
});

t.test('GPU detection: found where its device nodes are, and where there is none inference on the CPU is said', async (t) => {
  const devices = t.testdir();
  t.notOk(gpuPresent(devices));
  writeFileSync(join(devices, 'nvidiactl'), '');
  t.notOk(gpuPresent(devices), 'the driver without a device');
  writeFileSync(join(devices, 'nvidia0'), '');
  t.ok(gpuPresent(devices));

  const listed = spawnSync('nvidia-smi', ['-L'], { encoding: 'utf8', timeout: 30_000 });
  const cards = '/proc/driver/nvidia/gpus';
  if (listed.status === 0 && /^GPU 0:/m.test(listed.stdout)) t.ok(gpuPresent(), 'the driver lists one');
  else if (gpuPresent()) t.ok(existsSync(cards) && readdirSync(cards).length > 0, 'the kernel knows it');
  for (const [use_gpu, state] of [[true, gpuPresent() ? /ok|warning/ : 'warning'], [false, 'ok']] as const) {
    const file = join(t.testdirName, `use_gpu_${use_gpu}.json`);
    writeFileSync(file, JSON.stringify({ processing: { use_gpu }, php_system: { callback_url: 'http://127.0.0.1:1/x' } }));
    const found = (await examine({ root: process.cwd(), config: loadConfig({ file, env: {}, cwd: devices }) })).find(({ name }) => name === 'gpu');
    t.match(found, { state, found: gpuPresent() ? /an NVIDIA GPU is there|not wanted/ : use_gpu ? /no NVIDIA GPU .* only the CPU is left/ : /inference runs on the CPU/ });
  }
});

t.test('the receiver is asked for what it thinks of our token, and stores nothing', async (t) => {
  const receiver = await startReceiver({ token: 'hidden-token-1234' });
  t.teardown(() => receiver.close());
  const ask = (env: Record<string, string>) => examineReceiver(loadConfig({ env, cwd: '/' }));
  const PHP_CALLBACK_URL = receiver.callback_url;
  t.match(await ask({ PHP_CALLBACK_URL, CV_PIPELINE_TOKEN: 'hidden-token-1234' }), { state: 'ok', found: /takes the token/, mend: '' });
  t.match(await ask({ PHP_CALLBACK_URL, CV_PIPELINE_TOKEN: 'another-token-1234' }), { state: 'failed', mend: /CV_PIPELINE_TOKEN/ });
  t.match(await ask({ PHP_CALLBACK_URL }), { state: 'failed', found: /there is no token/ });
  t.match(await ask({ PHP_CALLBACK_URL: `${receiver.url}/elsewhere`, CV_PIPELINE_TOKEN: 'hidden-token-1234' }), { state: 'failed', mend: /PHP_CALLBACK_URL/ });
  t.match(await ask({}), { state: 'warning' });
  t.same(Object.values(receiver.received().counts).reduce((sum, count) => sum + count, 0), 0);
});
