/** `sightline ptz offset` as a script meets it: folders in, one JSON document out, exit codes. */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { createOpenCv } from '../../src/opencv/client.js';
import type { OffsetResult } from '../../src/ptz/estimate/types.js';
import { cameraAt, makePanorama, Random } from '../fixtures/ptz_scene.js';
import { shoot } from '../fixtures/ptz_trials.js';

t.setTimeout(240_000);

const BIN = fileURLToPath(new URL('../../../bin/sightline', import.meta.url));

function run(args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [BIN, 'ptz', 'offset', ...args], { timeout: 120_000 });
    let [out, err] = ['', ''];
    child.stdout.on('data', (data: Buffer) => (out += data.toString()));
    child.stderr.on('data', (data: Buffer) => (err += data.toString()));
    child.on('error', reject);
    child.on('close', (code) => { resolve({ code, out, err }); });
  });
}

t.test('an offset of -1.5° yaw, a broken picture, an empty reference, a missing folder', async (t) => {
  const dir = t.testdir();
  const opencv = createOpenCv();
  t.teardown(() => opencv.close());
  const panorama = makePanorama(3, 2048);
  const random = new Random(1);
  const camera = { width: 1280, height: 720, hfov_deg: 60 };
  const folder = (name: string, pictures: Record<string, Uint8Array>): string => {
    mkdirSync(join(dir, name));
    for (const [file, bytes] of Object.entries(pictures)) writeFileSync(join(dir, name, file), bytes);
    writeFileSync(join(dir, name, 'views.json'), JSON.stringify({ camera, views: Object.keys(pictures).map((image) => ({ image, pan_deg: 10, tilt_deg: -5 })) }));
    return join(dir, name);
  };
  const reference = folder('reference', { 'a.jpg': await shoot(opencv, panorama, cameraAt(10, -5, 0), 'clean', random) });
  const query = folder('query', { 'b.jpg': await shoot(opencv, panorama, cameraAt(11.5, -5, 0), 'clean', random) });

  const found = await run(['--reference', reference, '--query', query, '--json']);
  t.same([found.code, found.err], [0, '']);
  const result = JSON.parse(found.out) as OffsetResult;
  t.match(result, { status: 'drift', reason: '', views: [{ image: 'b.jpg', references: ['a.jpg'] }] });
  t.ok(Math.abs((result.yaw_deg ?? 0) + 1.5) < 0.01 && Math.abs(result.pitch_deg ?? 1) < 0.01 && Math.abs(result.roll_deg ?? 1) < 0.01);
  t.ok((result.ci95_deg?.yaw ?? 1) < 0.01 && Math.abs((result.zoom_ratio ?? 0) - 1) < 0.001);
  t.match((await run(['--reference', reference, '--query', query])).out, /^drift: .*\nyaw -1\.\d+° ± 0\.00\d+°/);

  const broken = await run(['--reference', reference, '--query', folder('broken', { 'c.jpg': new Uint8Array([255, 216, 1]) }), '--json']);
  t.match([broken.code, JSON.parse(broken.out)], [0, { status: 'refused', reason: 'unreadable_image', yaw_deg: null }]);
  const empty = await run(['--reference', folder('empty', {}), '--query', query, '--json']);
  t.match([empty.code, JSON.parse(empty.out)], [0, { status: 'refused', reason: 'no_references' }]);
  const missing = await run(['--reference', join(dir, 'nowhere'), '--query', query, '--json']);
  t.match([missing.code, JSON.parse(missing.out)], [2, { status: 'error', code: 'PTZ_INPUT', message: /--reference: expected a folder with views\.json/ }]);
});
