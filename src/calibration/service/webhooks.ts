/** What is kept of events that were announced: payloads that wait, those that were refused, the log of attempts. */
export interface WebhookTraces {
  /** Removes everything about a candidate. @returns how much. @throws STORE_WRITE_FAILED */
  erase(candidate_id: string): Promise<{ webhooks: number; dead_letters: number; webhook_log: number }>;
  /** Whom anything is about: a page of ids above `after`, ascending. */
  candidates(after: string, limit: number): Promise<string[]>;
}

/** What the main platform is told when a calibration ends. */
export type WebhookEvent =
  | { event: 'calibration.completed'; candidate_id: string; session_id: string; interview_id: string | null; at: string; data: Record<string, unknown> }
  | { event: 'calibration.failed'; candidate_id: string; session_id: string; interview_id: string | null; at: string; data: { error: { code: string; message: string } } };
