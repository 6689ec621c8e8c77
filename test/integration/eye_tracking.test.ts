/**
 * Live eye tracking with real frames: clips made of photographs, through capture, the OpenCV process and its Haar cascades, to WebSocket clients of the real HTTP server.
 * "Webcams" are cameras of an RTSP server here, which can be unplugged; what opens /dev/videoN is the same code with another URL.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import t, { type Test } from 'tap';
import { loadCapture } from '../../src/capture/native.js';
import type { CaptureAddon, CaptureOptions } from '../../src/capture/types.js';
import { createFeeds } from '../../src/eyetracking/feeds.js';
import { createEyeTracking, type EyeTracking, type EyeTrackingOptions } from '../../src/eyetracking/service.js';
import type { HttpDeps } from '../../src/http/deps.js';
import { createServer } from '../../src/http/server.js';
import { createOpenCv } from '../../src/opencv/client.js';
import { rtspServerBinary, startRtspServer } from '../../src/demo/rtsp_server.js';
import { pattern, smallPool } from '../fixtures/capture.js';
import { eyeClient, type EyeMessage } from '../fixtures/eye_client.js';

t.setTimeout(300_000);
const root = process.cwd();
const clip = (name: string): string => path.join(root, 'build/demo', `${name}.mkv`);
const rtsp = rtspServerBinary(root);
const missing = [clip('office'), clip('lounge'), rtsp, path.join(root, 'build/native/bin/vision.node')].filter((file) => !existsSync(file));
const skip = missing.length === 0 ? false : `not made yet: ${missing.map((file) => path.basename(file)).join(', ')} (npm run setup)`;

const SETTINGS: EyeTrackingOptions['settings'] = {
  source: 'webcam', fps: 10, width: 640, away_after_ms: 400, back_after_ms: 100, lost_after_ms: 1_000, retry_ms: { first: 100, most: 400 }, max_clients: 250, max_sources: 3, ping_interval_ms: 20_000,
};

interface World {
  url: string;
  eyes: EyeTracking;
  addon: CaptureAddon;
}

/** The real server, capture and OpenCV process; `webcams` by index. */
async function world(t: Test, webcams: Record<number, Partial<CaptureOptions>>, settings: Partial<EyeTrackingOptions['settings']> = {}): Promise<World> {
  const addon = loadCapture();
  addon.openPool(smallPool);
  const opencv = createOpenCv({ deadline_ms: 60_000 });
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const eyes = createEyeTracking({
    settings: { ...SETTINGS, ...settings },
    open: createFeeds({
      addon,
      cameras: { statuses: () => [], snapshot: async () => null },
      webcam: (index) => (webcams[index] === undefined ? null : pattern({ label: `eye${index}`, analyse: false, stall_limit_ms: 20_000, read_timeout_ms: 20_000, ...webcams[index] })),
      open_limit_ms: 30_000,
    }),
    detect: (request) => opencv.ask({ op: 'eyes', ...request }),
    cameraNames: () => new Map(),
    log,
  });
  const http = { host: 'localhost', port: 0, trust_proxy: false, body_limit_kib: 64, request_timeout_ms: 5_000 };
  const server = await createServer({ settings: http, version: '0', log, eye_tracking: eyes } as unknown as HttpDeps);
  const address = await server.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(async () => {
    await server.close();
    await eyes.close();
    await opencv.close();
    await addon.close();
  });
  return { url: address.replace('http', 'ws'), eyes, addon };
}

const share = (messages: EyeMessage[], fits: (message: EyeMessage) => boolean): number => messages.filter(fits).length / messages.length;

