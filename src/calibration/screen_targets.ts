/** Where the targets are, and the reference's ways between pixels and millimetres. */
import type { ScreenSize } from './types.js';

/** The reference's targets: the four corners, then those it has commented out. Halves, eighths and tenths of the width and the height. */
const PLACES: readonly (readonly [number, number, number, number])[] = [
  [1, 10, 1, 10], [9, 10, 1, 10], [1, 10, 9, 10], [9, 10, 9, 10], [1, 2, 1, 2], [1, 2, 1, 8], [1, 2, 9, 10], [1, 10, 1, 2], [9, 10, 1, 2],
];

export const TARGETS_MAX = PLACES.length;

export interface ScreenTarget {
  index: number;
  px: [number, number];
  /** Whole millimetres. */
  mm: [number, number];
}

/** The first `count` targets of the reference. Multiplied first, then divided, then truncated, as there. */
export function screenTargets(screen: ScreenSize, count = 4): ScreenTarget[] {
  return PLACES.slice(0, count).map(([xn, xd, yn, yd], index) => {
    const px: [number, number] = [Math.trunc((screen.screen_width_px * xn) / xd), Math.trunc((screen.screen_height_px * yn) / yd)];
    return { index, px, mm: wholeMm(screen, px) };
  });
}

/** Whole pixels to whole millimetres, truncated toward zero: the reference keeps them in an array of integers. */
export function wholeMm(screen: ScreenSize, px: readonly [number, number]): [number, number] {
  return [Math.trunc((px[0] * screen.screen_width_mm) / screen.screen_width_px), Math.trunc((px[1] * screen.screen_height_mm) / screen.screen_height_px)];
}

/** Millimetres to pixels, truncated toward zero; the third number, which has no pixel, is truncated alone. Never -0. */
export function truncatedPx(screen: ScreenSize, mm: readonly [number, number, number]): [number, number, number] {
  const x = (mm[0] * screen.screen_width_px) / screen.screen_width_mm;
  const y = (mm[1] * screen.screen_height_px) / screen.screen_height_mm;
  return [Math.trunc(x) + 0, Math.trunc(y) + 0, Math.trunc(mm[2]) + 0];
}
