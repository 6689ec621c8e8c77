/** Cameras from a CSV file: everything is checked before anything is registered, and every problem is told with its line. */
import { parse } from 'csv-parse/sync';
import { SightlineError } from '../errors.js';
import { checkNewCamera } from './fields.js';
import type { CameraRecord, NewCamera } from './types.js';

/** Heading → field. The second spellings are those of the PHP system's own export. */
const HEADINGS: Readonly<Record<string, keyof NewCamera>> = {
  camera_id: 'camera_id', id: 'camera_id', camera_name: 'camera_name', name: 'camera_name', url: 'url', stream_url: 'url', priority: 'priority', location: 'location', outlet_id: 'outlet_id',
  staff_id: 'staff_id', transport: 'transport', analysis_fps: 'analysis_fps', enabled: 'enabled',
};
const NUMBERS: ReadonlySet<keyof NewCamera> = new Set(['camera_id', 'priority', 'outlet_id', 'staff_id', 'analysis_fps'] as const);
const ROWS_MAX = 10_000;
const BYTES_MAX = 8 * 1024 * 1024;

export interface ImportLine {
  line: number;
  camera: NewCamera;
  /** A camera of this id is registered already and would be changed. */
  change: boolean;
}

export interface ImportPlan {
  lines: ImportLine[];
  /** `line 7: priority: expected ..., received ...`; no part of a URL. */
  problems: string[];
}

/**
 * @param registered cameras that there are; a line with the id of one is a problem unless `update`
 */
export function planImport(text: string, registered: readonly Pick<CameraRecord, 'camera_id'>[], update: boolean): ImportPlan {
  const plan: ImportPlan = { lines: [], problems: [] };
  if (Buffer.byteLength(text) > BYTES_MAX) return { ...plan, problems: [`file: expected at most ${BYTES_MAX} bytes, received ${Buffer.byteLength(text)}`] };
  const table = readTable(text, plan.problems);
  const [head, ...rows] = table;
  if (head === undefined) return { ...plan, problems: plan.problems.length > 0 ? plan.problems : ['line 1: expected a heading with camera_id, camera_name and url, received an empty file'] };
  const fields = headings(head, plan.problems);
  if (plan.problems.length > 0) return plan;
  if (rows.length > ROWS_MAX) plan.problems.push(`file: expected at most ${ROWS_MAX} cameras, received ${rows.length}`);
  const known = new Set(registered.map(({ camera_id }) => camera_id));
  const seen = new Map<number, number>();
  for (const row of rows.slice(0, ROWS_MAX)) {
    const camera = cameraOf(fields, row, plan.problems);
    if (camera === undefined) continue;
    const before = seen.get(camera.camera_id);
    seen.set(camera.camera_id, before ?? row.line);
    if (before !== undefined) plan.problems.push(`line ${row.line}: camera_id: expected an id that no other line has, received ${camera.camera_id}, as in line ${before}`);
    else if (known.has(camera.camera_id) && !update) plan.problems.push(`line ${row.line}: camera_id: expected an id that is free, received ${camera.camera_id} (--update changes cameras that are there)`);
    else plan.lines.push({ line: row.line, camera, change: known.has(camera.camera_id) });
  }
  return plan;
}

interface TableRow {
  line: number;
  cells: string[];
}

function readTable(text: string, problems: string[]): TableRow[] {
  try {
    const records = parse(text, { bom: true, skip_empty_lines: true, trim: true, relax_column_count: true, info: true, max_record_size: 64 * 1024 }) as unknown as { record: string[]; info: { lines: number } }[];
    // A cell may hold line breaks: what counts is where the row begins, of which csv-parse tells the end.
    return records.map(({ record, info }) => ({ line: info.lines - record.join('').split('\n').length + 1, cells: record }));
  } catch (error) {
    const { lines, code } = error as { lines?: number; code?: string };
    problems.push(`line ${lines ?? 1}: expected CSV, received text that does not parse (${code ?? 'unknown'})`);
    return [];
  }
}

function headings({ line, cells }: TableRow, problems: string[]): (keyof NewCamera)[] {
  const fields = cells.map((cell) => HEADINGS[cell.toLowerCase()]);
  cells.forEach((cell, column) => {
    const field = fields[column];
    if (field === undefined) problems.push(`line ${line}: column ${column + 1}: expected one of ${Object.keys(HEADINGS).join(', ')}, received ${JSON.stringify(cell.slice(0, 40))}`);
    else if (fields.indexOf(field) !== column) problems.push(`line ${line}: column ${column + 1}: expected each field once, received ${field} again`);
  });
  for (const needed of ['camera_id', 'camera_name', 'url'] as const) if (!fields.includes(needed)) problems.push(`line ${line}: expected a column ${needed}, found none`);
  return fields as (keyof NewCamera)[];
}

function cameraOf(fields: (keyof NewCamera)[], { line, cells }: TableRow, problems: string[]): NewCamera | undefined {
  if (cells.length !== fields.length) {
    problems.push(`line ${line}: expected ${fields.length} cells, received ${cells.length}`);
    return undefined;
  }
  // An empty cell is left out: the default, or in an update no change.
  const given = fields.flatMap((field, column): [string, unknown][] => (cells[column] === '' ? [] : [[field, valueOf(field, cells[column] as string)]]));
  try {
    return checkNewCamera(Object.fromEntries(given));
  } catch (error) {
    if (!(error instanceof SightlineError)) throw error;
    const found = (error.details?.['problems'] as string[] | undefined) ?? [error.message];
    problems.push(...found.map((problem) => `line ${line}: ${problem}`));
    return undefined;
  }
}

function valueOf(field: keyof NewCamera, cell: string): unknown {
  if (field === 'enabled') return /^(1|true|yes|on)$/i.test(cell) ? true : /^(0|false|no|off)$/i.test(cell) ? false : cell;
  return NUMBERS.has(field) && /^-?\d+(\.\d+)?$/.test(cell) ? Number(cell) : cell;
}
