/** Repeats of one complaint are summed up: the first is logged at once, then one line per period with how often it was. */
import type { DeliveryClock } from './types.js';

export class Repeats {
  private readonly seen = new Map<string, { since_ms: number; count: number }>();

  constructor(
    private readonly clock: DeliveryClock,
    private readonly period_ms: number,
  ) {}

  /** Calls `write` now, or counts. Keys are codes, hence few. */
  say(key: string, write: (repeated: number) => void): void {
    const now_ms = this.clock.monoMs();
    const before = this.seen.get(key);
    if (before !== undefined && now_ms - before.since_ms < this.period_ms) {
      before.count += 1;
      return;
    }
    this.seen.set(key, { since_ms: now_ms, count: 0 });
    write(before?.count ?? 0);
  }
}
