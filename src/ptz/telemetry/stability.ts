/**
 * Is a camera still? Movement is more than the tolerance in yaw, pitch or roll against the sample with which stillness began (so that a slow drift counts
 * too), or a change of zoom. Silence is not stability: a gap longer than `max_age_ms` starts the clock again, and an old newest sample is no answer.
 */
import { angularDistance } from './sample.js';
import type { TelemetrySample } from '../types.js';

export interface StabilityOptions {
  /** Still for so long. */
  duration_ms: number;
  tolerance_deg: number;
  /** Relative, of the magnification. */
  zoom_tolerance?: number;
  max_age_ms: number;
}

export type Stability =
  | { state: 'stable'; since_ms: number; newest: TelemetrySample }
  | { state: 'none' | 'stale' | 'moving' | 'contradicting' | 'settling' };

const ZOOM_TOLERANCE = 0.02;
/** No PTZ drive turns as fast: two publishers, or a broken one. */
const IMPOSSIBLE_DEG_PER_S = 1_500;
const JUMP_DEG = 2;
/** So many impossible jumps in the samples kept are a contradiction; a single one may be a restart of the camera. */
const JUMPS = 3;

/** Judges the samples, oldest first, at `now_ms` (`performance.now()`). */
export function judgeStability(samples: readonly TelemetrySample[], now_ms: number, options: StabilityOptions): Stability {
  const newest = samples.at(-1);
  if (newest === undefined) return { state: 'none' };
  if (jumps(samples) >= JUMPS) return { state: 'contradicting' };
  if (now_ms - newest.mono_ms > options.max_age_ms) return { state: 'stale' };
  // Backwards from the newest to where stillness began would take another anchor than forwards; a camera that crawls must not count as still.
  let anchor: TelemetrySample | undefined;
  let moved = false;
  let before_ms = -Infinity;
  for (const sample of samples) {
    if (anchor === undefined || sample.mono_ms - before_ms > options.max_age_ms) {
      anchor = sample;
      moved = false;
    } else if (hasMoved(anchor, sample, options)) {
      anchor = sample;
      moved = true;
    }
    before_ms = sample.mono_ms;
  }
  const since_ms = anchor?.mono_ms ?? now_ms;
  if (now_ms - since_ms >= options.duration_ms) return { state: 'stable', since_ms, newest };
  return { state: moved ? 'moving' : 'settling' };
}

export function hasMoved(a: TelemetrySample, b: TelemetrySample, { tolerance_deg, zoom_tolerance = ZOOM_TOLERANCE }: Pick<StabilityOptions, 'tolerance_deg' | 'zoom_tolerance'>): boolean {
  if (angularDistance(a.attitude, b.attitude) > tolerance_deg) return true;
  if (a.zoom_factor !== null && b.zoom_factor !== null) return Math.abs(Math.log(b.zoom_factor / a.zoom_factor)) > zoom_tolerance;
  return a.zoom !== null && b.zoom !== null && Math.abs(a.zoom - b.zoom) > zoom_tolerance;
}

function jumps(samples: readonly TelemetrySample[]): number {
  let count = 0;
  for (let index = 1; index < samples.length; index++) {
    const [a, b] = [samples[index - 1], samples[index]];
    if (a === undefined || b === undefined) continue;
    const step = angularDistance(a.attitude, b.attitude);
    if (step > JUMP_DEG && step > (IMPOSSIBLE_DEG_PER_S * Math.max(1, b.mono_ms - a.mono_ms)) / 1000) count += 1;
  }
  return count;
}
