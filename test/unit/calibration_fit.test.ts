/** The numerics against the reference's, on every SIMD target that this CPU has, and what is reported beside them. */
import t from 'tap';
import { fitCalibration } from '../../src/calibration/fit.js';
import { projectGazes } from '../../src/calibration/project.js';
import type { CalibrationFit, FitRequest } from '../../src/calibration/types.js';
import { SightlineError } from '../../src/errors.js';
import { loadGeometry } from '../../src/geometry/native.js';
import { GOLDEN, goldenCases, goldenMissing, goldenTable, madeUp, SCREEN, smallCases, smallTable, worst } from '../fixtures/calibration.js';

const geometry = loadGeometry();
const { simd, simd_supported } = geometry.info();
/** To the exact minimiser, mm. */
const EXACT_MM = 1e-9;

function failure(request: FitRequest): SightlineError {
  try {
    fitCalibration(request);
  } catch (error) {
    if (error instanceof SightlineError) return error;
    throw error;
  }
  throw new Error('expected an error');
}

t.afterEach(() => { geometry.setSimdTarget(simd); });

for (const target of simd_supported) {
  t.test(`the committed cases with ${target}`, async (t) => {
    t.ok(geometry.setSimdTarget(target));
    for (const small of smallCases()) {
      const request = { table: smallTable(small), screen: small.screen, sfm: small.sfm };
      if (small.error_target !== undefined) {
        t.match(failure(request), { code: 'CALIBRATION_TARGET_EMPTY', details: { target: small.error_target } }, small.case);
        continue;
      }
      const fit = fitCalibration(request);
      t.same(fit.kept_rows, small.kept_rows, `${small.case}: kept rows`);
      t.same(fit.matrix.SetValues, small.SetValues, `${small.case}: SetValues`);
      for (const key of ['STransG', 'StG'] as const) t.ok(worst(fit.matrix[key], small[key]) < EXACT_MM, `${small.case}: ${key}`);
      if (small.sfm) for (const key of ['STransW', 'scaleWtG', 'StW'] as const) t.ok(worst(fit.sfm?.[key], small[key]) < EXACT_MM, `${small.case}: ${key}`);
      const points = projectGazes(fit, small.screen, small.queries.map(({ gaze, WTransG }) => ({ gaze, WTransG: WTransG?.flat() ?? [] })));
      for (const [index, answer] of (small.answers ?? []).entries()) {
        t.ok(worst(points[index]?.Sgaze, answer.Sgaze) < EXACT_MM && worst(points[index]?.FSgaze, answer.FSgaze) < EXACT_MM, `${small.case}: query ${index}`);
        t.equal(points[index]?.nearest_target, answer.nearest_target);
        t.same(points[index]?.FSgaze_px, answer.FSgaze_px);
      }
    }
  });

  t.test(`the golden cases with ${target}`, { skip: goldenMissing }, async (t) => {
    t.ok(geometry.setSimdTarget(target));
    const cases = goldenCases();
    t.ok(cases.length >= 16, `${cases.length} cases in ${GOLDEN}`);
    for (const golden of cases) {
      const { input, expected } = golden;
      const request = { table: goldenTable(golden), screen: input.screen, sfm: input.sfm };
      const name = golden.folder.slice(GOLDEN.length + 1);
      if (expected.status === 'error') {
        t.match(failure(request).code, /^CALIBRATION_(TARGET_EMPTY|NO_ROWS|NOT_FINITE)$/, name);
        continue;
      }
      if (!expected.x_determined) {
        t.equal(failure(request).code, 'CALIBRATION_UNDETERMINED', name);
        continue;
      }
      const fit = fitCalibration(request);
      t.same([fit.n_targets, fit.kept_rows, fit.matrix.SetValues], [expected.n_targets, expected.kept_rows, expected.SetValues], `${name}: kept rows`);
      t.ok(worst(fit.matrix.STransG, expected.exact.STransG) < EXACT_MM && worst(fit.matrix.StG, expected.exact.StG) < EXACT_MM, `${name}: the exact minimiser`);
      t.ok(worst(fit.matrix.STransG, expected.original.STransG) < (input.sfm ? 5e-4 : 1e-4), `${name}: the original's minimiser`);
      if (input.sfm) for (const key of ['STransW', 'scaleWtG', 'StW'] as const) t.ok(worst(fit.sfm?.[key], expected.exact[key]) < EXACT_MM, `${name}: ${key}`);
      t.equal(wrongPoints(golden, fit), 0, `${name}: queries`);
    }
  });
}

function wrongPoints({ input, expected }: ReturnType<typeof goldenCases>[number], fit: CalibrationFit): number {
  const points = projectGazes(fit, input.screen, input.queries.map(({ gaze, WTransG }) => ({ gaze, WTransG: WTransG?.flat() ?? [] })));
  return expected.exact.queries.filter((answer, index) => {
    const [x = 0, , z = 1] = input.queries[index]?.gaze ?? [];
    const limit = EXACT_MM * Math.max(1, Math.abs(x / z));
    const point = points[index];
    const placed = point !== undefined && worst(point.Sgaze, answer.Sgaze) < limit && worst(point.Sgaze2, answer.Sgaze2) < limit && worst(point.FSgaze, answer.FSgaze) < limit;
    const pixels = (answer.px_margin ?? 0) <= 1e-3 || worst(point?.FSgaze_px, answer.FSgaze_px) === 0;
    return !placed || !pixels || point.nearest_target !== answer.nearest_target;
  }).length;
}

