/** calibration.csv: bytes out, and any bytes in. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import { readCalibrationCsv } from '../../src/calibration/csv_read.js';
import { calibrationCsv, CSV_HEADER } from '../../src/calibration/csv_write.js';
import { pandasFloat, reprFloat } from '../../src/calibration/python_float.js';
import { rowValues, tableOf } from '../../src/calibration/rows.js';
import { ROW_COLUMNS } from '../../src/calibration/types.js';
import { SightlineError } from '../../src/errors.js';
import { goldenCases, goldenMissing, goldenTable, madeUp } from '../fixtures/calibration.js';

function fault(text: string): string {
  try {
    readCalibrationCsv(text);
  } catch (error) {
    if (error instanceof SightlineError && error.code === 'CALIBRATION_CSV_INVALID') return error.message.replace('calibration.csv: ', '');
    throw error;
  }
  return 'none';
}

t.test('numbers look as in Python', async (t) => {
  const looks: [number, string][] = [
    [0, '0.0'], [-0, '-0.0'], [59, '59.0'], [100, '100.0'], [0.1, '0.1'], [1e-4, '0.0001'], [1e-5, '1e-05'], [1.5e-7, '1.5e-07'], [9999999999999998, '9999999999999998.0'],
    [1e16, '1e+16'], [1.2345678901234568e17, '1.2345678901234568e+17'], [1e22, '1e+22'], [1e100, '1e+100'], [5e-324, '5e-324'], [1.7976931348623157e308, '1.7976931348623157e+308'],
    [-0.0001, '-0.0001'], [0.30000000000000004, '0.30000000000000004'], [1708071395.772381, '1708071395.772381'], [NaN, 'nan'], [-Infinity, '-inf'],
  ];
  for (const [value, text] of looks) t.equal(reprFloat(value), text);
  fc.assert(fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => Object.is(Number(reprFloat(value)), value)), { numRuns: 2000 });
  t.equal(pandasFloat('1708071395.7723813'), 1708071395.7723813);
  t.not(pandasFloat('0.0005678901234567891'), 0.0005678901234567891, 'leading zeros cost digits');
});

t.test('the header', async (t) => {
  t.equal(CSV_HEADER.length, 409);
  t.equal(CSV_HEADER.split(',').length, 41);
});

t.test('a row by name', async (t) => {
  const values = rowValues({ timestamp_s: 1.5, target: 2, gaze: [0.3, 0.1, 0.9], set_mm: [59, 33], head_box: [613, 354] });
  t.equal(values.length, ROW_COLUMNS.length);
  const at = (name: (typeof ROW_COLUMNS)[number]) => values[ROW_COLUMNS.indexOf(name)];
  t.same([at('idx'), at('gaze_z'), at('HeadBox_ymin'), at('ROpenClose'), at('set_y'), at('set_z'), at('WTransG.15')], [2, 0.9, 354, 1, 33, 0, 0]);
  t.ok(Math.abs((at('yaw') ?? 0) - (Math.atan2(-0.3, 0.9) * 180) / Math.PI) < 1e-12 && at('roll') === 0, 'angles follow from the gaze');
  t.throws(() => tableOf('x', [{ timestamp_s: 0, target: 0, gaze: [0, 0, 1], set_mm: [0, 0], wtransg: [1, 2] }]), { code: 'CALIBRATION_ROW_INVALID', message: /rows\[0\]\.wtransg: expected 16 numbers, received 2/ });
});

t.test('golden bytes, both forms, and back', { skip: goldenMissing }, async (t) => {
  for (const golden of goldenCases()) {
    const table = goldenTable(golden);
    const exact = readFileSync(`${golden.folder}/calibration.csv`, 'utf8');
    t.ok(calibrationCsv(table) === exact, `${golden.folder}: exact`);
    t.ok(calibrationCsv(table, 'desktop') === readFileSync(`${golden.folder}/calibration_desktop.csv`, 'utf8'), `${golden.folder}: desktop`);
    const read = readCalibrationCsv(exact);
    t.same([read.candidate_id, read.rows], [table.candidate_id, table.rows]);
    t.ok(read.values.every((value, index) => Object.is(value, table.values[index])), `${golden.folder}: every double`);
  }
});

t.test('the desktop program’s first file is read too', async (t) => {
  const [header = '', ...lines] = calibrationCsv(madeUp({ rows_each: 2 })).split('\n');
  const first = [header.replace('Unnamed: 0', '').replace(/WTransG\.\d+/g, 'WTransG').replace(',candidate_id', ''), ...lines.map((line) => line.replace(/,made-up$/, ''))].join('\r\n');
  const read = readCalibrationCsv(`\uFEFF${first}`);
  t.same([read.candidate_id, read.rows, read.values], ['', 8, madeUp({ rows_each: 2 }).values]);
});

t.test('faults have a line and a column', async (t) => {
  const good = calibrationCsv(madeUp({ rows_each: 2 }));
  const lines = good.split('\n');
  const edited = (line: number, edit: (text: string) => string) => lines.map((text, index) => (index === line ? edit(text) : text)).join('\n');
  t.equal(fault(''), 'line 1: expected the header, received an empty file');
  t.equal(fault(edited(0, (text) => text.replace('gaze_y', 'gazey'))), 'line 1, column 5: expected gaze_y, received "gazey"');
  t.equal(fault(edited(0, (text) => `${text},more`)), 'line 1, column 42: expected the end of the header, received "more"');
  t.equal(fault(edited(3, (text) => text.replace(/,[^,]*$/, ''))), 'line 4: expected 41 columns, received 40');
  t.equal(fault(edited(2, (text) => text.replace(/^(\d+),[^,]*/, '$1,soon'))), 'line 3, column 2 (Timestamp): expected a number or nothing, received "soon"');
  t.equal(fault(edited(2, (text) => text.replace(/^\d+/, '-1'))), 'line 3, column 1 (Unnamed: 0): expected a row number, received "-1"');
  t.equal(fault(edited(5, (text) => text.replace('made-up', 'Jane Doe'))), 'line 6, column 41 (candidate_id): expected the candidate of the rows before, received another one');
  t.match(fault(edited(2, (text) => text.replace('made-up', '"made-up'))), /expected a closing quote/);
  t.match(fault(edited(2, (text) => text.replace('made-up', 'made"up'))), /expected a quote only at the beginning of a cell/);
  t.equal(fault(`${CSV_HEADER}\n`), 'none', 'no rows is a table, which no fit takes');
});

