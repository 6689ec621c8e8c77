/** What comes out of a session: completion, status, the files for others, and a second look at them. */
import { SightlineError } from '../../errors.js';
import { iso } from './clock.js';
import { belongs, sessionOf, type ServiceContext } from './context.js';
import type { CompletionAnswer, FilesWanted } from './session_work.js';
import type { Caller } from './tokens.js';
import type { Session } from './types.js';
import type { WebhookEvent } from './webhooks.js';
import { CSV_BYTES_A_FRAME } from './workplace.js';

/** Times a completion is begun again because frames came in between. */
const MAKES_MAX = 5;
/** What keeps a completion from being tried: nothing is wrong with the session. */
const NOT_THE_SESSION: ReadonlySet<string> = new Set(['RATE_LIMITED', 'CALIBRATION_SESSION_STATE', 'CALIBRATION_SESSION_NOT_FOUND']);

export function createResults(context: ServiceContext) {
  const { records, access, live, workplace } = context;

  const sessionOrNewest = async (caller: Caller, id: string, action: Parameters<typeof access.check>[1]): Promise<Session> => {
    const session = (await records.session(id)) ?? (await records.sessionsOf(id, 1))[0];
    await access.check(caller, action, { candidate_id: session?.candidate_id ?? id, session_id: session?.session_id ?? null });
    if (session === undefined) throw new SightlineError('CALIBRATION_SESSION_NOT_FOUND', 'id: expected a session, or a candidate who has one, received neither');
    return session;
  };

  return {
    async complete(caller: Caller, session_id: string, candidate_id: string) {
      const session = await sessionOf(context, session_id);
      await access.check(caller, 'calibration_complete', { candidate_id: session.candidate_id, session_id });
      belongs(session, candidate_id);
      // A repeated request after a lost answer gets the same one.
      if (session.status === 'completed' && session.report !== null) return session.report as CompletionAnswer;
      try {
        return await finish(context, session, candidate_id);
      } catch (error) {
        if (error instanceof SightlineError && error.status < 500 && !NOT_THE_SESSION.has(error.code)) await fail(context, session, error);
        throw error;
      } finally {
        live.forget(session_id);
        context.pace.gone(session_id);
      }
    },

    async verify(caller: Caller, candidate_id: string) {
      await access.check(caller, 'calibration_verify', { candidate_id });
      const { created_at, has_screen_info, has_calibration_data } = await records.presence(candidate_id);
      const exists = has_calibration_data;
      return { exists, candidate_id: exists ? candidate_id : null, created_at, has_screen_info, has_calibration_data };
    },

    /** The three files in one, JSON or a ZIP archive. @throws CALIBRATION_NOT_FOUND */
    async files(caller: Caller, candidate_id: string, wanted: FilesWanted): Promise<Uint8Array> {
      await access.check(caller, 'calibration_download', { candidate_id });
      const files = await workplace.run('files', (await records.csvBytes(candidate_id)) / CSV_BYTES_A_FRAME, { candidate_id, ...wanted });
      if (files === undefined) throw new SightlineError('CALIBRATION_NOT_FOUND', 'Calibration not found');
      return files;
    },

    async candidate(caller: Caller, candidate_id: string) {
      await access.check(caller, 'calibration_read', { candidate_id });
      const [newest] = await records.sessionsOf(candidate_id, 1);
      const presence = await records.presence(candidate_id);
      if (newest === undefined && !presence.has_screen_info && !presence.has_calibration_data) {
        throw new SightlineError('CALIBRATION_NOT_FOUND', 'candidate_id: expected a candidate with a session, a screen or a calibration, found nothing');
      }
      return {
        candidate_id, status: newest?.status ?? 'none', exists: presence.has_calibration_data, ...presence, session_id: newest?.session_id ?? null, interview_id: newest?.interview_id ?? null,
        session_created_at: newest === undefined ? null : iso(newest.created_ms), updated_at: newest === undefined ? null : iso(newest.updated_ms),
        frames: newest === undefined ? 0 : await records.frameCount(newest.session_id), error_message: newest?.error_message ?? null,
        verdict: (newest?.report as CompletionAnswer | null)?.report.verdict ?? null,
      };
    },

    async diagnostics(caller: Caller, id: string) {
      const session = await sessionOrNewest(caller, id, 'diagnostics_read');
      const { session_id, candidate_id, status, interview_id, error_message, timezone, clock_offset_ms, started_ms, completed_ms } = session;
      return {
        session_info: {
          session_id, candidate_id, status, interview_id, error_message, timezone, clock_offset_ms, created_at: iso(session.created_ms), updated_at: iso(session.updated_ms),
          started_at: started_ms === null ? null : iso(started_ms), completed_at: completed_ms === null ? null : iso(completed_ms),
        },
        ...(await workplace.run('diagnose', await records.frameCount(session_id), { session_id })),
        consent: (await records.consent(candidate_id)) !== undefined,
        completion: session.report,
      };
    },

    /** Makes the files anew from the stored frames and compares them with the stored ones. */
    async validate(caller: Caller, id: string) {
      // Of a candidate, the newest completed session: that is whose files are stored, whatever was begun since.
      const of_candidate = await records.sessionsOf(id);
      const session = (await records.session(id)) ?? of_candidate.find(({ status }) => status === 'completed') ?? of_candidate[0];
      const candidate_id = session?.candidate_id ?? id;
      await access.check(caller, 'calibration_validate', { candidate_id, session_id: session?.session_id ?? null });
      if (session !== undefined) return workplace.run('validate', await records.frameCount(session.session_id), { session_id: session.session_id, candidate_id });
      const bytes = await records.csvBytes(candidate_id);
      if (bytes === 0) throw new SightlineError('CALIBRATION_SESSION_NOT_FOUND', 'id: expected a session, or a candidate who has one or whose files were imported, received neither');
      return workplace.run('validateFiles', bytes / CSV_BYTES_A_FRAME, { candidate_id });
    },

    /** The session again, frame by frame, with where its own fit puts each gaze. @returns JSON */
    async replay(caller: Caller, id: string): Promise<Uint8Array> {
      const session = await sessionOrNewest(caller, id, 'calibration_replay');
      return workplace.run('replay', await records.frameCount(session.session_id), { session });
    },
  };
}

