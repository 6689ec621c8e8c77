/** capture.node with real cameras: from a generated picture to a batch, a tensor, crops and JPEGs; workers over the same memory. */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { Worker } from 'node:worker_threads';

import { loadCapture } from '../../src/capture/native.js';
import { nextBatch, pattern, smallPool, until } from '../fixtures/capture.js';

const addon = loadCapture();
const jpeg = { quality: 80, max_width: 0 };
const digest = (bytes: Uint8Array): number => bytes.reduce((sum, byte) => (sum * 31 + byte) >>> 0, 7);

function sizeOf(image: Buffer): { width: number; height: number } {
  if (image.readUInt16BE(0) !== 0xffd8 || image.readUInt16BE(image.length - 2) !== 0xffd9) throw new Error('no JPEG from SOI to EOI');
  for (let at = 2; at < image.length; at += 2 + image.readUInt16BE(at + 2)) {
    const marker = image.readUInt8(at + 1);
    if (marker >= 0xc0 && marker <= 0xc2) return { height: image.readUInt16BE(at + 5), width: image.readUInt16BE(at + 7) };
  }
  throw new Error('no frame header');
}

t.beforeEach(() => addon.openPool(smallPool));
t.afterEach(() => addon.close());

t.test('a frame: batch, tensor, crop, JPEG, release', async (t) => {
  const states: string[] = [];
  addon.onState(({ handle, generation, state }) => states.push(`${handle} ${generation} ${state}`));
  const handle = addon.addCamera(pattern({ generation: 3 }));
  const { batch, rows } = await nextBatch(addon);
  t.equal(rows.length, 1);
  const [row] = rows;
  if (!row) throw new Error('a batch has rows');
  t.match(row, { row: 0, camera: handle, generation: 3, width: 320, height: 240 });
  t.ok(row.seq >= 1 && row.ready_us >= row.packet_us && row.packet_us > 0);
  t.ok(row.ready_us <= addon.monotonicUs());
  t.ok(Math.abs(row.wall_ms - Date.now()) < 60_000);

  const wide = addon.batchTensor(batch, 0);
  t.equal(wide.length, 4 * 64 * 32 * 3);
  t.equal(addon.batchTensor(batch, 0), wide, 'the same object each time');
  const pixels = wide.subarray(0, 64 * 32 * 3);
  t.ok(new Set(pixels).size > 8, 'the test picture has many values');
  t.same([...pixels.subarray(0, 3)], [7, 7, 7], 'padding beside a 4:3 picture in a 2:1 input');
  t.ok(new Set(addon.batchTensor(batch, 1).subarray(0, 16 * 16 * 3)).size > 8);

  // Two crops: the whole frame at a tenth of its size, and a place outside of it.
  const crops = new Uint8Array(2 * 32 * 24 * 3);
  addon.cropRows(batch, Int32Array.of(0, 0), Float32Array.of(10, 0, 0, 0, 10, 0, 1, 0, 5_000, 0, 1, 0), crops, 32, 24, 99);
  t.ok(new Set(crops.subarray(0, 32 * 24 * 3)).size > 8);
  t.same([...new Set(crops.subarray(32 * 24 * 3))], [99]);

  const evidence = addon.rowJpeg(batch, 0, { ...jpeg, max_width: 160 });
  addon.releaseBatch(batch);
  t.match(sizeOf(await evidence), { width: 160, height: 120 }, 'the picture outlives the release');
  t.throws(() => { addon.releaseBatch(batch); }, { code: 'NATIVE_BATCH_STATE' });

  const shot = await addon.snapshot(handle, jpeg);
  t.match(shot, { width: 320, height: 240 });
  if (shot) t.match(sizeOf(shot.jpeg), { width: 320, height: 240 });
  await until('the state event', () => states.includes(`${handle} 3 streaming`));
  const [stats] = addon.cameraStats();
  t.match(stats, { handle, generation: 3, state: 'streaming', width: 320, height: 240, reason: '' });
  t.ok(stats && stats.frames > 0 && stats.analysed > 0 && stats.newest_frame_us > 0);
});

