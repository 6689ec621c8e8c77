/** The files under the tools that read them: Debian's numpy and pandas, as the analyzers use them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { calibrationCsv } from '../../src/calibration/csv_write.js';
import { calibrationFiles, screenOf, writeFiles } from '../../src/calibration/files.js';
import { fitCalibration } from '../../src/calibration/fit.js';
import { loadGeometry } from '../../src/geometry/native.js';
import { madeUp, SCREEN, smallCases, smallTable } from '../fixtures/calibration.js';

/** Debian's interpreter first: another one in the path need not have the packages. */
const PYTHON = ['/usr/bin/python3', 'python3'].find((python) => spawnSync(python, ['-c', 'import numpy, pandas'], { timeout: 60_000 }).status === 0);
const skip = PYTHON === undefined ? 'no python3 with numpy and pandas here (Debian: python3-numpy, python3-pandas)' : false;
const LIMIT_MS = 60_000;

function python(script: string, args: string[]): string {
  return execFileSync(PYTHON ?? '', ['-c', script, ...args], { encoding: 'utf8', timeout: LIMIT_MS, env: { PATH: process.env.PATH } });
}

/** The plan's analyzer: the three files from results/interview_calibrations, each with its own reader. */
const ANALYZER = `
import json, sys
import numpy as np
import pandas as pd
candidate_id = sys.argv[1]
base = f"results/interview_calibrations/{candidate_id}"
with open(f"{base}_screen_info.json") as f:
    screen = json.load(f)
calibration = pd.read_csv(f"{base}_calibration.csv")
data = np.load(f"{base}_transform_matrix.npz", allow_pickle=True)
print(json.dumps({
    'screen': [screen[k] for k in ('screen_width_px', 'screen_height_px', 'screen_width_mm', 'screen_height_mm')],
    'px_types': [type(screen['screen_width_px']).__name__, type(screen['screen_width_mm']).__name__],
    'columns': list(calibration.columns), 'rows': len(calibration), 'types': sorted({str(t) for t in calibration.dtypes[1:-1]}),
    'keys': list(data.keys()), 'shapes': [list(data[k].shape) for k in data], 'dtypes': [str(data[k].dtype) for k in data],
    'STransG': data['STransG'].tolist(), 'StG': data['StG'].tolist(), 'SetValues': data['SetValues'].tolist(),
}))
`;

t.test('the analyzer reads what was written, number for number', { skip, timeout: LIMIT_MS * 2 }, async (t) => {
  const dir = t.testdir();
  const table = madeUp();
  const screen = screenOf({ ...SCREEN }, table);
  const { matrix } = fitCalibration({ table, screen, sfm: false });
  writeFiles(path.join(dir, 'results/interview_calibrations'), calibrationFiles({ table, screen, matrix }));
  const read = JSON.parse(python(`import os, sys\nos.chdir(sys.argv[2])\n${ANALYZER}`, ['made-up', dir])) as Record<string, unknown>;
  t.same(read.screen, [1920, 1080, 509, 286]);
  t.same(read.px_types, ['int', 'float']);
  t.equal((read.columns as string[]).join(','), calibrationCsv(table).split('\n')[0]);
  t.same([read.rows, read.types], [80, ['float64']]);
  t.same([read.keys, read.shapes, read.dtypes], [['STransG', 'StG', 'SetValues'], [[4, 4], [4, 3, 1], [4, 3, 1]], ['float64', 'float64', 'float64']]);
  t.same([read.STransG, read.StG, read.SetValues], [matrix.STransG, matrix.StG, matrix.SetValues]);
});

