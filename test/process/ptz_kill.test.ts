/**
 * `sightline ptz monitor` is killed with SIGKILL: between devices, in the middle of an upload, and when Athena has taken the rows but its answer is lost. The next run
 * goes on, no half query is taken for a whole one, and no row is there twice.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, request as ask } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import S3rver from 's3rver';
import t, { type Test } from 'tap';
import { createOpenCv } from '../../src/opencv/client.js';
import { checkSettings } from '../../src/ptz/config/settings.js';
import { createJournal } from '../../src/ptz/results/journal.js';
import { s3Files } from '../../src/ptz/storage/s3.js';
import { openStore } from '../../src/store/store.js';
import { startFakeAthena } from '../fixtures/fake_athena.js';
import { cameraAt, develop, makePanorama, Random, render } from '../fixtures/ptz_scene.js';

t.setTimeout(400_000);

const BIN = fileURLToPath(new URL('../../../bin/sightline', import.meta.url));
const SCENE = { width: 640, height: 360, hfov_deg: 60 };
const DEVICES = ['a', 'b', 'c'];
const MANIFEST = 'images/telemetry_manifest.json';

interface Life {
  child: ChildProcess;
  /** How it ended, what it printed, and the processes it had started. */
  end: Promise<{ code: number | null; signal: string | null; out: Record<string, unknown> }>;
  kill(): void;
}

const children = new Set<number>();

function start(cwd: string, args: string[], onLine: (line: string, life: Life) => void = () => undefined): Life {
  const child = spawn(process.execPath, [BIN, 'ptz', ...args, '--json'], { cwd, env: { PATH: process.env['PATH'], LOG_FORMAT: 'json' }, timeout: 180_000, killSignal: 'SIGKILL' });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  const life: Life = {
    child,
    end: new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => { resolve({ code, signal, out: (out.startsWith('{') ? JSON.parse(out) : {}) as Record<string, unknown> }); });
    }),
    kill() {
      for (const pid of readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ')) if (pid !== '') children.add(Number(pid));
      child.kill('SIGKILL');
    },
  };
  child.stderr.setEncoding('utf8').on('data', (text: string) => { for (const line of text.split('\n')) onLine(line, life); });
  return life;
}

/** Reference and query pictures of three devices, and the settings. */
async function site(t: Test, settings: string): Promise<string> {
  const cwd = t.testdir({ configs: { 'calibration_monitoring.ini': `[camera]\nmax_features = 800\nignore_top = 0\n${settings}` } });
  writeFileSync(path.join(cwd, 'devices.yaml'), `- name: yard\n  folder: pictures\n  cameras: [${DEVICES.map((name) => `{name: ${name}}`).join(', ')}]\n`);
  const opencv = createOpenCv();
  t.teardown(() => opencv.close());
  const panorama = makePanorama(3, 2048);
  const focal = SCENE.width / 2 / Math.tan(Math.PI / 6);
  for (const [index, name] of DEVICES.entries()) {
    const grey = develop(render(panorama, { ...SCENE, focal, k1: 0, rotation: cameraAt(40 * index, -5, 0) }), SCENE.width, SCENE.height, { blur: 0, gain: 1, noise: 2 }, new Random(index));
    const picture = await opencv.ask({ op: 'write', grey, width: SCENE.width, height: SCENE.height, quality: 90 });
    for (const kind of ['reference', 'query']) {
      const folder = path.join(cwd, 'pictures', name, kind);
      mkdirSync(folder, { recursive: true });
      writeFileSync(path.join(folder, 'v.jpg'), picture);
      writeFileSync(path.join(folder, 'views.json'), JSON.stringify({ camera: SCENE, views: [{ image: 'v.jpg', pan_deg: 40 * index, tilt_deg: -5 }] }));
    }
  }
  t.match(await start(cwd, ['collect']).end, { code: 0, out: { collected: { length: 3 } } });
  return cwd;
}

