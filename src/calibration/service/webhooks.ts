/** What the main platform is told when a calibration ends. */
export type WebhookEvent =
  | { event: 'calibration.completed'; candidate_id: string; session_id: string; interview_id: string | null; at: string; data: Record<string, unknown> }
  | { event: 'calibration.failed'; candidate_id: string; session_id: string; interview_id: string | null; at: string; data: { error: { code: string; message: string } } };
