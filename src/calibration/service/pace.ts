/**
 * How fast clients should send. The networks carry some number of pictures a second; who sends more makes everybody wait. So each answer says a rate, lower
 * while pictures queue up, higher again when they don't: slower clients, not failed frames.
 */
import type { GazeSource } from './types.js';

export const FPS_MAX = 30;
export const FPS_MIN = 1;
/** Pictures that wait: below the first the rate rises, above the second it falls. */
const QUEUE_CALM = 4;
const QUEUE_FULL = 24;
/** Accepted to result: what the design promises. */
const LATENCY_LIMIT_MS = 200;
const ADJUST_EVERY_MS = 250;
const FALL = 0.8;
const RISE = 1.08;

export class Pace {
  private fps = FPS_MAX;
  private adjusted_ms = 0;
  private turned_away_ms = -Infinity;

  constructor(private readonly source: Pick<GazeSource, 'load'>, private readonly now_ms: () => number) {}

  /** Frames a second that one person should send now. */
  recommended(): number {
    const now = this.now_ms();
    if (now - this.adjusted_ms >= ADJUST_EVERY_MS) {
      const { waiting, latency_p95_ms } = this.source.load();
      const late = latency_p95_ms !== null && latency_p95_ms > LATENCY_LIMIT_MS && waiting > 0;
      if (waiting >= QUEUE_FULL || late) this.fps = Math.max(FPS_MIN, this.fps * FALL);
      else if (waiting <= QUEUE_CALM) this.fps = Math.min(FPS_MAX, this.fps * RISE);
      this.adjusted_ms = now;
    }
    return Math.max(FPS_MIN, Math.round(this.fps));
  }

  /** A picture was turned away: fall at once, but once for all those of a moment. */
  turnedAway(): void {
    const now = this.now_ms();
    if (now - this.turned_away_ms < ADJUST_EVERY_MS / 2) return;
    this.fps = Math.max(FPS_MIN, this.fps * FALL);
    this.turned_away_ms = now;
    this.adjusted_ms = now;
  }
}

/** The plan's rates by what a client measures of its own connection. */
export const RATE_BY_LATENCY = [
  { below_ms: 50, fps: 30 },
  { below_ms: 150, fps: 15 },
  { below_ms: null, fps: 10 },
] as const;
