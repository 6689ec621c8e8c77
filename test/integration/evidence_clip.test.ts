/** The clip of an alert, from an RTSP camera to a decoder that isn't ours: real capture, real recorder, `ffmpeg` and `ffprobe`. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import type { AnalysisEvent } from '../../src/analysis/types.js';
import { loadCapture } from '../../src/capture/native.js';
import type { BatchRow, CaptureAddon } from '../../src/capture/types.js';
import { loadConfig } from '../../src/config/load.js';
import { EventRecorder, toldOf } from '../../src/evidence/recorder.js';
import { openStore } from '../../src/store/store.js';
import { nextBatch, pattern, smallPool, until } from '../fixtures/capture.js';
import { accessUnits } from '../fixtures/rtp.js';
import { goodScript, openRtspCamera } from '../fixtures/rtsp_camera.js';

const CLIP = resolve('build/demo/office.mkv');
const FPS = 25;
/** Two groups, of 24 frames each; the camera plays them again and again. */
const [FRAMES, GROUP] = [48, 24];
const [BEFORE_S, AFTER_S] = [1, 0.5];
const LIMIT_MS = 60_000;
const absent = existsSync(CLIP) ? false : 'the demo clips are not encoded: npm run setup';

async function output(program: string, ...args: string[]): Promise<string[]> {
  const { stdout } = await promisify(execFile)(program, ['-v', 'error', ...args], { timeout: LIMIT_MS, maxBuffer: 1024 * 1024 });
  return stdout.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

/** One checksum a decoded frame. */
const checksums = async (file: string, ...more: string[]): Promise<string[]> =>
  (await output('ffmpeg', '-i', file, '-map', '0:v:0', ...more, '-f', 'framemd5', '-')).map((line) => line.split(',').at(-1)?.trim() ?? '');

/** The first row that arrived so long after the first of all: by then there is enough before it. */
async function rowAfter(addon: CaptureAddon, seconds: number): Promise<{ batch: number; row: BatchRow }> {
  let first: BatchRow | undefined;
  // The first may be long in coming; nextBatch has a limit of its own.
  for (let end = Infinity; Date.now() < end; ) {
    const { batch, rows: [row] } = await nextBatch(addon);
    if (first === undefined) end = Date.now() + LIMIT_MS;
    first ??= row;
    if (row !== undefined && first !== undefined && row.packet_us - first.packet_us > seconds * 1e6) return { batch, row };
    addon.releaseBatch(batch);
  }
  throw new Error(`no frame after ${seconds} s`);
}

t.test('the clip of an alert: every frame of the camera around it, from a key frame on, as it was encoded', { skip: absent, timeout: 180_000 }, async (t) => {
  const state_dir = t.testdir();
  const units = await accessUnits(CLIP, FRAMES);
  const server = await openRtspCamera(units);
  const addon = loadCapture();
  const store = await openStore({ file: join(state_dir, 'a.db'), log: { info: () => undefined } });
  t.teardown(async () => {
    await addon.close();
    await store.close();
    await server.close();
  });
  const clips: { asked: { from_us: number; to_us: number }; given: Awaited<ReturnType<CaptureAddon['clip']>> }[] = [];
  const recorder = new EventRecorder({
    db: store.db, state_dir, log: { warn: (_fields, message) => { t.fail(message); } },
    settings: { ...loadConfig({ env: {}, cwd: '/' }).evidence, clip_before_s: BEFORE_S, clip_after_s: AFTER_S },
    addon: {
      clip: async (handle, asked) => {
        const given = await addon.clip(handle, asked);
        clips.push({ asked, given });
        return given;
      },
    },
  });

  addon.openPool(smallPool);
  const camera = pattern({ kind: 'rtsp', url: server.serve(goodScript(units, FPS)), clip_ms: 30_000, clip_bytes: 16 << 20, open_timeout_ms: LIMIT_MS, read_timeout_ms: LIMIT_MS, stall_limit_ms: LIMIT_MS });
  const handle = addon.addCamera(camera);
  const { batch, row } = await rowAfter(addon, BEFORE_S + 0.5);
  const event: AnalysisEvent = {
    kind: 'anomaly_alert', type: 'unusual_movement', category: 'anomaly', frame_timestamp: new Date(row.wall_ms).toISOString(), seq: row.seq, confidence: 0.95, severity: 'HIGH',
    risk_score: 0.95, context: {}, indicators: ['unusual_movement'], duration_seconds: 0,
  };
  const source = { camera_id: 7, handle, packet_us: row.packet_us, wall_ms: row.wall_ms };
  const frame_path = (await recorder.picture(event, source, () => addon.rowJpeg(batch, row.row, { quality: 90, max_width: 0 }))) ?? null;
  addon.releaseBatch(batch);
  await recorder.keep({ ...toldOf(event), camera_id: 7, camera_name: 'Office', staff_id: null, frame_path, delivery: 'posted', idempotency_key: 'k' }, event, source);
  await until('the clip, or why there is none', () => recorder.counts.clips + Object.keys(recorder.counts.missed).length > 0, LIMIT_MS);
  const { events, frames: pictures, clips: kept_clips, missed } = recorder.counts;
  // A picture that a busy machine makes too late is left out: the alert does not wait for it.
  t.same([events, pictures + (missed['late'] ?? 0), kept_clips, { ...missed, late: 0 }], [1, 1, 1, { late: 0 }]);

  const kept = await recorder.get(1);
  t.match(kept?.clip_path, /^\d{4}-\d\d-\d\d\/cam7\/[\d-]+-anomaly_alert-unusual_movement-[0-9a-f]{8}\.mp4$/, 'the event names its clip');
  const file = join(state_dir, 'evidence', kept?.clip_path ?? '');
  const shown = await checksums(file);
  const encoded = await checksums(CLIP, '-frames:v', String(FRAMES));
  t.equal(new Set(encoded).size, FRAMES, 'the frames of the camera can be told apart');
  const [{ asked, given } = { asked: undefined, given: null }] = clips;
  t.equal(shown.length, given?.packets, 'each packet is a frame');
  t.ok((given?.from_us ?? Infinity) <= (asked?.from_us ?? 0) && (given?.to_us ?? Infinity) <= (asked?.to_us ?? 0), 'from before the span to its end');
  const first = encoded.indexOf(shown[0] ?? '');
  t.equal(first % GROUP, 0, 'from a key frame on');
  t.same(shown, shown.map((_frame, index) => encoded[(first + index) % FRAMES]), 'each frame of the camera, none left out, none changed');
  t.ok(shown.slice(0, -1).includes(encoded[(row.seq - 1) % FRAMES] ?? ''), 'the frame that raised the alert, and what came after it');
  const frames = await output('ffprobe', '-select_streams', 'v', '-show_entries', 'frame=key_frame,width,height', '-of', 'csv=p=0', file);
  t.equal(frames[0]?.replace(/,+$/, ''), '1,640,360');
  t.equal(frames.length, shown.length);
  await addon.removeCamera(handle);
  await recorder.stop();
});
