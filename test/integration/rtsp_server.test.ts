/** The RTSP server of the demo and the tests, spoken to on the wire: what it serves, refuses, and survives. */
import { spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import t, { type Test } from 'tap';
import { encodeTestClip } from '../../src/demo/encode.js';
import { rtspServerBinary, startRtspServer, type RtspServer } from '../../src/demo/rtsp_server.js';
import { basicLogin, digestLogin, parseRtp, RtspClient, type RtpPacket } from '../fixtures/rtsp_client.js';

const binary = rtspServerBinary(process.cwd());
const skip = existsSync(binary) ? false : 'the RTSP server is not built (npm run setup)';
const folder = t.testdir();
const clip = (name: string): string => path.join(folder, `${name}.mkv`);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const FPS = 12;

t.setTimeout(300_000);
t.before(async () => {
  if (skip !== false) return;
  const size = { width: 160, height: 96, fps: FPS, seconds: 1 };
  for (const codec of ['h264', 'hevc', 'mjpeg'] as const) await encodeTestClip({ ...size, codec, file: clip(codec) });
  await encodeTestClip({ ...size, codec: 'mjpeg', file: clip('larger'), width: 320, height: 240 });
});

/** A server with clients of the test's own; all of it ends with the test. */
async function world(t: Test): Promise<{ server: RtspServer; client: () => Promise<RtspClient> }> {
  const server = await startRtspServer({ binary });
  const clients: RtspClient[] = [];
  t.teardown(async () => {
    for (const one of clients) one.close();
    await server.close();
  });
  const client = async (): Promise<RtspClient> => {
    const one = await RtspClient.open(server.port);
    clients.push(one);
    return one;
  };
  return { server, client };
}

/** What is counted once it has stayed as it is for a second, which many frames would fit in; throws when it never does. */
async function quiet(count: () => number): Promise<number> {
  for (const end = Date.now() + 60_000; Date.now() < end; ) {
    const before = count();
    await pause(1_000);
    if (count() === before) return before;
  }
  throw new Error('packets go on coming');
}

/** Timestamp steps from access unit to access unit. */
function steps(packets: readonly RtpPacket[]): number[] {
  const stamps = [...new Set(packets.map(({ timestamp }) => timestamp))];
  return stamps.slice(1).map((stamp, index) => (stamp - (stamps[index] ?? 0)) >>> 0);
}

t.test('H.264, HEVC and MJPEG are described and played in real time, without a seam where the clip starts again', { skip }, async (t) => {
  const { server, client } = await world(t);
  for (const [codec, name] of [['h264', 'H264'], ['hevc', 'H265'], ['mjpeg', 'JPEG']] as const) {
    const info = await server.mount(`/${codec}`, clip(codec));
    t.match(info, { codec, width: 160, height: 96, units: FPS }, codec);
    const viewer = await client();
    const sdp = await viewer.play(server.url(`/${codec}`));
    t.match(sdp, codec === 'mjpeg' ? /m=video 0 RTP\/AVP 26/ : new RegExp(`a=rtpmap:96 ${name}/90000`), codec);
    // Three turns of the clip: a marker ends each access unit.
    while (viewer.packets.filter(({ marker }) => marker).length < 3 * FPS) await viewer.received(viewer.packets.length + 1);
    const sequence = viewer.packets.map((packet) => packet.sequence);
    t.ok(sequence.every((number, index) => index === 0 || number === ((sequence[index - 1] ?? 0) + 1) % 65536), `${codec}: no packet is missing`);
    // The first step may hold the time until PLAY; Matroska rounds to milliseconds.
    const even = steps(viewer.packets).slice(2).filter((step) => Math.abs(step - 90_000 / FPS) <= 90);
    t.ok(even.length >= 2 * FPS, `${codec}: even timestamps over the seam (${even.length})`);
    viewer.close();
  }
});

t.test('a picture of several slices stays in one piece', { skip: skip || (spawnSync('ffmpeg', ['-version']).status !== 0 && 'ffmpeg is not installed') }, async (t) => {
  const file = clip('slices');
  const made = spawnSync('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', `testsrc=size=160x96:rate=${FPS}`, '-t', '1', '-c:v', 'libx264', '-tune', 'zerolatency', '-g', '1', '-x264-params', 'slices=3', file]);
  t.equal(made.status, 0, made.stderr.toString());
  const { server, client } = await world(t);
  await server.mount('/slices', file);
  const viewer = await client();
  await viewer.play(server.url('/slices'));
  while (viewer.packets.filter(({ marker }) => marker).length < FPS) await viewer.received(viewer.packets.length + 1);
  // NAL unit types of each picture (RFC 6184): 5 a slice of a key picture (28 in pieces), 7 and 8 parameter sets, at which a receiver ends the picture.
  const pictures = new Map<number, number[]>();
  for (const { timestamp, payload } of viewer.packets) pictures.set(timestamp, [...(pictures.get(timestamp) ?? []), (payload[0] ?? 0) & 31]);
  const whole = [...pictures.values()].slice(0, FPS - 1);
  t.ok(whole.every((types) => types.filter((type) => type === 5 || type === 28).length >= 3), JSON.stringify(whole[0]));
  const split = whole.filter((types) => types.slice(types.findIndex((type) => type === 5 || type === 28)).some((type) => type === 7 || type === 8));
  t.strictSame(split, []);
});

