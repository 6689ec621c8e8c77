/** Events about a candidate that are kept, and the attempts to tell them. Neither the address nor the secret of the receiver. */
export interface KeptWebhooks {
  /** To be sent, or sent again. */
  waiting: { event: string; created_at: string; payload: unknown }[];
  /** Given up; `reason` is the receiver's answer. */
  refused: { event: string; created_at: string; payload: unknown; reason: string; refused_at: string }[];
  attempts: { event: string; at: string; outcome: string; code: string | null; status: number | null }[];
}

/** What is kept of events that were announced: payloads that wait, those that were refused, the log of attempts. */
export interface WebhookTraces {
  /** Removes everything about a candidate. @returns how much. @throws STORE_WRITE_FAILED */
  erase(candidate_id: string): Promise<{ webhooks: number; dead_letters: number; webhook_log: number }>;
  /** Everything about a candidate. */
  of(candidate_id: string): Promise<KeptWebhooks>;
  /** Whom anything is about: a page of ids above `after`, ascending. */
  candidates(after: string, limit: number): Promise<string[]>;
}

/** What the main platform is told when a calibration ends. */
export type WebhookEvent =
  | { event: 'calibration.completed'; candidate_id: string; session_id: string; interview_id: string | null; at: string; data: Record<string, unknown> }
  | { event: 'calibration.failed'; candidate_id: string; session_id: string; interview_id: string | null; at: string; data: { error: { code: string; message: string } } };
