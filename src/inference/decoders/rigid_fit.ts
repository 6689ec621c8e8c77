/** The similarity (rotation, scale, shift) that takes one set of points onto another in the least-squares sense. */

export type Vector = readonly [number, number, number];
/** Row-major 3×3. */
export type Rotation = readonly [number, number, number, number, number, number, number, number, number];

export interface Similarity {
  rotation: Rotation;
  /** Target units per source unit. */
  scale: number;
  /** target = scale · rotation · source + shift */
  shift: Vector;
}

export const rotate = (r: Rotation, [x, y, z]: Vector): [number, number, number] => [r[0] * x + r[1] * y + r[2] * z, r[3] * x + r[4] * y + r[5] * z, r[6] * x + r[7] * y + r[8] * z];

/** Eigenvector of the largest eigenvalue of a symmetric 4×4 matrix, by Jacobi rotations; the matrix is used up. */
function principal(n: number[][]): [number, number, number, number] {
  const v = [0, 1, 2, 3].map((row) => [0, 1, 2, 3].map((column) => (row === column ? 1 : 0)));
  const turn = (m: number[][], k: number, p: number, q: number, c: number, s: number, byRow: boolean): void => {
    const a = (byRow ? m[p]?.[k] : m[k]?.[p]) as number;
    const b = (byRow ? m[q]?.[k] : m[k]?.[q]) as number;
    const first = byRow ? (m[p] as number[]) : (m[k] as number[]);
    const second = byRow ? (m[q] as number[]) : (m[k] as number[]);
    first[byRow ? k : p] = c * a - s * b;
    second[byRow ? k : q] = s * a + c * b;
  };
  for (let sweep = 0; sweep < 30; sweep++) {
    for (let p = 0; p < 3; p++) {
      for (let q = p + 1; q < 4; q++) {
        const off = n[p]?.[q] as number;
        if (off === 0) continue;
        const theta = ((n[q]?.[q] as number) - (n[p]?.[p] as number)) / (2 * off);
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const c = 1 / Math.sqrt(t * t + 1);
        for (let k = 0; k < 4; k++) turn(n, k, p, q, c, t * c, false);
        for (let k = 0; k < 4; k++) turn(n, k, p, q, c, t * c, true);
        for (let k = 0; k < 4; k++) turn(v, k, p, q, c, t * c, false);
      }
    }
  }
  let best = 0;
  for (let k = 1; k < 4; k++) if ((n[k]?.[k] as number) > (n[best]?.[best] as number)) best = k;
  return [0, 1, 2, 3].map((row) => v[row]?.[best] as number) as [number, number, number, number];
}

const centroid = (points: readonly Vector[]): Vector => [0, 1, 2].map((axis) => points.reduce((sum, point) => sum + (point[axis] as number), 0) / points.length) as [number, number, number];
const minus = (a: Vector, b: Vector): Vector => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];

/**
 * Horn (1987), "Closed-form solution of absolute orientation using unit quaternions": the rotation is the eigenvector of the largest eigenvalue of a 4×4 matrix of
 * the correlations; the scale is that of Umeyama (1991).
 * @returns null when the points determine none (all in one place, or not finite)
 */
export function fitSimilarity(source: readonly Vector[], target: readonly Vector[]): Similarity | null {
  const from = centroid(source);
  const to = centroid(target);
  const s = [0, 0, 0, 0, 0, 0, 0, 0, 0];
  let spread = 0;
  source.forEach((point, index) => {
    const p = minus(point, from);
    const q = minus(target[index] as Vector, to);
    for (let a = 0; a < 3; a++) for (let b = 0; b < 3; b++) s[3 * a + b] = (s[3 * a + b] as number) + (p[a] as number) * (q[b] as number);
    spread += p[0] * p[0] + p[1] * p[1] + p[2] * p[2];
  });
  if (!s.every(Number.isFinite) || !(spread > 1e-9) || !s.some((value) => Math.abs(value) > 1e-9)) return null;
  const [xx = 0, xy = 0, xz = 0, yx = 0, yy = 0, yz = 0, zx = 0, zy = 0, zz = 0] = s;
  const [w, x, y, z] = principal([
    [xx + yy + zz, yz - zy, zx - xz, xy - yx],
    [yz - zy, xx - yy - zz, xy + yx, zx + xz],
    [zx - xz, xy + yx, -xx + yy - zz, yz + zy],
    [xy - yx, zx + xz, yz + zy, -xx - yy + zz],
  ]);
  const rotation: Rotation = [
    w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y),
    2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x),
    2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z,
  ];
  // Σ q · R p, from the same correlations.
  const along = [0, 1, 2].reduce((sum, a) => sum + [0, 1, 2].reduce((inner, b) => inner + (rotation[3 * b + a] as number) * (s[3 * a + b] as number), 0), 0);
  const scale = along / spread;
  if (!(scale > 1e-9)) return null;
  const turned = rotate(rotation, from);
  return { rotation, scale, shift: [to[0] - scale * turned[0], to[1] - scale * turned[1], to[2] - scale * turned[2]] };
}
