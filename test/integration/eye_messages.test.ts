/** Every message of the eye-tracking protocol over real sockets; frames and what is found in them are made up here, test/integration/eye_tracking.test.ts has real ones. */
import { once } from 'node:events';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { SightlineError } from '../../src/errors.js';
import { createEyeTracking, type EyeTracking, type EyeTrackingOptions } from '../../src/eyetracking/service.js';
import type { FeedState, FrameFeed } from '../../src/eyetracking/types.js';
import type { HttpDeps, HttpSettings } from '../../src/http/deps.js';
import { createServer } from '../../src/http/server.js';
import type { EyesAnswer } from '../../src/opencv/types.js';
import { eyeClient } from '../fixtures/eye_client.js';

t.setTimeout(60_000);
const SEEN: EyesAnswer = { width: 640, height: 480, brightness: 99, searched_whole: true, faces: [{ box: [0, 0, 200, 200], turned: false }], eyes: [[20, 40, 40, 40], [120, 40, 40, 40]] };
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

interface World {
  url: string;
  port: number;
  eyes: EyeTracking;
  opened: string[];
  closed: string[];
  camera: { state: Omit<FeedState, 'seq'>; detect: () => Promise<EyesAnswer> };
}

async function world(t: Test, settings: Partial<EyeTrackingOptions['settings']> = {}, http: Partial<HttpSettings> = {}): Promise<World> {
  const opened: string[] = [];
  const closed: string[] = [];
  const camera: World['camera'] = { state: { streaming: true, reason: '' }, detect: async () => SEEN };
  let seq = 0;
  const feed = (name: string): FrameFeed => ({
    name, own: false,
    look: () => ({ seq: camera.state.streaming ? ++seq : seq, ...camera.state }),
    picture: async () => Buffer.from('picture'),
    close: async () => void closed.push(name),
  });
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const eyes = createEyeTracking({
    settings: { source: 'webcam', fps: 20, width: 640, away_after_ms: 400, back_after_ms: 100, lost_after_ms: 300, retry_ms: { first: 50, most: 100 }, max_clients: 5, max_sources: 2, ping_interval_ms: 20_000, ...settings },
    open: async (source) => {
      if (source.kind === 'camera' && source.camera_id !== 7) throw new SightlineError('CAMERA_NOT_FOUND', `source: expected a registered camera, received ${source.camera_id}`);
      const name = source.kind === 'camera' ? 'camera:7' : source.kind === 'webcam' ? `webcam:${source.index}` : 'webcam:0';
      opened.push(name);
      return feed(name);
    },
    detect: () => camera.detect(),
    cameraNames: () => new Map([['Front desk', 7]]),
    log,
  });
  const server = await createServer({ settings: { host: 'localhost', port: 0, trust_proxy: false, body_limit_kib: 64, request_timeout_ms: 5_000, ...http }, version: '0', log, eye_tracking: eyes } as unknown as HttpDeps);
  const address = await server.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(async () => {
    await server.close();
    await eyes.close();
  });
  return { url: address.replace('http', 'ws'), port: Number(new URL(address).port), eyes, opened, closed, camera };
}

t.test('connection, ping, status, start, eye_data, stop: members, order, times', async (t) => {
  const { url, opened, closed } = await world(t);
  for (const path of ['', '/', '/ws', '/?x=1']) {
    const client = await eyeClient(url + path);
    const hello = await client.next('connection');
    t.same(Object.keys(hello), ['type', 'message', 'timestamp', 'server_info'], path);
    t.match(hello.timestamp, ISO);
    await client.close();
  }
  const client = await eyeClient(url);
  client.send({ type: 'ping', id: 4 });
  t.same(Object.keys(await client.next('pong')), ['type', 'timestamp']);
  client.send(Buffer.from('{"type":"status"}'));
  const idle = await client.next('status');
  t.same(Object.keys(idle).slice(0, 4), ['type', 'is_tracking', 'connected_clients', 'timestamp']);
  t.match(idle, { is_tracking: false, connected_clients: 1, state: 'idle' });
  client.send({ type: 'start_tracking', extra: [1] });
  const data = await client.next('eye_data');
  t.same(Object.keys(data).slice(0, 7), ['type', 'timestamp', 'face_detected', 'eye_count', 'looking_away', 'confidence', 'face_count']);
  t.match(data, { face_detected: true, eye_count: 2, looking_away: false, confidence: 1, face_count: 1, reason: 'eyes_seen', source: 'webcam:0', timestamp: ISO });
  client.send({ type: 'start_tracking' });
  client.send({ type: 'ping' });
  await client.next('pong');
  t.same(opened, ['webcam:0'], 'a second start of the same changes nothing');
  client.send({ type: 'stop_tracking' });
  client.send({ type: 'stop_tracking' });
  client.send({ type: 'status' });
  t.match(await client.next('status'), { is_tracking: false });
  const before = client.messages.length;
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.equal(client.messages.length, before, 'nothing comes after stop_tracking');
  t.same(closed, ['webcam:0']);
  await client.close();
});

