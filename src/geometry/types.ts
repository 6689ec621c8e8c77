/** What geometry.node offers. It keeps no state but the selected SIMD target; calls run on the calling thread. */

/** Numbers of a calibration row: the columns of the file without row number and candidate. */
export const GAZE_COLUMNS = 39;

/** Why rows do not determine a fit; see native/geometry/gaze.hpp. */
export type NativeGazeFault = 'no_rows' | 'index' | 'target_empty' | 'not_finite' | 'undetermined';

export interface NativeGazeProblem {
  fault: NativeGazeFault;
  target: number | null;
  /** Row of the table. */
  row: number | null;
  /** Rows of the target. */
  rows: number;
  /** A column, or ''. */
  what: string;
}

/** How the points of a target lie: the median point minus the target, and their root mean square distance from their mean. */
export interface NativeTargetError {
  rows: number;
  /** False: no rows, or the other targets do not determine a fit; the other fields are then 0. */
  determined: boolean;
  offset_x_mm: number;
  offset_y_mm: number;
  precision_mm: number;
}

/** Tukey's biweight over all finite rows: screen = (gain_x * c_x + x_mm, gain_y * c_y + y_mm), c as in docs/CALIBRATION.md. */
export interface NativeRobustFit {
  determined: boolean;
  gain_x: number;
  gain_y: number;
  x_mm: number;
  y_mm: number;
  sigma_mm: number;
  iterations: number;
  rows: number;
  rejected: number;
  held_out: NativeTargetError[];
}

interface NativeFitCounts {
  targets: number;
  rows_of_target: number[];
  kept_of_target: number[];
  ignored_rows: number;
}

export interface NativeFailedFit extends NativeFitCounts {
  problem: NativeGazeProblem;
}

/** Matrices are row-major; StG, StW and SetValues hold three numbers a target. */
export interface NativeGazeFit extends NativeFitCounts {
  problem: null;
  sfm: boolean;
  kept_rows: Uint32Array;
  /** Plain: StG x, y, z. With SfM: scaleWtG, StW x, y. */
  x: Float64Array;
  /** Half the sum of squared residuals. */
  cost_mm2: number;
  STransG: Float64Array;
  StG: Float64Array;
  SetValues: Float64Array;
  STransW: Float64Array | null;
  scaleWtG: number | null;
  StW: Float64Array | null;
  in_sample: NativeTargetError[];
  held_out: NativeTargetError[];
  robust: NativeRobustFit;
}

/** The part of a fit that places gazes on the screen. The last three are needed with `sfm` only. */
export interface NativeGazeModel {
  sfm: boolean;
  STransG: Float64Array;
  StG: Float64Array;
  STransW?: Float64Array | null;
  scaleWtG?: number | null;
  StW?: Float64Array | null;
}

export interface GeometryAddon {
  info(): { simd: string; simd_supported: string[] };
  /** False when this CPU or build does not have it. For the whole process. */
  setSimdTarget(name: string): boolean;
  /** @param rows 39 numbers a row. */
  fitGaze(rows: Float64Array, sfm: boolean): NativeGazeFit | NativeFailedFit;
  /**
   * Ten numbers a gaze: Sgaze, Sgaze2, FSgaze (x, y, z in mm each), nearest target.
   * @param gazes Three numbers each, z finite and not 0.
   * @param wtransg With SfM sixteen numbers a gaze, translations not scaled.
   */
  projectGaze(model: NativeGazeModel, gazes: Float64Array, wtransg?: Float64Array): Float64Array;
}
