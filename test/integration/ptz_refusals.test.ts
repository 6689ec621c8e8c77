/** The PTZ monitor without AWS, Kubernetes and MQTT; and what it says when something is not as it should be. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import S3rver from 's3rver';
import t from 'tap';
import { runCli } from '../../src/cli/main.js';
import { encodePng } from '../../src/ptz/camera/png.js';
import { openCluster } from '../../src/ptz/clusters/forward.js';
import { checkSettings } from '../../src/ptz/config/settings.js';
import { localFiles } from '../../src/ptz/storage/files.js';
import { s3Files } from '../../src/ptz/storage/s3.js';
import { kubeconfigOf, startFakeCluster } from '../fixtures/fake_kubernetes.js';
import { lookAt } from '../fixtures/ptz_clips.js';
import { makePanorama, type Panorama } from '../fixtures/ptz_scene.js';

const SCENE = { width: 640, height: 360, hfov_deg: 60 };
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
t.setTimeout(180_000);

interface Look {
  image: string;
  pan_deg: number;
  tilt_deg: number;
  /** Where it really looks, beside what it says. */
  off?: { yaw: number; pitch: number };
}

async function putViews(folder: string, panorama: Panorama, looks: readonly Look[], scene = SCENE): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const { image, pan_deg, tilt_deg, off = { yaw: 0, pitch: 0 } } of looks) {
    writeFileSync(path.join(folder, image), await encodePng(lookAt(panorama, { yaw_deg: pan_deg + off.yaw, pitch_deg: tilt_deg + off.pitch }, scene), SCENE.width, SCENE.height));
  }
  writeFileSync(path.join(folder, 'views.json'), JSON.stringify({ camera: scene, views: looks.map(({ image, pan_deg, tilt_deg }) => ({ image, pan_deg, tilt_deg })) }));
}

async function sightline(cwd: string, ...args: string[]): Promise<{ code: number; out: Record<string, unknown>; text: string; words: string }> {
  let out = '';
  let words = '';
  const code = await runCli(args, { env: { LOG_LEVEL: 'error' }, cwd: () => cwd, stdout: { write: (text: string) => (out += text) }, stderr: { write: (text: string) => (words += text) } });
  return { code, out: (out.startsWith('{') ? JSON.parse(out) : {}) as Record<string, unknown>, text: out, words };
}

