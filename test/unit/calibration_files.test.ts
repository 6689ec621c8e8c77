/** The other two files, the targets, and `sightline calibrations`. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { calibrationCsv } from '../../src/calibration/csv_write.js';
import { fileNames } from '../../src/calibration/files.js';
import { npyBytes, readNpy } from '../../src/calibration/npy.js';
import { readTransformMatrix, transformMatrixNpz } from '../../src/calibration/npz.js';
import { readQueries } from '../../src/calibration/project.js';
import { checkScreen, completeScreen, pythonTimestamp, readScreen, screenInfoText } from '../../src/calibration/screen_info.js';
import { screenTargets, truncatedPx, wholeMm } from '../../src/calibration/screen_targets.js';
import { readZip, zipArchive } from '../../src/calibration/zip.js';
import { runCli } from '../../src/cli/main.js';
import { GOLDEN, goldenCases, goldenMissing, madeUp, SCREEN, smallCases, smallTable } from '../fixtures/calibration.js';

t.test('screen_info.json: order, types, escapes', async (t) => {
  const info = completeScreen({ screen_width_px: 1920, screen_height_px: 1080, screen_width_mm: 509, screen_height_mm: 286, monitor_name: 'Büro "1" 🖥\n' }, 'cand-1', pythonTimestamp(1_752_792_670_070_423));
  t.equal(screenInfoText(info), [
    '{', '  "candidate_id": "cand-1",', '  "timestamp": "2025-07-17T22:51:10.070423",', '  "collection_method": "automatic",', '  "screen_width_px": 1920,', '  "screen_height_px": 1080,',
    '  "screen_width_mm": 509.0,', '  "screen_height_mm": 286.0,', '  "camera_position": "top-center",', '  "distance_cm": "60",', '  "dpi": 95.81139489194499,',
    '  "diagonal_inches": 22.98609159297886,', '  "monitor_name": "B\\u00fcro \\"1\\" \\ud83d\\udda5\\n"', '}',
  ].join('\n'));
  const manual = completeScreen({ screen_width_px: 1920, screen_height_px: 1080, collection_method: 'manual' }, 'x', pythonTimestamp(0));
  t.match(screenInfoText(manual), /"timestamp": "1970-01-01T00:00:00",.*"screen_width_mm": 508.0,.*"dpi": 96.0\n}$/s);
  t.equal(Object.keys(JSON.parse(screenInfoText(manual)) as object).length, 10, 'ten keys where it was typed in');
});

t.test('a screen with faults names the key', async (t) => {
  const size = { screen_width_px: 1920, screen_height_px: 1080 };
  const expected: [unknown, RegExp][] = [
    [null, /expected an object, received null/], [[], /received an array/], [{}, /screen_width_px: expected a whole number above 0, at most 100000, received nothing/],
    [{ ...size, screen_height_px: '1080' }, /screen_height_px: .*received a string/], [{ ...size, screen_width_px: 1920.5 }, /screen_width_px: .*received 1920.5/],
    [{ ...size, screen_width_mm: 0 }, /screen_width_mm: expected a number above 0/], [{ ...size, collection_method: 'guessed' }, /collection_method: expected "automatic" or "manual"/],
    [{ ...size, distance_cm: 60 }, /distance_cm: expected a text/], [{ ...size, monitor_name: 'x'.repeat(2000) }, /monitor_name: .*received 2000 characters/],
  ];
  for (const [value, message] of expected) t.throws(() => checkScreen(value), { code: 'CALIBRATION_SCREEN_INVALID', message });
  t.throws(() => readScreen('{'), { code: 'CALIBRATION_SCREEN_INVALID', message: /expected JSON/ });
});

t.test('targets and units', async (t) => {
  t.same(screenTargets({ screen_width_px: 2560, screen_height_px: 1440, screen_width_mm: 597, screen_height_mm: 336 }).map(({ mm }) => mm), [[59, 33], [537, 33], [59, 302], [537, 302]]);
  t.same(screenTargets(SCREEN, 9)[5], { index: 5, px: [960, 135], mm: [254, 35] });
  t.same(wholeMm(SCREEN, [1291, 1075]), [342, 284]);
  t.ok(Object.is(truncatedPx(SCREEN, [-0.05, -0.3, -0.9])[0], 0), 'never -0');
  t.same(truncatedPx(SCREEN, [-0.05, -0.3, -0.9]), [0, -1, 0]);
});

t.test('the golden tables', { skip: goldenMissing }, async (t) => {
  const tables = JSON.parse(readFileSync(path.join(GOLDEN, '_tables/targets.json'), 'utf8')) as { screen: typeof SCREEN; px: number[][]; mm: number[][] }[];
  for (const { screen, px, mm } of tables) {
    const targets = screenTargets(screen, 9);
    t.same([targets.map((target) => target.px), targets.map((target) => target.mm)], [px, mm]);
  }
  for (const { folder } of goldenCases()) {
    const text = readFileSync(`${folder}/screen_info.json`, 'utf8');
    t.equal(screenInfoText(completeScreen(readScreen(text), 'x', 'x')), text, folder);
  }
});

t.test('an NPZ has numpy’s bytes, and reads back', { skip: goldenMissing }, async (t) => {
  for (const { folder, expected } of goldenCases()) {
    if (expected.status !== 'ok') continue;
    const bytes = readFileSync(`${folder}/transform_matrix.npz`);
    t.ok(transformMatrixNpz({ ...expected.original, SetValues: expected.SetValues }).equals(bytes), folder);
    t.same(readTransformMatrix(bytes).StG, expected.original.StG);
  }
});

t.test('damaged archives are refused, never believed', async (t) => {
  const small = smallCases()[0];
  if (small?.STransG === undefined || small.StG === undefined || small.SetValues === undefined) throw new Error('the first case has a fit');
  const matrix = { STransG: small.STransG, StG: small.StG, SetValues: small.SetValues };
  const good = transformMatrixNpz(matrix);
  t.same(readTransformMatrix(good), matrix);
  let believed = 0;
  for (let at = 0; at < good.length; at += 1) {
    const bad = Buffer.from(good);
    bad[at] = (bad[at] ?? 0) ^ 0x41;
    try {
      // What a reader does not look at (times, versions) may differ; the numbers may not.
      if (JSON.stringify(readTransformMatrix(bad)) !== JSON.stringify(matrix) && readTransformMatrix(bad).StG.length > 0 && readTransformMatrix(bad).SetValues.length > 0) believed += 1;
    } catch (error) {
      t.equal((error as { code?: string }).code, 'CALIBRATION_NPZ_INVALID', `byte ${at}: ${String(error)}`);
    }
    try {
      readTransformMatrix(good.subarray(0, at));
    } catch (error) {
      if ((error as { code?: string }).code !== 'CALIBRATION_NPZ_INVALID') t.fail(`cut at ${at}: ${String(error)}`);
    }
  }
  t.equal(believed, 0);
  const array = (shape: number[], values: number[]) => npyBytes({ shape, values: Float64Array.from(values) });
  const npz = (...members: [string, Buffer][]) => zipArchive(members.map(([name, bytes]) => ({ name, bytes })));
  t.throws(() => readTransformMatrix(npz(['StG.npy', array([1, 3, 1], [1, 2, 3])])), /STransG: expected this array, found none/);
  t.throws(() => readTransformMatrix(npz(['STransG.npy', array([3, 3], new Array<number>(9).fill(1))])), /expected the shape \(4, 4\), received \(3, 3\)/);
  t.throws(() => readTransformMatrix(npz(['STransG.npy', array([4, 4], new Array<number>(16).fill(NaN))])), /expected finite numbers/);
  t.throws(() => readNpy(Buffer.from('not an array'), 'STransG'), /expected an array of numpy/);
  t.same(readZip(npz(['a.npy', array([2], [1, 2])])).map(({ name }) => name), ['a.npy']);
});

t.test('names of files cannot leave their folder', async (t) => {
  t.equal(fileNames('Smith, "J" 01').calibration, 'Smith, "J" 01_calibration.csv');
  for (const id of ['', '../x', 'a/b', 'a\\b', 'a\nb', '.hidden', 'x'.repeat(300)]) t.throws(() => fileNames(id), { code: 'CALIBRATION_CANDIDATE_INVALID' }, JSON.stringify(id).slice(0, 20));
});

t.test('queries with faults name the query', async (t) => {
  t.same(readQueries('[{"gaze":[0,0,1]}]'), [{ gaze: [0, 0, 1] }]);
  for (const [text, message] of [['{}', /expected an array/], ['[{"gaze":[0,0]}]', /queries\[0\]\.gaze: expected three finite numbers/], ['[{"gaze":[0,0,0]}]', /other than 0/], ['[{"gaze":[0,0,1],"WTransG":[1]}]', /queries\[0\]\.WTransG: expected 16/], ['[1]', /expected an object/]] as const) {
    t.throws(() => readQueries(text), { code: 'CALIBRATION_QUERY_INVALID', message });
  }
});

interface Answer {
  code: number;
  out: string;
  err: string;
}

async function call(t: Test, args: string[]): Promise<Answer> {
  const answer: Answer = { code: -1, out: '', err: '' };
  answer.code = await runCli(args, { env: { STATE_DIR: path.join(t.testdirName, 'state') }, cwd: () => t.testdirName, stdout: { write: (text) => (answer.out += text) }, stderr: { write: (text) => (answer.err += text) } });
  return answer;
}

t.test('sightline calibrations: fit, validate, export, import', async (t) => {
  t.testdir({ 'screen.json': JSON.stringify(SCREEN), 'queries.json': '[{"gaze": [0, 0, 1]}]' });
  const at = (...parts: string[]) => path.join(t.testdirName, ...parts);
  writeFileSync(at('rows.csv'), calibrationCsv(madeUp()));
  const fit = await call(t, ['calibrations', 'fit', '--csv', 'rows.csv', '--screen', 'screen.json', '--queries', 'queries.json', '--out', 'out', '--json']);
  t.match(fit, { code: 0, err: '' });
  const document = JSON.parse(fit.out) as { status: string; STransG: number[][]; queries: { FSgaze_px: number[] }[]; report: { verdict: string } };
  t.match(document, { status: 'ok', StG: [[[Number]], {}, {}, {}], SetValues: [[[50], [28], [0]], {}, {}, {}], kept_rows: [Number], report: { verdict: 'accept' }, queries: [{ Sgaze: [Number], nearest_target: Number }] });
  t.same(readdirSync(at('out')), ['made-up_calibration.csv', 'made-up_screen_info.json', 'made-up_transform_matrix.npz']);
  t.equal(statSync(at('out', 'made-up_calibration.csv')).mode & 0o777, 0o600);
  t.same(readFileSync(at('out', 'made-up_calibration.csv')), readFileSync(at('rows.csv')));
  t.same(readTransformMatrix(readFileSync(at('out', 'made-up_transform_matrix.npz'))).STransG, document.STransG);
  t.match((await call(t, ['calibrations', 'fit', '--csv', 'rows.csv', '--screen', 'screen.json', '--out', 'out'])).out, /verdict: accept/);

  const checked = await call(t, ['calibrations', 'validate', '--from', 'out', '--candidate', 'made-up', '--json']);
  t.match([checked.code, JSON.parse(checked.out)], [0, { status: 'ok', model: 'plain' }]);
  t.match(await call(t, ['calibrations', 'export', '--from', 'out', '--candidate', 'made-up', '--out', 'desk', '--csv', 'desktop']), { code: 0, out: /made-up_calibration\.csv/ });
  t.equal(readFileSync(at('desk', 'made-up_calibration.csv'), 'utf8'), calibrationCsv(madeUp(), 'desktop'));
  mkdirSync(at('tree', 'made-up'), { recursive: true });
  for (const file of readdirSync(at('out'))) writeFileSync(at('tree', 'made-up', file), readFileSync(at('out', file)));
  t.match(await call(t, ['calibrations', 'import', '--from', 'tree', '--candidate', 'made-up', '--out', 'imported', '--json']), { code: 0, out: /"status": "ok"/ });
  t.same(readFileSync(at('imported', 'made-up_transform_matrix.npz')), readFileSync(at('out', 'made-up_transform_matrix.npz')));

  const stored = await call(t, ['calibrations', 'import', '--from', 'out', '--candidate', 'made-up', '--json']);
  t.match([stored.code, JSON.parse(stored.out)], [0, { status: 'ok', stored_in: /calibration\.db$/ }]);
  t.match(await call(t, ['calibrations', 'import', '--from', 'out', '--candidate', 'made-up']), { code: 0, out: /^stored in / }, 'once more takes its place');
  t.match(await call(t, ['calibrations', 'validate', '--candidate', 'made-up']), { code: 0, out: /ok {2}npz_bytes/ });
  t.match(await call(t, ['calibrations', 'export', '--candidate', 'made-up', '--out', 'from-store']), { code: 0, err: '' });
  for (const file of readdirSync(at('out'))) t.same(readFileSync(at('from-store', file)), readFileSync(at('out', file)), `${file} through the database`);
  t.match(await call(t, ['calibrations', 'export', '--candidate', 'nobody', '--out', 'x', '--json']), { code: 2, out: /CALIBRATION_NOT_FOUND/ });

  const other = transformMatrixNpz({ ...readTransformMatrix(readFileSync(at('out', 'made-up_transform_matrix.npz'))), STransG: [[-1, 0, 0, 9], [0, -1, 0, 9], [0, 0, 1, -500], [0, 0, 0, 1]] });
  writeFileSync(at('out', 'made-up_transform_matrix.npz'), other);
  t.match(await call(t, ['calibrations', 'validate', '--from', 'out', '--candidate', 'made-up']), { code: 2, out: /FAILED {2}transform: the rows give another transform/ });
  t.match(await call(t, ['calibrations', 'import', '--from', 'out', '--candidate', 'made-up', '--out', 'no']), { code: 2, err: /CALIBRATION_FILE: the files do not belong together/ });
});

t.test('sightline calibrations: bad input is exit 2, a document with --json', async (t) => {
  t.testdir({ 'screen.json': JSON.stringify(SCREEN), 'broken.csv': 'a,b\n' });
  const single = smallCases().find(({ error_target }) => error_target === 2);
  if (single === undefined) throw new Error('there is such a case');
  writeFileSync(path.join(t.testdirName, 'single.csv'), calibrationCsv(smallTable(single)));
  const fit = (csv: string, ...more: string[]) => call(t, ['calibrations', 'fit', '--csv', csv, '--screen', 'screen.json', '--out', 'out', ...more]);
  const failed = await fit('single.csv', '--json');
  t.match([failed.code, failed.err, JSON.parse(failed.out)], [2, '', { status: 'error', code: 'CALIBRATION_TARGET_EMPTY', message: /one row/, target: 2 }]);
  t.match(await fit('single.csv'), { code: 2, out: '', err: /^sightline: CALIBRATION_TARGET_EMPTY: target 2: / });
  t.match(JSON.parse((await fit('broken.csv', '--json')).out), { status: 'error', code: 'CALIBRATION_CSV_INVALID', target: null });
  t.match(await fit('none.csv'), { code: 2, err: /CALIBRATION_FILE: .*none\.csv: there is no such file/ });
  t.match(await fit('single.csv', '--candidate', '../x', '--json'), { code: 2, out: /CALIBRATION_CANDIDATE_INVALID/ });
  t.match(await call(t, ['calibrations']), { code: 2, err: /expected one of fit, validate, export, import/ });
});
