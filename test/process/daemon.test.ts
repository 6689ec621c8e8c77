/** The daemon as its users start it: the demo end to end, bad configuration, and no callback lost over `kill -9`. */
import t, { type Test } from 'tap';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import { startReceiver, type Receiver } from '../../src/demo/receiver.js';

const root = process.cwd();
const main = fileURLToPath(new URL('../../src/main.js', import.meta.url));
const cli = path.join(root, 'bin/sightline');
const demo_missing = existsSync(path.join(root, 'build/demo/recipes.json')) ? false : 'the demo clips are not encoded: npm run setup';

interface Daemon { process: ChildProcess; exited: Promise<number | null>; output(): string; url: string }

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function start(t: Pick<Test, 'teardown'>, program: string[], env: Record<string, string>): Promise<Daemon> {
  const port = await freePort();
  const child = spawn(process.execPath, program, {
    cwd: root, env: { PATH: process.env.PATH, HOME: process.env.HOME, HOST: '127.0.0.1', PORT: String(port), ...env }, stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  t.teardown(() => child.kill('SIGKILL'));
  return { process: child, exited, output: () => text, url: `http://127.0.0.1:${port}` };
}

async function until<T>(what: string, seconds: number, probe: () => Promise<T | null | false>): Promise<T> {
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end) {
    const value = await probe().catch(() => null);
    if (value !== null && value !== false) return value;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`not within ${seconds} s: ${what}`);
}

const json = async <T>(url: string): Promise<T> => (await fetch(url)).json() as Promise<T>;

t.test('the demo: every camera streams, all three result types arrive, it stops on SIGTERM', { skip: demo_missing, timeout: 400_000 }, async (t) => {
  const state = await mkdtemp(path.join(tmpdir(), 'sightline-demo-'));
  t.teardown(() => rm(state, { recursive: true, force: true }));
  const daemon = await start(t, [main], { STATE_DIR: state });
  await until('ready', 120, async () => (await fetch(`${daemon.url}/health/ready`)).status === 200).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${daemon.output().slice(-3000)}`);
  });
  const { cameras } = await json<{ cameras: { camera_id: number; state: string; frames: number; url: string; codec: string }[] }>(`${daemon.url}/api/cameras`);
  t.ok(cameras.length >= 4);
  for (const codec of ['h264', 'hevc', 'mjpeg']) t.ok(cameras.some((camera) => camera.codec === codec), codec);
  t.ok(cameras.every((camera) => camera.frames > 0), 'each has delivered frames');
  t.notMatch(JSON.stringify(cameras), /gate:7/, 'no password is shown');

  const { models } = await json<{ models: Record<string, { state: string; provider: string | null; failures: number }> }>(`${daemon.url}/api/pipeline`);
  t.ok(Object.keys(models).length >= 6 && Object.values(models).every(({ state, provider }) => state === 'running' && provider !== null), `every model is loaded: ${JSON.stringify(models)}`);

  const receiver = /"receiver":"([^"]+)"/.exec(daemon.output())?.[1] ?? '';
  type Received = { counts: Record<string, number>; invalid: number; recent: { problem: string | null }[] };
  const received = await until<Received>('all three result types', 180, async () => {
    const seen = await json<Received>(receiver);
    return ['frame_analysis', 'behavioral_detection', 'anomaly_alert'].every((type) => (seen.counts[type] ?? 0) > 0) && seen;
  });
  t.equal(received.invalid, 0, 'each body fits the contract');
  t.ok(received.recent.every((body) => body.problem === null));

  const snapshot = await fetch(`${daemon.url}/api/cameras/1/snapshot.jpg`);
  const jpeg = Buffer.from(await snapshot.arrayBuffer());
  t.same([...jpeg.subarray(0, 2)], [0xff, 0xd8]);
  const analysis = await until('a face with its emotions and gaze', 120, async () => {
    const newest = await json<{ faces: { emotions?: object; gaze?: object }[]; persons: unknown[]; objects: { label: string }[] }>(`${daemon.url}/api/cameras/1/analysis`);
    return newest.faces.some((face) => face.emotions && face.gaze) && newest;
  });
  t.ok(analysis.objects.some((object) => object.label === 'person') && analysis.persons.length > 0);
  t.match(await (await fetch(`${daemon.url}/metrics`)).text(), /sightline_frames_total\{camera_id="1"\} [1-9]/);
  t.equal((await fetch(`${daemon.url}/`)).status, 200);

  const alert = await until('an alert with its clip', 120, async () => {
    const { events } = await json<{ events: { id: number; clip_path: string | null }[] }>(`${daemon.url}/api/events?kind=anomaly_alert`);
    return events.find(({ clip_path }) => clip_path !== null) ?? null;
  });
  const clip = path.join(state, `clip${path.extname(alert.clip_path ?? '')}`);
  await writeFile(clip, Buffer.from(await (await fetch(`${daemon.url}/api/events/${alert.id}/clip`)).arrayBuffer()));
  const probe = await promisify(execFile)('ffprobe', ['-v', 'error', '-count_packets', '-show_entries', 'frame=key_frame:stream=nb_read_packets', '-of', 'json', clip]);
  const { frames, streams: [video] } = JSON.parse(probe.stdout) as { frames: { key_frame: number }[]; streams: { nb_read_packets: string }[] };
  t.equal(probe.stderr, '', 'a decoder has nothing to say about it');
  t.equal(frames[0]?.key_frame, 1);
  t.ok(frames.length > 1 && frames.length === Number(video?.nb_read_packets), `${frames.length} frames of ${video?.nb_read_packets ?? 0} packets`);

  daemon.process.kill('SIGTERM');
  t.equal(await daemon.exited, 0);
  t.notMatch(daemon.output(), /gate:7|north@/, 'no password in the log');
  t.notMatch(daemon.output(), /not everything stopped|closing failed/);
});

t.test('bad configuration: all problems at once, exit 2, nothing started', async (t) => {
  const state = await mkdtemp(path.join(tmpdir(), 'sightline-bad-'));
  t.teardown(() => rm(state, { recursive: true, force: true }));
  const file = path.join(state, 'config.json');
  await writeFile(file, JSON.stringify({ processing: { fps: 'fast', batchsize: 4 }, php_system: { timezone: 'Mars/Olympus' } }));
  const daemon = await start(t, [main, '--config', file], { STATE_DIR: path.join(state, 'state') });
  t.equal(await daemon.exited, 2);
  for (const word of ['processing.fps', 'batchsize', 'batch_size', 'php_system.timezone']) t.match(daemon.output(), word);
  t.notOk(existsSync(path.join(state, 'state')));
});

t.test('a port that is taken: told at once, before the long part of the start', async (t) => {
  const state = await mkdtemp(path.join(tmpdir(), 'sightline-port-'));
  t.teardown(() => rm(state, { recursive: true, force: true }));
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  t.teardown(() => other.close());
  const { port } = other.address() as { port: number };
  const daemon = await start(t, [cli, 'run'], { STATE_DIR: state, PORT: String(port) });
  t.equal(await daemon.exited, 1);
  t.match(daemon.output(), new RegExp(`"code":"LISTEN_FAILED".*received ${port}, which another program uses`));
  t.notMatch(daemon.output(), /capture ready|measuring|\\n {4}at /, 'no model is opened for it, and no stack is shown');
});

t.test('kill -9 while the receiver is away: a new start delivers everything that was recorded', { timeout: 400_000 }, async (t) => {
  const state = await mkdtemp(path.join(tmpdir(), 'sightline-kill-'));
  t.teardown(() => rm(state, { recursive: true, force: true }));
  const port = await freePort();
  const env = {
    STATE_DIR: state, CV_PIPELINE_TOKEN: 'test-token', ANALYSIS_FPS: '2',
    PHP_CALLBACK_URL: `http://127.0.0.1:${port}/modules/fraud-detection/api/cv-callback.php`,
  };
  for (const id of ['1', '2']) {
    const added = await start(t, [cli, 'cameras', 'add', '--id', id, '--name', `Test ${id}`, '--url', 'lavfi:testsrc=size=320x240:rate=5'], env);
    t.equal(await added.exited, 0, added.output());
  }
  const first = await start(t, [cli, 'run'], env);
  const rows = (): string[] => {
    const database = new Database(path.join(state, 'sightline.db'), { readonly: true });
    try {
      return (database.prepare('SELECT idempotency_key AS key FROM outbox').all() as { key: string }[]).map((row) => row.key);
    } finally {
      database.close();
    }
  };
  // The backlog of the API counts what waits for the next commit, too; what a kill leaves is what the disk has.
  await until('a backlog', 120, async () => (await json<{ backlog: number }>(`${first.url}/api/callbacks`)).backlog >= 4 && rows().length >= 4);
  first.process.kill('SIGKILL');
  await first.exited;
  const recorded = rows();
  t.ok(recorded.length >= 4, `${recorded.length} recorded`);

  const receiver: Receiver = await startReceiver({ token: 'test-token', port });
  t.teardown(() => receiver.close());
  const second = await start(t, [cli, 'run'], env);
  const keys = new Set<string>();
  await until('the recorded callbacks', 120, async () => {
    for (const body of receiver.received().recent) if (body.idempotency_key !== null && body.status === 200) keys.add(body.idempotency_key);
    return recorded.every((key) => keys.has(key));
  });
  t.equal(receiver.received().invalid, 0);
  second.process.kill('SIGTERM');
  t.equal(await second.exited, 0, second.output().slice(-1500));
});
