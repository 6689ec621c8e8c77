/**
 * How fast clients should send. The networks carry some number of pictures a second; who sends more makes everybody wait. So each answer says a rate: what was measured to be
 * carried, shared among those who calibrate now. Slower clients, not failed frames.
 *
 * What is carried shows only while pictures wait all the time: what is answered then is all there is. While none wait, more is tried, slowly once it was measured.
 */
import type { GazeSource } from './types.js';

export const FPS_MAX = 30;
export const FPS_MIN = 1;
const ADJUST_EVERY_MS = 250;
/** Of what is carried, so much is asked for: arrivals are uneven, and a queue that is always full delays every frame. */
const SHARE = 0.85;
/** Before anything was measured: one person at the full rate, and twice as much each second while nothing waits. */
const CARRIED_FIRST = FPS_MAX / SHARE;
const TRY_FIRST_PER_S = 2;
const TRY_PER_S = 1.03;
/** Not so soon after pictures waited. */
const TRY_AFTER_MS = 5_000;
/** More is tried only while people send so much of what they may: else nothing would show. */
const TRY_FROM = 0.6;
/** Pictures wait without a break for so long, and one that comes now would wait so long: too many. */
const CROWDED_MS = 400;
const WAIT_LIMIT_S = 0.15;
/** What waits is to be gone in this time. */
const DRAIN_S = 3;
const MEASURE_FROM_MS = 750;
const MEASURE_OVER_MS = 2_000;
/** A lower rate is said at once, a higher one when it is worth it. */
const WORTH = 1.15;
/** Who sent nothing for so long does not share: five frames at the lowest rate take five seconds. */
const AWAY_MS = 7_000;
const PEOPLE_MAX = 10_000;

export class Pace {
  /** Pictures a second that are carried, as far as is known. */
  #carried = CARRIED_FIRST;
  #measured = false;
  #said = FPS_MAX;
  #adjusted_ms = -Infinity;
  #to_drain = 0;
  #turned_away_ms = -Infinity;
  #crowded_ms = -Infinity;
  /** When each session last showed that it calibrates; the one that did longest ago first. */
  readonly #people = new Map<string, number>();
  #answered: { at_ms: number; count: number }[] = [];

  constructor(private readonly source: Pick<GazeSource, 'load'>, private readonly now_ms: () => number) {}

  /** The session calibrates now: it was started, or sent frames. */
  present(session_id: string): void {
    const joins = !this.#people.delete(session_id);
    if (this.#people.size < PEOPLE_MAX) this.#people.set(session_id, this.now_ms());
    if (joins) this.#say();
  }

  /** The session is done. */
  gone(session_id: string): void {
    this.#people.delete(session_id);
  }

  /** Frames a second that one person should send now. */
  recommended(): number {
    if (this.now_ms() - this.#adjusted_ms >= ADJUST_EVERY_MS) this.#adjust();
    return this.#said;
  }

  /** For the metrics: pictures a second that are carried, as far as is known, and who shares them. */
  state(): { carried_per_s: number; people: number } {
    return { carried_per_s: this.#carried, people: this.#people.size };
  }

  /** A picture was turned away: fall at once, but once for all those of a moment. */
  turnedAway(): void {
    const now = this.now_ms();
    if (now - this.#turned_away_ms < ADJUST_EVERY_MS) return;
    this.#turned_away_ms = now;
    this.#adjust(true);
  }

  #adjust(turned_away = false): void {
    const now = this.now_ms();
    const since_s = Math.min(2, (now - this.#adjusted_ms) / 1000);
    const { waiting, waiting_for_ms, answered } = this.source.load();
    this.#forget(now);
    this.#answered = [...this.#answered.filter(({ at_ms }) => now - at_ms <= MEASURE_OVER_MS), { at_ms: now, count: answered }];
    const rate = this.#rate(now, now - waiting_for_ms);
    const crowded = waiting_for_ms >= CROWDED_MS && waiting > WAIT_LIMIT_S * this.#carried;
    this.#to_drain = crowded ? waiting : 0;
    if (crowded || turned_away) this.#crowded_ms = now;
    if (crowded && rate !== null) {
      this.#carried = Math.max(FPS_MIN, rate);
      this.#measured = true;
    } else if (turned_away) {
      this.#carried = Math.max(FPS_MIN, SHARE * Math.min(this.#carried, (FPS_MAX / SHARE) * Math.max(1, this.#people.size)));
    } else if (now - this.#crowded_ms >= TRY_AFTER_MS && this.#exact() < FPS_MAX && (this.#rate(now, -Infinity) ?? 0) >= TRY_FROM * SHARE * this.#carried) {
      this.#carried *= (this.#measured ? TRY_PER_S : TRY_FIRST_PER_S) ** since_s;
    }
    this.#adjusted_ms = now;
    this.#say();
  }

  /** Pictures answered a second since `from_ms`, at most over MEASURE_OVER_MS; null where that is too short to say. */
  #rate(now_ms: number, from_ms: number): number | null {
    const newest = this.#answered.at(-1);
    const oldest = this.#answered.find(({ at_ms }) => at_ms >= from_ms);
    if (newest === undefined || oldest === undefined || now_ms - oldest.at_ms < MEASURE_FROM_MS) return null;
    return ((newest.count - oldest.count) * 1000) / (now_ms - oldest.at_ms);
  }

  #exact(): number {
    return (SHARE * this.#carried - this.#to_drain / DRAIN_S) / Math.max(1, this.#people.size);
  }

  #say(): void {
    const fps = Math.max(FPS_MIN, Math.min(FPS_MAX, Math.floor(this.#exact() + 1e-6)));
    if (fps < this.#said || fps === FPS_MAX || fps >= this.#said * WORTH) this.#said = fps;
  }

  #forget(now_ms: number): void {
    for (const [session_id, at_ms] of this.#people) {
      if (now_ms - at_ms <= AWAY_MS) break;
      this.#people.delete(session_id);
    }
  }
}

/** The plan's rates by what a client measures of its own connection. */
export const RATE_BY_LATENCY = [
  { below_ms: 50, fps: 30 },
  { below_ms: 150, fps: 15 },
  { below_ms: null, fps: 10 },
] as const;