t.test('a clip is served at the pace that the mount asks for', { skip }, async (t) => {
  const { server, client } = await world(t);
  t.match(await server.mount('/slow', clip('mjpeg'), { fps: 5, phase_ms: 40 }), { fps: 5 });
  const viewer = await client();
  await viewer.play(server.url('/slow'));
  while (steps(viewer.packets).length < 5) await viewer.received(viewer.packets.length + 1);
  t.ok(steps(viewer.packets).slice(1).includes(90_000 / 5));
});

t.test('UDP: packets go to the client\'s port, and stop when its connection is cut', { skip }, async (t) => {
  const { server, client } = await world(t);
  await server.mount('/udp', clip('h264'));
  const [media, control] = [createSocket('udp4'), createSocket('udp4')];
  t.teardown(() => [media, control].forEach((socket) => socket.close()));
  const port = await bindPair(media, control);
  const packets: RtpPacket[] = [];
  media.on('message', (bytes) => packets.push(parseRtp(bytes)));
  const viewer = await client();
  await viewer.play(server.url('/udp'), `RTP/AVP;unicast;client_port=${port}-${port + 1}`);
  for (let i = 0; i < 3_000 && packets.length < FPS; i++) await pause(20);
  t.ok(packets.length >= FPS, `${packets.length} packets came`);
  t.equal(viewer.packets.length, 0, 'none over the connection');
  await server.cut('/udp');
  await quiet(() => packets.length);
  t.pass('none after the cut');
});

/** Binds two sockets to neighbouring ports, the first even. */
async function bindPair(media: ReturnType<typeof createSocket>, control: ReturnType<typeof createSocket>): Promise<number> {
  for (let port = 40_000 + 2 * (process.pid % 5000); ; port += 2) {
    try {
      for (const [socket, offset] of [[media, 0], [control, 1]] as const) {
        const bound = once(socket, 'listening');
        socket.bind(port + offset, '127.0.0.1');
        await bound;
      }
      return port;
    } catch (error) {
      if (port > 60_000) throw error;
    }
  }
}

t.test('credentials: a challenge of the mount\'s kind, then only the right ones, with @ and : in them', { skip }, async (t) => {
  const { server, client } = await world(t);
  const login = { user: 'ann@site', password: 'p:@ "s\\' };
  await server.mount('/basic', clip('h264'), { credentials: { ...login, auth: 'basic' } });
  await server.mount('/digest', clip('h264'), { credentials: { ...login, auth: 'digest' } });
  await server.mount('/open', clip('h264'));
  const viewer = await client();
  t.equal((await viewer.describe(server.url('/open'))).status, 200);

  const basic = await viewer.describe(server.url('/basic'));
  t.match(basic, { status: 401, headers: { 'www-authenticate': /^Basic realm=/ } });
  t.equal((await viewer.describe(server.url('/basic'), { Authorization: basicLogin(login.user, 'wrong') })).status, 401);
  t.equal((await viewer.describe(server.url('/basic'), { Authorization: basicLogin(login.user, login.password) })).status, 200);

  const url = server.url('/digest');
  const challenge = (await viewer.describe(url)).headers['www-authenticate'] ?? '';
  t.match(challenge, /^Digest realm="[^"]+", nonce="[^"]+"/);
  t.equal((await viewer.describe(url, { Authorization: basicLogin(login.user, login.password) })).status, 401, 'basic is not digest');
  t.equal((await viewer.describe(url, { Authorization: digestLogin(challenge, 'DESCRIBE', url, login.user, 'wrong') })).status, 401);
  t.equal((await viewer.describe(url, { Authorization: digestLogin(challenge, 'PLAY', url, login.user, login.password) })).status, 401, 'of another request');
  t.equal((await viewer.describe(url, { Authorization: digestLogin(challenge, 'DESCRIBE', url, login.user, login.password) })).status, 200);
  t.match(server.url('/digest', login), 'rtsp://ann%40site:p%3A%40%20%22s%5C@127.0.0.1:');
});

