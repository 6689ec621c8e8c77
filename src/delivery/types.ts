/** What delivery needs of its surroundings and what it says of itself. */
import type { Dispatcher } from 'undici';
import type { Config } from '../config/schema.js';
import type { StoreDb } from '../store/store.js';
import type { Companion } from './outbox.js';
import type { Payload, ResultType, UnattributedPayload } from './payloads.js';

/**
 * Order of sending, lowest first; when the outbox is full the highest number goes first. An alert is worth most and is small in
 * number; a frame analysis is superseded by the next one two seconds later.
 */
export const PRIORITY: Readonly<Record<ResultType, number>> = { anomaly_alert: 0, behavioral_detection: 1, baseline_update: 2, batch_complete: 3, frame_analysis: 4 };
export const PRIORITIES = 5;

export type DeliverySettings = Pick<Config, 'php_system' | 'delivery'>;

/** Time, injected. Waits and ages inside the process use `monoMs`, timestamps and what is written down use `wallMs`. */
export interface DeliveryClock {
  /** Milliseconds since 1970, UTC. */
  wallMs(): number;
  /** Milliseconds of a clock that never jumps. */
  monoMs(): number;
  /** Calls `run` once after `delay_ms`; the returned function cancels it. */
  after(delay_ms: number, run: () => void): () => void;
}

/** pino's signature. */
export interface DeliveryLog {
  error(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  info(fields: Record<string, unknown>, message: string): void;
}

/** Why a payload is not in the outbox. */
export type DropReason = 'outbox_full' | 'overloaded' | 'store_failed' | 'no_target' | 'dead_letters_full';

/** What happened to a payload, or (`failed_attempt`) to one request. */
export type Outcome = 'delivered' | 'failed_attempt' | 'dead_letter' | 'dropped' | 'no_staff_id';

/** Counters that live elsewhere (`sightline_callbacks_total{result_type,outcome}`). */
export interface DeliveryMetrics {
  outcome(result_type: string, outcome: Outcome): void;
}

export interface DeliveryOptions {
  store: { db: StoreDb };
  settings: DeliverySettings;
  log: DeliveryLog;
  /** Default: the clocks of this machine. */
  clock?: DeliveryClock;
  /** 0 ≤ r < 1. Default Math.random; it only jitters waits. */
  random?: () => number;
  /** Makes idempotency keys. Default crypto.randomUUID. */
  uuid?: () => string;
  metrics?: DeliveryMetrics;
  /** Who is seen at a camera, asked when a payload kept for want of a staff_id is replayed. Default: nobody known. */
  staffOf?: (camera_id: number) => number | null;
  /** Default: an Agent of its own, closed by `stop`. */
  dispatcher?: Dispatcher;
}

export interface EnqueueContext {
  /** null: about no single camera. */
  camera_id: number | null;
  kind: ResultType;
  /** Written in the transaction that stores the payload, so a crash leaves both or none; not called where it is not stored. */
  companion?: Companion;
}

export type EnqueueResult = { stored: true; idempotency_key: string } | { stored: false; reason: DropReason };

export interface TargetStatus {
  /** Without credentials, query and fragment. */
  url: string;
  /** Of the circuit breaker. */
  state: 'closed' | 'open' | 'half_open';
  backlog: number;
  /** Payloads the receiver has taken since the start. */
  delivered: number;
  /** Requests that did not end in a success since the start. */
  failed: number;
  /** null: none yet, or the last request got no answer. */
  last_status: number | null;
  /** ISO 8601, UTC. */
  last_success_at: string | null;
  /** A code, see classify.ts. */
  last_error: string | null;
}

export interface DeliveryStatus {
  /** Payloads recorded and not yet taken by the receiver. */
  backlog: number;
  delivered: number;
  failed: number;
  /** Of the oldest in the backlog; 0 when that is empty. */
  oldest_age_s: number;
  targets: TargetStatus[];
}

export interface DeliveryCounters {
  /** Payloads recorded since the start. */
  enqueued: number;
  /** Now in the store: refused for good, kept for a replay. */
  dead_letters: number;
  /** Now in the store: without a staff_id, not posted. */
  local_only: number;
  /** Given up since the start, by reason. */
  dropped: Record<DropReason, number>;
}

export interface DeadLetter {
  id: number;
  idempotency_key: string;
  result_type: string;
  camera_id: number | null;
  /** ISO 8601, UTC. */
  created_at: string;
  attempts: number;
  last_status: number | null;
  /** A code; `no_staff_id` for a payload that was never posted. */
  last_error: string;
  body: unknown;
}

export interface ReceiverTest {
  /** An HTTP answer came. */
  reached: boolean;
  /** The token was taken; null = not known. */
  authorized: boolean | null;
  status: number | null;
  duration_ms: number;
  message: string;
}

export interface Delivery {
  /**
   * Validates, then resolves when the payload is on the disk (group commit: 40 ms plus a sync, longer on a disk that
   * syncs slowly; an alert at once).
   * @throws DELIVERY_PAYLOAD_INVALID, DELIVERY_STOPPED
   */
  enqueue(payload: Payload, context: EnqueueContext): Promise<EnqueueResult>;
  /** Keeps an event that has no staff_id: listed with the dead letters, not posted until it is replayed with one. */
  keepLocal(payload: UnattributedPayload, context: EnqueueContext): Promise<EnqueueResult>;
  status(): DeliveryStatus;
  counters(): DeliveryCounters;
  /** Ascending ids above `after`. Default: the first 100. */
  deadLetters(options?: { limit?: number; after?: number }): Promise<DeadLetter[]>;
  /** Puts dead letters back into the outbox under their old keys; `kept` still have no staff_id. Unknown ids are ignored. */
  replay(ids: number | readonly number[] | 'all'): Promise<{ replayed: number; kept: number }>;
  /** Posts a body of an unknown type, which the receiver checks (method, token, database) and refuses without storing. */
  test(): Promise<ReceiverTest>;
  /** Loads what a former run left and begins to send. */
  start(): Promise<void>;
  /** Takes nothing more, lets requests in flight finish until the deadline, records, returns. The rest waits for the next start. */
  stop(deadline_ms: number): Promise<void>;
}