t.test('an errorless recording is met exactly, and accepted', async (t) => {
  const { report, matrix } = fitCalibration({ table: madeUp(), screen: SCREEN, sfm: false });
  t.ok(worst(matrix.STransG.map((row) => row[3]), [250, 120, -620, 1]) < 5);
  t.match(report, { verdict: 'accept', repeat_targets: [], reasons: [], rows: 80, ignored_rows: 0 });
  t.ok((report.held_out.accuracy_deg ?? 9) < 0.5 && (report.held_out.accuracy_px ?? 99) < 20, 'in degrees and pixels too');
  const [point] = report.held_out.points;
  t.ok(point !== null && point !== undefined && Math.abs(point.accuracy_deg - Math.atan(point.accuracy_mm / 620) * (180 / Math.PI)) < 0.1, 'an angle as seen from the eye');
  t.ok(Math.abs((report.robust?.gain_ratio ?? 0) - 1) < 0.02);
});

t.test('verdicts: which targets to repeat, and when to refuse', async (t) => {
  const judged = (options: Parameters<typeof madeUp>[0], expected_targets?: number) =>
    fitCalibration({ table: madeUp(options), screen: SCREEN, sfm: false, ...(expected_targets === undefined ? {} : { expected_targets }) }).report;
  t.match(judged({ rows_each: 6 }), { verdict: 'repeat', repeat_targets: [0, 1, 2, 3], reasons: [{ code: 'few_rows', target: 0 }, {}, {}, {}] });
  t.match(judged({}, 5), { verdict: 'repeat', repeat_targets: [4], reasons: [{ code: 'target_missing', target: 4 }] });
  t.equal(judged({ stray_target: 2 }).verdict, 'refuse', 'one corner elsewhere spoils all others');
  t.ok(judged({ gain_y: 0.5 }).reasons.some(({ code }) => code === 'gain_uneven'), 'a gain that one transform cannot follow is said');
  const mirrored = madeUp();
  for (let at = 2; at < mirrored.values.length; at += 39) mirrored.values[at] = -(mirrored.values[at] ?? 0);
  for (let at = 3; at < mirrored.values.length; at += 39) mirrored.values[at] = -(mirrored.values[at] ?? 0);
  t.match(fitCalibration({ table: mirrored, screen: SCREEN, sfm: false }).report, { verdict: 'refuse', repeat_targets: [0, 1, 2, 3] });
});

t.test('what cannot be fitted says why and where', async (t) => {
  const fail = (change: (values: Float64Array) => void, sfm = false) => {
    const table = madeUp();
    change(table.values);
    return failure({ table, screen: SCREEN, sfm });
  };
  t.match(failure({ table: { candidate_id: 'x', rows: 0, values: new Float64Array(0) }, screen: SCREEN, sfm: false }), { code: 'CALIBRATION_NO_ROWS' });
  t.match(fail((values) => { values[1] = 0.5; }), { code: 'CALIBRATION_ROW_INVALID', message: /^row 0: idx: expected a whole number/, details: { row: 0 } });
  t.match(fail((values) => { for (let at = 4; at < values.length; at += 39) values[at] = 0; }), { code: 'CALIBRATION_NOT_FINITE', message: /gaze_z: expected a finite number other than 0/, details: { target: 0 } });
  t.match(fail(() => undefined, true), { code: 'CALIBRATION_UNDETERMINED', message: /pose in WTransG/ });
  t.match(fail((values) => { for (let at = 2; at < 20 * 39; at += 39) values[at] = 0.1; }), { code: 'CALIBRATION_TARGET_EMPTY', message: /^target 0: .*none of 20 is/, details: { target: 0 } });
});

t.test('the addon says what it expects', async (t) => {
  const call = (...args: unknown[]) => () => geometry.fitGaze(...(args as [Float64Array, boolean]));
  t.throws(call(new Float32Array(39), false), { code: 'NATIVE_ARGUMENT', message: 'fitGaze: rows: expected a Float64Array over an ArrayBuffer, received another kind of array' });
  t.throws(call(new Float64Array(40), false), { code: 'NATIVE_ARGUMENT', message: /multiple of 39, received 40/ });
  t.throws(call(new Float64Array(new SharedArrayBuffer(39 * 8)), false), { code: 'NATIVE_ARGUMENT', message: /SharedArrayBuffer/ });
  t.throws(call(new Float64Array(39)), { code: 'NATIVE_ARGUMENT', message: /sfm: expected a boolean, received undefined/ });
  t.throws(() => geometry.projectGaze({ sfm: false, STransG: new Float64Array(16), StG: new Float64Array(0) }, new Float64Array(3)), { code: 'NATIVE_ARGUMENT', message: /at least one target/ });
  t.throws(() => geometry.projectGaze({ sfm: false, STransG: new Float64Array(16), StG: new Float64Array(3) }, new Float64Array(3)), { code: 'NATIVE_ARGUMENT', message: /z other than 0/ });
  t.equal(geometry.setSimdTarget('mmx'), false);
});
