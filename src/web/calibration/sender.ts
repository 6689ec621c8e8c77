/**
 * Frames on their way to the server: in batches, one at a time, kept in memory while the network is away and sent again when it is back. Bounded: when it is
 * full nothing is taken any more, and whoever takes frames waits.
 */

export interface SenderOptions<Frame> {
  /** Sends a batch; resolves with those of its frames that have to be sent again (the server was busy). */
  send(batch: readonly Frame[]): Promise<readonly Frame[]>;
  /** May the same request succeed later? */
  temporary(error: unknown): boolean;
  onState(state: SenderState): void;
  batch_size?: number;
  limit?: number;
  /** How long the server may be away before this gives up. */
  give_up_ms?: number;
  now_ms?(): number;
  wait?(ms: number): Promise<void>;
  random?(): number;
}

export interface SenderState {
  waiting: number;
  sent: number;
  /** Empty while it works. */
  problem: string;
}

export const BATCH_SIZE = 5;
/** Thirteen points of two seconds at 30 frames a second, and some. */
const LIMIT = 800;
const GIVE_UP_MS = 180_000;
const RETRY_FIRST_MS = 400;
const RETRY_SLOWEST_MS = 8_000;
/** A frame that the server was too busy for so often is left out. */
const TRIES_MAX = 6;

export class FrameSender<Frame extends object> {
  readonly #options: Required<SenderOptions<Frame>>;
  readonly #tries = new WeakMap<Frame, number>();
  #queue: Frame[] = [];
  #in_flight = 0;
  #sent = 0;
  #problem = '';
  #failure: Error | undefined;
  #draining = false;
  #running = false;
  #closed = false;
  #waiters: { resolve: () => void; reject: (error: Error) => void }[] = [];

  constructor(options: SenderOptions<Frame>) {
    this.#options = {
      batch_size: BATCH_SIZE, limit: LIMIT, give_up_ms: GIVE_UP_MS, random: Math.random, now_ms: () => Date.now(), wait: async (ms) => new Promise((resolve) => { setTimeout(resolve, ms); }), ...options,
    };
  }

  get full(): boolean {
    return this.#queue.length >= this.#options.limit;
  }

  get state(): SenderState {
    return { waiting: this.#queue.length + this.#in_flight, sent: this.#sent, problem: this.#problem };
  }

  /** false: not taken, it is full, closed or has given up. */
  push(frame: Frame): boolean {
    if (this.full || this.#closed || this.#failure !== undefined) return false;
    this.#queue.push(frame);
    void this.#work();
    return true;
  }

  /** Forgets frames that are not on their way yet. @returns how many */
  discard(which: (frame: Frame) => boolean): number {
    const before = this.#queue.length;
    this.#queue = this.#queue.filter((frame) => !which(frame));
    this.#tell();
    return before - this.#queue.length;
  }

  /** Sends what is left, the last batch too where it is not full. Rejects when the server refuses or stays away. */
  async drain(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#draining = true;
    try {
      if (this.state.waiting > 0) {
        const done = new Promise<void>((resolve, reject) => { this.#waiters.push({ resolve, reject }); });
        void this.#work();
        await done;
      }
    } finally {
      this.#draining = false;
    }
  }

  /** Tries again after it has given up. */
  retry(): void {
    this.#failure = undefined;
    this.#problem = '';
    void this.#work();
  }

  close(): void {
    this.#closed = true;
    this.#queue = [];
  }

  async #work(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      while (!this.#closed && this.#failure === undefined && (this.#queue.length >= this.#options.batch_size || (this.#draining && this.#queue.length > 0))) await this.#batch();
    } finally {
      this.#running = false;
    }
    if (this.state.waiting === 0 || this.#closed) this.#settle();
  }

  async #batch(): Promise<void> {
    const { send, temporary, batch_size, give_up_ms, now_ms, wait, random } = this.#options;
    const batch = this.#queue.splice(0, batch_size);
    this.#in_flight = batch.length;
    const since_ms = now_ms();
    for (let attempt = 0; ; attempt++) {
      try {
        const again = (await send(batch)).filter((frame) => this.#tried(frame) < TRIES_MAX);
        this.#in_flight = 0;
        this.#sent += batch.length - again.length;
        this.#problem = '';
        this.#queue.unshift(...again);
        this.#tell();
        if (again.length > 0) await wait(200 + 200 * random());
        return;
      } catch (error) {
        if (this.#closed) return;
        const words = error instanceof Error ? error : new Error(String(error));
        this.#problem = words.message;
        if (!temporary(error) || now_ms() - since_ms > give_up_ms) {
          this.#queue.unshift(...batch);
          this.#in_flight = 0;
          this.#failure = words;
          this.#tell();
          this.#settle();
          return;
        }
        this.#tell();
        await wait(Math.min(RETRY_SLOWEST_MS, RETRY_FIRST_MS * 2 ** attempt) * (0.5 + random() / 2));
      }
    }
  }

  #tried(frame: Frame): number {
    const tries = (this.#tries.get(frame) ?? 0) + 1;
    this.#tries.set(frame, tries);
    return tries;
  }

  #settle(): void {
    for (const { resolve, reject } of this.#waiters.splice(0)) {
      if (this.#failure === undefined) resolve();
      else reject(this.#failure);
    }
  }

  #tell(): void {
    this.#options.onState(this.state);
  }
}
