/** 200 opens and closes of a camera leave threads, descriptors and memory where they were. */
import t from 'tap';
import { readdirSync, readFileSync } from 'node:fs';
import { captureOptions } from '../../src/cameras/plan.js';
import { loadCapture } from '../../src/capture/native.js';
import { loadConfig } from '../../src/config/load.js';

const ROUNDS = 200;
const WARM_UP = 20;

function now(): { threads: number; descriptors: number; rss_kib: number } {
  const status = readFileSync('/proc/self/status', 'utf8');
  const field = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]);
  return { threads: field('Threads'), descriptors: readdirSync('/proc/self/fd').length, rss_kib: field('VmRSS') };
}

t.test('opening and closing a camera again and again leaves nothing behind', { timeout: 240_000 }, async (t) => {
  const addon = loadCapture();
  addon.openPool({ batches: 2, rows: 2, inputs: [{ name: 'x', width: 64, height: 64, fit: 'letterbox', pad: 0 }] });
  const config = loadConfig({ env: {}, cwd: process.cwd() });
  const { options } = captureOptions(
    { camera_id: 1, url: 'lavfi:testsrc=size=320x240:rate=25', transport: null, analysis_fps: 5 },
    { fps: 5, capture: config.capture, hw_device: '' },
  );
  const once = async (generation: number): Promise<void> => {
    const handle = addon.addCamera({ ...options, generation });
    const end = Date.now() + 10_000;
    while ((addon.cameraStats().find((camera) => camera.handle === handle)?.frames ?? 0) === 0) {
      if (Date.now() > end) throw new Error('no frame within 10 s');
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await addon.removeCamera(handle);
    const batch = addon.takeBatch(addon.monotonicUs());
    if (batch) addon.releaseBatch(batch.batch);
  };
  for (let round = 0; round < WARM_UP; round++) await once(round);
  const before = now();
  const rss: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await once(WARM_UP + round);
    rss.push(now().rss_kib);
  }
  const after = now();
  t.equal(after.threads, before.threads, 'threads');
  t.equal(after.descriptors, before.descriptors, 'descriptors');
  const slope = leastSquaresSlope(rss);
  t.ok(slope * ROUNDS < 8 * 1024, `memory: ${(slope * ROUNDS / 1024).toFixed(2)} MiB over ${ROUNDS} rounds by least squares`);
  t.equal(addon.cameraStats().length, 0);
  const pool = addon.poolStats();
  t.equal(pool.in_use, 0);
  t.equal(pool.waiting_rows, 0);
  await addon.close();
});

function leastSquaresSlope(values: number[]): number {
  const n = values.length;
  const mean_x = (n - 1) / 2;
  const mean_y = values.reduce((a, b) => a + b, 0) / n;
  let num = 0;
  let den = 0;
  for (const [x, y] of values.entries()) {
    num += (x - mean_x) * (y - mean_y);
    den += (x - mean_x) ** 2;
  }
  return num / den;
}
