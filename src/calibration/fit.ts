/** From recorded rows to the transform, with a report about how far it can be trusted. */
import { SightlineError } from '../errors.js';
import { loadGeometry } from '../geometry/native.js';
import type { GeometryAddon, NativeFailedFit, NativeGazeFit } from '../geometry/types.js';
import { fitError } from './fit_report.js';
import { matrixRows, targetColumns } from './npz.js';
import type { CalibrationFit, FitReport, FitRequest, RobustReport } from './types.js';
import { judge } from './verdict.js';

/** What the reference shows. */
const TARGETS_SHOWN = 4;

/**
 * Fits as the reference does and reports beside it. Takes well under a millisecond for a calibration of a few hundred rows, so it runs
 * on the calling thread.
 * @throws CALIBRATION_NO_ROWS, CALIBRATION_ROW_INVALID, CALIBRATION_TARGET_EMPTY, CALIBRATION_NOT_FINITE or CALIBRATION_UNDETERMINED;
 *   `details.target` and `details.row` say where (null: nowhere in particular).
 */
export function fitCalibration(request: FitRequest, geometry: GeometryAddon = loadGeometry()): CalibrationFit {
  const { table, sfm } = request;
  const fit = geometry.fitGaze(table.values, sfm);
  if (fit.problem !== null) throw problemOf(fit, sfm);
  return {
    matrix: { STransG: matrixRows(fit.STransG), StG: targetColumns(fit.StG), SetValues: targetColumns(fit.SetValues) },
    sfm: fit.STransW === null || fit.StW === null || fit.scaleWtG === null ? null : { STransW: matrixRows(fit.STransW), scaleWtG: fit.scaleWtG, StW: targetColumns(fit.StW) },
    kept_rows: [...fit.kept_rows],
    n_targets: fit.targets,
    report: reportOf(request, fit),
  };
}

function problemOf({ problem, rows_of_target }: NativeFailedFit, sfm: boolean): SightlineError {
  const { fault, target, row, rows, what } = problem;
  const details = { target, row };
  switch (fault) {
    case 'no_rows':
      return new SightlineError('CALIBRATION_NO_ROWS', 'expected recorded rows, received none', { details });
    case 'index':
      return new SightlineError('CALIBRATION_ROW_INVALID', `row ${row}: idx: expected a whole number from 0 to 1023, received another number or none`, { details });
    case 'target_empty':
      return new SightlineError('CALIBRATION_TARGET_EMPTY', `target ${target}: ${emptyWords(rows, rows_of_target.length)}`, { details });
    case 'not_finite':
      return new SightlineError('CALIBRATION_NOT_FINITE', `row ${row} (target ${target}): ${what}: expected a finite number${what === 'gaze_z' ? ' other than 0' : ''}, received another`, { details });
    case 'undetermined':
      return new SightlineError('CALIBRATION_UNDETERMINED', `expected gazes in different directions${sfm ? ' and rows with a pose in WTransG' : ''}, all rows that remain say the same`, { details });
  }
}

function emptyWords(rows: number, targets: number): string {
  if (rows === 0) return `expected rows for each of the ${targets} targets, received none for this one`;
  if (rows === 1) return 'expected at least two different gazes, received one row, which no outlier test can keep';
  return `expected rows within one standard deviation of their mean in both gaze_x and gaze_y, none of ${rows} is (all alike, or too few)`;
}

function reportOf({ table, screen, expected_targets }: FitRequest, fit: NativeGazeFit): FitReport {
  const targets = fit.rows_of_target.map((rows, target) => ({ target, rows, kept: fit.kept_of_target[target] ?? 0 }));
  const places = targetColumns(fit.SetValues).map(([x = [0], y = [0], z = [0]]) => [x[0] ?? 0, y[0] ?? 0, z[0] ?? 0] as const);
  const eye = [fit.STransG[3] ?? 0, fit.STransG[7] ?? 0, fit.STransG[11] ?? 0] as const;
  const errorOf = (errors: NativeGazeFit['held_out']) => fitError(errors, places, screen, eye);
  const { robust: native } = fit;
  const robust: RobustReport | null = native.determined
    ? {
        gain_x_mm: native.gain_x, gain_y_mm: native.gain_y, x_mm: native.x_mm, y_mm: native.y_mm, gain_ratio: native.gain_y / native.gain_x, sigma_mm: native.sigma_mm,
        rows: native.rows, rejected_rows: native.rejected, held_out: errorOf(native.held_out),
      }
    : null;
  const held_out = errorOf(fit.held_out);
  return {
    rows: table.rows,
    kept: fit.kept_rows.length,
    ignored_rows: fit.ignored_rows,
    targets,
    cost_mm2: fit.cost_mm2,
    held_out,
    in_sample: errorOf(fit.in_sample),
    robust,
    ...judge({ targets, expected_targets: expected_targets ?? Math.max(TARGETS_SHOWN, fit.targets), held_out, robust, depth_mm: eye[2] }),
  };
}