t.test('any text is a table or a clear fault', async () => {
  const cell = fc.oneof(fc.constantFrom('', '0.0', '1', 'nan', 'inf', '-1e400', '0x10', '1_000', '"', '""', '\u0000', '1.0\r', '=1+1', '\u202e'), fc.double().map(String), fc.string({ maxLength: 6 }));
  const line = fc.array(cell, { minLength: 1, maxLength: 43 }).map((cells) => cells.join(','));
  const file = fc.tuple(fc.constantFrom(CSV_HEADER, `${CSV_HEADER}\r`, '', 'a,b'), fc.array(line, { maxLength: 4 })).map(([header, lines]) => [header, ...lines].join('\n'));
  fc.assert(fc.property(file, (text) => fault(text).length > 0), { numRuns: 400 });
});

t.test('what is written is what is read', async () => {
  const value = fc.oneof(fc.double({ noDefaultInfinity: true }), fc.constantFrom(0, -0, 1e16, 1e-5, 5e-324, Infinity, -Infinity));
  // A lone surrogate has no UTF-8; a carriage return at a line's end would be the line's.
  const candidate = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((text) => !/[\r\0]/.test(text) && text.trim() === text && text !== '');
  fc.assert(
    fc.property(fc.array(fc.array(value, { minLength: 39, maxLength: 39 }), { minLength: 1, maxLength: 3 }), candidate, (rows, candidate_id) => {
      const table = { candidate_id, rows: rows.length, values: Float64Array.from(rows.flat()) };
      const read = readCalibrationCsv(calibrationCsv(table));
      return read.candidate_id === candidate_id && read.values.every((number, index) => Object.is(number, table.values[index]));
    }),
    { numRuns: 200 },
  );
});
