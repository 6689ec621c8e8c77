/** What was usual over some time: a histogram for each thing measured, and how many frames it rests on. */
import { SIGNALS, type SignalName } from '../analysis/signals.js';
import { INDICATOR_NAMES } from '../analysis/types.js';
import { Histogram } from './histogram.js';
import type { Observation, ProfileGroup, RobustValue } from './types.js';

/** Emotion labels come from the model: at most so many are kept. */
const EMOTIONS_MAX = 16;
const EMOTION = 'emotion_';
const LABEL = /^[a-z][a-z0-9_]{0,40}$/;

/** Which of the receiver's profiles a signal belongs to. */
const GROUPS: Readonly<Record<SignalName, ProfileGroup>> = {
  negative_affect: 'emotions', fear_affect: 'emotions', mixed_affect: 'emotions', affect_change: 'emotions',
  posture_tension: 'posture', body_sway: 'posture',
  fidgeting: 'movement', head_motion: 'movement', self_touch: 'movement',
  gaze_dispersion: 'gaze', gaze_aversion: 'gaze', eyes_shut: 'gaze',
};
const INDICATORS: ReadonlySet<string> = new Set(INDICATOR_NAMES);

/** Upper end of a histogram, in the unit of what is measured. */
function topOf(name: string): number {
  if (!Object.hasOwn(SIGNALS, name)) return 1;
  const { calm, strong } = SIGNALS[name as SignalName];
  return 2 * Math.max(calm, strong);
}

function isKnown(name: string): boolean {
  return Object.hasOwn(SIGNALS, name) || INDICATORS.has(name) || (name.startsWith(EMOTION) && LABEL.test(name));
}

/** Indicators go with the emotions: the receiver has no place of their own for them. */
export function groupOf(name: string): ProfileGroup {
  return Object.hasOwn(SIGNALS, name) ? GROUPS[name as SignalName] : 'emotions';
}

export class Profile {
  readonly #metrics = new Map<string, Histogram>();
  frames = 0;
  samples = 0;

  sample({ indicators, signals, emotions = {} }: Observation): void {
    this.samples += 1;
    for (const [name, value] of [...Object.entries(indicators), ...Object.entries(signals)]) this.#add(name, value);
    for (const [label, value] of Object.entries(emotions).slice(0, EMOTIONS_MAX)) this.#add(EMOTION + label.toLowerCase(), value);
  }

  merge(other: Profile): void {
    for (const [name, histogram] of other.#metrics) {
      const own = this.#metrics.get(name);
      if (own !== undefined) own.merge(histogram);
      else if (this.#metrics.size < METRICS_MAX) {
        const copy = new Histogram();
        copy.merge(histogram);
        this.#metrics.set(name, copy);
      }
    }
    this.frames += other.frames;
    this.samples += other.samples;
  }

  count(name: string): number {
    return this.#metrics.get(name)?.count ?? 0;
  }

  /** In the unit of what is measured; undefined when it never was. */
  robust(name: string): RobustValue | undefined {
    const histogram = this.#metrics.get(name);
    const found = histogram?.robust();
    if (histogram === undefined || found === undefined) return undefined;
    const top = topOf(name);
    return { median: found.median * top, deviation: found.deviation * top, count: histogram.count };
  }

  get names(): string[] {
    return [...this.#metrics.keys()];
  }

  toJSON(): unknown {
    return { version: 1, frames: this.frames, samples: this.samples, metrics: Object.fromEntries([...this.#metrics].map(([name, histogram]) => [name, histogram.toJSON()])) };
  }

  /** undefined for what is no profile of this version. */
  static from(value: unknown): Profile | undefined {
    if (typeof value !== 'object' || value === null) return undefined;
    const { version, frames, samples, metrics } = value as Record<string, unknown>;
    if (version !== 1 || !Number.isSafeInteger(frames) || !Number.isSafeInteger(samples) || typeof metrics !== 'object' || metrics === null) return undefined;
    const profile = new Profile();
    profile.frames = frames as number;
    profile.samples = samples as number;
    for (const [name, pairs] of Object.entries(metrics)) {
      const histogram = Histogram.from(pairs);
      if (histogram === undefined) return undefined;
      if (isKnown(name) && profile.#metrics.size < METRICS_MAX) profile.#metrics.set(name, histogram);
    }
    return profile;
  }

  #add(name: string, value: number | undefined): void {
    if (value === undefined || !Number.isFinite(value) || !isKnown(name)) return;
    let histogram = this.#metrics.get(name);
    if (histogram === undefined) {
      if (this.#metrics.size >= METRICS_MAX) return;
      histogram = new Histogram();
      this.#metrics.set(name, histogram);
    }
    histogram.add(value / topOf(name));
  }
}

const METRICS_MAX = INDICATOR_NAMES.length + Object.keys(SIGNALS).length + EMOTIONS_MAX;
