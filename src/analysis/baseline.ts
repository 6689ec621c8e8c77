/** A camera's own baseline: its usual feature vectors and indicator values, bounded, refitted now and then. */
import { fitAnomaly, fromSnapshot, LEAST_SAMPLES, toSnapshot, type AnomalyParameters } from './anomaly.js';
import { INDICATOR_NAMES, type BaselineSnapshot, type BaselineState, type IndicatorName, type Indicators } from './types.js';
import { medianAndDeviation } from './window.js';

/** Feature vectors kept, the oldest give way: half an hour at one a second. */
export const BASELINE_SAMPLES = 1800;
/** New samples between two fits. */
export const REFIT_SAMPLES = 300;
/** What is unusual is not learnt, unless it lasts this long: then it is the new usual. */
export const ADAPT_AFTER_US = 15 * 60_000_000;
/** Indicator values kept for the deviation, and how many it needs. */
export const DEVIATION_SAMPLES = 600;
export const DEVIATION_LEAST = 60;
/** Smallest deviation of an indicator that counts as one, so that a constant baseline does not make a trifle a rarity. */
export const DEVIATION_FLOOR = 0.05;
/** Robust deviations above the median at which the deviation is 0.5. */
export const DEVIATION_HALF = 4;

export interface BaselineOptions {
  enabled: boolean;
  min_samples: number;
  sample_us: number;
  snapshot?: BaselineSnapshot;
}

export class Baseline {
  readonly #options: BaselineOptions;
  readonly #needed: number;
  readonly #vectors: Float32Array[] = [];
  readonly #values: Record<IndicatorName, number[]> = { stress: [], anxiety: [], deception: [], nervousness: [] };
  #parameters: AnomalyParameters | undefined;
  #sampled_us = -Infinity;
  #unusualSince: number | undefined;
  #sinceFit = 0;
  #fits = 0;

  constructor(options: BaselineOptions) {
    this.#options = options;
    this.#parameters = options.snapshot === undefined ? undefined : fromSnapshot(options.snapshot);
    // A baseline brought along is only replaced by one of at least its size.
    this.#needed = Math.max(LEAST_SAMPLES, options.min_samples, Math.min(this.#parameters?.samples ?? 0, BASELINE_SAMPLES));
  }

  /** undefined while learning or switched off. */
  get parameters(): AnomalyParameters | undefined {
    return this.#options.enabled ? this.#parameters : undefined;
  }


  /**
   * Takes a sample when one is due, and fits when there are enough.
   * @param unusual the frame is an anomaly by the current baseline
   */
  take(t_us: number, vector: Float32Array | undefined, indicators: Indicators, unusual: boolean): void {
    if (!this.#options.enabled) return;
    this.#unusualSince = unusual ? (this.#unusualSince ?? t_us) : undefined;
    if (t_us - this.#sampled_us < this.#options.sample_us) return;
    if (this.#unusualSince !== undefined && t_us - this.#unusualSince < ADAPT_AFTER_US) return;
    this.#sampled_us = t_us;
    for (const name of INDICATOR_NAMES) {
      const value = indicators[name];
      if (value !== undefined) bounded(this.#values[name], value, DEVIATION_SAMPLES);
    }
    if (vector === undefined) return;
    bounded(this.#vectors, vector, BASELINE_SAMPLES);
    this.#sinceFit += 1;
    const due = this.#fits === 0 ? this.#vectors.length >= this.#needed : this.#sinceFit >= REFIT_SAMPLES;
    if (!due) return;
    this.#parameters = fitAnomaly(this.#vectors);
    this.#fits += 1;
    this.#sinceFit = 0;
  }

  /**
   * How far a value lies above what this camera usually has: z robust deviations above the median → 1 − 2^(−z / 4), 0 at or
   * below the median; undefined in warm-up or switched off.
   */
  deviation(name: IndicatorName, value: number): number | undefined {
    const values = this.#values[name];
    if (!this.#options.enabled || values.length < DEVIATION_LEAST) return undefined;
    return robustDeviation(value, medianAndDeviation(values));
  }

  state(): BaselineState {
    const samples = this.#vectors.length;
    if (!this.#options.enabled) return { state: 'off', samples, needed: this.#needed };
    return { state: this.#parameters === undefined ? 'learning' : 'ready', samples, needed: this.#needed };
  }

  snapshot(): BaselineSnapshot | null {
    return this.#parameters === undefined ? null : toSnapshot(this.#parameters);
  }

  get fits(): number {
    return this.#fits;
  }
}

/** z robust deviations above the median → 1 − 2^(−z / 4), 0 at or below it. */
export function robustDeviation(value: number, { median, deviation }: { median: number; deviation: number }): number {
  const z = Math.max(0, (value - median) / Math.max(deviation, DEVIATION_FLOOR));
  return 1 - 2 ** (-z / DEVIATION_HALF);
}

function bounded<T>(list: T[], item: T, limit: number): void {
  list.push(item);
  if (list.length > limit) list.shift();
}
