/** Entries that wait for a further round: in the database with the time they are due, at most HELD_MAX of them in memory. */
import type { Commit, Journal } from './journal.js';
import type { Entry, Outbox } from './outbox.js';
import type { DeliveryClock } from './types.js';

const HELD_MAX = 64;
const LOADED_AT_ONCE = 32;
/** After a fault of the database. */
const READ_AGAIN_MS = 1_000;

export interface ParkedOptions {
  outbox: Outbox;
  journal: Journal;
  clock: DeliveryClock;
  /** When the first one is due; null = there are none. */
  next_ms: number | null;
  /** Takes the entries that are due. */
  onDue: (entries: Entry[]) => void;
  onFault: (error: unknown) => void;
}

export class Parked {
  private next_ms: number | null;
  /** Rows that are in memory; another look must not find them again. */
  private readonly held = new Set<number>();
  private loading = false;

  constructor(private readonly options: ParkedOptions) {
    this.next_ms = options.next_ms;
  }

  /** Begins to load what is due. @returns milliseconds until the next one is; Infinity = a commit or `onDue` will tell */
  poll(): number {
    if (this.loading || this.next_ms === null || this.held.size + LOADED_AT_ONCE > HELD_MAX) return Infinity;
    const wait_ms = this.next_ms - this.options.clock.wallMs();
    if (wait_ms > 0) return wait_ms;
    this.loading = true;
    void this.load();
    return Infinity;
  }

  /** A row that left, or got a new time, is no longer held. */
  committed({ left, parked, evicted }: Pick<Commit, 'left' | 'parked' | 'evicted'>): void {
    for (const id of left) this.held.delete(id);
    for (const { id } of evicted) this.held.delete(id);
    for (const { id, retry_at_ms } of parked) {
      this.held.delete(id);
      this.next_ms = Math.min(this.next_ms ?? Infinity, retry_at_ms);
    }
  }

  private async load(): Promise<void> {
    const { outbox, journal, clock, onDue, onFault } = this.options;
    try {
      await journal.exclusive(async () => {
        const { entries, next_ms } = await outbox.due(clock.wallMs(), [...this.held], LOADED_AT_ONCE);
        for (const { id } of entries) this.held.add(id);
        this.next_ms = next_ms;
        this.loading = false;
        onDue(entries);
      });
    } catch (error) {
      this.next_ms = clock.wallMs() + READ_AGAIN_MS;
      this.loading = false;
      onFault(error);
    }
  }
}
