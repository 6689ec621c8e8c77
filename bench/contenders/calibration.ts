/**
 * `calibration.js ROWS FITS best|scalar|bare`: fits the rows so many times and prints CPU milliseconds a fit and what was found. `bare` is the fit
 * alone, with nothing about how far it can be trusted.
 */
import { readFileSync } from 'node:fs';
import { fitCalibration } from '../../src/calibration/fit.js';
import { ROW_COLUMNS } from '../../src/calibration/types.js';
import { loadGeometry } from '../../src/geometry/native.js';

const [, , file = '', fits = '1', target = 'best'] = process.argv;
const rows = JSON.parse(readFileSync(file, 'utf8')) as number[][];
const values = new Float64Array(rows.length * ROW_COLUMNS.length);
for (const [index, [idx = 0, gx = 0, gy = 0, gz = 0, sx = 0, sy = 0]] of rows.entries()) {
  values.set([0, idx, gx, gy, gz], index * ROW_COLUMNS.length);
  values.set([sx, sy, 0], index * ROW_COLUMNS.length + 20);
}
const geometry = loadGeometry();
if (target === 'scalar' && !geometry.setSimdTarget(target)) throw new Error(`no target ${target} here`);
const request = { table: { candidate_id: 'bench', rows: rows.length, values }, screen: { screen_width_px: 1920, screen_height_px: 1080, screen_width_mm: 509, screen_height_mm: 286 }, sfm: false };
const once =
  target === 'bare'
    ? () => {
        const fit = geometry.fitGaze(values, false, false);
        if (fit.problem !== null) throw new Error(fit.problem.fault);
        return [...fit.x];
      }
    : () => fitCalibration(request).matrix.STransG.slice(0, 3).map((row) => row[3]);
let x = once();
const before = process.cpuUsage();
for (let count = 0; count < Number(fits); count += 1) x = once();
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ ms: (user + system) / 1000 / Number(fits), x }));
