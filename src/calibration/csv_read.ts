/** Reads `..._calibration.csv`, and the desktop program's first file (blank first header cell, sixteen columns WTransG, no candidate). */
import { CsvError, parse } from 'csv-parse/sync';
import { SightlineError } from '../errors.js';
import { ROW_COLUMNS, type CalibrationTable } from './types.js';

/** Larger files are refused before they are parsed: 40 000 rows, twenty minutes at 30 frames/s. */
export const CSV_BYTES_MAX = 16 * 1024 * 1024;
const CELL_CHARACTERS_MAX = 4096;
const CANDIDATE_CHARACTERS_MAX = 255;
/** Texts that pandas reads as an absent number. */
const ABSENT = new Set(['', 'nan', 'NaN', '-nan', '-NaN', 'NA', 'N/A', 'n/a', '#N/A', 'NULL', 'null', 'None', '<NA>']);
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const INFINITE = /^([+-]?)(?:inf|Inf|INF|infinity|Infinity)$/;

interface Line {
  cells: string[];
  /** Of the file, from 1. */
  number: number;
}

/**
 * @returns The table; `candidate_id` is '' where the file has no such column.
 * @throws CALIBRATION_CSV_INVALID with line and column of the first fault.
 */
export function readCalibrationCsv(text: string): CalibrationTable {
  if (Buffer.byteLength(text) > CSV_BYTES_MAX) throw invalid(`expected at most ${CSV_BYTES_MAX} bytes, received ${Buffer.byteLength(text)}`);
  const [header, ...lines] = linesOf(text);
  if (header === undefined) throw invalid('line 1: expected the header, received an empty file');
  const named = checkHeader(header.cells);
  const width = ROW_COLUMNS.length;
  const values = new Float64Array(lines.length * width);
  let candidate: string | undefined;
  for (const [row, line] of lines.entries()) {
    if (line.cells.length !== header.cells.length) throw invalid(`line ${line.number}: expected ${header.cells.length} columns, received ${line.cells.length}`);
    checkRowNumber(line);
    for (let column = 0; column < width; column += 1) values[row * width + column] = numberOf(line, column + 1);
    if (named) candidate = candidateOf(line, candidate);
  }
  return { candidate_id: candidate ?? '', rows: lines.length, values };
}

function linesOf(text: string): Line[] {
  try {
    // The end of a line is \n or \r\n; csv-parse's own discovery would take any of them from the first line.
    const records = parse(text, { bom: true, info: true, relax_column_count: true, skip_empty_lines: true, record_delimiter: ['\r\n', '\n'], max_record_size: CELL_CHARACTERS_MAX * 64 }) as unknown as { record: string[]; info: { lines: number } }[];
    return records.map(({ record, info }) => ({ cells: record, number: info.lines }));
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = typeof error.lines === 'number' ? `line ${error.lines}: ` : '';
    const words: Record<string, string> = {
      CSV_QUOTE_NOT_CLOSED: 'expected a closing quote before the end of the file',
      INVALID_OPENING_QUOTE: 'expected a quote only at the beginning of a cell',
      CSV_INVALID_CLOSING_QUOTE: 'expected a comma or the end of the line after a closing quote',
      CSV_MAX_RECORD_SIZE: `expected lines of at most ${CELL_CHARACTERS_MAX * 64} characters`,
    };
    throw invalid(line + (words[error.code] ?? `not CSV (${error.code})`));
  }
}

/** @returns Whether the last column is the candidate. */
function checkHeader(cells: string[]): boolean {
  const named = cells.length > ROW_COLUMNS.length + 1;
  const expected = ['Unnamed: 0', ...ROW_COLUMNS, ...(named ? ['candidate_id'] : [])];
  for (const [column, name] of expected.entries()) {
    const cell = cells[column];
    const same = cell === name || (column === 0 && cell === '') || (cell === 'WTransG' && name.startsWith('WTransG'));
    if (!same) throw invalid(`line 1, column ${column + 1}: expected ${name}, received ${shown(cell)}`);
  }
  if (cells.length > expected.length) throw invalid(`line 1, column ${expected.length + 1}: expected the end of the header, received ${shown(cells[expected.length])}`);
  return named;
}

function checkRowNumber({ cells, number }: Line): void {
  if (!/^\d{0,12}$/.test(cells[0] ?? '')) throw invalid(`line ${number}, column 1 (Unnamed: 0): expected a row number, received ${shown(cells[0])}`);
}

function numberOf({ cells, number }: Line, column: number): number {
  const cell = cells[column] ?? '';
  if (cell.length <= CELL_CHARACTERS_MAX) {
    if (NUMBER.test(cell)) return Number(cell);
    if (ABSENT.has(cell)) return NaN;
    const infinite = INFINITE.exec(cell);
    if (infinite !== null) return infinite[1] === '-' ? -Infinity : Infinity;
  }
  throw invalid(`line ${number}, column ${column + 1} (${ROW_COLUMNS[column - 1] ?? ''}): expected a number or nothing, received ${shown(cell)}`);
}

function candidateOf({ cells, number }: Line, earlier: string | undefined): string {
  const at = `line ${number}, column ${ROW_COLUMNS.length + 2} (candidate_id)`;
  const candidate = cells[ROW_COLUMNS.length + 1] ?? '';
  if (candidate.length > CANDIDATE_CHARACTERS_MAX) throw invalid(`${at}: expected at most ${CANDIDATE_CHARACTERS_MAX} characters, received ${candidate.length}`);
  // Not quoted: it names a person.
  if (earlier !== undefined && candidate !== earlier) throw invalid(`${at}: expected the candidate of the rows before, received another one`);
  return candidate;
}

function shown(cell: string | undefined): string {
  return cell === undefined ? 'nothing' : JSON.stringify(cell.length > 40 ? `${cell.slice(0, 40)}…` : cell);
}

function invalid(message: string): SightlineError {
  return new SightlineError('CALIBRATION_CSV_INVALID', `calibration.csv: ${message}`);
}
