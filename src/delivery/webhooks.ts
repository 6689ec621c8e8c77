/**
 * Webhooks: events for the main platform, through the same tables, journal, lanes, breaker and sender as the callbacks, to a receiver of their own. Each request
 * carries `X-Sightline-Timestamp` (seconds since 1970) and `X-Sightline-Signature: sha256=HMAC-SHA256(secret, timestamp + "." + body)`, made anew at each attempt, so
 * that a receiver can refuse what is old; the `Idempotency-Key` stays the same. Any 2xx is a delivery.
 */
import { createHmac, randomUUID } from 'node:crypto';
import type { Dispatcher } from 'undici';
import { SightlineError } from '../errors.js';
import type { StoreDb } from '../store/store.js';
import { Breaker } from './breaker.js';
import { systemClock } from './clock.js';
import type { Answer, Verdict } from './classify.js';
import { Journal } from './journal.js';
import { Lanes, WINDOW, type Lane } from './lanes.js';
import { createOutbox, type Entry, type Evicted } from './outbox.js';
import { Parked } from './parked.js';
import { RateLimit } from './rate_limit.js';
import { Sender } from './sender.js';
import { deliveryAgent, httpTransport, type Transport } from './transport.js';
import type { DeliveryClock, DeliveryLog, DeliveryMetrics } from './types.js';
import { webhookTraces, type ErasedTraces } from './webhook_traces.js';

/** Attempts in the log; the oldest go first. */
const LOG_MAX = 5_000;
const LOG_SHOWN = 200;
const CONCURRENCY = 4;
const RATE_PER_S = 20;
const LIMITS = { rows: 50_000, bytes: 64 * 1024 * 1024 };

export interface WebhookOptions {
  store: { db: StoreDb };
  url: string;
  secret: string;
  log: DeliveryLog;
  settings: { timeout_ms: number; retry_attempts: number; replay_interval_ms: number; breaker_failures: number; breaker_open_ms: number };
  metrics?: DeliveryMetrics;
  clock?: DeliveryClock;
  random?: () => number;
  dispatcher?: Dispatcher;
}

export interface WebhookStatus {
  url: string;
  state: 'closed' | 'open' | 'half_open';
  backlog: number;
  delivered: number;
  failed: number;
  dead_letters: number;
  log: { at: string; idempotency_key: string; event: string; outcome: string; code: string | null; status: number | null }[];
}

