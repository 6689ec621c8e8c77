/** What an analyser remembers of one followed subject: its poses, its signals, its last action. Bounded. */
import type { SequenceResult } from '../inference/results.js';
import type { Sighting } from './association.js';
import { indicatorsOf, type IndicatorReading } from './indicators.js';
import { actionFeatures, resamplePoses, STEP_US, WINDOW_STEPS, type PoseSample } from './pose_window.js';
import { mainEmotion, measureSignals, SIGNAL_GAP_US, SIGNAL_SAMPLES, SIGNAL_WINDOW_US, subjectSample, type Signals, type SubjectSample } from './signals.js';
import type { ActionReading, IndicatorName } from './types.js';
import { TimeWindow } from './window.js';

/** One step more than the action window, so that its first step has a pose before it. */
const POSE_SPAN_US = WINDOW_STEPS * STEP_US + STEP_US;
const POSE_GAP_US = 50_000;
const POSE_SAMPLES = 72;
/** The action network is asked at most this often for one subject. */
const ASK_EVERY_US = 150_000;
/** Signals of a twelve-second window are measured anew at most this often. */
export const MEASURE_EVERY_US = 400_000;
/** An action read longer ago than this is no longer reported. */
export const ACTION_STALE_US = 1_000_000;

export interface Measured {
  readonly t_us: number;
  readonly signals: Signals;
  readonly reading: IndicatorReading;
}

export class Subject {
  readonly #poses = new TimeWindow<PoseSample>(POSE_SPAN_US, POSE_GAP_US, POSE_SAMPLES);
  readonly #samples = new TimeWindow<SubjectSample>(SIGNAL_WINDOW_US, SIGNAL_GAP_US, SIGNAL_SAMPLES);
  #asked_us = -Infinity;
  #measured: Measured | undefined;
  #action: { reading: ActionReading; t_us: number } | undefined;

  constructor(readonly id: number) {}

  see(t_us: number, { face, body, torso }: Sighting): void {
    if (body !== undefined) this.#poses.push({ t_us, body });
    const before = this.#samples.items.at(-1);
    if (before === undefined || t_us - before.t_us >= SIGNAL_GAP_US) this.#samples.push(subjectSample(t_us, face, body, torso, before));
  }

  /** The action row when one is due and the window is whole. */
  actionRow(t_us: number): Float32Array | undefined {
    if (this.#poses.items.at(-1)?.t_us !== t_us || t_us - this.#asked_us < ASK_EVERY_US) return undefined;
    const bodies = resamplePoses(this.#poses.items);
    const row = bodies === undefined ? undefined : actionFeatures(bodies);
    if (row !== undefined) this.#asked_us = t_us;
    return row;
  }

  /** Takes the network's answer to the row of the time `t_us`; an answer older than the one held is not taken. */
  answer(t_us: number, labels: NonNullable<SequenceResult['labels']>): void {
    const best = Object.entries(labels).reduce<[string, number] | undefined>((a, b) => (a === undefined || b[1] > a[1] ? b : a), undefined);
    if (best === undefined || (this.#action !== undefined && this.#action.t_us > t_us)) return;
    this.#action = { reading: { label: best[0], score: best[1], labels }, t_us };
  }

  action(t_us: number): ActionReading | undefined {
    return this.#action !== undefined && t_us - this.#action.t_us <= ACTION_STALE_US ? this.#action.reading : undefined;
  }

  /** Torso lengths a second between the last two samples; NaN when not seen. */
  get limbSpeed(): number {
    return this.#samples.items.at(-1)?.limb_speed ?? NaN;
  }

  /** Signals and indicators, at most MEASURE_EVERY_US old. */
  measure(t_us: number, enabled: Partial<Record<IndicatorName, boolean>>): Measured {
    if (this.#measured === undefined || t_us - this.#measured.t_us >= MEASURE_EVERY_US) {
      const signals = measureSignals(this.#samples.items);
      this.#measured = { t_us, signals, reading: indicatorsOf(signals, enabled) };
    }
    return this.#measured;
  }

  mainEmotion(): string | undefined {
    return mainEmotion(this.#samples.items);
  }

  /** Samples and poses held, for the bound's test. */
  get held(): number {
    return this.#poses.items.length + this.#samples.items.length;
  }
}
