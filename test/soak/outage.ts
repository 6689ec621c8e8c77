/**
 * Five RTSP cameras from a registry in MariaDB, a PHP receiver that writes into the same MariaDB; the receiver is stopped, then the database, then the
 * daemon is killed. At the end no event is missing, repeats carry the same key and come from the stops, and nothing said anywhere holds a secret.
 */
import Sqlite from 'better-sqlite3';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { phpJson, sealEnvelope } from '../../src/cameras/envelope.js';
import { DEMO_CLIPS } from '../../src/demo/cameras.js';
import { rtspServerBinary, startRtspServer, type RtspServer } from '../../src/demo/rtsp_server.js';
import { mariadbMissing, startMariadb, type Mariadb } from '../fixtures/mariadb.js';
import { phpMissing, RECEIVER_TABLES, startPhpReceiver, type PhpReceiver } from '../fixtures/php_receiver.js';
import { sleep, startDaemon, until, type SoakDaemon } from './daemon.js';
import { claim, timed, type Soak, type SoakClaim, type SoakContext, type SoakReport } from './soak.js';

const CLIPS = ['front_desk.mkv', 'lounge.mkv', 'office.mkv', 'corridor.mkv', 'reception.mkv'];
const KEY = 'outage-soak-master-key-32-bytes!';
const TOKEN = 'callback-token-5f2c81';
const API_TOKEN = 'api-token-93ab17de55';
const password = (id: number): string => `pa@ss/${id}:w#rd-7731`;

/** Seconds of each part of the run. */
interface Timeline { calm: number; receiver_away: number; database_away: number; between: number }
const FULL: Timeline = { calm: 8, receiver_away: 20, database_away: 20, between: 6 };
const SHORT: Timeline = { calm: 2, receiver_away: 3, database_away: 4, between: 1 };

interface World { root: string; scratch: string; db: Mariadb; rtsp: RtspServer; receiver: PhpReceiver; receiver_port: number; config: string; env: Record<string, string> }
interface Seen { texts: { where: string; text: string }[]; stops: { from_ms: number; to_ms: number; daemon: boolean }[]; registry_down: boolean; registry_back: boolean; oldest_frame_ms: number }

const CAMERA_TABLE = `CREATE TABLE camera_network (camera_id INT PRIMARY KEY, camera_name VARCHAR(100), location VARCHAR(200), outlet_id INT, stream_url_encrypted TEXT, priority INT DEFAULT 5, online TINYINT(1) DEFAULT 1, health_status VARCHAR(255), last_seen DATETIME, staff_id INT)`;

export const outageSoak: Soak = {
  name: 'outage',
  about: 'receiver, database and daemon go away one after the other; nothing is lost and nothing secret is said',
  unavailable(root) {
    const clips = CLIPS.every((file) => existsSync(path.join(root, DEMO_CLIPS, file)));
    return phpMissing() || mariadbMissing() || (clips ? undefined : 'the demo clips are not encoded: npm run setup');
  },
  async run(context) {
    const closers: (() => Promise<unknown>)[] = [];
    try {
      const world = await openWorld(context, closers);
      return await play(world, context, closers);
    } finally {
      for (const close of closers.reverse()) await close().catch(() => undefined);
    }
  },
};

