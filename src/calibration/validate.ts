/** Whether the three files of a candidate belong together and work with their readers. */
import { SightlineError } from '../errors.js';
import { calibrationCsv } from './csv_write.js';
import { screenOf, type ReadCalibration } from './files.js';
import { fitCalibration } from './fit.js';
import { transformMatrixNpz } from './npz.js';
import { screenInfoText } from './screen_info.js';
import { ROW_COLUMNS, type CalibrationFit, type ScreenSize, type TransformMatrix } from './types.js';

/** How far the reference's own optimiser stops from the minimum, mm; with structure from motion. */
const TOLERANCE_MM = 1e-4;
const TOLERANCE_SFM_MM = 5e-4;
/** The analyzers take a StG whose entries are all smaller for a missing one. */
const NEARLY_ZERO = 1e-9;

export interface ValidityCheck {
  name: 'csv_bytes' | 'screen_bytes' | 'npz_bytes' | 'screen_size' | 'transform' | 'analyzers' | 'fit';
  ok: boolean;
  /** A failed check that is only noted: other bytes with the same meaning. */
  required: boolean;
  message: string;
}

export interface Validity {
  /** No required check has failed. */
  valid: boolean;
  /** Which of the two models the transform was made with; null: neither. */
  model: 'plain' | 'sfm' | null;
  checks: ValidityCheck[];
  fit: CalibrationFit | null;
}

export function validateCalibration({ table, screen: draft, matrix, raw }: ReadCalibration, expected_targets?: number): Validity {
  const checks: ValidityCheck[] = [];
  const check = (name: ValidityCheck['name'], ok: boolean, required: boolean, message: string) => checks.push({ name, ok, required, message });
  const screen = screenOf(draft, table);
  const csv = raw.calibration.toString();
  const form = csv === calibrationCsv(table) ? 'exact' : csv === calibrationCsv(table, 'desktop') ? 'desktop' : null;
  check('csv_bytes', form !== null, false, form === null ? 'the table is readable, but has other bytes than the reference writes' : 'as the reference writes it');
  const same_screen = raw.screen_info.toString() === screenInfoText(screen);
  check('screen_bytes', same_screen, false, same_screen ? 'as the reference writes it' : 'readable, but with other keys or bytes than the reference writes');
  const same_npz = raw.transform_matrix.equals(transformMatrixNpz(matrix));
  check('npz_bytes', same_npz, false, same_npz ? 'as numpy.savez_compressed writes it' : 'readable, but with other bytes than numpy.savez_compressed writes');
  const sized = draft.screen_width_mm !== undefined && draft.screen_height_mm !== undefined;
  check('screen_size', sized, true, sized ? 'in pixels and millimetres' : 'screen_width_mm and screen_height_mm: expected both, which the analyzers read');
  const usable = matrix.StG.length > 0 && matrix.StG.flat(2).some((value) => Math.abs(value) > NEARLY_ZERO);
  check('analyzers', usable, true, usable ? 'StG is there and not zero' : 'StG: expected a translation for each target, which the analyzers need');
  const found = matching(table, screen, matrix, expected_targets);
  check('fit', found.fit !== null, true, found.fit === null ? found.message : 'the rows determine a fit');
  check('transform', found.model !== null, true, found.message);
  return { valid: checks.every(({ ok, required }) => ok || !required), model: found.model, checks, fit: found.fit };
}

/** The fit of the rows that gives this transform; else the plain one. */
function matching(table: ReadCalibration['table'], screen: ScreenSize, matrix: TransformMatrix, expected_targets: number | undefined): { model: 'plain' | 'sfm' | null; fit: CalibrationFit | null; message: string } {
  let nearest_mm = Infinity;
  let plain: CalibrationFit | null = null;
  let message = '';
  for (const sfm of hasPoses(table) ? [false, true] : [false]) {
    try {
      const fit = fitCalibration({ table, screen, sfm, ...(expected_targets === undefined ? {} : { expected_targets }) });
      if (!sfm) plain = fit;
      const away_mm = difference(fit.matrix, matrix);
      nearest_mm = Math.min(nearest_mm, away_mm);
      if (away_mm <= (sfm ? TOLERANCE_SFM_MM : TOLERANCE_MM)) return { model: sfm ? 'sfm' : 'plain', fit, message: `the rows give this transform, to ${away_mm.toExponential(1)} mm` };
    } catch (error) {
      if (!(error instanceof SightlineError)) throw error;
      message = error.message;
    }
  }
  if (plain === null) return { model: null, fit: null, message };
  return { model: null, fit: plain, message: `the rows give another transform, ${nearest_mm === Infinity ? 'with another number of targets' : `up to ${nearest_mm.toPrecision(3)} mm away`}` };
}

function hasPoses(table: ReadCalibration['table']): boolean {
  const width = ROW_COLUMNS.length;
  return table.values.some((value, index) => index % width >= width - 16 && value !== 0 && !Number.isNaN(value));
}

/** The largest difference of any entry; infinite where the shapes differ. */
function difference(a: TransformMatrix, b: TransformMatrix): number {
  const flat = ({ STransG, StG, SetValues }: TransformMatrix) => [STransG.flat(), StG.flat(2), SetValues.flat(2)];
  const theirs = flat(b);
  let most = 0;
  for (const [which, ours] of flat(a).entries()) {
    const other = theirs[which] ?? [];
    // What a file leaves out is not held against it here.
    if (other.length === 0) continue;
    if (other.length !== ours.length) return Infinity;
    for (const [index, value] of ours.entries()) most = Math.max(most, Math.abs(value - (other[index] ?? NaN)));
  }
  return most;
}
