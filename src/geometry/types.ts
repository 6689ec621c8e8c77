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

/**
 * How the points of a target lie: the median point minus the target, their root mean square distance from their mean, and their median
 * distance from their median.
 */
export interface NativeTargetError {
  rows: number;
  /** False: no rows, or the other targets do not determine a fit; the other fields are then 0. */
  determined: boolean;
  offset_x_mm: number;
  offset_y_mm: number;
  precision_mm: number;
  median_mm: number;
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

/** Pixels and radians; see native/geometry/ptz_estimate.hpp. */
export interface NativeOffsetProblem {
  width: number;
  height: number;
  fx: number;
  fy: number;
  cx: number;
  cy: number;
  k1: number;
  seed: number;
  largest_offset_rad: number;
  /** Four numbers a view: yaw, pitch, roll, zoom. */
  references: Float64Array;
  queries: Float64Array;
  /** Seven numbers a match: reference, query, x and y in the reference, x and y in the query, diameter. */
  matches: Float64Array;
}

export type NativeVerdict = 'used' | 'few_matches' | 'inconsistent' | 'poor_spread' | 'too_large';

export interface NativeAngles {
  yaw: number;
  pitch: number;
  roll: number;
}

export interface NativeViewOffset {
  verdict: NativeVerdict;
  angles: NativeAngles;
  /** Of yaw, pitch, roll; row by row. */
  covariance: Float64Array;
  matches: number;
  inliers: number;
  cells: number;
}

export interface NativeOffset {
  verdict: NativeVerdict;
  angles: NativeAngles;
  covariance: Float64Array;
  half_interval: Float64Array;
  log_zoom: number;
  log_zoom_deviation: number;
  k1: number;
  k2: number;
  /** Of the queries, beyond the references. */
  k1_change: number;
  noise_px: number;
  scatter: number;
  disagree: boolean;
  inliers: number;
  cells: number;
  views: NativeViewOffset[];
  /** 1 for the matches that took part. */
  inlier: Uint8Array;
}

export interface GeometryAddon {
  info(): { simd: string; simd_supported: string[] };
  /** False when this CPU or build does not have it. For the whole process. */
  setSimdTarget(name: string): boolean;
  /**
   * @param rows 39 numbers a row.
   * @param report False leaves in_sample, held_out and robust empty, which take most of the time. Default true.
   */
  fitGaze(rows: Float64Array, sfm: boolean, report?: boolean): NativeGazeFit | NativeFailedFit;
  /**
   * Ten numbers a gaze: Sgaze, Sgaze2, FSgaze (x, y, z in mm each), nearest target.
   * @param gazes Three numbers each, z finite and not 0.
   * @param wtransg With SfM sixteen numbers a gaze, translations not scaled.
   */
  projectGaze(model: NativeGazeModel, gazes: Float64Array, wtransg?: Float64Array): Float64Array;
  /**
   * Pairs of indexes (a, b, a, b, ...) that are each other's nearest and pass the ratio test. Off this thread.
   * @param hamming Descriptors are bits, not numbers.
   */
  matchFeatures(a: Uint8Array, b: Uint8Array, descriptor_bytes: number, hamming: boolean, ratio: number): Promise<Uint32Array>;
  /** Off this thread. Same input, same answer, on every SIMD target. */
  estimateOffset(problem: NativeOffsetProblem): Promise<NativeOffset>;
}
