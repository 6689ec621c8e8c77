/**
 * Takes entries from the lanes and posts them: bounded concurrency, the rate of a camera, rounds of attempts with jittered backoff, the
 * circuit breaker. An entry ends in one of four ways: delivered, refused (dead letter), put back (the receiver is away), parked
 * (it alone does not get through; a further round later, and after ROUNDS_MAX of them the dead letters).
 */
import type { Breaker } from './breaker.js';
import { classifyAnswer, classifyFault, type Answer, type Verdict } from './classify.js';
import type { Entry } from './outbox.js';
import type { Choice, Lane } from './lanes.js';
import { PRIORITY, PRIORITIES, type DeliveryClock } from './types.js';
import type { RateLimit } from './rate_limit.js';
import type { Transport } from './transport.js';

/** Rounds that the receiver answered with a failure while it took other payloads. A fault of the payload would repeat for ever. */
export const ROUNDS_MAX = 6;
/** The receiver counts as healthy for so long after a success. */
const HEALTHY_FOR_MS = 60_000;
const BACKOFF_FIRST_MS = 250;
const BACKOFF_LONGEST_MS = 5_000;
const PARKED_LONGEST_MS = 15 * 60_000;
/** Of an entry that got no answer while others did. */
const UNANSWERED_PARKED_MS = 5_000;
const ASIDE_MAX = 16;
const PRUNE_EVERY_MS = 60_000;

type Retry = Extract<Verdict, { outcome: 'retry' }>;

/** An entry on its way. `evicted`: the outbox gave its row up meanwhile. */
interface Flight {
  entry: Entry;
  started_ms: number;
  attempts: number;
  evicted: boolean;
}

export interface SenderOptions {
  clock: DeliveryClock;
  random: () => number;
  transport: Transport;
  /** What an answer of this receiver means. Default: the callbacks' receiver. */
  classify?: (answer: Answer) => Verdict;
  breaker: Breaker;
  rate: RateLimit;
  settings: { retry_attempts: number; concurrency: number; replay_interval_ms: number };
  /** Where entries come from and go back to. */
  queue: {
    next: (lowest: number, wait: (camera_id: number | null) => number) => Choice;
    putBack: (entry: Entry) => void;
    fill: (lanes: Lane[]) => void;
    /** Loads parked entries that are due. @returns milliseconds until the next one is */
    unpark: () => number;
    /** Nothing may be sent now (the outbox does not take writes). */
    blocked: () => boolean;
  };
  /** How entries end. Not called for one that was evicted meanwhile, but for `delivered` and `lost`. */
  settle: {
    delivered: (entry: Entry, evicted: boolean) => void;
    refused: (entry: Entry, reason: string, status: number | null, attempts: number) => void;
    parked: (entry: Entry, rounds: number, retry_in_ms: number, code: string) => void;
    lost: (entry: Entry) => void;
  };
  onAttempt: (entry: Entry, verdict: Verdict) => void;
  onBreaker: () => void;
}

export class Sender {
  private readonly flights = new Map<number, Flight>();
  /** Probes that failed: another entry has to be the next one. */
  private readonly aside = new Map<number, Flight>();
  private low_flights = 0;
  private pruned_ms = 0;
  private last_success_ms = -Infinity;
  private running = false;
  private queued = false;
  private cancelWake: (() => void) | undefined;
  private readonly stopped = new AbortController();
  private readonly sleepers = new Set<() => void>();
  private onIdle: (() => void) | undefined;

  constructor(private readonly options: SenderOptions) {}

  start(): void {
    this.running = true;
    this.kick();
  }

  /** Something changed: an entry came, a request ended, a wait is over. */
  kick(): void {
    if (!this.running || this.queued) return;
    this.queued = true;
    queueMicrotask(() => {
      this.queued = false;
      if (this.running) this.pump();
    });
  }