/** Makes the files and keeps them if the frames are still the same. */
async function finish(context: ServiceContext, session: Session, candidate_id: string): Promise<CompletionAnswer> {
  const { records, workplace, counts } = context;
  const { session_id, interview_id } = session;
  for (let makes = 0; makes < MAKES_MAX; makes++) {
    const frames = await records.frameCount(session_id);
    const now_ms = context.now_ms();
    const made = await workplace.run('make', frames, { session_id, candidate_id, now_ms });
    const { answer } = made;
    const kept = await workplace.run('keep', frames, { session_id, candidate_id, now_ms, ...made });
    if (kept.outcome === 'changed') continue;
    if (kept.outcome === 'completed') return kept.answer;
    const { verdict } = answer.report;
    counts.sessions.completed++;
    counts.fits[verdict] = (counts.fits[verdict] ?? 0) + 1;
    const { calibration_stats, validation_metrics, file_checksums } = answer;
    await announce(context, {
      event: 'calibration.completed', candidate_id, session_id, interview_id, at: iso(now_ms), data: { calibration_stats, validation_metrics, file_checksums, verdict },
    });
    return answer;
  }
  throw new SightlineError('CALIBRATION_SESSION_STATE', 'session_id: frames or another screen kept coming while the files were made; complete it after their answers');
}

/** The session is kept with its frames; it can be resumed and completed later. */
async function fail(context: ServiceContext, session: Session, error: SightlineError): Promise<void> {
  const { session_id, candidate_id, interview_id } = session;
  const now_ms = context.now_ms();
  // A request beside this one may have completed it.
  if ((await context.records.session(session_id))?.status === 'completed') return;
  context.counts.sessions.failed++;
  await context.records.setStatus(session_id, 'failed', { updated_ms: now_ms, error_message: error.message.slice(0, 1000) });
  await announce(context, { event: 'calibration.failed', candidate_id, session_id, interview_id, at: iso(now_ms), data: { error: { code: error.code, message: error.message } } });
}

/** Where the person was deleted or renamed between the end of the session and the event, the event goes too. */
async function announce(context: ServiceContext, event: WebhookEvent): Promise<void> {
  await context.announce(event);
  if ((await context.records.session(event.session_id))?.candidate_id !== event.candidate_id) await context.traces?.erase(event.candidate_id);
}
