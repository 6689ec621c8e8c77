/** An analyser's options with their defaults, checked. */
import { SightlineError } from '../errors.js';
import { LEAST_SAMPLES } from './anomaly.js';
import { BASELINE_SAMPLES } from './baseline.js';
import type { AnalyserOptions } from './types.js';

export type Settings = Required<Omit<AnalyserOptions, 'baseline' | 'usual'>> & Pick<AnalyserOptions, 'baseline' | 'usual'>;

export const ANALYSER_DEFAULTS: Settings = {
  confidence_threshold: 0.8,
  alert_threshold: 0.9,
  baseline_enabled: true,
  indicators: {},
  action_detections: [],
  min_samples: 300,
  sample_ms: 1000,
  cooldown_ms: 60_000,
  max_tracks: 16,
};

const RANGES: readonly (readonly [keyof AnalyserOptions, number, number])[] = [
  ['confidence_threshold', 0, 1], ['alert_threshold', 0, 1], ['min_samples', LEAST_SAMPLES, BASELINE_SAMPLES], ['sample_ms', 100, 600_000],
  ['cooldown_ms', 0, 86_400_000], ['max_tracks', 1, 256],
];

/** @throws CONFIG_INVALID naming every option out of range */
export function checkOptions(options: AnalyserOptions): Settings {
  const settings: Settings = { ...ANALYSER_DEFAULTS, ...options };
  const problems = RANGES.flatMap(([name, low, high]) => {
    const value = settings[name];
    return typeof value === 'number' && value >= low && value <= high ? [] : [`${name}: expected a number from ${low} to ${high}, received ${JSON.stringify(value)}`];
  });
  if (problems.length > 0) throw new SightlineError('CONFIG_INVALID', `analyser options: ${problems.join('; ')}`);
  return settings;
}