  /** An entry that is on its way has lost its row. @returns false when it isn't on its way */
  evict(id: number): boolean {
    const flight = this.flights.get(id);
    if (flight !== undefined) flight.evicted = true;
    const waiting = this.aside.get(id);
    if (waiting !== undefined) {
      this.aside.delete(id);
      this.options.settle.lost(waiting.entry);
    }
    return flight !== undefined || waiting !== undefined;
  }

  /** Starts nothing more, ends waits between attempts, gives requests in flight until the deadline, then aborts them. */
  async stop(deadline_ms: number): Promise<void> {
    if (!this.running) return;
    this.running = false;
    this.cancelWake?.();
    for (const wake of [...this.sleepers]) wake();
    if (this.flights.size === 0) return;
    const cancel = this.options.clock.after(deadline_ms, () => this.stopped.abort());
    await new Promise<void>((resolve) => (this.onIdle = resolve));
    cancel();
  }

  private pump(): void {
    const { clock, breaker, rate, queue, settings } = this.options;
    this.cancelWake?.();
    this.cancelWake = undefined;
    if (queue.blocked()) return;
    let wake_ms = queue.unpark();
    while (this.flights.size < settings.concurrency) {
      const now = clock.monoMs();
      const gate = breaker.gate(now);
      if (gate.send === 'none') {
        wake_ms = Math.min(wake_ms, gate.wait_ms);
        break;
      }
      const { entry, wait_ms, empty } = queue.next(this.lowestAllowed(), (camera_id) => rate.wait_ms(camera_id, now));
      if (empty.length > 0) queue.fill(empty);
      if (entry === null) {
        if (this.aside.size > 0 && empty.length === 0 && wait_ms === Infinity) {
          this.recall();
          continue;
        }
        wake_ms = Math.min(wake_ms, wait_ms);
        break;
      }
      const probe = gate.send === 'probe';
      if (probe) {
        breaker.beginProbe(now);
        this.options.onBreaker();
      }
      rate.take(entry.camera_id, now);
      if (now - this.pruned_ms > PRUNE_EVERY_MS) {
        rate.prune(now);
        this.pruned_ms = now;
      }
      void this.fly(entry, probe);
    }
    if (wake_ms !== Infinity) this.cancelWake = clock.after(wake_ms, () => this.kick());
  }

  /** A quarter of the connections is kept free of frame analyses, so that an alert never waits behind slow answers to them. */
  private lowestAllowed(): number {
    const { concurrency } = this.options.settings;
    const reserved = Math.floor(concurrency / 4);
    return this.low_flights < concurrency - reserved ? PRIORITIES - 1 : PRIORITY.behavioral_detection;
  }

  private async fly(entry: Entry, probe: boolean): Promise<void> {
    const flight: Flight = { entry, started_ms: this.options.clock.monoMs(), attempts: 0, evicted: false };
    const low = entry.priority > PRIORITY.behavioral_detection;
    this.flights.set(entry.id, flight);
    if (low) this.low_flights += 1;
    const end = await this.round(flight, probe);
    this.flights.delete(entry.id);
    if (low) this.low_flights -= 1;
    end();
    if (this.flights.size === 0) this.onIdle?.();
    this.kick();
  }

  /** Up to `retry_attempts` requests. @returns what is to be done with the entry */
  private async round(flight: Flight, probe: boolean): Promise<() => void> {
    const { breaker, settings, random } = this.options;
    for (;;) {
      // Also after the waits below: it may be one that nobody may send any more.
      if (flight.evicted) return this.putBack(flight);
      const verdict = await this.attempt(flight);
      if (verdict.outcome === 'delivered') return () => this.options.settle.delivered(flight.entry, flight.evicted);
      if (verdict.outcome === 'refused') return this.ifKept(flight, () => this.options.settle.refused(flight.entry, verdict.code, verdict.status, flight.attempts));
      if (flight.evicted) return this.putBack(flight);
      // Another entry has to be the next probe, in case this one is what the receiver stumbles over.
      if (probe && verdict.code !== 'stopped') return () => this.setAside(flight);
      if (!this.mayGoOn()) return this.putBack(flight);
      if (flight.attempts >= settings.retry_attempts) return this.exhausted(flight, verdict);
      await this.sleep(Math.min(BACKOFF_LONGEST_MS, BACKOFF_FIRST_MS * 2 ** (flight.attempts - 1)) * (0.5 + random()));
      if (!(await this.admitted(flight.entry.camera_id)) || breaker.state !== 'closed') return this.putBack(flight);
    }
  }

