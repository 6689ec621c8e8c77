/**
 * The circuit breaker of one target.
 *
 *     closed ──(N failures in a row, or trip)──▶ open ──(wait over)──▶ half_open ──(success)──▶ closed
 *                                                 ▲                        │
 *                                                 └──────(failure)─────────┘   each time a longer wait, up to `longest_ms`
 *
 * A success closes it from any state: late answers count. Pure: the time is an argument.
 */
export type BreakerState = 'closed' | 'open' | 'half_open';

export interface BreakerOptions {
  /** Failures in a row that open it, ≥ 1. */
  failures: number;
  /** First wait, doubled at each failed probe, ±25 %. */
  first_ms: number;
  longest_ms: number;
  random: () => number;
}

export type Gate = { send: 'any' | 'probe' } | { send: 'none'; wait_ms: number };

export class Breaker {
  private current: BreakerState = 'closed';
  private failures_in_row = 0;
  private openings = 0;
  private probe_at_ms = 0;
  private last_probe_ms = -Infinity;

  constructor(private readonly options: BreakerOptions) {}

  get state(): BreakerState {
    return this.current;
  }

  /** What may be sent now; with 'none', when to ask again (Infinity: not before the probe's answer). */
  gate(now_ms: number): Gate {
    if (this.current === 'closed') return { send: 'any' };
    if (this.current === 'half_open') return { send: 'none', wait_ms: Infinity };
    return now_ms >= this.probe_at_ms ? { send: 'probe' } : { send: 'none', wait_ms: this.probe_at_ms - now_ms };
  }

  /** The one request of the half-open state is on its way. */
  beginProbe(now_ms: number): void {
    if (this.current !== 'open') throw new Error(`breaker: a probe begins in state open, not ${this.current}`);
    this.current = 'half_open';
    this.last_probe_ms = now_ms;
  }

  /** @returns whether this closed it */
  success(): boolean {
    const closes = this.current !== 'closed';
    this.current = 'closed';
    this.failures_in_row = 0;
    this.openings = 0;
    return closes;
  }

  /** @returns whether this opened it */
  failure(now_ms: number): boolean {
    this.failures_in_row += 1;
    if (this.current === 'half_open' || (this.current === 'closed' && this.failures_in_row >= this.options.failures)) return this.open(now_ms);
    return false;
  }

  /** Opens a closed one whatever the count. */
  trip(now_ms: number): boolean {
    return this.current === 'closed' ? this.open(now_ms) : false;
  }

  /** Something urgent waits: brings the next probe forward, but never closer to the last than `first_ms`. */
  hurry(now_ms: number): void {
    if (this.current === 'open') this.probe_at_ms = Math.min(this.probe_at_ms, Math.max(now_ms, this.last_probe_ms + this.options.first_ms));
  }

  private open(now_ms: number): boolean {
    const { first_ms, longest_ms, random } = this.options;
    const wait = Math.min(longest_ms, first_ms * 2 ** this.openings);
    this.current = 'open';
    this.openings = Math.min(this.openings + 1, 30);
    this.probe_at_ms = now_ms + wait * (0.75 + 0.5 * random());
    this.last_probe_ms = Math.max(this.last_probe_ms, now_ms);
    return true;
  }
}