export class Webhooks {
  private readonly clock: DeliveryClock;
  private readonly random: () => number;
  private readonly breaker: Breaker;
  private readonly transport: Transport;
  private readonly own_agent: { destroy(): Promise<void> } | undefined;
  private running: { journal: Journal; sender: Sender; parked: Parked; leave: (row: Evicted) => boolean } | undefined;
  /** Rows that were erased while their requests were on their way. */
  private readonly erased = new Set<number>();
  private delivered = 0;
  private failed = 0;
  private logged = 0;
  private logging: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: WebhookOptions) {
    const { url, secret, settings } = options;
    this.clock = options.clock ?? systemClock();
    this.random = options.random ?? Math.random;
    this.breaker = new Breaker({ failures: settings.breaker_failures, first_ms: Math.min(1_000, settings.breaker_open_ms), longest_ms: settings.breaker_open_ms, random: this.random });
    const agent = options.dispatcher === undefined ? deliveryAgent(CONCURRENCY, settings.timeout_ms, false) : undefined;
    this.own_agent = agent;
    this.transport = httpTransport({
      url, token: undefined, timeout_ms: settings.timeout_ms, clock: this.clock, dispatcher: options.dispatcher ?? (agent as NonNullable<typeof agent>),
      headersOf: (body) => signed(body, secret, Math.floor(this.clock.wallMs() / 1000)),
    });
  }

  /** Loads what a former run left and begins to send. */
  async start(): Promise<void> {
    const outbox = createOutbox(this.options.store.db, 'webhooks');
    const summary = await outbox.summary();
    const lanes = new Lanes(summary);
    const kick = (): void => this.running?.sender.kick();
    /** @returns whether it was taken from its lane already; then it is counted when that ends */
    const leave = (row: Evicted): boolean => {
      if (this.running?.sender.evict(row.id) === true) return true;
      lanes.remove(row);
      this.options.metrics?.outcome(row.result_type, 'dropped');
      return false;
    };
    const journal: Journal = new Journal({
      outbox, clock: this.clock, log: this.options.log, limits: LIMITS, size: summary,
      onCommit: (commit) => {
        for (const entry of commit.stored) lanes.add(entry);
        for (const row of commit.evicted) leave(row);
        parked.committed(commit);
        kick();
      },
    });
    const parked: Parked = new Parked({
      outbox, journal, clock: this.clock, next_ms: summary.parked.next_ms,
      onDue: (entries) => {
        for (const entry of entries) lanes.putBack(entry);
        kick();
      },
      onFault: (error) => { this.options.log.error({ err: error }, 'the outbox of webhooks cannot be read'); },
    });
    const sender = this.sender(journal, lanes, parked, outbox);
    this.running = { journal, sender, parked, leave };
    if (summary.rows > 0) this.options.log.info({ backlog: summary.rows }, 'webhooks of a former run wait in the outbox');
    sender.start();
  }

  async stop(deadline_ms: number): Promise<void> {
    if (this.running === undefined) return;
    const { journal, sender } = this.running;
    await sender.stop(deadline_ms);
    await journal.flush();
    journal.close();
    await this.logging;
    await this.own_agent?.destroy();
  }

  /** Resolves when the event is on the disk. @throws DELIVERY_STOPPED, STORE_WRITE_FAILED */
  async enqueue(event: string, payload: Record<string, unknown>): Promise<string> {
    if (this.running === undefined) throw new SightlineError('DELIVERY_STOPPED', 'webhooks have not been started');
    const idempotency_key = randomUUID();
    const body = JSON.stringify({ event_id: idempotency_key, ...payload });
    const entry = { idempotency_key, result_type: event, camera_id: null, priority: 0, created_ms: this.clock.wallMs(), body, bytes: Buffer.byteLength(body) };
    const result = await this.running.journal.insert(entry, true);
    if (!result.stored) throw new SightlineError('STORE_WRITE_FAILED', `webhook ${event}: it could not be put into the outbox (${result.reason})`);
    this.running.sender.kick();
    return idempotency_key;
  }

  /**
   * Removes what waits, lies as a dead letter or is in the log about a candidate. A request that is on its way at that moment runs to its end, as what the receiver has
   * read cannot be taken back; whatever it answers, it is not repeated, not kept and not logged. @throws STORE_WRITE_FAILED
   */
  async erase(candidate_id: string): Promise<ErasedTraces> {
    const traces = webhookTraces(this.options.store.db);
    try {
      let erased = { webhooks: 0, dead_letters: 0 };
      const payloads = async (): Promise<Evicted[]> => {
        const { rows, dead_letters } = await traces.payloads(candidate_id);
        erased = { webhooks: rows.length, dead_letters };
        return rows;
      };
      if (this.running === undefined) await payloads();
      else {
        const { journal, parked, leave } = this.running;
        await journal.flush(); // what was announced before is found
        await journal.erase(payloads, (commit) => {
          for (const row of commit.evicted) {
            this.erased.add(row.id);
            if (!leave(row)) this.erased.delete(row.id);
          }
          parked.committed(commit);
        });
      }
      await this.logging;
      return { ...erased, webhook_log: await traces.attempts(candidate_id) };
    } catch (error) {
      throw new SightlineError('STORE_WRITE_FAILED', 'webhooks about a candidate could not be erased', { cause: error });
    }
  }

  async status(): Promise<WebhookStatus> {
    const { db } = this.options.store;
    const rows = await db.selectFrom('webhook_log').selectAll().orderBy('id', 'desc').limit(LOG_SHOWN).execute();
    const { dead_letters } = await createOutbox(db, 'webhooks').letterCounts();
    return {
      url: this.transport.shown_url, state: this.breaker.state, backlog: Math.max(0, this.running?.journal.backlog ?? 0), delivered: this.delivered, failed: this.failed, dead_letters,
      log: rows.map(({ at_ms, idempotency_key, event, outcome, code, status }) => ({ at: new Date(at_ms).toISOString(), idempotency_key, event, outcome, code, status })),
    };
  }

  private sender(journal: Journal, lanes: Lanes, parked: Parked, outbox: ReturnType<typeof createOutbox>): Sender {
    const { settings, log, metrics } = this.options;
    const fill = (empty: Lane[]): void => {
      for (const lane of empty) {
        lane.loading = true;
        journal
          .exclusive(async () => { lanes.fill(lane, await outbox.lane(lane.priority, lane.camera_id, lane.last_id, WINDOW)); })
          .then(() => this.running?.sender.kick(), (error: unknown) => {
            lane.loading = false;
            log.error({ err: error }, 'the outbox of webhooks cannot be read');
          });
      }
    };
    return new Sender({
      clock: this.clock, random: this.random, transport: this.transport, breaker: this.breaker, rate: new RateLimit(RATE_PER_S), classify: classifyWebhook,
      settings: { retry_attempts: settings.retry_attempts, concurrency: CONCURRENCY, replay_interval_ms: settings.replay_interval_ms },
      queue: {
        next: (lowest, wait) => lanes.next(lowest, wait),
        putBack: (entry) => { lanes.putBack(entry); },
        fill,
        unpark: () => parked.poll(),
        blocked: () => journal.failing,
      },
      settle: {
        delivered: (entry, evicted) => {
          this.erased.delete(entry.id);
          this.delivered++;
          metrics?.outcome(entry.result_type, 'delivered');
          if (!evicted) journal.delivered(entry);
        },
        refused: (entry, reason, status, attempts) => {
          const { id, idempotency_key, result_type, camera_id, priority, created_ms, body, bytes } = entry;
          journal.dead({ outbox_id: id, idempotency_key, result_type, camera_id, priority, created_ms, body, bytes, reason, status, attempts, dead_ms: this.clock.wallMs() });
          metrics?.outcome(result_type, 'dead_letter');
          log.error({ code: reason, event: result_type }, 'the platform refuses a webhook; it is kept as a dead letter');
        },
        parked: ({ id }, rounds, retry_in_ms, last_error) => { journal.park({ id, rounds, retry_at_ms: Math.ceil(this.clock.wallMs() + retry_in_ms), last_error }); },
        lost: (entry) => {
          this.erased.delete(entry.id);
          metrics?.outcome(entry.result_type, 'dropped');
        },
      },
      onAttempt: (entry, verdict) => { this.note(entry, verdict); },
      onBreaker: () => { log.warn({ url: this.transport.shown_url, state: this.breaker.state }, 'the receiver of webhooks changed its state'); },
    });
  }

  /** The delivery log: each attempt, bounded; a fault of the log keeps nothing from being sent. */
  private note({ id, idempotency_key, result_type, body }: Entry, verdict: Verdict): void {
    if (verdict.outcome !== 'delivered') {
      this.failed++;
      this.options.metrics?.outcome(result_type, 'failed_attempt');
    }
    if (this.erased.has(id)) return;
    const { db } = this.options.store;
    const { candidate_id = null } = JSON.parse(body) as { candidate_id?: string };
    const row = { at_ms: this.clock.wallMs(), idempotency_key, event: result_type, candidate_id, outcome: verdict.outcome, code: 'code' in verdict ? verdict.code : null, status: verdict.status };
    this.logging = this.logging
      .then(() => db.insertInto('webhook_log').values(row).execute())
      .then(async () => {
        this.logged++;
        if (this.logged % 100 !== 1) return;
        const newest = await db.selectFrom('webhook_log').select('id').orderBy('id', 'desc').limit(1).executeTakeFirst();
        await db.deleteFrom('webhook_log').where('id', '<=', (newest?.id ?? 0) - LOG_MAX).execute();
      })
      .catch((error: unknown) => { this.options.log.warn({ err: error }, 'the log of webhooks could not be written'); });
  }
}

/** What a receiver checks: `sha256=` and the hex digest over timestamp, a dot, and the body as it was sent. */
export function signed(body: string, secret: string, timestamp_s: number): Record<string, string> {
  const digest = createHmac('sha256', secret).update(`${timestamp_s}.${body}`).digest('hex');
  return { 'x-sightline-timestamp': String(timestamp_s), 'x-sightline-signature': `sha256=${digest}` };
}

/** 2xx is taken; what says that the payload itself is wrong is refused for good; everything else may work later. */
export function classifyWebhook({ status }: Answer): Verdict {
  if (status >= 200 && status < 300) return { outcome: 'delivered', status };
  const code = `http_${status}`;
  if ([400, 413, 422].includes(status)) return { outcome: 'refused', status, code, configuration: false };
  return { outcome: 'retry', status, code, answered: true };
}