  private async attempt(flight: Flight): Promise<Verdict> {
    const { transport, breaker, clock, onAttempt, onBreaker } = this.options;
    const { entry } = flight;
    flight.attempts += 1;
    const result = await transport.post(entry.body, entry.idempotency_key, this.stopped.signal);
    const verdict = 'answer' in result ? (this.options.classify ?? classifyAnswer)(result.answer) : classifyFault(result.fault);
    if ('fault' in result && result.fault === 'stopped') return verdict;
    onAttempt(entry, verdict);
    const now = clock.monoMs();
    const faulty = verdict.outcome === 'retry' || (verdict.outcome === 'refused' && verdict.configuration);
    if (verdict.outcome === 'delivered') this.last_success_ms = now;
    // A payload that the receiver refuses shows that the receiver is well.
    const turned = faulty ? breaker.failure(now) : breaker.success();
    if (turned) onBreaker();
    if (turned && !faulty) this.recall();
    return verdict;
  }

  private exhausted(flight: Flight, verdict: Retry): () => void {
    const { breaker, clock, settle, onBreaker } = this.options;
    const now = clock.monoMs();
    if (!verdict.answered && this.last_success_ms < flight.started_ms) {
      if (breaker.trip(now)) onBreaker();
      return this.putBack(flight);
    }
    const healthy = now - this.last_success_ms < HEALTHY_FOR_MS;
    const rounds = flight.entry.rounds + (healthy ? 1 : 0);
    if (rounds >= ROUNDS_MAX) return this.ifKept(flight, () => settle.refused(flight.entry, verdict.code, verdict.status, flight.attempts));
    return this.park(flight, verdict, rounds);
  }

  private park(flight: Flight, { code, answered }: Retry, rounds: number): () => void {
    const { settings, random, settle } = this.options;
    const base_ms = answered ? settings.replay_interval_ms : Math.min(settings.replay_interval_ms, UNANSWERED_PARKED_MS);
    const wait_ms = Math.min(PARKED_LONGEST_MS, base_ms * 2 ** Math.max(0, rounds - 1)) * (0.75 + 0.5 * random());
    return this.ifKept(flight, () => settle.parked(flight.entry, rounds, wait_ms, code));
  }

  private setAside(flight: Flight): void {
    if (this.options.breaker.state === 'closed') this.putBack(flight)();
    else this.aside.set(flight.entry.id, flight);
    if (this.aside.size >= ASIDE_MAX) this.recall();
  }

  private recall(): void {
    for (const flight of this.aside.values()) this.putBack(flight)();
    this.aside.clear();
  }

  private putBack(flight: Flight): () => void {
    return this.ifKept(flight, () => this.options.queue.putBack(flight.entry));
  }

  private ifKept(flight: Flight, end: () => void): () => void {
    return () => (flight.evicted ? this.options.settle.lost(flight.entry) : end());
  }

  /** Waits for the camera's rate. @returns false when sending stopped meanwhile */
  private async admitted(camera_id: number | null): Promise<boolean> {
    const { rate, clock } = this.options;
    for (;;) {
      if (!this.running) return false;
      const now = clock.monoMs();
      const wait_ms = rate.wait_ms(camera_id, now);
      if (wait_ms === 0) {
        rate.take(camera_id, now);
        return true;
      }
      await this.sleep(wait_ms);
    }
  }

  private mayGoOn(): boolean {
    return this.running && this.options.breaker.state === 'closed';
  }

  /** Ends early when sending stops. */
  private sleep(ms: number): Promise<void> {
    if (!this.running) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        this.sleepers.delete(done);
        resolve();
      };
      const cancel = this.options.clock.after(ms, done);
      this.sleepers.add(done);
    });
  }
}
