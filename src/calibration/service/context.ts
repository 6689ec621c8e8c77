/** What the operations of the service share. */
import type { Config } from '../../config/schema.js';
import { SightlineError } from '../../errors.js';
import type { Access } from './access.js';
import type { FrameJournal } from './frame_journal.js';
import type { LiveSessions } from './live.js';
import type { Looks } from './looks.js';
import type { Pace } from './pace.js';
import type { Records } from './records.js';
import type { Caller } from './tokens.js';
import type { GazeSource, ServiceCounts, ServiceLog, Session } from './types.js';
import type { WebhookEvent, WebhookTraces } from './webhooks.js';
import type { Workplace } from './workplace.js';

export type CalibrationSettings = Config['calibration'];

export interface ServiceContext {
  settings: CalibrationSettings;
  records: Records;
  access: Access;
  journal: FrameJournal;
  live: LiveSessions;
  workplace: Workplace;
  looks: Looks;
  gaze: GazeSource;
  pace: Pace;
  counts: ServiceCounts;
  /** A frame, arrival to gaze. */
  observeGaze(seconds: number): void;
  log: ServiceLog;
  now_ms: () => number;
  uuid: () => string;
  /** Puts an event on its way; resolves when it is on the disk. Does nothing without a receiver. */
  announce(event: WebhookEvent): Promise<void>;
  /** undefined: nothing was ever announced. */
  traces: WebhookTraces | undefined;
}

/** @throws CALIBRATION_SESSION_NOT_FOUND */
export async function sessionOf({ records }: Pick<ServiceContext, 'records'>, session_id: string): Promise<Session> {
  const session = await records.session(session_id);
  if (session === undefined) throw new SightlineError('CALIBRATION_SESSION_NOT_FOUND', 'session_id: expected a known session, received one that does not exist');
  return session;
}

/** A session that a client names together with its candidate. @throws CALIBRATION_SESSION_NOT_FOUND, CALIBRATION_CANDIDATE_MISMATCH */
export function belongs(session: Session, candidate_id: string): void {
  if (session.candidate_id !== candidate_id) throw new SightlineError('CALIBRATION_CANDIDATE_MISMATCH', 'candidate_id: expected the candidate of the session, received another one');
}

/** This machine's own user, who needs no token, is trusted to have asked. */
export function consentMode({ settings }: Pick<ServiceContext, 'settings'>, caller: Caller): 'explicit' | 'start' {
  if (settings.consent !== 'auto') return settings.consent;
  return caller.actor === 'local' ? 'start' : 'explicit';
}
