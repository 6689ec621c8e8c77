/** The load test of the contract, as far as capture goes: fifty RTSP cameras at once through the real capture and slots, no frame unaccounted for. */
import path from 'node:path';
import t from 'tap';
import { captureOptions } from '../../src/cameras/plan.js';
import { loadCapture } from '../../src/capture/native.js';
import type { CaptureStats, TakenBatch } from '../../src/capture/types.js';
import { loadConfig } from '../../src/config/load.js';
import { encodeTestClip } from '../../src/demo/encode.js';
import { smallPool, until } from '../fixtures/capture.js';
import { accessUnits } from '../fixtures/rtp.js';
import { goodScript, openRtspCamera } from '../fixtures/rtsp_camera.js';

const CAMERAS = 50;
const FPS = 6;
const TURNS = 2;
const SIZE = { width: 160, height: 96, fps: FPS, seconds: 4, codec: 'h264' as const };
const LIMIT_MS = 120_000;

t.test('fifty cameras at once: each delivers every frame, and every frame is analysed or counted as dropped', { timeout: 2 * LIMIT_MS }, async (t) => {
  const units = await accessUnits(await encodeTestClip({ ...SIZE, file: path.join(t.testdir(), 'small.mkv') }), FPS * SIZE.seconds);
  const server = await openRtspCamera(units);
  const addon = loadCapture();
  t.teardown(async () => {
    await addon.close();
    await server.close();
  });
  addon.openPool({ ...smallPool, batches: Math.ceil(CAMERAS / 16) + 4, rows: 16 });
  const taken = new Map<number, number>();
  const ages_ms: number[] = [];
  const take = ({ batch, rows }: TakenBatch): void => {
    if (new Set(rows.map(({ camera }) => camera)).size !== rows.length) throw new Error('a camera twice in a batch');
    for (const { camera, packet_us } of rows) {
      taken.set(camera, (taken.get(camera) ?? 0) + 1);
      ages_ms.push((addon.monotonicUs() - packet_us) / 1000);
    }
    addon.releaseBatch(batch);
  };
  const takeAll = (): void => {
    for (let next = addon.takeBatch(addon.monotonicUs()); next !== null; next = addon.takeBatch(addon.monotonicUs())) take(next);
    addon.armReady();
  };
  addon.onReady(takeAll);
  addon.armReady();

  const { capture } = loadConfig({ env: {}, cwd: '/' });
  // Nothing here may end a stream but its own end, however slow the machine is.
  const patient = { ...capture, open_timeout_ms: LIMIT_MS, read_timeout_ms: LIMIT_MS, stall_limit_ms: LIMIT_MS };
  for (let camera_id = 1; camera_id <= CAMERAS; camera_id++) {
    const url = server.serve(goodScript(units, FPS, { turns: TURNS }));
    addon.addCamera({ ...captureOptions({ camera_id, url, transport: null, analysis_fps: null }, { fps: 0, capture: patient, hw_device: '' }).options, generation: 1 });
  }
  // The last frame stays in libav's parser until the next one would begin.
  const shown = units.length * TURNS - 1;
  const done = (all: CaptureStats[]): boolean => all.every(({ frames }) => frames >= shown);
  await until(`${shown} frames of each camera`, () => done(addon.cameraStats()), LIMIT_MS).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${JSON.stringify(addon.cameraStats().filter(({ frames }) => frames < shown).slice(0, 3))}`);
  });
  await until('every row is taken', () => {
    takeAll();
    const { waiting_rows, filling, in_use } = addon.poolStats();
    return waiting_rows + filling + in_use === 0;
  });

  const all = addon.cameraStats();
  t.equal(all.length, CAMERAS);
  t.ok(all.every(({ state, reconnects, corrupt }) => state === 'streaming' && reconnects === 0 && corrupt === 0), 'each streams, none was opened twice, nothing is damaged');
  t.same(new Set(all.map(({ frames }) => frames)), new Set([shown]), 'each has delivered every frame');
  const lost = all.filter(({ handle, frames, analysed, drops }) => analysed !== (taken.get(handle) ?? 0) + drops.superseded || frames !== analysed + drops.no_slot + drops.unsupported + drops.withheld);
  t.same(lost, [], 'each frame was taken, or is counted with its reason');
  t.ok(all.every(({ handle }) => (taken.get(handle) ?? 0) > 0), 'of each camera some were taken');
  const pool = addon.poolStats();
  t.equal(pool.claimed, pool.committed + pool.aborted);
  t.equal(pool.committed, pool.superseded + pool.forgotten + pool.rows_taken);
  ages_ms.sort((a, b) => a - b);
  const age = (share: number): string => (ages_ms[Math.floor((ages_ms.length - 1) * share)] ?? NaN).toFixed(1);
  t.pass(`${ages_ms.length} of ${shown * CAMERAS} frames taken in ${pool.batches_taken} batches; packet to batch: median ${age(0.5)} ms, 99 % within ${age(0.99)} ms`);
});
