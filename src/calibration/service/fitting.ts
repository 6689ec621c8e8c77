/** From stored frames to the three files: the bridge to the calibration core (src/calibration), and nothing else. */
import { SightlineError } from '../../errors.js';
import type { CalibrationFit, CalibrationTable, GazeRow, ScreenInfo } from '../types.js';
import type { FrameRecord } from './types.js';
import { calibrationCsv } from '../csv_write.js';
import { fitCalibration } from '../fit.js';
import { transformMatrixNpz } from '../npz.js';
import { tableOf } from '../rows.js';

/** Frames of a target below which the completion is refused: the reference's outlier test can empty a smaller target. */
export const FRAMES_PER_TARGET_MIN = 10;
/** Targets without which there is no calibration. */
export const TARGETS_MIN = 4;

export interface Made {
  csv: string;
  npz: Buffer;
  fit: CalibrationFit;
}

/** As makeFiles, without the files. @throws as makeFiles */
export function fitFrames(candidate_id: string, screen: ScreenInfo, frames: readonly FrameRecord[]): CalibrationFit {
  checkEnough(frames);
  return fitCalibration({ table: frameTable(candidate_id, frames), screen, sfm: false });
}

/** @throws CALIBRATION_INVALID naming targets and counts, or the core's own codes where the rows do not determine a fit */
export function makeFiles(candidate_id: string, screen: ScreenInfo, frames: readonly FrameRecord[]): Made {
  checkEnough(frames);
  const table = frameTable(candidate_id, frames);
  const fit = fitCalibration({ table, screen, sfm: false });
  return { csv: calibrationCsv(table), npz: transformMatrixNpz(fit.matrix), fit };
}

/** Frames as the rows of a recording, in the order that the reference needs. */
export function frameTable(candidate_id: string, frames: readonly FrameRecord[]): CalibrationTable {
  return tableOf(candidate_id, inOrder(frames).map(rowOf));
}

function checkEnough(frames: readonly FrameRecord[]): void {
  if (frames.length === 0) throw new SightlineError('CALIBRATION_INVALID', 'No calibration frames found');
  const places = new Set(frames.map(({ target_position: { x, y } }) => `${x},${y}`));
  const counts = new Map<number, number>();
  for (const { target_index } of frames) counts.set(target_index, (counts.get(target_index) ?? 0) + 1);
  if (places.size < TARGETS_MIN || counts.size < TARGETS_MIN) {
    throw new SightlineError('CALIBRATION_INVALID', `Invalid calibration: expected frames at ${TARGETS_MIN} different targets at least, received ${Math.min(places.size, counts.size)}`);
  }
  const few = [...counts].filter(([, count]) => count < FRAMES_PER_TARGET_MIN).sort(([a], [b]) => a - b);
  if (few.length > 0) {
    const words = few.map(([target, count]) => `target ${target} has ${count}`).join(', ');
    throw new SightlineError('CALIBRATION_INVALID', `Invalid calibration: expected ${FRAMES_PER_TARGET_MIN} frames at each target at least, ${words}`);
  }
  const highest = Math.max(...counts.keys());
  for (let target = 0; target <= highest; target++) {
    if (!counts.has(target)) throw new SightlineError('CALIBRATION_INVALID', `Invalid calibration: expected frames of target ${target}, there are none`);
  }
}

/** By frame_index, as they were recorded. The reference takes the target that appears last for the number of targets: where that would leave one out, by target. */
export function inOrder(frames: readonly FrameRecord[]): FrameRecord[] {
  const recorded = [...frames].sort((a, b) => a.frame_index - b.frame_index);
  const appearance = [...new Set(recorded.map(({ target_index }) => target_index))];
  if (appearance.every((target, index) => index === 0 || target > (appearance[index - 1] ?? 0))) return recorded;
  return recorded.sort((a, b) => a.target_index - b.target_index || a.frame_index - b.frame_index);
}

function rowOf(frame: FrameRecord): GazeRow {
  const { yaw, pitch, roll } = frame;
  return {
    timestamp_s: frame.timestamp_s,
    target: frame.target_index,
    gaze: frame.gaze,
    set_mm: frame.set_mm,
    right_eye: frame.right_eye,
    left_eye: frame.left_eye,
    angles_deg: { yaw, pitch, roll },
    head_box: [frame.head_box[0], frame.head_box[1]],
    right_eye_box: [frame.right_eye_box[0], frame.right_eye_box[1]],
    left_eye_box: [frame.left_eye_box[0], frame.left_eye_box[1]],
    right_open: frame.right_open,
    left_open: frame.left_open,
  };
}
