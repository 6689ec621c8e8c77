/** Events as they are kept, and how they are asked for. */
import type { EventContext, Severity } from '../analysis/types.js';

/** What became of the callback of an event. */
export type EventDelivery = 'posted' | 'local_only' | 'dropped';

export interface EventRecord {
  id: number;
  camera_id: number;
  camera_name: string;
  /** null: nobody in particular. */
  staff_id: number | null;
  kind: string;
  type: string;
  category: string;
  severity: Severity;
  confidence: number;
  deviation: number | null;
  risk_score: number;
  context: EventContext;
  indicators: string[];
  /** ISO 8601 with milliseconds, UTC. */
  frame_timestamp: string;
  duration_seconds: number;
  delivery: EventDelivery;
  /** Of the callback; null when it was not stored. */
  idempotency_key: string | null;
  /** Below the evidence folder; null = none. */
  frame_path: string | null;
  clip_path: string | null;
}

export type NewEvent = Omit<EventRecord, 'id' | 'clip_path'>;

export interface EventQuery {
  camera_id?: number | undefined;
  staff_id?: number | undefined;
  kind?: string | undefined;
  severity?: string | undefined;
  /** Only ids below this one. */
  before?: number | undefined;
  limit: number;
}
