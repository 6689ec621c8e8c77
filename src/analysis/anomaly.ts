/**
 * The anomaly autoencoder: a linear one (principal components), fitted to each camera's own baseline. At run time the ONNX model
 * of models/anomaly reconstructs rows of many cameras in one batch, each with its own parameters; `reconstructionError` is the
 * same in TypeScript, for tests and for saying which features were unusual.
 *
 *   z = (x − centre) / scale
 *   code_k = cut((p_k · z) / (p_k · p_k), ± CODE_LIMIT),  p_k: principal direction times its standard deviation
 *   e² = mean over features of (z − Σ code_k p_k)²
 *   r = max(0, (e − median) / max(p99 − median, LEAST_SPREAD)),  score = r² / (1 + r²)
 *
 * where median and p99 are quantiles of e over the baseline itself: score 0.5 is its 99th percentile, 0.9 three times as far out.
 * The code is cut because a straight line has no end: without it ten times the usual crowd, in a place whose crowds vary, would be
 * reconstructed without error.
 */
import { SightlineError } from '../errors.js';
import { symmetricEigen } from './eigen.js';
import { FEATURE_COUNT, FEATURE_NAMES, FEATURES } from './features.js';
import type { BaselineSnapshot } from './types.js';
import { mean, medianAndDeviation, quantileSorted } from './window.js';

/** Components kept, the width of the autoencoder's middle. The same for every camera, so that they share a batch. */
export const COMPONENTS = 8;
/** Fewest samples a fit takes: as many as there are features. */
export const LEAST_SAMPLES = 24;
/** Samples are cut at this many scales from the centre before the covariance, so that a few wild ones don't turn the components. */
export const FIT_LIMIT = 6;
export const LEAST_SPREAD = 0.15;
/** Standard deviations of a component that the baseline vouches for. */
export const CODE_LIMIT = 3;
/** Directions of less variance (in squared scales) are no component: their columns are zero. */
export const LEAST_VARIANCE = 0.01;
/** Keeps the division by a zero column's square defined; far below LEAST_VARIANCE. */
export const TINY = 1e-12;

export interface AnomalyParameters {
  /** [F] */
  centre: Float32Array;
  /** [F], above 0 */
  scale: Float32Array;
  /** [F × K] row-major; columns orthogonal, each as long as its standard deviation, or zero */
  components: Float32Array;
  /** Quantiles of e over the baseline. */
  error_median: number;
  error_p99: number;
  /** Size of the baseline. */
  samples: number;
}

/**
 * Fits a baseline; NaN in a sample counts as "as usual". Time: about n·F²/2 + 20·F³ multiplications, a few milliseconds for
 * 2,000 samples.
 * @param samples at least LEAST_SAMPLES rows of FEATURE_COUNT
 * @throws REQUEST_INVALID when there are fewer
 */
export function fitAnomaly(samples: readonly Float32Array[]): AnomalyParameters {
  const n = samples.length;
  const F = FEATURE_COUNT;
  if (n < LEAST_SAMPLES) throw new SightlineError('REQUEST_INVALID', `anomaly baseline: expected at least ${LEAST_SAMPLES} samples, received ${n}`);
  const centre = new Float32Array(F);
  const scale = new Float32Array(F);
  const z = new Float64Array(n * F);
  const column = new Float64Array(n);
  for (let f = 0; f < F; f += 1) {
    let seen = 0;
    for (const sample of samples) {
      const value = sample[f] as number;
      if (Number.isFinite(value)) column[seen++] = value;
    }
    const { median, deviation } = seen === 0 ? { median: 0, deviation: 0 } : medianAndDeviation(column.subarray(0, seen));
    const size = Math.max(deviation, (FEATURES[f] as (typeof FEATURES)[number]).least_scale);
    let sum = 0;
    for (let i = 0; i < n; i += 1) {
      const value = (samples[i] as Float32Array)[f] as number;
      const cut = Number.isFinite(value) ? Math.min(FIT_LIMIT, Math.max(-FIT_LIMIT, (value - median) / size)) : 0;
      z[i * F + f] = cut;
      sum += cut;
    }
    // The components are about the mean of the cut values; the median only found the scale.
    for (let i = 0; i < n; i += 1) z[i * F + f] = (z[i * F + f] as number) - sum / n;
    centre[f] = median + (size * sum) / n;
    scale[f] = size;
  }
  const components = leadingComponents(z, n);
  const parameters: AnomalyParameters = { centre, scale, components, error_median: 0, error_p99: 0, samples: n };
  const errors = Float64Array.from(samples, (sample) => Math.sqrt(reconstructionError(parameters, sample).error)).sort();
  // Errors over the data of the fit itself come out low by about this factor.
  const honest = Math.sqrt(n / (n - COMPONENTS - 1));
  parameters.error_median = quantileSorted(errors, 0.5) * honest;
  parameters.error_p99 = quantileSorted(errors, 0.99) * honest;
  return parameters;
}

