/**
 * Delivery: payloads go through the journal into the outbox, from there over lanes and sender to the receiver, and leave the
 * outbox when the receiver has taken them. At least once: recorded before it is sent, marked after the answer.
 */
import { randomUUID } from 'node:crypto';
import { SightlineError } from '../errors.js';
import { attribute } from './build.js';
import { Breaker } from './breaker.js';
import { systemClock } from './clock.js';
import { Journal, type Commit } from './journal.js';
import { Lanes, WINDOW, type Lane } from './lanes.js';
import { replayLetters, shownLetter } from './letters.js';
import { createOutbox, type Entry, type NewEntry, type Outbox } from './outbox.js';
import { Parked } from './parked.js';
import { assertPayload, BODY_BYTES_MAX, payloadCheck, type Payload, type UnattributedPayload } from './payloads.js';
import { RateLimit } from './rate_limit.js';
import { testReceiver } from './receiver_test.js';
import { Repeats } from './repeats.js';
import { Sender } from './sender.js';
import { deliveryAgent, httpTransport, type Transport } from './transport.js';
import { PRIORITY, type DeadLetter, type Delivery, type DeliveryClock, type DeliveryOptions, type DropReason, type EnqueueContext, type EnqueueResult, type ReceiverTest } from './types.js';
import type { Verdict } from './classify.js';

/** First wait of the breaker; it doubles up to `delivery.breaker_open_s`. A probe costs the receiver one request. */
const PROBE_FIRST_MS = 1_000;
/** A complaint that repeats is logged so often. */
const REPEAT_MS = 10_000;
/** After a fault of the database while reading. */
const READ_AGAIN_MS = 1_000;

interface Counts {
  enqueued: number;
  delivered: number;
  failed: number;
  dead_letters: number;
  local_only: number;
  dropped: Record<DropReason, number>;
  last_status: number | null;
  last_success_at: string | null;
  last_error: string | null;
}

/** Nothing is opened or sent before `start()`. @throws CONFIG_INVALID for a callback URL that is none */
export function createDelivery(options: DeliveryOptions): Delivery {
  return new OutboxDelivery(options);
}

/** What exists between start and stop. */
interface Running {
  journal: Journal;
  lanes: Lanes;
  parked: Parked;
  /** undefined: no receiver is configured. */
  sender: Sender | undefined;
}

class OutboxDelivery implements Delivery {
  private readonly clock: DeliveryClock;
  private readonly random: () => number;
  private readonly uuid: () => string;
  private readonly outbox: Outbox;
  private readonly check = payloadCheck();
  private readonly breaker: Breaker;
  private readonly repeats: Repeats;
  private readonly owned_dispatcher: { destroy(): Promise<void> } | undefined;
  private readonly transport: Transport | undefined;
  private running: Running | undefined;
  private state: 'new' | 'running' | 'stopped' = 'new';
  private readonly counts: Counts = {
    enqueued: 0,
    delivered: 0,
    failed: 0,
    dead_letters: 0,
    local_only: 0,
    dropped: { outbox_full: 0, overloaded: 0, store_failed: 0, no_target: 0, dead_letters_full: 0 },
    last_status: null,
    last_success_at: null,
    last_error: null,
  };

  constructor(private readonly options: DeliveryOptions) {
    const { php_system, delivery } = options.settings;
    this.clock = options.clock ?? systemClock();
    this.random = options.random ?? Math.random;
    this.uuid = options.uuid ?? randomUUID;
    this.outbox = createOutbox(options.store.db);
    this.repeats = new Repeats(this.clock, REPEAT_MS);
    const longest_ms = delivery.breaker_open_s * 1000;
    this.breaker = new Breaker({ failures: delivery.breaker_failures, first_ms: Math.min(PROBE_FIRST_MS, longest_ms), longest_ms, random: this.random });
    if (php_system.callback_url === undefined) return;
    const timeout_ms = php_system.timeout_seconds * 1000;
    const own = options.dispatcher === undefined ? deliveryAgent(delivery.concurrency, timeout_ms, php_system.allow_self_signed) : undefined;
    this.owned_dispatcher = own;
    this.transport = httpTransport({ url: php_system.callback_url, token: php_system.auth_token, timeout_ms, clock: this.clock, dispatcher: options.dispatcher ?? (own as NonNullable<typeof own>) });
  }