t.test('pictures in folders, results in the embedded database', async (t) => {
  const cwd = t.testdir({ configs: { 'calibration_monitoring.ini': '[camera]\nmax_features = 800\nignore_top = 0\n' } });
  writeFileSync(path.join(cwd, 'devices.yaml'), '- name: yard\n  folder: pictures\n  cameras: [{name: gate}, {name: wrong}, {name: broken}, {name: dark}]\n');
  const [scene, other] = [makePanorama(7), makePanorama(8)];
  const stops = [{ image: 'a.png', pan_deg: 0, tilt_deg: -10 }, { image: 'b.png', pan_deg: 20, tilt_deg: -10 }];
  const at = (...parts: string[]): string => path.join(cwd, 'pictures', ...parts);
  for (const name of ['gate', 'wrong', 'broken']) await putViews(at(name, 'reference'), scene, stops);
  await putViews(at('gate', 'query'), scene, [{ image: 'q.png', pan_deg: 10, tilt_deg: -10, off: { yaw: 2, pitch: 0 } }]);
  await putViews(at('wrong', 'query'), other, [{ image: 'q.png', pan_deg: 0, tilt_deg: -10 }]);
  await putViews(at('broken', 'query'), scene, [{ image: 'q.png', pan_deg: 0, tilt_deg: -10 }]);
  writeFileSync(at('broken', 'query', 'q.png'), readFileSync(at('broken', 'query', 'q.png')).subarray(0, 900));

  const collected = await sightline(cwd, 'ptz', 'collect', '--json');
  t.equal(collected.code, 3);
  t.match(collected.out, { devices: 4, collected: { length: 3 }, failed: [{ device_id: 'dark', code: 'PTZ_INPUT' }] });
  const run = await sightline(cwd, 'ptz', 'monitor', '--json');
  t.equal(run.code, 3);
  t.match(run.out, { devices: 4, counts: { drift: 1, refused: 2, failed: 1 }, athena: null, slack: null });
  const [gate, wrong, broken, dark] = run.out.results as Record<string, unknown>[];
  t.match(gate, { status: 'drift', alert: true, success: true, capture_positions: [{ pan: 10, tilt: -10, zoom: 1 }] });
  t.ok((gate?.spread as number) > 0.3 && (gate?.zoom_ci95 as number) > 0, 'with the spread, and how sure the zoom is');
  t.ok(Math.abs((gate?.yaw_offset as number) + 2) < 0.05, `really 2° further right: ${String(gate?.yaw_offset)}`);
  t.match(wrong, { status: 'refused', success: false, yaw_offset: 0, failure_log: /^refused: / }, 'another scene');
  t.match(broken, { status: 'refused', reason: 'unreadable_image' });
  t.match(dark, { status: 'failed', reason: 'PTZ_REFERENCE_MISSING' });
  t.match(readdirSync(String(gate?.files_location)).sort(), ['images', 'result.json']);
  t.match((await sightline(cwd, 'ptz', 'report', '--json', '--device', 'yard/gate')).out, { results: [{ device_id: 'gate', status: 'drift' }] });

  const told = await sightline(cwd, 'ptz', 'report');
  t.match(told.text, /yard\/gate +drift +yaw -\d\.\d{4}° ± 0\.\d{4}°, pitch /, 'people see the interval, too');
  const two = (await sightline(cwd, 'ptz', 'report', '--json', '--device', 'yard/gate', '--device', 'dark')).out.results as { device_id: string }[];
  t.same(two.map(({ device_id }) => device_id).sort(), ['dark', 'gate']);
  const checked = (await sightline(cwd, 'ptz', 'check', '--json', '--device', 'gate', '--device', 'dark', '--timeout', '-1', '--timeout', '9')).out.results as { device_id: string }[];
  t.same(checked.map(({ device_id }) => device_id), ['gate', 'dark'], 'each --device counts, and the last --timeout');
  t.match((await sightline(cwd, 'ptz', 'report', '--device', 'nobody')).text, /no results of these devices/);
  t.match((await sightline(cwd, 'ptz', 'report', '--deployment', 'yard', '--status', 'drift')).text, /^\S+ +yard\/gate[^\n]*\n$/);
  t.match((await sightline(cwd, 'ptz', 'check', '--device', 'gate')).text, /gate: drift[^]*yaw -\d\.\d+° ± 0\.\d+°[^]*zoom [01]\.\d+ ± 0\.\d+, \d+ matches\n  yaw beyond ±0\.5° with the whole interval\n/);

  for (const hfov_deg of [52, 69]) {
    await putViews(at('gate', 'query'), scene, [{ image: 'q.png', pan_deg: 10, tilt_deg: -10, off: { yaw: 2, pitch: 0 } }], { ...SCENE, hfov_deg });
    const [other_lens] = (await sightline(cwd, 'ptz', 'monitor', '--json', '--device', 'gate')).out.results as { status: string; yaw_offset: number; zoom_ratio: number }[];
    t.match(other_lens, { status: 'drift' }, `${hfov_deg}° instead of ${SCENE.hfov_deg}°`);
    t.ok(Math.abs((other_lens?.yaw_offset ?? 0) + 2) < 0.05 && Math.abs((other_lens?.zoom_ratio ?? 0) - 1) < 0.005, `its own lens is no zoom error: ${JSON.stringify(other_lens?.zoom_ratio)}`);
  }
  await putViews(at('gate', 'query'), scene, [{ image: 'q.png', pan_deg: 10, tilt_deg: -10, off: { yaw: 2, pitch: 0 } }]);

  const set = path.join(cwd, '.sightline/ptz/yard/gate/reference_scan');
  writeFileSync(path.join(set, 'features/a.png.txt'), '0 128\n');
  const tampered = await sightline(cwd, 'ptz', 'check', '--json', '--device', 'gate');
  t.same([tampered.code, (tampered.out.results as { reason: string }[])[0]?.reason], [1, 'PTZ_REFERENCE_BROKEN']);
  t.equal((await sightline(cwd, 'ptz', 'collect', '--device', 'gate')).code, 0, 'collecting anew mends it');
  t.match((await sightline(cwd, 'ptz', 'check', '--json', '--device', 'gate')).out, { results: [{ status: 'drift' }] });
});

t.test('bad input has exit code 2 and says all of it', async (t) => {
  const cwd = t.testdir({ 'devices.yaml': '- name: a\n  cameras: [{name: "?"}]\n', configs: { 'calibration_monitoring.ini': '[monitoring]\nconcurrency = 99\nnope = 1\n' } });
  t.match(await sightline(cwd, 'ptz', 'monitor'), { code: 2, words: /PTZ_SETTINGS_INVALID[^]*2 problems[^]*monitoring\.nope[^]*monitoring\.concurrency/ });
  writeFileSync(path.join(cwd, 'configs/calibration_monitoring.ini'), '');
  t.match(await sightline(cwd, 'ptz', 'monitor'), { code: 2, words: /PTZ_DEVICES_INVALID[^]*\[0\]\.cameras\[0\]\.name/ });
  t.match(await sightline(cwd, 'ptz', 'monitor', '--stops', '[[0]]'), { code: 2 });
  writeFileSync(path.join(cwd, 'devices.yaml'), '- name: a\n  folder: a\n  cameras: [{name: x}]\n');
  t.match(await sightline(cwd, 'ptz', 'collect', '--stops', '[]'), { code: 2, words: /--stops: expected at least one position/ });
  const empty = t.testdir({});
  t.match(await sightline(empty, 'ptz', 'monitor'), { code: 2, words: /ptz init/ });
  t.match(await sightline(empty, 'ptz', 'init', '--json'), { code: 0, out: { written: { length: 2 }, athena: /off/ } });
  t.match(await sightline(empty, 'ptz', 'init', '--json'), { code: 0, out: { written: { length: 0 } } });
});