t.test('stall: frames stop, the connection and new ones are answered; resume goes on', { skip }, async (t) => {
  const { server, client } = await world(t);
  await server.mount('/cam', clip('h264'));
  const viewer = await client();
  await viewer.play(server.url('/cam'));
  await viewer.received(FPS);
  await server.stall('/cam');
  const before = await quiet(() => viewer.packets.length);
  t.equal((await viewer.request('OPTIONS', server.url('/cam'))).status, 200);
  t.equal((await (await client()).describe(server.url('/cam'))).status, 200);
  t.match(await server.stats(), [{ state: 'stalled' }]);
  await server.resume('/cam');
  await viewer.received(before + FPS);
  t.ok(viewer.packets.length >= before + FPS);
  t.notOk(viewer.closed);
});

t.test('a mount that is stalled from the start can be described, too', { skip }, async (t) => {
  const { server, client } = await world(t);
  await server.mount('/cam', clip('hevc'));
  await server.stall('/cam');
  t.equal((await (await client()).describe(server.url('/cam'))).status, 200);
});

t.test('cut: its viewers are disconnected and refused until resume, those of other mounts are not', { skip }, async (t) => {
  const { server, client } = await world(t);
  await server.mount('/gone', clip('h264'));
  await server.mount('/stays', clip('h264'));
  const [gone, stays] = [await client(), await client()];
  await gone.play(server.url('/gone'));
  await stays.play(server.url('/stays'));
  await gone.received(1);
  await server.cut('/gone');
  if (!gone.closed) await once(gone.socket, 'close');
  t.equal((await (await client()).describe(server.url('/gone'))).status, 503);
  await stays.received(stays.packets.length + FPS);
  t.notOk(stays.closed);
  await server.resume('/gone');
  const again = await client();
  await again.play(server.url('/gone'));
  await again.received(FPS);
  await server.unmount('/gone');
  if (!again.closed) await once(again.socket, 'close');
  t.equal((await (await client()).describe(server.url('/gone'))).status, 404);
});

t.test('swap: the same viewer gets pictures of another size', { skip }, async (t) => {
  const { server, client } = await world(t);
  await server.mount('/cam', clip('mjpeg'));
  const viewer = await client();
  await viewer.play(server.url('/cam'));
  await viewer.received(1);
  // RTP's JPEG header has width and height in units of 8.
  const sizes = (): string[] => [...new Set(viewer.packets.map(({ payload }) => `${(payload[6] ?? 0) * 8}x${(payload[7] ?? 0) * 8}`))];
  t.strictSame(sizes(), ['160x96']);
  await server.swap('/cam', clip('larger'));
  for (let i = 0; i < 500 && sizes().length < 2; i++) await viewer.received(viewer.packets.length + 1);
  t.strictSame(sizes(), ['160x96', '320x240']);
  t.match(await server.stats(), [{ width: 320, height: 240 }]);
  await t.rejects(server.swap('/cam', clip('h264')), { code: 'DEMO_SERVER', message: /expected a mjpeg file, received h264/ });
});

t.test('corrupt: packets are lost and altered at the given rate, then no more', { skip }, async (t) => {
  const { server, client } = await world(t);
  await server.mount('/cam', clip('mjpeg'));
  await server.corrupt('/cam', 0.5);
  const viewer = await client();
  await viewer.play(server.url('/cam'));
  await viewer.received(30);
  const gaps = (packets: readonly RtpPacket[]): number =>
    packets.slice(1).filter((packet, index) => packet.sequence !== ((packets[index]?.sequence ?? 0) + 1) % 65536).length;
  t.ok(gaps(viewer.packets) > 0, 'packets are missing');
  const damaged = (await server.stats())[0]?.damaged ?? 0;
  t.ok(damaged > 5, `${damaged} damaged`);
  await server.corrupt('/cam', 0);
  await viewer.received(viewer.packets.length + 10);
  const from = viewer.packets.length;
  const after = (await server.stats())[0]?.damaged;
  await viewer.received(from + 20);
  t.equal(gaps(viewer.packets.slice(from - 1)), 0, 'none is missing now');
  t.equal((await server.stats())[0]?.damaged, after);
});

