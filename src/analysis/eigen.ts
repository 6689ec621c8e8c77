/** Eigenvectors of a small symmetric matrix by cyclic Jacobi rotations. */

/**
 * @param matrix symmetric, row-major [n × n], float64; overwritten
 * @returns eigenvalues in falling order, and eigenvectors as columns of a row-major [n × n]; each column's largest component is
 *   positive, so that the answer does not depend on the path taken
 */
export function symmetricEigen(matrix: Float64Array, n: number): { values: Float64Array; vectors: Float64Array } {
  const a = matrix;
  const v = new Float64Array(n * n);
  for (let i = 0; i < n; i += 1) v[i * n + i] = 1;
  // Convergence is quadratic: 24 × 24 takes 6 to 8 sweeps; the bound keeps the time bounded whatever comes.
  for (let sweep = 0; sweep < 30 && offDiagonal(a, n) > 1e-22 * diagonal(a, n); sweep += 1) {
    for (let p = 0; p < n - 1; p += 1) for (let q = p + 1; q < n; q += 1) rotate(a, v, n, p, q);
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => (a[j * n + j] as number) - (a[i * n + i] as number) || i - j);
  const values = new Float64Array(n);
  const vectors = new Float64Array(n * n);
  order.forEach((from, to) => {
    values[to] = a[from * n + from] as number;
    let largest = 0;
    for (let r = 0; r < n; r += 1) if (Math.abs(v[r * n + from] as number) > Math.abs(largest) + 1e-12) largest = v[r * n + from] as number;
    const sign = largest < 0 ? -1 : 1;
    for (let r = 0; r < n; r += 1) vectors[r * n + to] = sign * (v[r * n + from] as number);
  });
  return { values, vectors };
}

function rotate(a: Float64Array, v: Float64Array, n: number, p: number, q: number): void {
  const apq = a[p * n + q] as number;
  if (apq === 0) return;
  const theta = ((a[q * n + q] as number) - (a[p * n + p] as number)) / (2 * apq);
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  for (let k = 0; k < n; k += 1) {
    const kp = a[k * n + p] as number;
    const kq = a[k * n + q] as number;
    a[k * n + p] = c * kp - s * kq;
    a[k * n + q] = s * kp + c * kq;
  }
  for (let k = 0; k < n; k += 1) {
    const pk = a[p * n + k] as number;
    const qk = a[q * n + k] as number;
    a[p * n + k] = c * pk - s * qk;
    a[q * n + k] = s * pk + c * qk;
    const vp = v[k * n + p] as number;
    const vq = v[k * n + q] as number;
    v[k * n + p] = c * vp - s * vq;
    v[k * n + q] = s * vp + c * vq;
  }
}

function offDiagonal(a: Float64Array, n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i += 1) for (let j = 0; j < n; j += 1) if (i !== j) sum += (a[i * n + j] as number) ** 2;
  return sum;
}

function diagonal(a: Float64Array, n: number): number {
  let sum = Number.MIN_VALUE;
  for (let i = 0; i < n; i += 1) sum += (a[i * n + i] as number) ** 2;
  return sum;
}