t.test('a bucket that is not there, keys that are refused', async (t) => {
  const server = new S3rver({ address: '127.0.0.1', port: 0, silent: true, directory: t.testdir(), configureBuckets: [{ name: 'there', configs: [] }] });
  const { port } = (await server.run()) as { port: number };
  t.teardown(() => server.close());
  const expired = createServer((_request, response) => {
    response.writeHead(400, { 'content-type': 'application/xml' }).end('<?xml version="1.0"?><Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>');
  });
  await new Promise<void>((resolve) => { expired.listen(0, '127.0.0.1', resolve); });
  t.teardown(() => expired.close());
  const address = expired.address();
  const expired_port = typeof address === 'object' && address !== null ? address.port : 0;
  const files = (bucket: string, at = port) => {
    const { aws } = checkSettings({ aws: { s3_endpoint: `http://127.0.0.1:${at}`, access_key_id: 'S3RVER', secret_access_key: 'S3RVER', s3_bucket: bucket } }, 'x');
    const store = s3Files(aws, bucket);
    t.teardown(() => { store.close(); });
    return store;
  };
  await files('there').check();
  const gone = files('gone');
  for (const work of [() => gone.check(), () => gone.put('a/b', Buffer.from('x'), 'text/plain'), () => gone.get('a/b').then(() => undefined)]) {
    await t.rejects(work(), { code: 'PTZ_STORAGE_FAILED', message: /bucket gone.*there is none/ });
  }
  await t.rejects(files('there', expired_port).put('a', Buffer.from('x'), 'text/plain'), { code: 'PTZ_CREDENTIALS', message: 'S3 bucket there: cannot write a: AWS credentials: they have expired' });
  const store = files('there');
  await store.put('a/b.txt', Buffer.from('x'), 'text/plain');
  t.same([await store.list('a/'), (await store.get('a/b.txt'))?.toString(), await store.get('a/c')], [['a/b.txt'], 'x', undefined]);
  await store.remove(['a/b.txt']);
  t.same(await store.list('a/'), []);
  const local = localFiles(t.testdir());
  await local.put('a/b.txt', Buffer.from('x'), 'text/plain');
  t.same([await local.list('a/'), await local.get('a/c'), await local.list('z/')], [['a/b.txt'], undefined, []]);
  await t.rejects(async () => local.put('../x', Buffer.from('x'), 'text/plain'), { code: 'PTZ_STORAGE_FAILED' });
});

t.test('a cluster that is not there, refuses us, or lacks a service', async (t) => {
  const cluster = await startFakeCluster({ token: 'right', namespace: 'n', services: { mosquitto: { ports: { 1883: 1 } }, starting: { ports: { 80: 1 }, ready: false } } });
  t.teardown(() => cluster.close());
  const kubeconfig = path.join(t.testdir(), 'kubeconfig');
  writeFileSync(kubeconfig, kubeconfigOf({
    good: { url: cluster.url, token: 'right', namespace: 'n' }, expired: { url: cluster.url, token: 'hushhush', namespace: 'n' }, gone: { url: 'http://127.0.0.1:1', token: 'x', namespace: 'n' },
  }));
  const forward = async (context: string, service: string, port: number) => openCluster({ context, namespace: null, kubeconfig, log }).forward({ service, port });
  await t.rejects(forward('nowhere', 'mosquitto', 1883), { code: 'PTZ_CLUSTER_CONTEXT', message: /good, expired, gone/ });
  await t.rejects(forward('gone', 'mosquitto', 1883), { code: 'PTZ_CLUSTER_UNREACHABLE', message: /cluster gone/ });
  const expired = await forward('expired', 'mosquitto', 1883).then(() => undefined, (error: unknown) => error as Error & { code: string });
  t.match(expired, { code: 'PTZ_CLUSTER_UNREACHABLE', message: /HTTP 401/ });
  t.notMatch(expired?.message, /hushhush/);
  await t.rejects(forward('good', 'media-server', 8800), { code: 'PTZ_SERVICE_MISSING', message: /no service media-server/ });
  await t.rejects(forward('good', 'mosquitto', 1884), { code: 'PTZ_SERVICE_MISSING', message: /port 1884, it has 1883/ });
  await t.rejects(forward('good', 'starting', 80), { code: 'PTZ_SERVICE_MISSING', message: /none of them ready/ });
});

t.test('the systemd units are valid and hardened', { skip: existsSync('/usr/bin/systemd-analyze') ? false : 'systemd-analyze is not installed' }, async (t) => {
  const answer = execFileSync('systemd-analyze', ['security', '--offline=true', 'systemd/sightline-ptz.service'], { encoding: 'utf8' });
  t.ok(Number(/exposure level for sightline-ptz\.service: ([\d.]+)/.exec(answer)?.[1]) <= 3);
  t.match(readFileSync('systemd/sightline-ptz.timer', 'utf8'), /OnCalendar=hourly[^]*Persistent=true/);
});