t.test('wrong commands are refused with words, and the server goes on', { skip }, async (t) => {
  const { server } = await world(t);
  await server.mount('/cam', clip('h264'));
  await t.rejects(server.mount('/cam', clip('h264')), { code: 'DEMO_SERVER', message: /mounted already/ });
  await t.rejects(server.mount('cam', clip('h264')), { message: /expected: mount/ });
  await t.rejects(server.mount('/none', path.join(folder, 'none.mkv')), { message: /No such file/ });
  await t.rejects(server.mount('/text', path.join(process.cwd(), 'package.json')), { code: 'DEMO_SERVER' });
  await t.rejects(server.mount('/fps', clip('h264'), { fps: -1 }), { message: /fps: expected a number from 0.1 to 240, received "-1"/ });
  await t.rejects(server.mount('/line', 'a\nb'), { message: /line breaks/ });
  await t.rejects(server.corrupt('/cam', 2), { message: /rate: expected/ });
  for (const order of ['stall', 'resume', 'cut', 'unmount'] as const) await t.rejects(server[order]('/none'), { message: /not mounted/ }, order);
  t.match(await server.stats(), [{ path: '/cam', state: 'serving', clients: 0 }]);
});

t.test('clients that vanish leave no connection, session or thread behind', { skip }, async (t) => {
  const { server, client } = await world(t);
  await server.mount('/cam', clip('h264'));
  const used = (): { files: number; threads: number } => ({
    files: readdirSync(`/proc/${server.pid}/fd`).length,
    threads: readdirSync(`/proc/${server.pid}/task`).length,
  });
  const round = async (): Promise<void> => {
    const viewers = await Promise.all(Array.from({ length: 8 }, client));
    for (const viewer of viewers) await viewer.play(server.url('/cam'));
    for (const viewer of viewers) await viewer.received(1);
    for (const viewer of viewers) viewer.socket.resetAndDestroy();
    for (let i = 0; i < 3_000 && (await server.stats())[0]?.clients !== 0; i++) await pause(20);
    t.equal((await server.stats())[0]?.clients, 0);
  };
  await round();
  await pause(1000);
  const before = used();
  for (let i = 0; i < 5; i++) await round();
  for (let i = 0; i < 3_000 && (used().files > before.files || used().threads > before.threads); i++) await pause(20);
  const after = used();
  t.ok(after.files <= before.files + 2, `open files: ${before.files} before, ${after.files} after`);
  t.ok(after.threads <= before.threads + 2, `threads: ${before.threads} before, ${after.threads} after`);
});

t.test('it ends with its stdin, on SIGTERM, and with the program that started it', { skip }, async (t) => {
  const closed = await startRtspServer({ binary });
  await closed.close();
  await closed.close();
  t.strictSame(await closed.ended, { code: 0, signal: null });
  await t.rejects(closed.stats(), { code: 'DEMO_SERVER', message: /has ended/ });

  const terminated = await startRtspServer({ binary });
  process.kill(terminated.pid, 'SIGTERM');
  t.strictSame(await terminated.ended, { code: 0, signal: null });

  const parent = spawn(process.execPath, ['-e', `const c=require('node:child_process').spawn(${JSON.stringify(binary)},{stdio:['pipe','ignore','ignore']});console.log(c.pid);setInterval(()=>{},1000)`], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = (await once(parent.stdout, 'data')) as [Buffer];
  parent.kill('SIGKILL');
  const stat = `/proc/${Number(said.toString())}/stat`;
  const gone = (): boolean => !existsSync(stat) || readFileSync(stat, 'utf8').includes(') Z ');
  for (let i = 0; i < 3_000 && !gone(); i++) await pause(20);
  t.ok(gone());
});

t.test('what is not there is said', async (t) => {
  await t.rejects(startRtspServer({ binary: path.join(folder, 'none') }), { code: 'DEMO_MISSING', message: /npm run setup/ });
  await t.rejects(startRtspServer({ binary: '/bin/false' }), { code: 'DEMO_SERVER', message: /ended/ });
});