async function history(cwd: string): Promise<string[]> {
  const store = await openStore({ file: path.join(cwd, '.sightline/sightline.db'), log: { info: () => undefined } });
  const rows = await createJournal(store.db).history({ limit: 100 });
  await store.close();
  return rows.map(({ row }) => `${row.device_id} ${row.timestamp_s}`).reverse();
}

t.test('killed between devices: the next run does all of them; what was left half-written goes', async (t) => {
  const cwd = await site(t, '[monitoring]\nconcurrency = 1\n');
  // Nobody writes into it: the second device is at work until the run dies.
  const views = path.join(cwd, 'pictures/b/query/views.json');
  renameSync(views, `${views}.kept`);
  execFileSync('mkfifo', [views]);
  const first = start(cwd, ['monitor'], (line, life) => { if (line.includes('PTZ device checked')) life.kill(); });
  t.equal((await first.end).signal, 'SIGKILL');
  renameSync(`${views}.kept`, views);
  const before = await history(cwd);
  t.same(before.map((row) => row[0]), ['a'], 'rows when it died');

  // As a run that died in the upload leaves them, two hours ago.
  const queries = path.join(cwd, '.sightline/ptz/yard/b/query_scan');
  const old = new Date(Date.now() - 7_200_000);
  const half = path.join(queries, old.toISOString().replace('Z', '000'));
  mkdirSync(path.join(half, 'images'), { recursive: true });
  writeFileSync(path.join(half, 'images/v.jpg'), 'half');
  const part = path.join(cwd, '.sightline/ptz/yard/b/reference_scan/images/v.jpg.0badcafe.part');
  writeFileSync(part, 'half');
  utimesSync(part, old, old);

  const next = await start(cwd, ['monitor']).end;
  t.match(next, { code: 0, out: { devices: 3, counts: { ok: 3 } } });
  const after = await history(cwd);
  t.equal(after.length, before.length + 3);
  t.equal(new Set(after).size, after.length, 'no row twice');
  t.same([existsSync(half), existsSync(part)], [false, false], 'leftovers are gone');
  for (const name of DEVICES) {
    const folder = path.join(cwd, '.sightline/ptz/yard', name, 'query_scan');
    const whole = readdirSync(folder).filter((scan) => existsSync(path.join(folder, scan, MANIFEST)));
    t.ok(whole.length >= 1, `${name}: ${whole.length} whole queries`);
  }
  // One that is young may be another run's: it stays.
  const young = path.join(queries, new Date().toISOString().replace('Z', '000'));
  mkdirSync(half, { recursive: true });
  renameSync(half, young);
  writeFileSync(path.join(young, 'result.json'), '{}');
  t.equal((await start(cwd, ['monitor', '--device', 'b']).end).code, 0);
  t.ok(existsSync(path.join(young, 'result.json')));
});