function leadingComponents(z: Float64Array, n: number): Float32Array {
  const F = FEATURE_COUNT;
  const covariance = new Float64Array(F * F);
  for (let i = 0; i < n; i += 1) {
    for (let f = 0; f < F; f += 1) {
      const value = z[i * F + f] as number;
      if (value === 0) continue;
      for (let g = f; g < F; g += 1) covariance[f * F + g] = (covariance[f * F + g] as number) + value * (z[i * F + g] as number);
    }
  }
  for (let f = 0; f < F; f += 1) for (let g = f; g < F; g += 1) covariance[g * F + f] = covariance[f * F + g] = (covariance[f * F + g] as number) / n;
  const { values, vectors } = symmetricEigen(covariance, F);
  const components = new Float32Array(F * COMPONENTS);
  for (let k = 0; k < COMPONENTS; k += 1) {
    const variance = values[k] as number;
    if (variance < LEAST_VARIANCE) break;
    for (let f = 0; f < F; f += 1) components[f * COMPONENTS + k] = (vectors[f * F + k] as number) * Math.sqrt(variance);
  }
  return components;
}

/** The row with its gaps filled by the camera's centre: the model's input x. */
export function anomalyRow({ centre }: AnomalyParameters, vector: Float32Array): Float32Array {
  return vector.map((value, f) => (Number.isFinite(value) ? value : (centre[f] as number)));
}

/** Mean square error of the reconstruction, and each feature's part of it (squares, summing to F × error). */
export function reconstructionError({ centre, scale, components }: AnomalyParameters, vector: Float32Array): { error: number; parts: Float64Array } {
  const F = FEATURE_COUNT;
  const z = new Float64Array(F);
  for (let f = 0; f < F; f += 1) {
    const value = vector[f] as number;
    if (Number.isFinite(value)) z[f] = (value - (centre[f] as number)) / (scale[f] as number);
  }
  const code = new Float64Array(COMPONENTS);
  for (let k = 0; k < COMPONENTS; k += 1) {
    let along = 0;
    let square = 0;
    for (let f = 0; f < F; f += 1) {
      const p = components[f * COMPONENTS + k] as number;
      along += p * (z[f] as number);
      square += p * p;
    }
    code[k] = Math.min(CODE_LIMIT, Math.max(-CODE_LIMIT, along / Math.max(square, TINY)));
  }
  const parts = new Float64Array(F);
  for (let f = 0; f < F; f += 1) {
    let rest = z[f] as number;
    for (let k = 0; k < COMPONENTS; k += 1) rest -= (code[k] as number) * (components[f * COMPONENTS + k] as number);
    parts[f] = rest * rest;
  }
  return { error: mean(parts), parts };
}

/** Calibrated score 0..1 of a mean square error, see the top of this file. */
export function anomalyScore({ error_median, error_p99 }: Pick<AnomalyParameters, 'error_median' | 'error_p99'>, meanSquare: number): number {
  const r = Math.max(0, (Math.sqrt(meanSquare) - error_median) / Math.max(error_p99 - error_median, LEAST_SPREAD));
  return (r * r) / (1 + r * r);
}

/** Groups of features with their part of the error, 0..1, the largest first. */
export function unusualGroups(parts: ArrayLike<number>): { type: string; part: number }[] {
  const sums = new Map<string, number>();
  let total = 0;
  FEATURES.forEach(({ group }, f) => {
    sums.set(group, (sums.get(group) ?? 0) + (parts[f] as number));
    total += parts[f] as number;
  });
  return [...sums].map(([type, sum]) => ({ type, part: total > 0 ? sum / total : 0 })).sort((a, b) => b.part - a.part);
}

export function toSnapshot({ centre, scale, components, error_median, error_p99, samples }: AnomalyParameters): BaselineSnapshot {
  return {
    version: 1, features: [...FEATURE_NAMES], components_per_feature: COMPONENTS, samples, centre: [...centre], scale: [...scale],
    components: [...components], error_median, error_p99,
  };
}

/** @throws REQUEST_INVALID when it was made with other features or is not whole */
export function fromSnapshot(snapshot: BaselineSnapshot): AnomalyParameters {
  const bad = (expected: string, received: string): never => {
    throw new SightlineError('REQUEST_INVALID', `baseline snapshot: expected ${expected}, received ${received}`);
  };
  if (snapshot.version !== 1) bad('version 1', String(snapshot.version));
  if (snapshot.features.join() !== FEATURE_NAMES.join()) bad(`the ${FEATURE_COUNT} features of this version`, `${snapshot.features.length} others`);
  if (snapshot.components_per_feature !== COMPONENTS) bad(`${COMPONENTS} components`, String(snapshot.components_per_feature));
  for (const [name, length] of [['centre', FEATURE_COUNT], ['scale', FEATURE_COUNT], ['components', FEATURE_COUNT * COMPONENTS]] as const) {
    const values = snapshot[name];
    if (values.length !== length || !values.every(Number.isFinite)) bad(`${length} finite numbers in ${name}`, `${values.length} values`);
  }
  if (!snapshot.scale.every((value) => value > 0)) bad('scales above 0', 'one that is not');
  const { error_median, error_p99, samples } = snapshot;
  if (!(error_median >= 0 && error_p99 >= error_median && Number.isFinite(error_p99))) bad('0 ≤ error_median ≤ error_p99', `${error_median}, ${error_p99}`);
  return {
    centre: Float32Array.from(snapshot.centre), scale: Float32Array.from(snapshot.scale), components: Float32Array.from(snapshot.components),
    error_median, error_p99, samples,
  };
}