t.test('what is wrong gets the known words, and the connection stays', async (t) => {
  const { url } = await world(t);
  const client = await eyeClient(url);
  const cases: [string | Buffer, string][] = [
    ['', 'Invalid JSON format'], ['{', 'Invalid JSON format'], ['ping', 'Invalid JSON format'], [Buffer.from([0xff, 0xfe, 0x22]), 'Invalid JSON format'],
    ['{"type":"nonsense"}', 'Unknown message type: nonsense'], ['{"type":"PING"}', 'Unknown message type: PING'], ['{}', 'Unknown message type: None'], ['{"type":null}', 'Unknown message type: None'],
    ['{"type":7}', 'Unknown message type: 7'], ['{"type":true}', 'Unknown message type: True'], ['{"type":"__proto__"}', 'Unknown message type: __proto__'],
    ['[]', 'Invalid message: expected a JSON object, received an array'], ['null', 'Invalid message: expected a JSON object, received null'], ['"ping"', 'Invalid message: expected a JSON object, received a string'],
  ];
  for (const [sent, message] of cases) {
    client.send(sent);
    const error = await client.next('error');
    t.same(Object.keys(error), ['type', 'message', 'timestamp', 'code'], message);
    t.match(error, { message, timestamp: ISO, code: 'REQUEST_INVALID' });
  }
  client.send(JSON.stringify({ type: 'x'.repeat(5_000) }));
  t.ok(((await client.next('error')).message ?? '').length < 150, 'a long value is not repeated in full');
  client.send({ type: 'start_tracking', source: 'rtsp://user:geheim@host/' });
  t.match(await client.next('error'), { code: 'EYE_SOURCE' });
  client.send({ type: 'start_tracking', source: 'camera:9' });
  t.match(await client.next('error'), { code: 'CAMERA_NOT_FOUND' });
  client.send({ type: 'start_tracking', source: 'Front desk' });
  t.match(await client.next('eye_data'), { source: 'camera:7' });
  client.send(' '.repeat(2 ** 20 + 1));
  t.equal((await client.closed).code, 1009, 'a message of more than 1 MiB ends it');
});

t.test('tracking belongs to the client that asked for it', async (t) => {
  const { url, closed, eyes } = await world(t);
  const [one, two, three] = await Promise.all([eyeClient(url), eyeClient(url), eyeClient(url)]);
  for (const client of [one, two]) client.send({ type: 'start_tracking' });
  await Promise.all([one.next('eye_data'), two.next('eye_data')]);
  three.send({ type: 'stop_tracking' });
  one.send({ type: 'stop_tracking' });
  one.send({ type: 'status' });
  t.match(await one.next('status'), { is_tracking: false, connected_clients: 3 });
  await two.next('eye_data');
  t.same(closed, [], 'the other still tracks');
  three.send({ type: 'start_tracking', source: 1 });
  t.match(await three.next('eye_data'), { source: 'webcam:1' });
  one.send({ type: 'start_tracking', source: 2 });
  t.match(await one.next('error'), { code: 'EYE_LIMIT' }, 'a third source');
  two.socket.terminate();
  while (eyes.stats().clients > 2) await new Promise((resolve) => setTimeout(resolve, 5));
  one.send({ type: 'start_tracking', source: 'webcam' });
  await one.next('eye_data');
  await Promise.all([one.close(), three.close()]);
});

