/**
 * Group commit: what comes in and what the receiver has taken is written in one transaction at most every COMMIT_EVERY_MS, so the
 * cost of syncing the disk does not grow with the number of cameras. A commit blocks this thread; on a slow disk they are spaced
 * further, so that they take at most a fifth of its time. A promise resolves when its payload is on the disk.
 */
import type { Committed, Companion, DeadMark, Entry, Evicted, NewEntry, Outbox, ParkMark } from './outbox.js';
import type { DeliveryClock, DeliveryLog, DropReason } from './types.js';

/** Wait of a payload for its commit; an alert does not wait. */
export const COMMIT_EVERY_MS = 40;
/** The next commit waits for so many times the duration of the last one, but never longer than the limit. */
const SPACING = 4;
const SPACING_LONGEST_MS = 500;
/** Rows written in one transaction: a longer one would hold up the thread (about 15 µs a row). */
const ROWS_A_COMMIT = 1_000;
/** What may wait for a commit; beyond it payloads are turned away as `overloaded`. */
const PENDING_ROWS_MAX = 10_000;
const PENDING_BYTES_MAX = 16 * 1024 * 1024;
/** A disk that refuses writes is tried again after these waits; a payload that has waited longer than the limit is given up. */
const RETRY_FIRST_MS = 50;
const RETRY_LONGEST_MS = 2_000;
const INSERT_LIMIT_MS = 3_000;

export type StoreResult = { stored: true } | { stored: false; reason: DropReason };

interface Waiting<T> {
  item: T;
  companion?: Companion | undefined;
  since_ms: number;
  settle: (result: StoreResult) => void;
}

interface Pending {
  inserts: Waiting<NewEntry>[];
  local: Waiting<DeadMark>[];
  delivered: Entry[];
  dead: DeadMark[];
  parked: ParkMark[];
}

/** What a commit did, for those who keep the outbox in memory. */
export interface Commit extends Pick<Committed, 'letters' | 'letters_dropped'> {
  stored: Entry[];
  /** Rows that left because the outbox was full, without those of this very commit. */
  evicted: Evicted[];
  /** Rows that the receiver took or refused. */
  left: number[];
  parked: readonly ParkMark[];
}

export interface JournalOptions {
  outbox: Outbox;
  clock: DeliveryClock;
  log: DeliveryLog;
  limits: { rows: number; bytes: number };
  /** What the outbox holds already. */
  size: { rows: number; bytes: number; oldest_ms: number | null };
  /** Called after each commit, still under the lock. */
  onCommit: (commit: Commit) => void;
}

export class Journal {
  private pending: Pending = empty();
  private pending_bytes = 0;
  private readonly size: { rows: number; bytes: number; oldest_ms: number | null };
  private lock: Promise<unknown> = Promise.resolve();
  private cancel: (() => void) | undefined;
  private timer_at_ms = Infinity;
  private running: Promise<void> | undefined;
  private failures = 0;
  private last_commit_ms = 0;

  constructor(private readonly options: JournalOptions) {
    this.size = { ...options.size };
  }

  /** Rows on the disk or about to be, without those the receiver has taken. */
  get backlog(): number {
    const { inserts, delivered, dead } = this.pending;
    return this.size.rows + inserts.length - delivered.length - dead.filter(({ outbox_id }) => outbox_id !== null).length;
  }

  get oldest_ms(): number | null {
    return this.size.oldest_ms ?? this.pending.inserts[0]?.item.created_ms ?? null;
  }

  /** The disk refuses writes at the moment: sending on would only make duplicates after a crash. */
  get failing(): boolean {
    return this.failures > 0;
  }

  /** `companion` is written in the same transaction: both or none. */
  insert(item: NewEntry, urgent: boolean, companion?: Companion): Promise<StoreResult> {
    return this.wait(this.pending.inserts, item, urgent, companion);
  }

  /** A payload that goes straight to the dead letters. */
  keepLocal(item: DeadMark, companion?: Companion): Promise<StoreResult> {
    return this.wait(this.pending.local, item, false, companion);
  }

  delivered(entry: Entry): void {
    this.pending.delivered.push(entry);
    this.schedule(this.spacing_ms());
  }

  dead(mark: DeadMark): void {
    this.pending.dead.push(mark);
    this.schedule(this.spacing_ms());
  }

  park(mark: ParkMark): void {
    this.pending.parked.push(mark);
    this.schedule(this.spacing_ms());
  }