async function openWorld({ root, scratch, short }: SoakContext, closers: (() => Promise<unknown>)[]): Promise<World> {
  const db = await startMariadb();
  closers.push(() => db.close());
  for (const table of [CAMERA_TABLE, ...RECEIVER_TABLES]) await db.query(table);
  const rtsp = await startRtspServer({ binary: rtspServerBinary(root) });
  closers.push(() => rtsp.close());
  for (const [index, file] of CLIPS.entries()) {
    const id = index + 1;
    const credentials = { user: 'cam', password: password(id) };
    await rtsp.mount(`/${id}`, path.join(root, DEMO_CLIPS, file), { credentials });
    const sealed = sealEnvelope(`rtsp://cam:${encodeURIComponent(password(id))}@127.0.0.1:${rtsp.port}/${id}`, Buffer.from(KEY), phpJson({ outlet_id: '3' }), 0);
    await db.query('INSERT INTO camera_network (camera_id, camera_name, outlet_id, stream_url_encrypted, priority, staff_id) VALUES (?, ?, 3, ?, ?, ?)', [id, `Camera ${id}`, sealed, id, 40 + id]);
  }
  const receiver = await startPhpReceiver({ token: TOKEN, workers: 4, database: db });
  closers.push(() => receiver.stop());
  const config = path.join(scratch, 'config.json');
  writeFileSync(config, JSON.stringify({
    detection: { confidence_threshold: 0.01, cooldown_s: 2 },
    delivery: { frame_interval_s: 1, replay_interval_s: 1, breaker_open_s: 2 },
    registry: { poll_s: 0.5, status_interval_s: 2 },
    logging: { format: 'json', level: 'debug', summary_interval_s: 2 },
    // Where the machine is busy with something else, cameras would be paused: another soak's matter.
    processing: { fps: short ? 1 : 2, degradation: 'off' },
  }));
  const env = { ...db.env, FRAUD_ENCRYPTION_KEY: KEY, PHP_CALLBACK_URL: receiver.url, CV_PIPELINE_TOKEN: TOKEN, STATE_DIR: path.join(scratch, 'state') };
  return { root, scratch, db, rtsp, receiver, receiver_port: Number(new URL(receiver.url).port), config, env };
}

