/** Recorded gazes as rows of the file. */
import { SightlineError } from '../errors.js';
import { ROW_COLUMNS, type CalibrationTable, type GazeRow } from './types.js';

const RADIANS = 180 / Math.PI;

/** The 39 numbers of a row. */
export function rowValues(row: GazeRow): number[] {
  const [x, y, z] = row.gaze;
  // As the reference's model has it: from the gaze, roll unknown.
  const angles = row.angles_deg ?? { yaw: Math.atan2(-x, z) * RADIANS, pitch: Math.asin(Math.max(-1, Math.min(1, y))) * RADIANS, roll: 0 };
  const pair = (value: readonly [number, number] | undefined) => value ?? [0, 0];
  return [
    row.timestamp_s, row.target, x, y, z, ...pair(row.right_eye), ...pair(row.left_eye), angles.yaw, angles.pitch, angles.roll, ...pair(row.head_box),
    ...pair(row.right_eye_box), ...pair(row.left_eye_box), row.right_open ?? 1, row.left_open ?? 1, ...row.set_mm, 0,
    ...(row.wtransg ?? new Array<number>(16).fill(0)),
  ];
}

/** A table of rows, in this order. @throws CALIBRATION_ROW_INVALID for a WTransG that is not 16 numbers. */
export function tableOf(candidate_id: string, rows: readonly GazeRow[]): CalibrationTable {
  const values = new Float64Array(rows.length * ROW_COLUMNS.length);
  for (const [index, row] of rows.entries()) {
    const numbers = rowValues(row);
    if (numbers.length !== ROW_COLUMNS.length) {
      throw new SightlineError('CALIBRATION_ROW_INVALID', `rows[${index}].wtransg: expected 16 numbers, received ${row.wtransg?.length ?? 0}`, { details: { row: index } });
    }
    values.set(numbers, index * ROW_COLUMNS.length);
  }
  return { candidate_id, rows: rows.length, values };
}