t.test('a face that looks: two eyes in nearly every frame, ten messages a second, nobody looks away', { skip }, async (t) => {
  const { url, addon, eyes } = await world(t, { 2: { kind: 'file', url: clip('office') } });
  const client = await eyeClient(url);
  t.match(await client.next('connection'), { message: 'Eye tracking connected', server_info: { version: '1.0.0', capabilities: ['eye_tracking', 'face_detection'] } });
  client.send({ type: 'start_tracking' });
  const first = await client.next('eye_data');
  t.same(Object.keys(first), ['type', 'timestamp', 'face_detected', 'eye_count', 'looking_away', 'confidence', 'face_count', 'reason', 'source']);
  t.equal(first.source, 'webcam:2', 'indices 0 and 1 are not there');
  while (client.messages.filter(({ type }) => type === 'eye_data').length < 40) await client.next('eye_data');
  const data = client.messages.filter(({ type }) => type === 'eye_data');
  t.ok(share(data, (one) => one.face_detected === true) > 0.9, 'a face');
  t.ok(share(data, (one) => one.eye_count === 2) > 0.8, 'its eyes');
  t.ok(data.every((one) => one.looking_away === false));
  t.ok(data.every(({ confidence = -1 }) => confidence >= 0 && confidence <= 1));
  const seconds = (Date.parse(data.at(-1)?.timestamp ?? '') - Date.parse(data[0]?.timestamp ?? '')) / 1000;
  t.comment(`${((data.length - 1) / seconds).toFixed(2)} messages/s, ${share(data, (one) => one.eye_count === 2)} with both eyes`);

  t.equal(addon.cameraStats()[0]?.analysed, 0, 'no frame of a webcam goes to the models');
  client.send({ type: 'status' });
  t.match(await client.next('status'), { is_tracking: true, connected_clients: 1, state: 'tracking', source: 'webcam' });
  client.send({ type: 'stop_tracking' });
  client.send({ type: 'status' });
  t.match(await client.next('status'), { is_tracking: false, state: 'idle', source: null });
  while (addon.cameraStats().length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  t.pass('the webcam is released');
  t.equal(eyes.stats().trackers.tracking, 0);
  await client.close();
});

t.test('small faces without eyes are not "looking away"', { skip }, async (t) => {
  const { url } = await world(t, { 0: { kind: 'file', url: clip('lounge') } });
  const client = await eyeClient(`${url}/ws`);
  client.send({ type: 'start_tracking', source: 0 });
  const seen = await client.next('eye_data', ({ reason }) => reason === 'face_too_small');
  t.match(seen, { face_detected: true, looking_away: false, confidence: Number });
  while (client.messages.length < 25) await client.next('eye_data');
  t.ok(client.messages.filter(({ reason }) => reason === 'face_too_small').every(({ looking_away }) => looking_away === false));
  await client.close();
});

t.test('an empty room: nobody looks, after a while', { skip }, async (t) => {
  const { url } = await world(t, { 0: { kind: 'lavfi', url: 'testsrc=size=320x240:rate=15' } });
  const client = await eyeClient(url);
  client.send({ type: 'start_tracking', source: 'webcam:0' });
  t.match(await client.next('eye_data'), { face_detected: false, eye_count: 0, looking_away: false, confidence: 0, face_count: 0, reason: 'no_face', source: 'webcam:0' });
  t.match(await client.next('eye_data', ({ looking_away }) => looking_away === true), { face_detected: false, reason: 'no_face', confidence: 0 });
  await client.close();
});

t.test('a webcam that is unplugged and comes back: one error, then data again, and everything else is answered meanwhile', { skip }, async (t) => {
  const server = await startRtspServer({ binary: rtsp });
  t.teardown(() => server.close());
  await server.mount('/webcam', clip('office'));
  const { url, eyes } = await world(t, { 1: { kind: 'rtsp', url: server.url('/webcam'), open_timeout_ms: 20_000 } });
  const client = await eyeClient(url);
  client.send({ type: 'start_tracking' });
  await client.next('eye_data');
  // On a machine with much to do the first attempt to open may have failed, which is not what this is about.
  const before = client.messages.filter(({ type }) => type === 'error').length;
  await server.cut('/webcam');
  t.match(await client.next('error'), { message: 'Camera lost - trying again', code: 'EYE_CAMERA_LOST' });
  client.send({ type: 'ping' });
  await client.next('pong');
  client.send({ type: 'status' });
  t.match(await client.next('status'), { is_tracking: false, state: 'waiting' });
  const late = await eyeClient(url);
  late.send({ type: 'start_tracking' });
  t.match(await late.next('error'), { code: 'EYE_CAMERA_LOST' }, 'who comes during an outage is told');
  await server.resume('/webcam');
  t.match(await client.next('eye_data'), { face_detected: true });
  await late.next('eye_data');
  t.equal(client.messages.filter(({ type }) => type === 'error').length - before, 1, 'said once');
  t.equal(eyes.stats().failures.EYE_CAMERA_LOST, 1);
  await Promise.all([client.close(), late.close()]);
});

t.test('no camera at all: the known words, and data as soon as one is plugged in', { skip }, async (t) => {
  const webcams: Record<number, Partial<CaptureOptions>> = {};
  const { url } = await world(t, webcams);
  const client = await eyeClient(url);
  client.send({ type: 'start_tracking' });
  t.match(await client.next('error'), { message: 'Could not open camera - no camera available', code: 'EYE_NO_CAMERA' });
  client.send({ type: 'status' });
  t.match(await client.next('status'), { is_tracking: false, state: 'waiting', source: 'webcam' });
  webcams[1] = { kind: 'file', url: clip('office') };
  t.match(await client.next('eye_data'), { source: 'webcam:1' });
  await client.close();
});

t.test('200 clients share one tracker; one that does not read holds nobody up', { skip }, async (t) => {
  const { url, addon, eyes } = await world(t, { 0: { kind: 'file', url: clip('office') } });
  const clients = await Promise.all(Array.from({ length: 200 }, () => eyeClient(url)));
  for (const client of clients) client.send({ type: 'start_tracking' });
  const asleep = clients[0];
  asleep?.socket.pause();
  await Promise.all(clients.slice(1).map(async (client) => {
    for (let n = 0; n < 10; n++) await client.next('eye_data', () => true, 60_000);
    client.send({ type: 'ping' });
    await client.next('pong', () => true, 60_000);
  }));
  t.equal(addon.cameraStats().length, 1, 'one camera');
  t.same(eyes.stats().trackers, { opening: 0, tracking: 1, waiting: 0 });
  t.equal(eyes.stats().clients, 200);
  const texts = new Set(clients.slice(1, 20).map(({ texts: all }) => all.filter((text) => text.includes('eye_data')).slice(5, 6).join()));
  t.ok(texts.size < 19, 'the same message for all');
  for (const client of clients) client.socket.terminate();
  while (eyes.stats().clients > 0 || addon.cameraStats().length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  t.pass('all are forgotten, and the camera is released');
});
