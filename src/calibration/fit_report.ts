/** From millimetres on the screen to what people compare calibrations by. */
import type { NativeTargetError } from '../geometry/types.js';
import type { FitError, PointError, ScreenSize } from './types.js';

const DEGREES = 180 / Math.PI;

type Mm3 = readonly [number, number, number];

/**
 * @param eye_mm Where the gaze starts, in the frame of the screen.
 * @param targets Target positions, mm.
 */
export function fitError(errors: readonly NativeTargetError[], targets: readonly Mm3[], screen: ScreenSize, eye_mm: Mm3): FitError {
  const points = errors.map((error, target) => (error.determined ? pointError(error, target, targets[target] ?? [0, 0, 0], screen, eye_mm) : null));
  const known = points.filter((point) => point !== null);
  const mean = (key: Exclude<keyof PointError, 'target' | 'rows'>) => (known.length === 0 ? null : known.reduce((sum, point) => sum + point[key], 0) / known.length);
  return {
    accuracy_mm: mean('accuracy_mm'), accuracy_px: mean('accuracy_px'), accuracy_deg: mean('accuracy_deg'),
    precision_mm: mean('precision_mm'), precision_px: mean('precision_px'), precision_deg: mean('precision_deg'),
    points,
  };
}

function pointError(error: NativeTargetError, target: number, at: Mm3, screen: ScreenSize, eye: Mm3): PointError {
  const px_per_mm_x = screen.screen_width_px / screen.screen_width_mm;
  const px_per_mm_y = screen.screen_height_px / screen.screen_height_mm;
  const line: Mm3 = [at[0] - eye[0], at[1] - eye[1], at[2] - eye[2]];
  const seen: Mm3 = [line[0] + error.offset_x_mm, line[1] + error.offset_y_mm, line[2]];
  return {
    target,
    rows: error.rows,
    accuracy_mm: Math.hypot(error.offset_x_mm, error.offset_y_mm),
    accuracy_px: Math.hypot(error.offset_x_mm * px_per_mm_x, error.offset_y_mm * px_per_mm_y),
    accuracy_deg: angleDeg(line, seen),
    precision_mm: error.precision_mm,
    precision_px: error.precision_mm * Math.sqrt((px_per_mm_x ** 2 + px_per_mm_y ** 2) / 2),
    precision_deg: Math.atan(error.precision_mm / Math.hypot(...seen)) * DEGREES,
    median_deg: Math.atan(error.median_mm / Math.hypot(...seen)) * DEGREES,
    offset_x_mm: error.offset_x_mm,
    offset_y_mm: error.offset_y_mm,
  };
}

/** Precise for small angles too, where an arc cosine is not. */
function angleDeg(a: Mm3, b: Mm3): number {
  const cross = Math.hypot(a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]);
  return Math.atan2(cross, a[0] * b[0] + a[1] * b[1] + a[2] * b[2]) * DEGREES;
}