t.test('onReady: one call an arming, none lost', async (t) => {
  let calls = 0;
  let rows = 0;
  addon.onReady(() => {
    calls++;
    for (let batch = addon.takeBatch(Number.MAX_SAFE_INTEGER); batch; batch = addon.takeBatch(Number.MAX_SAFE_INTEGER)) {
      rows += batch.rows.length;
      addon.releaseBatch(batch.batch);
    }
    if (rows < 20) addon.armReady();
  });
  addon.addCamera(pattern());
  await until('20 rows', () => rows >= 20);
  t.ok(calls <= 21, `${calls} calls for ${rows} rows`);
  const before = calls;
  await until('frames that wait', () => addon.poolStats().superseded > 0);
  t.equal(calls, before, 'nothing is signalled before it is armed');
  addon.armReady();
  await until('the signal of the frame that waits', () => calls > before);
});

t.test('a callback that throws is an uncaught exception, not a lost one', async (t) => {
  const ours = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException'); // the test runner's, which would fail the test
  let thrown: Error | null = null;
  process.on('uncaughtException', (error) => { thrown = error; });
  addon.onReady(() => { throw new Error('thrown by the callback'); });
  addon.addCamera(pattern());
  const error: Error = await until('the exception', () => thrown);
  addon.onReady(() => undefined);
  process.removeAllListeners('uncaughtException');
  for (const listener of ours) process.on('uncaughtException', listener);
  t.equal(error.message, 'thrown by the callback');
});

t.test('newest frame wins, and the books balance', async (t) => {
  for (let i = 0; i < 3; i++) addon.addCamera(pattern());
  await until('superseded frames of three cameras', () => addon.poolStats().superseded >= 30);
  const { batch, rows } = await nextBatch(addon);
  t.equal(rows.length, 3);
  t.same(rows.map((row) => row.row), [0, 1, 2]);
  t.equal(new Set(rows.map((row) => row.camera)).size, 3);
  addon.releaseBatch(batch);
  await Promise.all(addon.cameraStats().map(({ handle }) => addon.removeCamera(handle)));
  const pool = addon.poolStats();
  t.equal(pool.claimed, pool.committed + pool.aborted);
  t.equal(pool.committed, pool.superseded + pool.forgotten + pool.rows_taken + pool.waiting_rows);
  t.equal(pool.waiting_rows, 0, 'a removed camera leaves no row behind');
  t.equal(pool.free, smallPool.batches);
});

t.test('cameras come and go without touching the others; handles are never used again', async (t) => {
  const first = addon.addCamera(pattern());
  const second = addon.addCamera(pattern());
  await until('both stream', () => addon.cameraStats().every((camera) => camera.state === 'streaming'));
  const removal = addon.removeCamera(first);
  t.same(addon.cameraStats().map((camera) => camera.handle), [second]);
  await t.rejects(addon.removeCamera(first), { code: 'CAPTURE_HANDLE' });
  await removal;
  await t.rejects(addon.snapshot(first, jpeg), { code: 'CAPTURE_HANDLE' });
  const third = addon.addCamera(pattern());
  t.ok(third > second && second > first);
  const before = addon.cameraStats()[0]?.frames ?? 0;
  await until('the other one goes on', () => (addon.cameraStats()[0]?.frames ?? 0) > before);
});

t.test('probe: what a source is, and why one is not', async (t) => {
  t.match(await addon.probe(pattern()), { ok: true, reason: '', width: 320, height: 240, source_fps: 25 });
  const bad = await addon.probe(pattern({ kind: 'file', url: 'no-such-file.mp4' }));
  t.equal(bad.ok, false);
  t.match(bad.reason, /^CAPTURE_/);
});

t.test('snapshot is null before the first frame', async (t) => {
  const handle = addon.addCamera(pattern({ kind: 'file', url: 'no-such-file.mp4' }));
  t.equal(await addon.snapshot(handle, jpeg), null);
});