  /** Runs `work` with no commit in between; whatever notes in memory what the database holds goes through here. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.lock.then(work);
    this.lock = result.catch(() => undefined);
    return result;
  }

  /**
   * Removes rows at once, and with them all that waits to be written of them: of what was erased no letter is made. `onErased` is called still under the lock;
   * `evicted` are those that the receiver has neither taken nor refused.
   */
  erase(remove: () => Promise<Evicted[]>, onErased: (commit: Pick<Commit, 'evicted' | 'left' | 'parked'>) => void): Promise<void> {
    return this.exclusive(async () => {
      const removed = await remove();
      this.size.rows -= removed.length;
      this.size.bytes -= sum(removed);
      const left = removed.map(({ id }) => id);
      const refused = new Set(this.pending.dead.flatMap(({ outbox_id, idempotency_key }) => (outbox_id !== null && left.includes(outbox_id) ? [idempotency_key] : [])));
      const evicted = this.forget(removed);
      this.pending.dead = this.pending.dead.filter(({ idempotency_key }) => !refused.has(idempotency_key));
      onErased({ evicted, left, parked: [] });
    });
  }

  /** Rows that were added past the journal, under the lock. */
  noteInserted(entries: readonly NewEntry[]): void {
    for (const entry of entries) {
      this.size.rows += 1;
      this.size.bytes += entry.bytes;
      this.size.oldest_ms = Math.min(this.size.oldest_ms ?? Infinity, entry.created_ms);
    }
  }

  /** Writes all that waits. @returns whether everything is on the disk */
  async flush(): Promise<boolean> {
    do {
      await this.commit();
    } while (this.waiting() > 0 && this.failures === 0);
    return this.waiting() === 0;
  }

  /** Stops the timer; what still waits for the disk is told so. */
  close(): void {
    this.cancel?.();
    this.timer_at_ms = Infinity;
    for (const { settle } of [...this.pending.inserts, ...this.pending.local]) settle({ stored: false, reason: 'store_failed' });
    this.pending = empty();
  }

  private wait<T extends NewEntry>(list: Waiting<T>[], item: T, urgent: boolean, companion?: Companion): Promise<StoreResult> {
    if (this.pending.inserts.length + this.pending.local.length >= PENDING_ROWS_MAX || this.pending_bytes + item.bytes > PENDING_BYTES_MAX) {
      return Promise.resolve({ stored: false, reason: 'overloaded' });
    }
    this.pending_bytes += item.bytes;
    return new Promise((settle) => {
      list.push({ item, companion, since_ms: this.options.clock.monoMs(), settle });
      this.schedule(urgent ? 0 : this.spacing_ms());
    });
  }

  private waiting(): number {
    const { inserts, local, delivered, dead, parked } = this.pending;
    return inserts.length + local.length + delivered.length + dead.length + parked.length;
  }

  private schedule(delay_ms: number): void {
    // While the disk refuses, the retry's own wait holds.
    const at_ms = this.options.clock.monoMs() + delay_ms;
    if (this.running !== undefined || at_ms >= this.timer_at_ms || (this.failures > 0 && this.timer_at_ms !== Infinity)) return;
    this.cancel?.();
    this.timer_at_ms = at_ms;
    this.cancel = this.options.clock.after(delay_ms, () => void this.commit());
  }

  private spacing_ms(): number {
    return Math.max(COMMIT_EVERY_MS, Math.min(SPACING_LONGEST_MS, SPACING * this.last_commit_ms));
  }

  private commit(): Promise<void> {
    this.cancel?.();
    this.timer_at_ms = Infinity;
    this.running ??= this.exclusive(() => this.write()).finally(() => {
      this.running = undefined;
      if (this.waiting() > 0) this.schedule(this.failures > 0 ? Math.min(RETRY_LONGEST_MS, RETRY_FIRST_MS * 2 ** this.failures) : this.spacing_ms());
    });
    return this.running;
  }

  /** Never throws: what could not be written waits on. */
  private async write(): Promise<void> {
    const batch = this.takeBatch();
    const inserts = batch.inserts.map(({ item }) => item);
    const companions = [...batch.inserts, ...batch.local].flatMap(({ item: { idempotency_key }, companion }) => (companion === undefined ? [] : [{ idempotency_key, write: companion }]));
    const dead = [...batch.dead, ...batch.local.map(({ item }) => item)];
    const leaving = [...batch.delivered, ...batch.dead.filter(({ outbox_id }) => outbox_id !== null)];
    const rows = this.size.rows + inserts.length - leaving.length;
    const bytes = this.size.bytes + sum(inserts) - sum(leaving);
    const over = { rows: rows - this.options.limits.rows, bytes: bytes - this.options.limits.bytes };
    const since_ms = this.options.clock.monoMs();
    let committed: Committed;
    try {
      committed = await this.options.outbox.commit({ inserts, companions, delivered: batch.delivered.map(({ id }) => id), dead, parked: batch.parked, over });
    } catch (error) {
      this.failed(batch, error);
      return;
    }
    this.last_commit_ms = this.options.clock.monoMs() - since_ms;
    if (this.failures > 0) this.options.log.info({ failures: this.failures }, 'the outbox takes writes again');
    this.failures = 0;
    this.size.rows = rows - committed.evicted.length;
    this.size.bytes = bytes - sum(committed.evicted);
    this.size.oldest_ms = committed.oldest_ms;
    this.pending_bytes -= sum(inserts) + batch.local.reduce((total, { item }) => total + item.bytes, 0);
    this.announce(batch, committed);
  }