  async start(): Promise<void> {
    if (this.state !== 'new') throw new SightlineError('DELIVERY_STOPPED', 'delivery can be started once');
    this.state = 'running';
    const summary = await this.outbox.summary();
    Object.assign(this.counts, await this.outbox.letterCounts());
    const { outbox_max_rows, outbox_max_mib } = this.options.settings.delivery;
    const limits = { rows: outbox_max_rows, bytes: outbox_max_mib * 1024 * 1024 };
    const journal = new Journal({ outbox: this.outbox, clock: this.clock, log: this.options.log, limits, size: summary, onCommit: (commit) => this.committed(commit) });
    const lanes = new Lanes(summary);
    const onDue = (entries: Entry[]): void => {
      for (const entry of entries) lanes.putBack(entry);
      this.running?.sender?.kick();
    };
    const parked = new Parked({ outbox: this.outbox, journal, clock: this.clock, next_ms: summary.parked.next_ms, onDue, onFault: (error) => this.readFault(error) });
    this.running = { journal, lanes, parked, sender: this.transport && this.sender(this.transport, journal, lanes, parked) };
    if (summary.rows > 0) this.options.log.info({ backlog: summary.rows }, 'callbacks of a former run wait in the outbox');
    this.running.sender?.start();
  }

  async stop(deadline_ms: number): Promise<void> {
    if (this.state === 'stopped') return;
    this.state = 'stopped';
    if (this.running !== undefined) {
      const { sender, journal } = this.running;
      await sender?.stop(deadline_ms);
      if (!(await journal.flush())) this.options.log.error({ backlog: journal.backlog }, 'the outbox could not be written before the stop');
      journal.close();
    }
    await this.owned_dispatcher?.destroy();
  }

  async enqueue(payload: Payload, context: EnqueueContext): Promise<EnqueueResult> {
    const { journal, sender } = this.accepting();
    assertPayload(this.check, payload);
    const entry = this.entry(payload, context);
    if (sender === undefined) return this.drop(entry.result_type, 'no_target');
    const urgent = entry.priority === PRIORITY.anomaly_alert;
    const result = await journal.insert(entry, urgent, context.companion);
    if (!result.stored) return this.drop(entry.result_type, result.reason);
    this.counts.enqueued += 1;
    if (urgent) this.breaker.hurry(this.clock.monoMs());
    sender.kick();
    return { stored: true, idempotency_key: entry.idempotency_key };
  }

  async keepLocal(payload: UnattributedPayload, context: EnqueueContext): Promise<EnqueueResult> {
    const { journal } = this.accepting();
    // Any id will do: it is checked again, with the real one, before it is posted.
    assertPayload(this.check, attribute(payload, 1));
    const entry = this.entry(payload as Payload, context);
    this.options.metrics?.outcome(entry.result_type, 'no_staff_id');
    const result = await journal.keepLocal({ ...entry, outbox_id: null, reason: 'no_staff_id', status: null, attempts: 0, dead_ms: entry.created_ms }, context.companion);
    return result.stored ? { stored: true, idempotency_key: entry.idempotency_key } : this.drop(entry.result_type, result.reason);
  }

  status(): ReturnType<Delivery['status']> {
    const journal = this.running?.journal;
    const backlog = Math.max(0, journal?.backlog ?? 0);
    const oldest_ms = journal?.oldest_ms ?? null;
    const { delivered, failed, last_status, last_success_at, last_error } = this.counts;
    const target = this.transport && { url: this.transport.shown_url, state: this.breaker.state, backlog, delivered, failed, last_status, last_success_at, last_error };
    return {
      backlog,
      delivered,
      failed,
      oldest_age_s: backlog === 0 || oldest_ms === null ? 0 : Math.max(0, (this.clock.wallMs() - oldest_ms) / 1000),
      targets: target === undefined ? [] : [target],
    };
  }

