/** What a gaze calibration is made of. Units are in the names; matrices are arrays of rows. */

/** Numbers of a row in the order of the file, without row number and candidate. */
export const ROW_COLUMNS = [
  'Timestamp', 'idx', 'gaze_x', 'gaze_y', 'gaze_z', 'REyePos_x', 'REyePos_y', 'LEyePos_x', 'LEyePos_y', 'yaw', 'pitch', 'roll', 'HeadBox_xmin', 'HeadBox_ymin',
  'RightEyeBox_xmin', 'RightEyeBox_ymin', 'LeftEyeBox_xmin', 'LeftEyeBox_ymin', 'ROpenClose', 'LOpenClose', 'set_x', 'set_y', 'set_z', 'WTransG',
  'WTransG.1', 'WTransG.2', 'WTransG.3', 'WTransG.4', 'WTransG.5', 'WTransG.6', 'WTransG.7', 'WTransG.8', 'WTransG.9', 'WTransG.10', 'WTransG.11',
  'WTransG.12', 'WTransG.13', 'WTransG.14', 'WTransG.15',
] as const;

export type RowColumn = (typeof ROW_COLUMNS)[number];

/** The recorded rows of one candidate: 39 doubles a row (`ROW_COLUMNS`), exactly as recorded. NaN is an absent value. */
export interface CalibrationTable {
  candidate_id: string;
  rows: number;
  values: Float64Array;
}

/** One recorded gaze, by name. What a model does not give stays 0 (eyes' places and boxes) or 1 (open), as in the reference. */
export interface GazeRow {
  /** Seconds since 1970. */
  timestamp_s: number;
  /** Target number, from 0. */
  target: number;
  /** Unit vector: x, y, z with z > 0, i.e. diag(1, -1, -1) times the gaze in the camera's frame. */
  gaze: readonly [number, number, number];
  /** Where the target was, whole millimetres. */
  set_mm: readonly [number, number];
  right_eye?: readonly [number, number];
  left_eye?: readonly [number, number];
  /** Degrees; without them they follow from the gaze, as with the reference's model. */
  angles_deg?: { yaw: number; pitch: number; roll: number };
  head_box?: readonly [number, number];
  right_eye_box?: readonly [number, number];
  left_eye_box?: readonly [number, number];
  right_open?: number;
  left_open?: number;
  /** Row-major 4x4; absent: zeros. */
  wtransg?: readonly number[];
}

/** The screen as far as the numerics need it. */
export interface ScreenSize {
  screen_width_px: number;
  screen_height_px: number;
  screen_width_mm: number;
  screen_height_mm: number;
}

/** The content of `..._screen_info.json`; its keys in the order of the file. */
export interface ScreenInfo extends ScreenSize {
  candidate_id: string;
  /** ISO 8601 without a zone, microseconds, e.g. `2025-07-16T22:57:50.070423`. */
  timestamp: string;
  collection_method: 'automatic' | 'manual';
  camera_position: string;
  /** A number as text. */
  distance_cm: string;
  dpi: number;
  /** Absent in files of the method `manual`. */
  diagonal_inches?: number;
  monitor_name?: string;
}

/** The three arrays of `..._transform_matrix.npz`. */
export interface TransformMatrix {
  /** 4x4. */
  STransG: number[][];
  /** n x 3 x 1. */
  StG: number[][][];
  /** n x 3 x 1. */
  SetValues: number[][][];
}

/** What a fit gives beyond the NPZ where structure from motion takes part. */
export interface SfmTransform {
  /** 4x4. */
  STransW: number[][];
  scaleWtG: number;
  /** n x 3 x 1. */
  StW: number[][][];
}

/** How well one target is met. Accuracy: the median point's distance from the target; precision: the points' root mean square distance from their mean. */
export interface PointError {
  target: number;
  /** Rows with a finite point. */
  rows: number;
  accuracy_mm: number;
  accuracy_px: number;
  accuracy_deg: number;
  precision_mm: number;
  precision_px: number;
  precision_deg: number;
  /** Half of the points lie within this angle of their median: a precision that a few strays do not move. */
  median_deg: number;
  /** Median point minus target. */
  offset_x_mm: number;
  offset_y_mm: number;
}

/** Means over the targets that could be told; null where there is none. */
export interface FitError {
  accuracy_mm: number | null;
  accuracy_px: number | null;
  accuracy_deg: number | null;
  precision_mm: number | null;
  precision_px: number | null;
  precision_deg: number | null;
  /** One for each target; null where the other targets do not determine a fit. */
  points: (PointError | null)[];
}

/** A second opinion beside the fit; never used in its place. */
export interface RobustReport {
  /** Screen x = gain_x_mm * gx / gz + x_mm, and y alike (docs/CALIBRATION.md has the form with SfM). */
  gain_x_mm: number;
  gain_y_mm: number;
  x_mm: number;
  y_mm: number;
  /** gain_y / gain_x: 1 where the gaze model is as true upright as across. */
  gain_ratio: number;
  sigma_mm: number;
  rows: number;
  rejected_rows: number;
  held_out: FitError;
}

export type Verdict = 'accept' | 'repeat' | 'refuse';

/** Why a verdict is not `accept`; stable codes. */
export type VerdictCode =
  | 'target_missing' | 'few_rows' | 'point_inaccurate' | 'point_imprecise' | 'inaccurate' | 'depth_implausible' | 'few_targets' | 'unverifiable' | 'gain_uneven';

export interface VerdictReason {
  code: VerdictCode;
  /** Null: about the whole calibration. */
  target: number | null;
  message: string;
}

export interface FitReport {
  rows: number;
  kept: number;
  /** Rows of targets that the reference leaves out: those numbered past the target that appeared for the first time last. */
  ignored_rows: number;
  targets: { target: number; rows: number; kept: number }[];
  cost_mm2: number;
  /** How each target is met by a fit on the other targets. This is what to expect elsewhere on the screen. */
  held_out: FitError;
  /** How each target is met by the fit itself. */
  in_sample: FitError;
  robust: RobustReport | null;
  verdict: Verdict;
  /** Targets to repeat, ascending; all where the verdict is `refuse`. */
  repeat_targets: number[];
  reasons: VerdictReason[];
}

export interface CalibrationFit {
  matrix: TransformMatrix;
  sfm: SfmTransform | null;
  /** Row numbers of the table that entered the fit, grouped by target. */
  kept_rows: number[];
  n_targets: number;
  report: FitReport;
}

export interface FitRequest {
  table: CalibrationTable;
  screen: ScreenSize;
  /** Uses the WTransG columns. */
  sfm: boolean;
  /** How many targets were shown; a shorter recording gets the verdict `repeat`. Default: as many as the rows have, at least 4. */
  expected_targets?: number;
}

/** A gaze to be placed on the screen. */
export interface GazeQuery {
  gaze: readonly [number, number, number];
  /** Row-major 4x4, needed with SfM. Not changed. */
  WTransG?: readonly number[];
}

export interface GazePoint {
  Sgaze: [number, number, number];
  Sgaze2: [number, number, number];
  FSgaze: [number, number, number];
  nearest_target: number;
  /** Truncated toward zero, as the reference does. */
  FSgaze_px: [number, number, number];
}

/** The three files of a candidate. */
export interface CalibrationFiles {
  screen_info: { name: string; text: string };
  calibration: { name: string; text: string };
  transform_matrix: { name: string; bytes: Buffer };
}
