/** Who may do what to whose data, and the audit log of it: every access, change and deletion, allowed or denied. */
import { SightlineError } from '../../errors.js';
import type { Records } from './records.js';
import type { Caller, Role } from './tokens.js';

/** What can be done, and by whom; a candidate only to their own data. The plan: candidates read their own, the bot and analyzers read, admins everything. */
export const RIGHTS = {
  session_create: ['candidate', 'admin'],
  session_read: ['candidate', 'recording_bot', 'analyzer', 'admin'],
  session_resume: ['candidate', 'admin'],
  session_link: ['candidate', 'recording_bot', 'admin'],
  screen_write: ['candidate', 'admin'],
  screen_read: ['candidate', 'recording_bot', 'analyzer', 'admin'],
  consent_give: ['candidate', 'admin'],
  consent_withdraw: ['candidate', 'admin'],
  calibration_start: ['candidate', 'admin'],
  frames_add: ['candidate', 'admin'],
  calibration_complete: ['candidate', 'admin'],
  calibration_verify: ['candidate', 'recording_bot', 'analyzer', 'admin'],
  calibration_download: ['candidate', 'recording_bot', 'analyzer', 'admin'],
  calibration_read: ['candidate', 'recording_bot', 'analyzer', 'admin'],
  diagnostics_read: ['candidate', 'analyzer', 'admin'],
  calibration_validate: ['candidate', 'analyzer', 'admin'],
  calibration_replay: ['candidate', 'analyzer', 'admin'],
  data_export: ['candidate', 'admin'],
  data_delete: ['candidate', 'admin'],
  data_anonymise: ['candidate', 'admin'],
  audit_read: ['admin'],
  webhooks_read: ['admin'],
  retention_run: ['admin'],
} as const satisfies Record<string, readonly Role[]>;

export type Action = keyof typeof RIGHTS;

export interface Subject {
  candidate_id: string | null;
  session_id?: string | null;
  detail?: string;
}

export class Access {
  constructor(
    private readonly records: Pick<Records, 'audit'>,
    private readonly now_ms: () => number,
  ) {}

  /** Notes it in the audit log and lets it pass. @throws FORBIDDEN, after noting that too */
  async check(caller: Caller, action: Action, subject: Subject): Promise<void> {
    const roles: readonly Role[] = RIGHTS[action];
    const own = caller.candidate_id === null || caller.candidate_id === subject.candidate_id;
    const allowed = roles.includes(caller.role) && own;
    await this.note(caller, action, allowed ? 'allowed' : 'denied', subject);
    if (allowed) return;
    const why = roles.includes(caller.role) ? 'a candidate may do this with their own data only' : `expected a token of one of the roles ${roles.join(', ')}, received ${caller.role}`;
    throw new SightlineError('FORBIDDEN', `${action}: ${why}`);
  }

  async note(caller: Pick<Caller, 'actor' | 'role'> | { actor: string; role: string }, action: string, outcome: 'allowed' | 'denied' | 'failed', subject: Subject): Promise<void> {
    const { candidate_id, session_id = null, detail = null } = subject;
    await this.records.audit([{ at_ms: this.now_ms(), actor: caller.actor, role: caller.role, action, outcome, candidate_id, session_id, detail }]);
  }
}