t.test('numpy and pandas write the same bytes', { skip, timeout: LIMIT_MS * 2 }, async (t) => {
  const dir = t.testdir();
  for (const small of smallCases()) {
    if (small.error_target !== undefined) continue;
    const table = smallTable(small);
    const screen = screenOf({ ...small.screen }, table);
    const { matrix } = fitCalibration({ table, screen, sfm: small.sfm });
    const [, csv = '', npz = ''] = writeFiles(dir, calibrationFiles({ table, screen, matrix }));
    writeFileSync(path.join(dir, 'desktop.csv'), calibrationCsv(table, 'desktop'));
    python(
      `
import sys, io
import numpy as np, pandas as pd
csv, npz, out = sys.argv[1:4]
first = open(csv).read().split('\\n', 1)
# The desktop program's first file has a blank header cell and no candidate; it reads that, adds the candidate, and writes.
frame = pd.read_csv(csv)
frame.to_csv(out + '/again.csv', index=False)
data = np.load(npz)
np.savez_compressed(out + '/again.npz', **{k: data[k] for k in data})
`,
      [csv, npz, dir],
    );
    t.ok(readFileSync(path.join(dir, 'again.csv')).equals(readFileSync(path.join(dir, 'desktop.csv'))), `${small.case}: pandas reads with its rounding and writes`);
    // Python from 3.11.7 on writes other version fields into the archive, and the same streams.
    const ours = readFileSync(npz);
    const theirs = readFileSync(path.join(dir, 'again.npz'));
    const needs = theirs.readUInt16LE(4);
    if (needs === 20) t.ok(theirs.equals(ours), `${small.case}: savez_compressed writes the same archive`);
    else t.comment(`this Python writes archives of version ${needs}: members compared above, bytes not`);
  }
});

t.test('the outlier test keeps the rows that pandas keeps, to the last bit', { skip, timeout: LIMIT_MS * 2 }, async (t) => {
  const dir = t.testdir();
  // Rows that sit on the limit: few of them, and values rounded to hundredths.
  const rows: number[][] = [];
  let state = 7;
  const random = () => (state = (state * 48271) % 2147483647) / 2147483647;
  for (let series = 0; series < 120; series += 1) {
    const count = series % 5 === 0 ? 150 + Math.floor(random() * 400) : 2 + Math.floor(random() * 14);
    for (let row = 0; row < count; row += 1) {
      const value = () => (series % 3 === 0 ? Math.round(random() * 100) / 100 : random());
      rows.push([series, series % 7 === 3 && row % 9 === 1 ? NaN : value(), value(), 1, series, 0]);
    }
  }
  writeFileSync(path.join(dir, 'rows.json'), JSON.stringify(rows.map((row) => row.map((value) => (Number.isNaN(value) ? null : value)))));
  const kept = JSON.parse(
    python(
      `
import json, sys
import numpy as np, pandas as pd
rows = json.load(open(sys.argv[1]))
frame = pd.DataFrame(np.array([[np.nan if v is None else v for v in r] for r in rows]), columns=['idx', 'gaze_x', 'gaze_y', 'gaze_z', 'sx', 'sy'])
answer = []
for i in range(int(frame['idx'].unique()[-1]) + 1):
    part = frame[frame['idx'] == i]
    mask = (np.abs(part.gaze_x - np.mean(part.gaze_x)) < np.std(part.gaze_x)) & (np.abs(part.gaze_y - np.mean(part.gaze_y)) < np.std(part.gaze_y))
    answer.append([int(k) for k in part.index[mask]])
print(json.dumps(answer))
`,
      [path.join(dir, 'rows.json')],
    ),
  ) as number[][];
  const geometry = loadGeometry();
  let compared = 0;
  for (const [series, expected] of kept.entries()) {
    // One series at a time, beside one that always keeps rows: a fit ends at the first target without any.
    const own = rows.map((row, index) => ({ row, index })).filter(({ row }) => row[0] === series);
    const beside = [[0.1, 0.1], [0.3, 0.2], [0.2, 0.15], [0.21, 0.16]].map(([x = 0, y = 0]) => [1, x, y, 1, 99, 50]);
    const table = smallTable({ case: 'x', sfm: false, screen: SCREEN, rows: [...own.map(({ row }) => [0, ...row.slice(1)]), ...beside], queries: [] });
    const fit = geometry.fitGaze(table.values, false);
    const ours = fit.problem === null ? [...fit.kept_rows].filter((row) => row < own.length).map((row) => own[row]?.index) : fit.problem.fault === 'target_empty' ? [] : undefined;
    if (ours === undefined) continue;
    compared += 1;
    if (JSON.stringify(ours) !== JSON.stringify(expected)) t.same(ours, expected, `series ${series}`);
  }
  t.ok(compared > 100, `${compared} series compared`);
});