/** Passes everything on; `doom` is asked before a request goes out and before its answer comes back, and a request it dooms is not answered. */
async function between(t: Test, target: string, doom: (what: string, body: string, answer: string | undefined) => boolean): Promise<string> {
  const server = createServer((incoming, outgoing) => {
    const parts: Buffer[] = [];
    incoming.on('data', (part: Buffer) => parts.push(part));
    incoming.on('end', () => {
      const body = Buffer.concat(parts);
      const what = `${incoming.method} ${incoming.url} ${String(incoming.headers['x-amz-target'] ?? '')}`;
      if (doom(what, body.toString('latin1'), undefined)) return;
      const onward = ask(target + (incoming.url ?? ''), { method: incoming.method, headers: incoming.headers }, (answer) => {
        const words: Buffer[] = [];
        answer.on('data', (part: Buffer) => words.push(part));
        answer.on('end', () => {
          if (doom(what, body.toString('latin1'), Buffer.concat(words).toString('latin1'))) return;
          outgoing.writeHead(answer.statusCode ?? 500, answer.headers).end(Buffer.concat(words));
        });
      });
      onward.on('error', () => outgoing.destroy());
      onward.end(body);
    });
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.teardown(() => new Promise<void>((resolve) => { server.close(() => { resolve(); }); server.closeAllConnections(); }));
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}

t.test('killed in an upload, and when Athena’s answer was lost: each row is there once', async (t) => {
  const bucket = new S3rver({ address: '127.0.0.1', port: 0, silent: true, directory: mkdtempSync(path.join(tmpdir(), 'sightline-s3-')), configureBuckets: [{ name: 'bucket', configs: [] }] });
  const { port } = (await bucket.run()) as { port: number };
  t.teardown(() => bucket.close());
  const athena = await startFakeAthena();
  t.teardown(() => athena.close());
  let life: Life | undefined;
  let kill_at: 'upload' | 'answer' | undefined;
  const fatal = (): boolean => {
    kill_at = undefined;
    life?.kill();
    return true;
  };
  const s3_url = await between(t, `http://127.0.0.1:${port}`, (what) => kill_at === 'upload' && what.startsWith('PUT /bucket/yard/b/query_scan/') && what.includes('telemetry_manifest') && fatal());
  const athena_url = await between(t, athena.url, (what, _body, answer) => kill_at === 'answer' && what.includes('GetQueryExecution') && (answer?.includes('"SUCCEEDED"') ?? false) && fatal());
  const aws = { s3_bucket: 'bucket', s3_endpoint: s3_url, access_key_id: 'S3RVER', secret_access_key: 'S3RVER', athena_endpoint: athena_url };
  const cwd = await site(t, `[monitoring]\nconcurrency = 1\n[aws]\n${Object.entries(aws).map(([key, value]) => `${key} = ${value}\n`).join('')}`);
  t.equal((await start(cwd, ['init']).end).code, 0);
  const table = () => (athena.tables.get('camera_calibration_monitoring.calibration_results') ?? []).map(({ device_id, timestamp }) => `${String(device_id)} ${Date.parse(`${String(timestamp).replace(' ', 'T')}Z`) / 1000}`);
  const store = s3Files(checkSettings({ aws: { ...aws, s3_endpoint: `http://127.0.0.1:${port}` } }, 'test').aws, 'bucket');
  t.teardown(() => { store.close(); });
  const queries = async (name: string): Promise<string[]> => (await store.list(`yard/${name}/query_scan/`)).map((key) => key.split('/').slice(4).join('/'));

  kill_at = 'upload';
  life = start(cwd, ['monitor']);
  t.equal((await life.end).signal, 'SIGKILL');
  t.same([await queries('a'), await queries('b'), await queries('c')], [[MANIFEST, 'images/v.jpg', 'result.json'].sort(), ['images/v.jpg', 'result.json'], []], 'b has no manifest');
  t.same([(await history(cwd)).map((row) => row[0]), table()], [['a'], []]);

  kill_at = 'answer';
  life = start(cwd, ['monitor']);
  t.equal((await life.end).signal, 'SIGKILL');
  t.equal(table().length, 4, 'the row of the first run went with those of the second');

  const last = await start(cwd, ['monitor']).end;
  t.match(last, { code: 0, out: { counts: { ok: 3 }, athena: { count: 7, failure: null } } }, 'nobody had told that the four are there');
  t.same(table().sort(), (await history(cwd)).sort(), 'what is recorded here is there');
  t.equal(new Set(table()).size, 7, 'once');
});

t.test('no OpenCV process outlives its run', async (t) => {
  t.ok(children.size >= 2, `${children.size} child processes when their parents were killed`);
  const alive = (): number[] => [...children].filter((pid) => existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('opencv/child'));
  for (const end = Date.now() + 60_000; alive().length > 0 && Date.now() < end; ) await new Promise((resolve) => setTimeout(resolve, 50));
  t.same(alive(), []);
});
