/** What baselines take and give. A subject is `staff:42` or, where nobody in particular is seen, `camera:7`. */
import type { Signals } from '../analysis/signals.js';
import type { Indicators } from '../analysis/types.js';

export type Subject = `staff:${number}` | `camera:${number}`;
/** The receiver's profiles of a baseline. */
export type ProfileGroup = 'emotions' | 'posture' | 'movement' | 'gaze';

export interface Observation {
  /** Milliseconds since 1970 of the frame. */
  wall_ms: number;
  indicators: Indicators;
  signals: Signals;
  emotions?: Readonly<Record<string, number>> | undefined;
}

export interface RobustValue {
  median: number;
  /** 1.4826 × median absolute deviation. */
  deviation: number;
  count: number;
}

/** How far a baseline has come. */
export interface HistoryState {
  subject: Subject;
  /** `learning` until it has `needed` samples: until then it says nothing. */
  state: 'learning' | 'ready';
  samples: number;
  needed: number;
  /** Days with samples in it, of those it looks back. */
  days: number;
}

/** A person's baseline over whole days, as it is sent. */
export interface BaselineSummary {
  staff_id: number;
  /** First and last day, YYYY-MM-DD. */
  period_start: string;
  period_end: string;
  days: number;
  samples: number;
  frames: number;
  metrics: { name: string; group: ProfileGroup; value: RobustValue }[];
}