  counters(): ReturnType<Delivery['counters']> {
    const { enqueued, dead_letters, local_only, dropped } = this.counts;
    return { enqueued, dead_letters, local_only, dropped: { ...dropped } };
  }

  async deadLetters({ limit = 100, after = 0 }: { limit?: number; after?: number } = {}): Promise<DeadLetter[]> {
    const rows = await this.outbox.deadLetters({ limit, after });
    return rows.map(shownLetter);
  }

  async replay(ids: number | readonly number[] | 'all'): Promise<{ replayed: number; kept: number }> {
    const { journal, lanes, sender } = this.accepting();
    const wanted = ids === 'all' ? undefined : typeof ids === 'number' ? [ids] : ids;
    const staffFor = (camera_id: number | null): number | undefined =>
      (camera_id === null ? null : this.options.staffOf?.(camera_id)) ?? this.options.settings.delivery.unknown_staff_id;
    const done = await replayLetters(
      {
        outbox: this.outbox,
        journal,
        check: this.check,
        staffFor,
        onRevived: (entries, letters) => {
          for (const entry of entries) lanes.add(entry);
          Object.assign(this.counts, letters);
        },
      },
      wanted,
    );
    this.options.log.info(done, 'dead letters put back into the outbox');
    sender?.kick();
    return done;
  }

  test(): Promise<ReceiverTest> {
    return testReceiver(this.transport, this.clock, this.uuid());
  }

  private run(): Running {
    if (this.running === undefined) throw new SightlineError('DELIVERY_STOPPED', 'delivery has not been started');
    return this.running;
  }

  private accepting(): Running {
    if (this.state !== 'running') throw new SightlineError('DELIVERY_STOPPED', this.state === 'new' ? 'delivery has not been started' : 'delivery has stopped');
    return this.run();
  }

  private entry(payload: Payload, { camera_id, kind }: EnqueueContext): NewEntry {
    const named = 'camera_id' in payload ? payload.camera_id : null;
    if (payload.result_type !== kind || named !== camera_id) {
      throw new SightlineError('DELIVERY_PAYLOAD_INVALID', `expected a ${kind} of camera ${camera_id ?? 'none'}, received a ${payload.result_type} of camera ${named ?? 'none'}`);
    }
    const body = JSON.stringify(payload);
    const bytes = Buffer.byteLength(body);
    if (bytes > BODY_BYTES_MAX) throw new SightlineError('DELIVERY_PAYLOAD_INVALID', `${kind}: expected at most ${BODY_BYTES_MAX} bytes, received ${bytes}`);
    return { idempotency_key: this.uuid(), result_type: kind, camera_id, priority: PRIORITY[kind], created_ms: this.clock.wallMs(), body, bytes };
  }

  private drop(result_type: string, reason: DropReason): { stored: false; reason: DropReason } {
    this.counts.dropped[reason] += 1;
    this.options.metrics?.outcome(result_type, 'dropped');
    this.repeats.say(`dropped:${reason}`, (repeated) => this.options.log.warn({ reason, result_type, repeated }, 'callback dropped'));
    return { stored: false, reason };
  }

  /** Brings memory in line with what was just written. */
  private committed(commit: Commit): void {
    const { lanes, parked, sender } = this.run();
    for (const entry of commit.stored) lanes.add(entry);
    for (const row of commit.evicted) {
      if (sender?.evict(row.id) === true) continue;
      lanes.remove(row);
      this.drop(row.result_type, 'outbox_full');
    }
    parked.committed(commit);
    for (const { result_type } of commit.letters_dropped) this.drop(result_type, 'dead_letters_full');
    if (commit.letters !== null) Object.assign(this.counts, commit.letters);
    sender?.kick();
  }

