/** The size of a screen: browsers know its pixels but not its millimetres. */

export interface Monitor {
  name: string;
  diagonal_inches: number;
}

/** Usual sizes. The millimetres follow from the diagonal and the screen's own proportions. */
export const MONITORS: readonly Monitor[] = [
  { name: 'Phone 5.4"', diagonal_inches: 5.4 }, { name: 'Phone 6.1"', diagonal_inches: 6.1 }, { name: 'Phone 6.7"', diagonal_inches: 6.7 }, { name: 'Tablet 8.3"', diagonal_inches: 8.3 }, { name: 'Tablet 10.9"', diagonal_inches: 10.9 },
  { name: 'Laptop 11.6"', diagonal_inches: 11.6 }, { name: 'Laptop 13.3"', diagonal_inches: 13.3 }, { name: 'MacBook Air 13.6"', diagonal_inches: 13.6 }, { name: 'Laptop 14"', diagonal_inches: 14 },
  { name: 'MacBook Pro 14.2"', diagonal_inches: 14.2 }, { name: 'MacBook Air 15.3"', diagonal_inches: 15.3 }, { name: 'Laptop 15.6"', diagonal_inches: 15.6 }, { name: 'Laptop 16"', diagonal_inches: 16 },
  { name: 'MacBook Pro 16.2"', diagonal_inches: 16.2 }, { name: 'Laptop 17.3"', diagonal_inches: 17.3 }, { name: 'Monitor 19"', diagonal_inches: 19 }, { name: 'Monitor 21.5"', diagonal_inches: 21.5 },
  { name: 'Monitor 23.8"', diagonal_inches: 23.8 }, { name: 'iMac 24" (23.5")', diagonal_inches: 23.5 }, { name: 'Monitor 24"', diagonal_inches: 24 }, { name: 'Monitor 27"', diagonal_inches: 27 },
  { name: 'Monitor 28"', diagonal_inches: 28 }, { name: 'Monitor 31.5"', diagonal_inches: 31.5 }, { name: 'Monitor 32"', diagonal_inches: 32 }, { name: 'Wide monitor 29"', diagonal_inches: 29 },
  { name: 'Wide monitor 34"', diagonal_inches: 34 }, { name: 'Wide monitor 38"', diagonal_inches: 37.5 }, { name: 'Wide monitor 49"', diagonal_inches: 49 },
];

const MM_PER_INCH = 25.4;
/** ISO/IEC 7810 ID-1: bank cards, many identity cards and driving licences. */
export const CARD_MM = { width: 85.6, height: 53.98 };

export interface SizePx {
  width_px: number;
  height_px: number;
}
export interface SizeMm {
  width_mm: number;
  height_mm: number;
}

export function sizeFromDiagonal({ width_px, height_px }: SizePx, diagonal_inches: number): SizeMm {
  const mm_per_px = (diagonal_inches * MM_PER_INCH) / Math.hypot(width_px, height_px);
  return { width_mm: tenth(width_px * mm_per_px), height_mm: tenth(height_px * mm_per_px) };
}

/** @param card_px width of the outline that the card was laid on */
export function sizeFromCard({ width_px, height_px }: SizePx, card_px: number): SizeMm {
  const mm_per_px = CARD_MM.width / card_px;
  return { width_mm: tenth(width_px * mm_per_px), height_mm: tenth(height_px * mm_per_px) };
}

export function diagonalOf({ width_mm, height_mm }: SizeMm): number {
  return tenth(Math.hypot(width_mm, height_mm) / MM_PER_INCH);
}

/** A first guess, to be confirmed: what screens of this resolution usually are. */
export function guessMonitor({ width_px, height_px }: SizePx, pixel_ratio: number): Monitor {
  const wide = width_px / height_px > 2;
  const small_px = Math.min(width_px, height_px);
  const guess = small_px < 500 ? 'Phone 6.1"' : small_px < 700 ? 'Tablet 8.3"' : wide ? 'Wide monitor 34"' : pixel_ratio >= 1.25 || width_px < 1_600 ? (width_px < 1_400 ? 'Laptop 14"' : 'Laptop 15.6"') : width_px < 2_300 ? 'Monitor 23.8"' : width_px < 3_000 ? 'Monitor 27"' : 'Monitor 31.5"';
  return MONITORS.find(({ name }) => name === guess) ?? { name: 'Monitor 23.8"', diagonal_inches: 23.8 };
}

/** Empty when it can be; otherwise what is wrong, for the person. */
export function sizeProblem({ width_px, height_px }: SizePx, { width_mm, height_mm }: SizeMm): string {
  if (!(width_mm >= 50 && width_mm <= 3_000)) return 'The width has to lie between 50 and 3000 mm.';
  if (!(height_mm >= 30 && height_mm <= 3_000)) return 'The height has to lie between 30 and 3000 mm.';
  const distortion = width_px / width_mm / (height_px / height_mm);
  if (Math.abs(distortion - 1) > 0.12) return `Width and height do not fit the screen's ${width_px} × ${height_px} pixels. Were they swapped?`;
  return '';
}

function tenth(value: number): number {
  return Math.round(value * 10) / 10;
}