t.test('close: pending work settles, use after close throws, memory in hand stays valid', async (t) => {
  const handle = addon.addCamera(pattern());
  const { batch } = await nextBatch(addon);
  const view = addon.batchTensor(batch, 0);
  const before = digest(view);
  const removal = addon.removeCamera(handle);
  await Promise.all([addon.close(), addon.close(), removal]);
  t.throws(() => addon.takeBatch(0), { code: 'NATIVE_CLOSED' });
  t.throws(() => { addon.releaseBatch(batch); }, { code: 'NATIVE_CLOSED' });
  t.throws(() => addon.addCamera(pattern()), { code: 'NATIVE_CLOSED' });
  t.throws(() => addon.batchTensor(batch, 0), { code: 'NATIVE_CLOSED' });
  t.same(addon.cameraStats(), []);
  t.equal(digest(view), before);
  addon.openPool({ ...smallPool, rows: 2 });
  const again = addon.batchTensor(batch, 0);
  t.not(again, view);
  t.equal(again.length, view.length / 2);
  t.ok(again.every((byte) => byte === 0), 'a new pool is empty');
  t.equal(digest(view), before);
});

t.test('a pool opened while the old one closes is a new one', async (t) => {
  addon.addCamera(pattern());
  const closing = addon.close();
  t.throws(() => addon.poolStats(), { code: 'NATIVE_CLOSED' }, 'closed from the call on');
  addon.openPool(smallPool);
  const handle = addon.addCamera(pattern());
  await closing;
  t.same(addon.cameraStats().map((camera) => camera.handle), [handle]);
  const { rows } = await nextBatch(addon);
  t.equal(rows[0]?.camera, handle);
});

t.test('a worker sees the same bytes, both ways, without a copy', async (t) => {
  addon.addCamera(pattern());
  const { batch } = await nextBatch(addon);
  const worker = new Worker(new URL('../fixtures/capture_worker.js', import.meta.url));
  t.teardown(() => worker.terminate());
  const view = addon.batchTensor(batch, 0);
  worker.postMessage({ kind: 'digest', batch });
  const [seen] = (await once(worker, 'message')) as [{ digest: number; crop_values: number }];
  t.equal(seen.digest, digest(view));
  t.ok(seen.crop_values > 8, 'the worker crops retained frames too');
  worker.postMessage({ kind: 'write', batch, byte: 201 });
  await once(worker, 'message');
  t.equal(view.at(-1), 201);
});

t.test('a worker that is terminated while it holds views takes nothing with it', async (t) => {
  addon.addCamera(pattern());
  const { batch } = await nextBatch(addon);
  for (let round = 0; round < 3; round++) {
    const worker = new Worker(new URL('../fixtures/capture_worker.js', import.meta.url));
    worker.postMessage({ kind: 'spin', batch });
    await once(worker, 'message');
    await sleep(20 * round);
    t.equal(await worker.terminate(), 1);
  }
  addon.releaseBatch(batch);
  const next = await nextBatch(addon);
  t.ok(new Set(addon.batchTensor(next.batch, 0)).size > 8);
});

const CLIP = path.resolve('build/demo/office.mkv');
t.test('clip: a file of the packets kept in memory, and none where none are kept', { skip: existsSync(CLIP) ? false : 'the demo clips are not encoded' }, async (t) => {
  const from_us = addon.monotonicUs();
  const kept = addon.addCamera(pattern({ kind: 'file', url: CLIP, clip_ms: 20_000, clip_bytes: 8 << 20 }));
  const raw = addon.addCamera(pattern({ clip_ms: 20_000, clip_bytes: 8 << 20 }));
  await until('frames', () => addon.cameraStats().every((stats) => stats.frames >= 5));
  const clip = await addon.clip(kept, { from_us, to_us: addon.monotonicUs() });
  t.match(clip, { extension: 'mp4', packets: Number });
  t.ok((clip?.packets ?? 0) >= 5 && (clip?.from_us ?? 0) >= from_us && (clip?.to_us ?? 0) > (clip?.from_us ?? 0));
  t.equal(clip?.data.subarray(4, 8).toString('latin1'), 'ftyp');
  t.equal(await addon.clip(raw, { from_us: 0, to_us: addon.monotonicUs() }), null, 'raw pictures are not kept');
  await t.rejects(addon.clip(kept, { from_us: -1, to_us: 0 }), { code: 'NATIVE_ARGUMENT' });
  await t.rejects(addon.clip(999, { from_us: 0, to_us: 0 }), { code: 'CAPTURE_HANDLE' });
});