  private sender(transport: Transport, journal: Journal, lanes: Lanes, parked: Parked): Sender {
    const { php_system, delivery } = this.options.settings;
    return new Sender({
      clock: this.clock,
      random: this.random,
      transport,
      breaker: this.breaker,
      rate: new RateLimit(delivery.rate_per_camera),
      settings: { retry_attempts: php_system.retry_attempts, concurrency: delivery.concurrency, replay_interval_ms: delivery.replay_interval_s * 1000 },
      queue: {
        next: (lowest, wait) => lanes.next(lowest, wait),
        putBack: (entry) => lanes.putBack(entry),
        fill: (some) => some.forEach((lane) => void this.fill(journal, lanes, lane)),
        unpark: () => parked.poll(),
        blocked: () => journal.failing,
      },
      settle: {
        delivered: (entry, evicted) => {
          this.counts.delivered += 1;
          this.options.metrics?.outcome(entry.result_type, 'delivered');
          if (!evicted) journal.delivered(entry);
        },
        refused: (entry, reason, status, attempts) => this.refused(journal, entry, reason, status, attempts),
        parked: ({ id }, rounds, retry_in_ms, last_error) => journal.park({ id, rounds, retry_at_ms: Math.ceil(this.clock.wallMs() + retry_in_ms), last_error }),
        lost: (entry) => void this.drop(entry.result_type, 'outbox_full'),
      },
      onAttempt: (entry, verdict) => this.attempted(entry, verdict),
      onBreaker: () => this.breakerTurned(transport),
    });
  }

  private async fill(journal: Journal, lanes: Lanes, lane: Lane): Promise<void> {
    lane.loading = true;
    try {
      await journal.exclusive(async () => lanes.fill(lane, await this.outbox.lane(lane.priority, lane.camera_id, lane.last_id, WINDOW)));
      this.running?.sender?.kick();
    } catch (error) {
      lane.loading = false;
      this.readFault(error);
    }
  }

  private readFault(error: unknown): void {
    this.repeats.say('read', (repeated) => this.options.log.error({ cause: error instanceof Error ? error.message : String(error), repeated }, 'the outbox cannot be read'));
    if (this.state === 'running') this.clock.after(READ_AGAIN_MS, () => this.running?.sender?.kick());
  }

  private attempted(entry: Entry, verdict: Verdict): void {
    const { counts, options } = this;
    counts.last_status = verdict.status;
    if (verdict.outcome === 'delivered') {
      counts.last_success_at = new Date(this.clock.wallMs()).toISOString();
      return;
    }
    counts.failed += 1;
    counts.last_error = verdict.code;
    options.metrics?.outcome(entry.result_type, 'failed_attempt');
    if (verdict.outcome === 'retry') {
      this.repeats.say(`retry:${verdict.code}`, (repeated) => options.log.warn({ code: verdict.code, result_type: entry.result_type, camera_id: entry.camera_id, repeated }, 'callback failed, it is kept and tried again'));
    }
  }

  private refused(journal: Journal, entry: Entry, reason: string, status: number | null, attempts: number): void {
    const { id, idempotency_key, result_type, camera_id, priority, created_ms, body, bytes } = entry;
    journal.dead({ outbox_id: id, idempotency_key, result_type, camera_id, priority, created_ms, body, bytes, reason, status, attempts, dead_ms: this.clock.wallMs() });
    this.options.metrics?.outcome(result_type, 'dead_letter');
    const hint = reason === 'http_401' ? ': the token (CV_PIPELINE_TOKEN) is not the one configured there' : reason === 'http_405' ? ': is the callback URL right?' : '';
    this.repeats.say(`refused:${reason}`, (repeated) => this.options.log.error({ code: reason, result_type, camera_id, repeated }, `the receiver refuses callbacks${hint}; they are kept as dead letters`));
  }

  private breakerTurned({ shown_url }: Transport): void {
    const { log } = this.options;
    const { backlog } = this.status();
    if (this.breaker.state === 'closed') log.info({ url: shown_url, backlog }, 'the receiver is back, the backlog is sent');
    else if (this.breaker.state === 'open') this.repeats.say('open', (repeated) => log.warn({ url: shown_url, backlog, code: this.counts.last_error, repeated }, 'the receiver is away: callbacks wait in the outbox'));
  }
}
