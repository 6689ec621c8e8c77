/**
 * Real pictures from the data folder: rotations around closed chains of three compose to nothing within their interval. Three photographs turned by hand are the only ones
 * there of a turning camera; frames of a standing one, before which people walk, are held out: nothing was fitted to them, and there the truth is known to be zero.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import type { PtzCamera } from '../../src/ptz/estimate/types.js';
import { offsetEngine } from '../fixtures/ptz_engine.js';
import { closure, links } from '../fixtures/ptz_chain.js';

t.setTimeout(400_000);

const engine = offsetEngine(t);

const ARCHES = ['JDW_0302.jpg', 'JDW_0303.jpg', 'JDW_0304.jpg'].map((file) => `../shared/data/arches/${file}`);
t.test('three photographs by hand, in each order and with the focal length 9 % wrong', { skip: ARCHES.every((file) => existsSync(file)) ? false : 'the photographs are not beside the clone' }, async (t) => {
  // 18 mm on a sensor of 23.6 mm, upright: 549 pixels.
  const camera = (focal: number): PtzCamera => ({ width: 477, height: 720, fx: focal, fy: focal, cx: 238, cy: 359.5, k1: 0 });
  const pictures = ARCHES.map((file) => new Uint8Array(readFileSync(file)));
  for (const [what, order, focal] of [['as taken', [0, 1, 2], 549], ['backwards', [2, 1, 0], 549], ['500 pixels', [0, 1, 2], 500], ['600 pixels', [0, 1, 2], 600]] as const) {
    const { rest_deg, interval_deg } = closure(await links(engine, order.map((index) => pictures[index] ?? new Uint8Array(0)), camera(focal)));
    t.comment(`${what}: rest ${rest_deg.toFixed(3)}°, interval ${interval_deg.toFixed(3)}°`);
    t.ok(rest_deg <= interval_deg, what);
    t.ok(interval_deg < 0.6, 'an interval that says something');
  }
});

const CLIP = '../shared/data/people/one-by-one-person-detection.mp4';
const skip = !existsSync(CLIP) ? 'the clip is not beside the clone' : existsSync('/usr/bin/ffmpeg') ? false : 'ffmpeg is not installed';
t.test('a standing camera with people before it: no chain is left open, no link turns', { skip }, async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sightline-clip-'));
  const made = spawnSync('ffmpeg', ['-v', 'error', '-i', CLIP, '-vf', 'fps=1', path.join(folder, '%03d.png')]);
  t.equal(made.status, 0, made.stderr.toString());
  const frames = readdirSync(folder).sort().map((file) => new Uint8Array(readFileSync(path.join(folder, file))));
  t.ok(frames.length > 90, `${frames.length} frames`);
  const [width, height] = [768, 432];
  // Its lens is not known; a camera that does not turn tells nothing of it, and needs it as little.
  const focal = width / 2 / Math.tan(Math.PI / 6);
  const camera = { width, height, fx: focal, fy: focal, cx: (width - 1) / 2, cy: (height - 1) / 2, k1: 0 };
  const [inside, angles] = [{ count: 0 }, { count: 0, largest: 0 }];
  for (let index = 0; index < 6; index++) {
    const triple = [0, 1, 2].map((step) => (index * 14 + step * (6 + 2 * (index % 4))) % frames.length);
    const chain = await links(engine, triple.map((at) => frames[at] ?? new Uint8Array(0)), camera);
    const { rest_deg, interval_deg } = closure(chain);
    t.ok(rest_deg <= interval_deg, `frames ${triple.join(', ')}: rest ${rest_deg.toFixed(4)}°, interval ${interval_deg.toFixed(4)}°`);
    for (const { result } of chain) {
      t.equal(result.status, 'ok');
      for (const [value, half] of [[result.yaw_deg, result.ci95_deg?.yaw], [result.pitch_deg, result.ci95_deg?.pitch], [result.roll_deg, result.ci95_deg?.roll]]) {
        angles.count += 1;
        angles.largest = Math.max(angles.largest, Math.abs(value ?? 9));
        if (Math.abs(value ?? 9) <= (half ?? 0)) inside.count += 1;
      }
    }
  }
  t.comment(`zero lies in ${inside.count} of ${angles.count} intervals; largest angle ${angles.largest.toFixed(4)}°`);
  t.ok(inside.count >= 0.85 * angles.count);
  t.ok(angles.largest < 0.06);
});