async function play(world: World, { short, log }: SoakContext, closers: (() => Promise<unknown>)[]): Promise<SoakReport> {
  const time = short ? SHORT : FULL;
  const seen: Seen = { texts: [], stops: [], registry_down: false, registry_back: false, oldest_frame_ms: 0 };
  const start = async (): Promise<SoakDaemon> => {
    const daemon = await startDaemon({ ...world, api_token: API_TOKEN });
    closers.push(() => daemon.kill('SIGKILL'));
    await until('all cameras deliver', 120, async () => (await cameras(daemon)).filter(({ state, frames }) => state === 'streaming' && frames > 0).length === CLIPS.length).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${daemon.output().slice(-3_000)}`);
    });
    return daemon;
  };
  const first = await start();
  log('five cameras stream');
  const unwatch = watchFrames(first, seen);
  closers.push(async () => { unwatch(); });
  await sleep(time.calm);

  const receiver_from = Date.now();
  await world.receiver.stop();
  log(`receiver stopped for ${time.receiver_away} s`);
  await sleep(time.receiver_away);
  world.receiver = await startPhpReceiver({ token: TOKEN, workers: 4, database: world.db, port: world.receiver_port });
  closers.push(() => world.receiver.stop());
  seen.stops.push({ from_ms: receiver_from, to_ms: Date.now(), daemon: false });
  await sleep(time.between);

  const database_from = Date.now();
  await world.db.signal('SIGKILL');
  log(`database killed for ${time.database_away} s`);
  await sleep(time.database_away);
  seen.registry_down = (await first.json<{ state: string; cameras: number }>('/api/registry')).state === 'down';
  const streaming_without = (await cameras(first)).filter(({ state }) => state === 'streaming').length;
  await world.db.start();
  seen.stops.push({ from_ms: database_from, to_ms: Date.now(), daemon: false });
  await until('the registry is read again', 90, async () => (await first.json<{ state: string }>('/api/registry')).state === 'ok');
  seen.registry_back = true;
  await sleep(time.between);

  await sayEverything(first, seen);
  unwatch();
  const killed_ms = Date.now();
  await first.kill('SIGKILL');
  log('daemon killed');
  const second = await start();
  seen.stops.push({ from_ms: killed_ms, to_ms: Date.now(), daemon: true });
  const unwatch_second = watchFrames(second, seen);
  await sleep(time.calm);
  unwatch_second();
  await sayEverything(second, seen);
  await until('the backlog is delivered', 90, async () => (await second.json<{ backlog: number }>('/api/callbacks')).backlog <= CLIPS.length);
  const counters = await second.json<{ dead_letters: number; local_only: number; dropped: Record<string, number> }>('/api/callbacks');
  const exit_code = await second.kill('SIGTERM');
  for (const [name, daemon] of [['first', first], ['second', second]] as const) seen.texts.push({ where: `log of the ${name} run`, text: daemon.output() });
  log('daemon stopped; counting');
  return conclude(world, seen, { exit_code, streaming_without, counters });
}

interface CameraLine { camera_id: number; state: string; frames: number; reconnects: number }
const cameras = async (daemon: SoakDaemon): Promise<CameraLine[]> => (await daemon.json<{ cameras: CameraLine[] }>('/api/cameras')).cameras;

/** Notes how old the newest frame of any camera gets. */
function watchFrames(daemon: SoakDaemon, seen: Seen): () => void {
  const timer = setInterval(() => {
    daemon.json<{ cameras: { frame_age_ms: number | null }[] }>('/api/cameras').then(
      ({ cameras: all }) => { seen.oldest_frame_ms = Math.max(seen.oldest_frame_ms, ...all.map(({ frame_age_ms }) => frame_age_ms ?? 0)); },
      () => undefined,
    );
  }, 500);
  return () => { clearInterval(timer); };
}

/** Asks for everything that can be asked for, also what is refused. */
async function sayEverything(daemon: SoakDaemon, seen: Seen): Promise<void> {
  const routes = ['/api/cameras', '/api/cameras/1', '/api/cameras/2/analysis', '/api/registry', '/api/pipeline', '/api/callbacks', '/api/callbacks/dead-letters', '/api/events', '/api/baselines', '/health', '/health/ready', '/metrics', '/openapi.json', '/', '/api/nothing'];
  for (const route of routes) seen.texts.push({ where: `GET ${route}`, text: await daemon.ask(route) });
  const bad = `rtsp://cam:${password(9)}@127.0.0.1:1/x`;
  const json = (method: string, body: unknown): RequestInit => ({ method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const posts: [string, RequestInit][] = [
    ['/api/cameras/probe', json('POST', { url: bad })],
    ['/api/cameras?dry_run=true', json('POST', { camera_id: 9, camera_name: 'x', url: bad })],
    ['/api/cameras', json('POST', { camera_id: 9, camera_name: '', url: bad })],
    ['/api/cameras/1?dry_run=true', json('PATCH', { url: bad.replace('rtsp', 'gopher') })],
    ['/api/callbacks/test', json('POST', {})],
    ['/api/cameras', { headers: { authorization: `Bearer ${API_TOKEN}x` } }],
  ];
  for (const [route, options] of posts) seen.texts.push({ where: `${options.method ?? 'GET'} ${route}`, text: await daemon.ask(route, options) });
}

function secrets(): string[] {
  const passwords = [1, 2, 3, 4, 5, 9].map(password);
  return [...passwords, ...passwords.map((one) => encodeURIComponent(one)), ...passwords.map((one) => JSON.stringify(one).slice(1, -1)), 'w#rd-7731', 'w%23rd-7731', KEY, Buffer.from(KEY).toString('base64'), Buffer.from(KEY).toString('hex'), TOKEN, API_TOKEN, 'maria-test-password'];
}

/** Where a secret was found, without it. */
function leaks(texts: Seen['texts']): string[] {
  return texts.flatMap(({ where, text }) => secrets().flatMap((secret, index) => (text.includes(secret) ? [`${where} (secret ${index})`] : [])));
}

function stateTexts(folder: string): Seen['texts'] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .map((file) => ({ where: `file ${path.relative(folder, file)}`, text: readFileSync(file, 'latin1') }));
}

async function conclude(world: World, seen: Seen, end: { exit_code: number | null; streaming_without: number; counters: { dead_letters: number; dropped: Record<string, number> } }): Promise<SoakReport> {
  const state = path.join(world.scratch, 'state');
  const store = new Sqlite(path.join(state, 'sightline.db'), { readonly: true });
  const recorded = (store.prepare(`SELECT seq FROM sqlite_sequence WHERE name = 'outbox'`).get() as { seq: number }).seq;
  const waiting = (store.prepare('SELECT idempotency_key AS k FROM outbox').all() as { k: string }[]).map(({ k }) => k);
  const events = store.prepare(`SELECT idempotency_key AS k, frame_path AS f FROM events WHERE delivery = 'posted'`).all() as { k: string; f: string | null }[];
  store.close();
  const rows = await world.db.query<{ idempotency_key: string; result_type: string; camera_id: number; at_frame: string; received_ms: number }>('SELECT * FROM callback_log ORDER BY id');
  const by_key = new Map<string, number[]>();
  for (const row of rows) by_key.set(row.idempotency_key, [...(by_key.get(row.idempotency_key) ?? []), Number(row.received_ms)]);
  const known = new Set([...by_key.keys(), ...waiting]);
  const repeated = [...by_key.values()].filter((times) => times.length > 1);
  const near = (ms: number, daemon: boolean): boolean => seen.stops.some((stop) => (stop.daemon || !daemon) && ms >= stop.from_ms - 3_000 && ms <= stop.to_ms + 3_000);
  const unexplained = repeated.filter((times) => !near(times[0] as number, false));
  const gap = longestGap(rows, seen);
  const found = leaks([...seen.texts, ...stateTexts(state)]);
  const health = await world.db.query<{ camera_id: number; health_status: string | null; last_seen: string | null }>('SELECT camera_id, health_status, last_seen FROM camera_network');
  const dropped = Object.values(end.counters.dropped).reduce((sum, count) => sum + count, 0);
  const claims: SoakClaim[] = [
    claim('callbacks recorded and not arrived', '0', recorded - known.size, recorded === known.size && recorded > 0),
    claim('events kept and not arrived', '0', events.filter(({ k }) => !known.has(k)).length, events.length > 0 && events.every(({ k }) => known.has(k))),
    claim('repeats that no stop explains', '0', unexplained.length, unexplained.length === 0),
    claim('dropped or refused callbacks', '0', dropped + end.counters.dead_letters, dropped + end.counters.dead_letters === 0),
    timed('oldest newest frame of any camera, but for the kill', '≤ 3 s', `${(seen.oldest_frame_ms / 1000).toFixed(1)} s`, seen.oldest_frame_ms <= 3_000),
    timed('longest gap between analyses of a camera, but for the kill', '≤ 20 s', `${gap.toFixed(1)} s`, gap <= 20),
    claim('cameras that stream while the database is away', `${CLIPS.length}`, end.streaming_without, end.streaming_without === CLIPS.length),
    claim('the registry’s outage and return are visible', 'down, then ok', `${seen.registry_down ? 'down' : 'not down'}, ${seen.registry_back ? 'ok' : 'not ok'}`, seen.registry_down && seen.registry_back),
    claim('states written back into the table', `${CLIPS.length}`, health.filter(({ last_seen }) => last_seen !== null).length, health.every(({ last_seen }) => last_seen !== null)),
    claim('secrets in logs, metrics, answers and files', 'none', found.length === 0 ? 'none' : found.slice(0, 5).join('; '), found.length === 0),
    claim('exit code after SIGTERM', '0', String(end.exit_code), end.exit_code === 0),
  ];
  const figures = {
    callbacks_recorded: recorded, callbacks_arrived: by_key.size, still_waiting_at_stop: waiting.length, repeated_keys: repeated.length, repeats_by_daemon_kill: repeated.filter((times) => near(times[0] as number, true)).length, events: events.length, events_with_frame: events.filter(({ f }) => f !== null).length,
    texts_searched: seen.texts.length, state_bytes: stateTexts(state).length === 0 ? 0 : readdirSync(state, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).reduce((sum, entry) => sum + statSync(path.join(entry.parentPath, entry.name)).size, 0),
  };
  return { claims, figures };
}

/** Between two frame analyses of a camera, by the frames' own times; seconds. */
function longestGap(rows: readonly { result_type: string; camera_id: number; at_frame: string }[], seen: Seen): number {
  const kill = seen.stops.find(({ daemon }) => daemon);
  let longest = 0;
  for (let camera_id = 1; camera_id <= CLIPS.length; camera_id += 1) {
    const times = rows.filter((row) => row.result_type === 'frame_analysis' && row.camera_id === camera_id).map((row) => Date.parse(`${row.at_frame.replace(' ', 'T')}Z`)).sort((a, b) => a - b);
    for (let at = 1; at < times.length; at += 1) {
      const [before, after] = [times[at - 1] as number, times[at] as number];
      const killed = kill !== undefined && before <= kill.from_ms && after >= kill.from_ms - 1_000;
      if (!killed) longest = Math.max(longest, (after - before) / 1000);
    }
  }
  return longest;
}