t.test('a camera that stops and comes back, searches that fail: said once each', async (t) => {
  const { url, camera, eyes } = await world(t);
  const client = await eyeClient(url);
  client.send({ type: 'start_tracking' });
  await client.next('eye_data');
  camera.state = { streaming: false, reason: 'CAPTURE_TIMEOUT' };
  t.match(await client.next('error'), { code: 'EYE_CAMERA_LOST', message: 'Camera lost - trying again' });
  client.send({ type: 'status' });
  t.match(await client.next('status'), { is_tracking: false, state: 'waiting' });
  camera.state = { streaming: true, reason: '' };
  await client.next('eye_data');
  let failures = 0;
  camera.detect = async () => {
    failures++;
    throw new SightlineError('OPENCV_TIMEOUT', 'the OpenCV process did not answer within 1 ms (eyes, running)');
  };
  t.match(await client.next('error'), { code: 'OPENCV_TIMEOUT' });
  t.ok(failures >= 3, 'a single failure is not worth a word');
  camera.detect = async () => { throw new TypeError('of /some/path'); };
  const unexpected = await client.next('error');
  t.match(unexpected, { code: 'INTERNAL' });
  t.notMatch(unexpected.message, /path/);
  camera.detect = async () => SEEN;
  await client.next('eye_data');
  t.match(eyes.stats().failures, { EYE_CAMERA_LOST: 1 });
  await client.close();
});

t.test('too many clients, too many messages, silent clients', async (t) => {
  const { url, eyes } = await world(t, { ping_interval_ms: 100 });
  const clients = await Promise.all(Array.from({ length: 5 }, () => eyeClient(url)));
  const extra = await eyeClient(url);
  t.same(await extra.closed, { code: 1013, reason: 'Server at capacity' });
  const [flood, silent] = clients;
  for (let n = 0; n < 1_000; n++) flood?.send({ type: 'ping' });
  t.equal((await flood?.closed)?.code, 1008);
  silent?.socket.pause();
  while (eyes.stats().refused.no_pong === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
  t.equal(eyes.stats().clients, 3, 'who answers pings stays');
  silent?.socket.terminate();
});

t.test('who may connect: pages of this machine and of allowed origins, with the token where there is one', async (t) => {
  const open = await world(t, {}, { eye_origins: ['https://app.example.org'] });
  for (const origin of ['http://localhost:3000', 'http://127.0.0.1:8080', 'https://app.example.org', `http://127.0.0.1:${open.port}`]) await (await eyeClient(open.url, { origin })).close();
  for (const origin of ['https://evil.example', 'null', 'http://localhost.evil.example']) await t.rejects(eyeClient(open.url, { origin }), /403/, origin);
  const token = 'a-token-of-some-length';
  const shut = await world(t, {}, { api_token: token });
  await t.rejects(eyeClient(shut.url), /401/);
  await t.rejects(eyeClient(`${shut.url}/?token=another-token-here`), /401/);
  await t.rejects(eyeClient(shut.url, { origin: 'http://localhost:3000', headers: { authorization: `Bearer ${token}` } }), /403/, 'another origin is not enough of a machine');
  await (await eyeClient(shut.url, { headers: { authorization: `Bearer ${token}` } })).close();
  await (await eyeClient(`${shut.url}/ws?token=${token}`)).close();
});

t.test('plain requests of the same paths; other paths; damaged handshakes; a stop with clients', async (t) => {
  const { url, port, eyes } = await world(t);
  const http = `http://127.0.0.1:${port}`;
  const page = await fetch(http);
  t.ok([200, 503].includes(page.status), `the page answers plain requests, ${page.status}`); // 503: the pages are not built
  await page.body?.cancel();
  const ws = await fetch(`${http}/ws`);
  t.match([ws.status, ws.headers.get('upgrade')], [426, 'websocket']);
  await ws.body?.cancel();
  await t.rejects(eyeClient(`${url}/elsewhere`), /404/);
  const socket = connect(port, '127.0.0.1');
  socket.write(`GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 1\r\n\r\n`);
  t.match(String((await once(socket, 'data'))[0]), /^HTTP\/1\.1 4\d\d/);
  socket.destroy();
  const client = await eyeClient(url);
  client.send({ type: 'start_tracking' });
  await client.next('eye_data');
  await eyes.close();
  t.equal((await client.closed).code, 1001);
});
