/** `..._calibration.csv`, byte for byte as pandas writes it. */
import { pandasFloat, reprFloat } from './python_float.js';
import { ROW_COLUMNS, type CalibrationTable } from './types.js';

/**
 * - `exact`: the recorded doubles.
 * - `desktop`: what the desktop program leaves on the disk. It reads its first file back with a parser that rounds, so that one cell in
 *   eight differs in its last digits.
 */
export type CsvForm = 'exact' | 'desktop';

/** The first line, without its end. */
export const CSV_HEADER = ['Unnamed: 0', ...ROW_COLUMNS, 'candidate_id'].join(',');

export function calibrationCsv({ candidate_id, rows, values }: CalibrationTable, form: CsvForm = 'exact'): string {
  const lines = [CSV_HEADER];
  const candidate = textCell(candidate_id);
  const width = ROW_COLUMNS.length;
  for (let row = 0; row < rows; row += 1) {
    let line = String(row);
    for (let column = 0; column < width; column += 1) line += `,${numberCell(values[row * width + column] ?? NaN, form)}`;
    lines.push(`${line},${candidate}`);
  }
  return lines.join('\n') + '\n';
}

function numberCell(value: number, form: CsvForm): string {
  if (Number.isNaN(value)) return '';
  const text = reprFloat(value);
  return form === 'exact' || !Number.isFinite(value) ? text : reprFloat(pandasFloat(text));
}

/** Quoted only where it must be. */
function textCell(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
