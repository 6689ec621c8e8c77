/** The demo cameras are served as they are defined: credentials, drop-outs, an end; and clips are made once. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import t from 'tap';
import { parseStreamUrl } from '../../src/cameras/stream_url.js';
import { DEMO_CLIPS, startDemo } from '../../src/demo/cameras.js';
import { encodeTestClip } from '../../src/demo/encode.js';
import { rtspServerBinary } from '../../src/demo/rtsp_server.js';
import { DEMO_CAMERAS, type DemoCamera } from '../../src/demo/scenes.js';
import { digestLogin, RtspClient } from '../fixtures/rtsp_client.js';

t.setTimeout(300_000);
const binary = rtspServerBinary(process.cwd());
const skip = existsSync(binary) ? false : 'the RTSP server is not built (npm run setup)';
const log = { info: () => undefined, warn: () => undefined };
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A root with the server and a small clip for each of the cameras. */
async function rootWith(folder: string, cameras: readonly DemoCamera[]): Promise<string> {
  for (const one of ['build/native/bin', DEMO_CLIPS]) mkdirSync(path.join(folder, one), { recursive: true });
  symlinkSync(binary, rtspServerBinary(folder));
  for (const { clip } of cameras) {
    await encodeTestClip({ file: path.join(folder, DEMO_CLIPS, clip.file), codec: clip.codec, width: 64, height: 64, fps: 10, seconds: 1 });
  }
  return folder;
}

t.test('each camera answers under its URL; the one with a password to nobody else', { skip }, async (t) => {
  const root = await rootWith(t.testdir(), DEMO_CAMERAS);
  const demo = await startDemo({ root, log });
  t.teardown(() => demo.close());
  t.strictSame(demo.cameras.map(({ camera_id }) => camera_id), DEMO_CAMERAS.map(({ camera_id }) => camera_id));
  for (const [index, { stream_url, camera_name }] of demo.cameras.entries()) {
    const credentials = DEMO_CAMERAS[index]?.credentials;
    const { shown } = parseStreamUrl(stream_url);
    const url = shown.replace('***@', '');
    const client = await RtspClient.open(Number(new URL(url).port));
    const answer = await client.describe(url);
    if (credentials === undefined) {
      t.equal(answer.status, 200, camera_name);
    } else {
      t.equal(answer.status, 401, camera_name);
      const challenge = answer.headers['www-authenticate'] ?? '';
      const login = digestLogin(challenge, 'DESCRIBE', url, credentials.user, credentials.password);
      t.equal((await client.describe(url, { Authorization: login })).status, 200, camera_name);
      t.notMatch(shown, credentials.password);
      t.match(decodeURIComponent(parseStreamUrl(stream_url).native_url), `${credentials.user}:${credentials.password}@`);
    }
    client.close();
  }
  await demo.close();
  await demo.close();
  await t.rejects(RtspClient.open(Number(new URL(demo.cameras[0]?.stream_url ?? '').port)), { code: 'ECONNREFUSED' });
});

t.test('a camera that drops is refused for a while and comes back, again and again', { skip }, async (t) => {
  const [first] = DEMO_CAMERAS as [DemoCamera];
  const cameras = [{ ...first, drops: { every_s: 1.2, away_s: 0.6 } }];
  const demo = await startDemo({ root: await rootWith(t.testdir(), cameras), log, demoCameras: cameras });
  t.teardown(() => demo.close());
  const url = demo.cameras[0]?.stream_url ?? '';
  const seen: number[] = [];
  for (let i = 0; i < 1000 && seen.length < 5; i++) {
    const client = await RtspClient.open(Number(new URL(url).port));
    // A connection may be cut between the request and its answer.
    const status = await client.describe(url).then((answer) => answer.status, () => 503);
    client.close();
    if (status !== seen.at(-1)) seen.push(status);
    await pause(30);
  }
  t.strictSame(seen.slice(-4), seen.at(-1) === 200 ? [503, 200, 503, 200] : [200, 503, 200, 503]);
});

t.test('clips that are missing are named', async (t) => {
  await t.rejects(startDemo({ root: t.testdir(), log }), { code: 'DEMO_MISSING', message: /front_desk\.mkv.*npm run setup/ });
});

t.test('a test clip is what was asked for: codec, size, rate, key frames, no B-frames', { skip }, async (t) => {
  const ffprobe = promisify(execFile);
  const folder = t.testdir();
  for (const codec of ['h264', 'hevc', 'mjpeg'] as const) {
    const file = path.join(folder, `${codec}.mkv`);
    t.equal(await encodeTestClip({ file, codec, width: 96, height: 64, fps: 8, seconds: 2, gop: 4 }), file);
    const { stdout } = await ffprobe('ffprobe', ['-v', 'error', '-show_entries', 'stream=codec_name,width,height,avg_frame_rate:packet=flags,pts,dts', '-of', 'json', file]).catch(() => ({ stdout: '' }));
    if (stdout === '') {
      await t.test(codec, { skip: 'ffprobe is not installed' }, () => undefined);
      continue;
    }
    const { streams, packets } = JSON.parse(stdout) as { streams: unknown[]; packets: { flags: string; pts: number; dts: number }[] };
    t.match(streams[0], { codec_name: codec, width: 96, height: 64, avg_frame_rate: '8/1' });
    t.equal(packets.length, 16);
    const keys = packets.flatMap(({ flags }, index) => (flags.startsWith('K') ? [index] : []));
    t.strictSame(keys, codec === 'mjpeg' ? [...packets.keys()] : keys);
    t.ok(keys.includes(0) && keys.includes(4) && keys.includes(12), `${codec}: key frames ${keys.join(' ')}`);
    if (codec !== 'mjpeg') t.ok(packets.every(({ pts, dts }) => pts === dts), 'no B-frames');
  }
});

t.test('the same clip comes out twice, and nothing is left of one that failed', { skip }, async (t) => {
  const folder = t.testdir();
  const options = { codec: 'h264', width: 64, height: 64, fps: 5, seconds: 1 } as const;
  for (const name of ['a', 'b']) await encodeTestClip({ ...options, file: path.join(folder, name) });
  t.equal(statSync(path.join(folder, 'a')).size, statSync(path.join(folder, 'b')).size);
  await t.rejects(encodeTestClip({ ...options, file: path.join(folder, 'none/c') }), { message: /ENOENT/ });
  await t.rejects(encodeTestClip({ ...options, file: path.join(folder, 'd'), width: 63 }), { code: 'REQUEST_INVALID', message: /63x64/ });
  await t.rejects(encodeTestClip({ ...options, file: path.join(folder, 'd'), codec: 'mjpeg', width: 68 }), { code: 'REQUEST_INVALID', message: /multiples of 8/ });
  await t.rejects(encodeTestClip({ ...options, file: path.join(folder, 'd'), fps: 0 }), { code: 'REQUEST_INVALID' });
  await t.rejects(encodeTestClip({ ...options, file: path.join(folder, 'd'), seconds: Number.NaN }), { code: 'REQUEST_INVALID' });
  t.notOk(existsSync(path.join(folder, 'd')));
  t.equal(readFileSync(path.join(folder, 'a')).readUInt32BE(0), 0x1a45dfa3, 'Matroska');
});
