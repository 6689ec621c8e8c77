/** Where targets are: as clients say it (share of the screen, or pixels), as the files need it (whole millimetres). Pure. */
import { SightlineError } from '../../errors.js';
import type { Position } from './types.js';

export interface ScreenSize {
  screen_width_px: number;
  screen_height_px: number;
  screen_width_mm: number;
  screen_height_mm: number;
}

/** The plan's four targets in its order: 10 % and 90 % from the edges. */
export const TARGETS: readonly Position[] = [{ x: 0.1, y: 0.1 }, { x: 0.9, y: 0.1 }, { x: 0.1, y: 0.9 }, { x: 0.9, y: 0.9 }];
/** Seconds a target is shown. */
export const TARGET_SHOWN_S = 2;
export const FRAMES_PER_TARGET = 60;

/** Tenths as the reference computes them: multiplied first, so that 0.9 of a width is exact. */
const TENTHS: readonly [number, number, number][] = [[0.1, 1, 10], [0.9, 9, 10], [0.5, 1, 2], [0.125, 1, 8]];

/** A position as share of the screen. @throws REQUEST_INVALID outside of it */
export function shareOf(position: Position, screen: ScreenSize): Position {
  const pixels = position.x > 1 || position.y > 1;
  const share = pixels ? { x: position.x / screen.screen_width_px, y: position.y / screen.screen_height_px } : position;
  if (!(share.x >= 0 && share.x <= 1 && share.y >= 0 && share.y <= 1)) {
    throw new SightlineError(
      'REQUEST_INVALID',
      `target_position: expected a share of the screen from 0 to 1, or pixels of the ${screen.screen_width_px}x${screen.screen_height_px} screen, received (${position.x}, ${position.y})`,
    );
  }
  return share;
}

/** Whole millimetres of a target, truncated twice as the reference does: to whole pixels, then to whole millimetres. */
export function targetMm(share: Position, screen: ScreenSize): [number, number] {
  const { screen_width_px: width, screen_height_px: height, screen_width_mm, screen_height_mm } = screen;
  return [Math.trunc((pixel(share.x, width) * screen_width_mm) / width), Math.trunc((pixel(share.y, height) * screen_height_mm) / height)];
}

function pixel(share: number, size: number): number {
  const known = TENTHS.find(([value]) => Math.abs(value - share) < 1e-9);
  return known === undefined ? Math.trunc(share * size + 1e-9) : Math.trunc((size * known[1]) / known[2]);
}