  private announce(batch: Pending, committed: Committed): void {
    const gone = new Set(committed.evicted.map(({ id }) => id));
    const entries = batch.inserts.map(({ item }, index): Entry => ({ ...item, id: committed.ids[index] as number, rounds: 0, retry_at_ms: null }));
    const fresh = new Set(entries.map(({ id }) => id));
    this.options.onCommit({
      stored: entries.filter(({ id }) => !gone.has(id)),
      evicted: this.forget(committed.evicted.filter(({ id }) => !fresh.has(id))),
      left: [...batch.delivered.map(({ id }) => id), ...batch.dead.flatMap(({ outbox_id }) => outbox_id ?? [])],
      parked: batch.parked,
      letters: committed.letters,
      letters_dropped: committed.letters_dropped,
    });
    batch.inserts.forEach(({ settle }, index) => settle(gone.has(committed.ids[index] as number) ? { stored: false, reason: 'outbox_full' } : { stored: true }));
    for (const { settle } of batch.local) settle({ stored: true });
  }

  /** Marks made during the commit for rows that it evicted are void. @returns those without one: they are what is lost */
  private forget(evicted: Evicted[]): Evicted[] {
    if (evicted.length === 0) return evicted;
    const gone = new Set(evicted.map(({ id }) => id));
    const { pending } = this;
    const settled = new Set([...pending.delivered.map(({ id }) => id), ...pending.dead.flatMap(({ outbox_id }) => outbox_id ?? [])]);
    const parked = new Map(pending.parked.map(({ id, retry_at_ms }) => [id, retry_at_ms]));
    pending.delivered = pending.delivered.filter(({ id }) => !gone.has(id));
    // A letter whose row is gone is still a letter.
    pending.dead = pending.dead.map((mark) => (mark.outbox_id !== null && gone.has(mark.outbox_id) ? { ...mark, outbox_id: null } : mark));
    pending.parked = pending.parked.filter(({ id }) => !gone.has(id));
    // About to be parked: it has left its lane, though the row did not say so yet.
    return evicted.filter(({ id }) => !settled.has(id)).map((row) => ({ ...row, retry_at_ms: parked.get(row.id) ?? row.retry_at_ms }));
  }

  private takeBatch(): Pending {
    const batch = this.pending;
    this.pending = { ...empty(), inserts: batch.inserts.slice(ROWS_A_COMMIT) };
    return { ...batch, inserts: batch.inserts.slice(0, ROWS_A_COMMIT) };
  }

  private failed(batch: Pending, error: unknown): void {
    const { clock, log } = this.options;
    this.failures = Math.min(this.failures + 1, 20);
    if (this.failures === 1) log.error({ cause: error instanceof Error ? error.message : String(error) }, 'the outbox does not take writes: payloads wait in memory for a moment, sending pauses');
    const late = clock.monoMs() - INSERT_LIMIT_MS;
    const kept = <T extends NewEntry>(list: Waiting<T>[]): Waiting<T>[] =>
      list.filter(({ item, since_ms, settle }) => {
        if (since_ms > late) return true;
        this.pending_bytes -= item.bytes;
        settle({ stored: false, reason: 'store_failed' });
        return false;
      });
    const { inserts, local, delivered, dead, parked } = this.pending;
    this.pending = {
      inserts: kept([...batch.inserts, ...inserts]),
      local: kept([...batch.local, ...local]),
      delivered: [...batch.delivered, ...delivered],
      dead: [...batch.dead, ...dead],
      parked: [...batch.parked, ...parked],
    };
  }
}

function empty(): Pending {
  return { inserts: [], local: [], delivered: [], dead: [], parked: [] };
}

function sum(items: readonly { bytes: number }[]): number {
  return items.reduce((total, { bytes }) => total + bytes, 0);
}
