/**
 * What moves: parts that differ between pictures of one pointing. Light changes brightness and contrast of a part but not its pattern, so patterns are compared: the correlation
 * of small windows, which neither offset nor gain alters, at a quarter of the size, where noise and a shake of a pixel are small.
 */

/** Pictures are reduced to about this width. */
const REDUCED_WIDTH = 320;
/** Sides of a cell and of the window around its middle, reduced pixels. */
const CELL = 4;
const WINDOW = 8;
/** Windows that correlate less show something else. */
const SAME = 0.5;
/** A window with less contrast than so many times the noise (variances) shows nothing to compare. */
const CONTRAST = 6;
/** Variance, in squared grey levels, that rounding leaves in a still picture. */
const ROUNDING = 0.25;
/** Where a larger share of a picture changes, it can't be told what of it stands still. */
export const MOVING_MOST = 0.5;

export interface Plane {
  data: Uint8Array;
  width: number;
  height: number;
}

export interface Moving {
  /** Share of the picture that changes, 0 to 1, with a margin of a cell around it. */
  share: number;
  /** 0 where the first picture shows something that moves, else 255; null where nothing does, or so much that nothing is left out. */
  mask: Uint8Array | null;
}

/** What moves in the first picture: the cells in which it differs from more than half of the others. All have the same size. */
export function findMoving(first: Plane, others: readonly Plane[]): Moving {
  const { width, height } = first;
  const step = Math.max(1, Math.ceil(width / REDUCED_WIDTH));
  const [columns, rows] = [Math.floor(width / step / CELL), Math.floor(height / step / CELL)];
  if (others.length === 0 || columns < 2 || rows < 2) return { share: 0, mask: null };
  const own = reduced(first, step);
  const votes = new Uint8Array(columns * rows);
  for (const other of others) {
    const differs = different(own, reduced(other, step), columns, rows);
    for (const [cell, one] of differs.entries()) votes[cell] = (votes[cell] ?? 0) + one;
  }
  const cells = grown(votes.map((count) => (2 * count > others.length ? 1 : 0)), columns, rows);
  const share = cells.reduce((sum, one) => sum + one, 0) / cells.length;
  return { share, mask: share === 0 || share > MOVING_MOST ? null : maskOfCells(cells, columns, first, step * CELL) };
}

/** Means of step × step pixels. */
function reduced({ data, width, height }: Plane, step: number): { data: Float32Array; width: number; height: number } {
  const [w, h] = [Math.floor(width / step), Math.floor(height / step)];
  const out = new Float32Array(w * h);
  for (let y = 0; y < h * step; y++) {
    const to = Math.floor(y / step) * w;
    for (let x = 0; x < w; x++) {
      let sum = 0;
      for (let k = 0; k < step; k++) sum += data[y * width + x * step + k] ?? 0;
      out[to + x] = (out[to + x] ?? 0) + sum;
    }
  }
  for (let i = 0; i < out.length; i++) out[i] = (out[i] ?? 0) / (step * step);
  return { data: out, width: w, height: h };
}

type Reduced = ReturnType<typeof reduced>;

/** 1 for each cell whose pattern is another one. */
function different(a: Reduced, b: Reduced, columns: number, rows: number): Uint8Array {
  const windows = new Float64Array(columns * rows * 3);
  for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) windows.set(moments(a, b, column, row), 3 * (row * columns + column));
  // What windows differ by beyond a common pattern is noise where nothing moves, and something stands still in a quarter of any picture of use.
  const rests = Float64Array.from({ length: columns * rows }, (_, cell) => ((windows[3 * cell] ?? 0) + (windows[3 * cell + 1] ?? 0)) / 2 - (windows[3 * cell + 2] ?? 0)).sort();
  const noise = Math.max(ROUNDING, rests[rests.length >> 2] ?? 0);
  return Uint8Array.from({ length: columns * rows }, (_, cell) => {
    const [va = 0, vb = 0, both = 0] = windows.subarray(3 * cell, 3 * cell + 3);
    return Math.max(va, vb) > CONTRAST * noise && both < SAME * Math.sqrt(Math.max(va, noise) * Math.max(vb, noise)) ? 1 : 0;
  });
}

/** Variances and covariance of the window around a cell. */
function moments(a: Reduced, b: Reduced, column: number, row: number): [number, number, number] {
  const left = Math.min(a.width - WINDOW, Math.max(0, column * CELL + (CELL - WINDOW) / 2));
  const top = Math.min(a.height - WINDOW, Math.max(0, row * CELL + (CELL - WINDOW) / 2));
  let [sa, sb, saa, sbb, sab] = [0, 0, 0, 0, 0];
  for (let y = top; y < top + WINDOW; y++) {
    for (let at = y * a.width + left; at < y * a.width + left + WINDOW; at++) {
      const [p, q] = [a.data[at] ?? 0, b.data[at] ?? 0];
      sa += p;
      sb += q;
      saa += p * p;
      sbb += q * q;
      sab += p * q;
    }
  }
  const n = WINDOW * WINDOW;
  return [saa / n - (sa / n) ** 2, sbb / n - (sb / n) ** 2, sab / n - (sa / n) * (sb / n)];
}

/** With the neighbours of each cell: a feature near an edge of what moves describes some of it. */
function grown(cells: Uint8Array, columns: number, rows: number): Uint8Array {
  const out = new Uint8Array(cells.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      if (cells[row * columns + column] !== 1) continue;
      for (let y = Math.max(0, row - 1); y <= Math.min(rows - 1, row + 1); y++) out.fill(1, y * columns + Math.max(0, column - 1), y * columns + Math.min(columns, column + 2));
    }
  }
  return out;
}

/** The last cells reach to the edges of the picture. */
function maskOfCells(cells: Uint8Array, columns: number, { width, height }: Plane, side: number): Uint8Array {
  const rows = cells.length / columns;
  const mask = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const row = Math.min(rows - 1, Math.floor(y / side)) * columns;
    for (let x = 0; x < width; x++) mask[y * width + x] = cells[row + Math.min(columns - 1, Math.floor(x / side))] === 1 ? 0 : 255;
  }
  return mask;
}
