/**
 * Pictures that somebody waits for (calibration frames): a queue of its own beside the slot pool, bounded in number and in time. The dispatcher takes
 * from it in turns with camera batches, so that neither starves the other. People take turns too, and share the room: who sends more than their share is
 * turned away for it, not those beside them. Compressed bytes wait here, never pixels.
 */
import { Percentiles } from './deadline.js';
import type { StillResult } from './results.js';

/** Pictures that may wait: two seconds of eight people at 30 fps would be 480, which no CPU carries; whoever is beyond is told at once. */
export const STILLS_WAITING_MAX = 96;
/** Pictures of one task: enough to share the networks' runs, few enough that a camera batch waits only shortly. */
export const STILLS_A_TASK = 4;
/** A picture that has waited longer is answered `busy`: its sender has moved on. */
const WAIT_LIMIT_US = 1_500_000;

export interface StillTicket {
  file: Uint8Array;
  since_us: number;
  settle(result: StillResult): void;
}

export interface StillStats {
  waiting: number;
  /** How long there has been a waiting picture without a break; 0 = none waits. */
  waiting_for_ms: number;
  done: number;
  /** Pictures that were not looked at, by reason. */
  dropped: { full: number; late: number; failed: number; stopped: number };
  /** Accepted to result, p50, p95, p99 in ms; null before the first. */
  latency_ms: number[] | null;
}

export class StillLane {
  /** By person, the oldest first; the one whose turn is next comes first. Nobody is in it without a picture. */
  readonly #queues = new Map<string, StillTicket[]>();
  #count = 0;
  readonly #latency_us = new Percentiles(512);
  readonly #dropped = { full: 0, late: 0, failed: 0, stopped: 0 };
  #done = 0;
  #stopped = false;
  #waiting_since_us = 0;

  constructor(private readonly now_us: () => number) {}

  get waiting(): number {
    return this.#count;
  }

  /** `person`: who shares the room with others. Never rejects: a picture that could not be looked at comes back with `ok: false` and why. */
  push(file: Uint8Array, person: string): Promise<StillResult> {
    if (this.#stopped) return Promise.resolve(this.drop('stopped'));
    if (this.#count >= STILLS_WAITING_MAX && !this.#makeRoom(person)) return Promise.resolve(this.drop('full'));
    const since_us = this.now_us();
    if (this.#count === 0) this.#waiting_since_us = since_us;
    this.#count++;
    return new Promise((settle) => {
      const queue = this.#queues.get(person);
      if (queue === undefined) this.#queues.set(person, [{ file, since_us, settle }]);
      else queue.push({ file, since_us, settle });
    });
  }

  /** In a full lane: whoever has the most waiting gives their newest picture for one of somebody who has fewer. @returns false where `person` has the most */
  #makeRoom(person: string): boolean {
    let longest: StillTicket[] = [];
    for (const queue of this.#queues.values()) if (queue.length > longest.length) longest = queue;
    // One more would only turn the two around.
    if (longest.length <= (this.#queues.get(person)?.length ?? 0) + 1) return false;
    this.#count--;
    longest.pop()?.settle(this.drop('full'));
    return true;
  }

  /** The pictures of the next task, one of each person in turns; those that waited too long are answered and left out. */
  take(): StillTicket[] {
    const now = this.now_us();
    const taken: StillTicket[] = [];
    while (taken.length < STILLS_A_TASK) {
      const [next] = this.#queues;
      if (next === undefined) break;
      const [person, queue] = next;
      const ticket = queue.shift() as StillTicket;
      this.#count--;
      if (queue.length === 0 || now - ticket.since_us <= WAIT_LIMIT_US) this.#queues.delete(person);
      if (queue.length > 0) this.#queues.set(person, queue);
      if (now - ticket.since_us > WAIT_LIMIT_US) ticket.settle(this.drop('late'));
      else taken.push(ticket);
    }
    return taken;
  }

  /** Answers the pictures of a task. */
  answer(tickets: readonly StillTicket[], results: readonly StillResult[]): void {
    const now = this.now_us();
    tickets.forEach((ticket, index) => {
      const result = results[index];
      if (result === undefined) {
        ticket.settle(this.drop('failed'));
        return;
      }
      this.#done++;
      this.#latency_us.add(now - ticket.since_us);
      ticket.settle(result);
    });
  }

  stop(): void {
    this.#stopped = true;
    for (const ticket of [...this.#queues.values()].flat()) ticket.settle(this.drop('stopped'));
    this.#queues.clear();
    this.#count = 0;
  }

  stats(): StillStats {
    const latency_ms = this.#latency_us.read(0.5, 0.95, 0.99)?.map((us) => us / 1000) ?? null;
    const waiting = this.#count;
    return { waiting, waiting_for_ms: waiting === 0 ? 0 : (this.now_us() - this.#waiting_since_us) / 1000, done: this.#done, dropped: { ...this.#dropped }, latency_ms };
  }

  private drop(reason: keyof StillStats['dropped']): StillResult {
    this.#dropped[reason]++;
    const busy = reason === 'full' || reason === 'late';
    return { ok: false, code: busy ? 'busy' : 'unavailable', message: busy ? 'more pictures arrive than can be looked at' : 'the networks do not answer' };
  }
}
