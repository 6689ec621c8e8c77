/** The life of a session: created, linked, started, resumed; and the consent that comes before its first frame. */
import { SightlineError } from '../../errors.js';
import { clockOf, iso } from './clock.js';
import { belongs, consentMode, sessionOf, type ServiceContext } from './context.js';
import type { LiveSession } from './live.js';
import { readScreen } from './records.js';
import { FRAMES_PER_TARGET, TARGET_SHOWN_S, TARGETS } from './targets.js';
import type { Caller } from './tokens.js';
import type { ClientClock, Session } from './types.js';

export interface ConsentGiven {
  given: boolean;
  policy_version?: string | undefined;
}

export interface CreateInput extends ClientClock {
  candidate_id: string;
  interview_id?: string | null | undefined;
  metadata?: Record<string, unknown> | null | undefined;
  consent?: ConsentGiven | undefined;
}

export function createSessions(context: ServiceContext) {
  const { records, access, live, workplace } = context;

  const give = async (caller: Caller, candidate_id: string, session_id: string | null, basis: 'explicit' | 'start', policy_version: string | null): Promise<void> => {
    await records.addConsent({ candidate_id, session_id, given_ms: context.now_ms(), basis, policy_version, actor: caller.actor });
  };

  return {
    async create(caller: Caller, input: CreateInput) {
      const { candidate_id, interview_id = null, metadata = null, consent } = input;
      const now_ms = context.now_ms();
      const clock = clockOf(input, now_ms);
      const session_id = context.uuid();
      await access.check(caller, 'session_create', { candidate_id, session_id });
      await records.addSession({ session_id, candidate_id, interview_id, now_ms, metadata, ...clock });
      context.counts.sessions.created++;
      if (consent?.given === true) await give(caller, candidate_id, session_id, 'explicit', consent.policy_version ?? null);
      return { session_id, candidate_id, status: 'in_progress' as const, created_at: iso(now_ms), interview_id, metadata, ...clock };
    },

    /** Unknown sessions are answered, not refused: the existing clients ask this way. */
    async status(caller: Caller, session_id: string) {
      const session = await records.session(session_id);
      await access.check(caller, 'session_read', { candidate_id: session?.candidate_id ?? caller.candidate_id, session_id });
      if (session === undefined) return { exists: false, session_id, status: null, created_at: null, updated_at: null, error_message: null };
      const { status, error_message } = session;
      return {
        exists: true, session_id, status, created_at: iso(session.created_ms), updated_at: iso(session.updated_ms), error_message,
        candidate_id: session.candidate_id, interview_id: session.interview_id, frames: await records.frameCount(session_id), timezone: session.timezone, clock_offset_ms: session.clock_offset_ms,
      };
    },

    async resume(caller: Caller, session_id: string) {
      const session = await sessionOf(context, session_id);
      await access.check(caller, 'session_resume', { candidate_id: session.candidate_id, session_id });
      if (session.status === 'completed') throw new SightlineError('CALIBRATION_SESSION_STATE', 'session_id: expected a session that is in progress, received one that is completed');
      const { frames, next_frame_index, per_target } = await workplace.run('tally', await records.frameCount(session_id), { session_id });
      await records.setStatus(session_id, 'in_progress', { updated_ms: context.now_ms() });
      context.counts.sessions.resumed++;
      live.forget(session_id);
      return { session_id, status: 'resumed' as const, existing_frames: frames, candidate_id: session.candidate_id, next_frame_index, frames_per_target_index: per_target };
    },

    /** As `resume`, of the newest session that takes frames: a page that was loaded anew knows no more than whom it is for. @throws CALIBRATION_SESSION_NOT_FOUND */
    async resumeOf(caller: Caller, candidate_id: string) {
      const session = await records.openSessionOf(candidate_id);
      if (session !== undefined) return this.resume(caller, session.session_id);
      await access.check(caller, 'session_resume', { candidate_id });
      throw new SightlineError('CALIBRATION_SESSION_NOT_FOUND', 'candidate_id: expected a candidate with a session that is not completed, found none');
    },

    async link(caller: Caller, session_id: string, interview_id: string) {
      const session = await sessionOf(context, session_id);
      await access.check(caller, 'session_link', { candidate_id: session.candidate_id, session_id, detail: 'interview linked' });
      await records.linkInterview(session_id, interview_id, context.now_ms());
      return { session_id, interview_id, status: 'linked' as const };
    },

    async start(caller: Caller, input: ClientClock & { session_id: string; candidate_id: string; consent?: ConsentGiven | undefined }) {
      const { session_id, candidate_id, consent } = input;
      const session = await sessionOf(context, session_id);
      await access.check(caller, 'calibration_start', { candidate_id: session.candidate_id, session_id });
      belongs(session, candidate_id);
      if (session.status === 'completed') throw new SightlineError('CALIBRATION_SESSION_STATE', 'session_id: expected a session that is in progress, received one that is completed');
      const screen = await readScreen(records, candidate_id);
      if (screen === undefined) throw new SightlineError('CALIBRATION_NO_SCREEN', 'Screen information must be saved first');
      const now_ms = context.now_ms();
      if (consent?.given === true) await give(caller, candidate_id, session_id, 'explicit', consent.policy_version ?? null);
      else if (consentMode(context, caller) === 'start' && (await records.consent(candidate_id)) === undefined) await give(caller, candidate_id, session_id, 'start', null);
      const clock = clockOf(input, now_ms);
      await records.touch(session_id, {
        started_ms: session.started_ms ?? now_ms, updated_ms: now_ms,
        ...(clock.timezone === null ? {} : { timezone: clock.timezone }), ...(clock.clock_offset_ms === null ? {} : { clock_offset_ms: clock.clock_offset_ms }),
      });
      live.forget(session_id);
      context.counts.sessions.started++;
      context.pace.present(session_id);
      return {
        session_id, candidate_id, status: 'ready' as const, screen_info: screen,
        calibration_config: {
          target_display_time: TARGET_SHOWN_S, max_frames_per_target: FRAMES_PER_TARGET, targets: TARGETS.map((position, index) => ({ index, position: { ...position } })),
        },
        recommended_fps: context.pace.recommended(), consent_recorded: (await records.consent(candidate_id)) !== undefined, server_time: iso(now_ms),
      };
    },

    async giveConsent(caller: Caller, candidate_id: string, consent: ConsentGiven & { session_id?: string | undefined }) {
      await access.check(caller, consent.given ? 'consent_give' : 'consent_withdraw', { candidate_id, session_id: consent.session_id ?? null });
      if (consent.given) await give(caller, candidate_id, consent.session_id ?? null, 'explicit', consent.policy_version ?? null);
      else await records.withdrawConsent(candidate_id, context.now_ms());
      live.forgetCandidate(candidate_id);
      return { candidate_id, consent: consent.given, recorded_at: iso(context.now_ms()) };
    },
  };
}

/** What a frame needs to know of its session. @throws when the session takes no frames: unknown, completed, no screen, no consent */
export async function loadLive({ records }: Pick<ServiceContext, 'records'>, session_id: string): Promise<Pick<LiveSession, 'session' | 'screen'>> {
  const session: Session = await sessionOf({ records }, session_id);
  if (session.status === 'completed') throw new SightlineError('CALIBRATION_SESSION_STATE', 'session_id: expected a session that is in progress, received one that is completed');
  const screen = await readScreen(records, session.candidate_id);
  if (screen === undefined) throw new SightlineError('CALIBRATION_NO_SCREEN', 'Screen information must be saved first');
  if ((await records.consent(session.candidate_id)) === undefined) {
    throw new SightlineError('CALIBRATION_CONSENT_REQUIRED', 'consent: expected one recorded before the first frame (session/create, calibration/start or calibration/consent with consent.given true), found none');
  }
  return { session, screen };
}
