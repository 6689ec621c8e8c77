/**
 * The four indicators: weighted means of signal strengths. Heuristics over visible behaviour, not facts about a person; what
 * they can and can't say is in docs/indicators.md, which a test compares with these tables.
 */
import { strength, type SignalName, type Signals } from './signals.js';
import { INDICATOR_NAMES, type IndicatorName, type Indicators } from './types.js';

/** Weights of each indicator, summing to 1. */
export const INDICATOR_WEIGHTS: Readonly<Record<IndicatorName, Readonly<Partial<Record<SignalName, number>>>>> = {
  stress: { negative_affect: 0.35, posture_tension: 0.2, fidgeting: 0.15, self_touch: 0.1, eyes_shut: 0.1, head_motion: 0.1 },
  anxiety: { fear_affect: 0.3, fidgeting: 0.15, self_touch: 0.15, gaze_dispersion: 0.15, body_sway: 0.15, eyes_shut: 0.1 },
  deception: { gaze_aversion: 0.3, mixed_affect: 0.25, self_touch: 0.2, affect_change: 0.15, eyes_shut: 0.1 },
  nervousness: { fidgeting: 0.3, head_motion: 0.2, self_touch: 0.15, gaze_dispersion: 0.15, body_sway: 0.1, affect_change: 0.1 },
};

const WEIGHTED = INDICATOR_NAMES.map((name) => ({ name, weights: Object.entries(INDICATOR_WEIGHTS[name]) as [SignalName, number][] }));

/** An indicator of whose weight less than this could be measured is absent. */
export const MIN_COVERAGE = 0.5;

export interface IndicatorReading {
  /** 0..1 each, in the order of INDICATOR_NAMES. */
  indicators: Indicators;
  /** Weight that could be measured, 0..1; the same keys. */
  coverage: Indicators;
}

/**
 * value = Σ weight × strength / Σ weight over the signals that were measured; absent below MIN_COVERAGE.
 * @param enabled an indicator set to false is left out
 */
export function indicatorsOf(signals: Signals, enabled: Partial<Record<IndicatorName, boolean>> = {}): IndicatorReading {
  const reading: IndicatorReading = { indicators: {}, coverage: {} };
  for (const { name, weights } of WEIGHTED) {
    if (enabled[name] === false) continue;
    let sum = 0;
    let coverage = 0;
    for (const [signal, weight] of weights) {
      const value = signals[signal];
      if (value === undefined) continue;
      sum += weight * strength(signal, value);
      coverage += weight;
    }
    // Sums of tenths miss the limit by an ulp.
    if (coverage < MIN_COVERAGE - 1e-9) continue;
    reading.indicators[name] = Math.min(1, sum / coverage);
    reading.coverage[name] = Math.min(1, coverage);
  }
  return reading;
}
