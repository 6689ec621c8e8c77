/** What the page needs around a calibration: looking at pictures without keeping anything of them, recording a target anew, and how the newest sessions went. */
import { SightlineError } from '../../errors.js';
import type { TransformMatrix } from '../types.js';
import { iso } from './clock.js';
import { belongs, sessionOf, type ServiceContext } from './context.js';
import type { LookMemory } from './looks.js';
import { HEADS_KEPT, headSample, qualityOf, readingOf } from './reading.js';
import { markOf, onScreen, type CompletionAnswer } from './session_work.js';
import type { Caller } from './tokens.js';
import type { IncomingFrame, Quality, Session } from './types.js';

export interface LookAnswer {
  success: boolean;
  frame_index: number;
  error?: string;
  error_code?: string;
  quality?: Quality;
  guidance?: string;
  gaze_vector?: number[];
  /** Where the fit of the frames that were kept so far puts it, from the screen's top left corner; null while they determine none. */
  on_screen_mm?: [number, number] | null;
}

/** Sessions in the list of the newest. */
const LISTED_MAX = 20;

export function createPreview(context: ServiceContext) {
  const { records, access, live, looks, gaze, workplace } = context;

  return {
    /** One answer a frame, in their order. Needs a session with a screen and a consent, as frames that are kept do. */
    async look(caller: Caller, input: { session_id: string; candidate_id: string; frames: readonly IncomingFrame[] }): Promise<LookAnswer[]> {
      const { session } = await live.get(input.session_id);
      belongs(session, input.candidate_id);
      const memory = looks.of(session);
      const who = `${caller.role}/${caller.actor}`;
      // Once a session and caller: two looks a second would bury the other entries.
      if (!memory.noted.has(who)) {
        await access.check(caller, 'frames_add', { candidate_id: session.candidate_id, session_id: session.session_id, detail: 'pictures looked at and not kept' });
        memory.noted.add(who);
      }
      const fit = await fitSoFar(context, session, memory);
      const looked = await Promise.all(input.frames.map(({ image }) => gaze.still(image, session.candidate_id)));
      return looked.map((still, at): LookAnswer => {
        const frame_index = input.frames[at]?.frame_index ?? 0;
        if (!still.ok) return { success: false, frame_index, error: still.message, error_code: still.code };
        const reading = readingOf(still);
        if (typeof reading !== 'string') {
          memory.heads.push(headSample(reading, still.width));
          if (memory.heads.length > HEADS_KEPT) memory.heads.shift();
        }
        const quality = qualityOf(still, memory.heads);
        if (typeof reading === 'string') return { success: false, frame_index, error: reading, error_code: reading === 'No face detected' ? 'no_face' : 'no_gaze', quality, guidance: quality.guidance };
        return { success: true, frame_index, quality, guidance: quality.guidance, gaze_vector: reading.camera_gaze, on_screen_mm: fit === null ? null : onScreen(fit, reading) };
      });
    },

    /** Forgets the frames of a target, so that it can be recorded anew. @returns how many there were */
    async redo(caller: Caller, session_id: string, target_index: number): Promise<{ session_id: string; target_index: number; removed_frames: number; next_frame_index: number }> {
      const session = await sessionOf(context, session_id);
      await access.check(caller, 'frames_add', { candidate_id: session.candidate_id, session_id, detail: `target ${target_index} recorded anew` });
      if (session.status === 'completed') throw new SightlineError('CALIBRATION_SESSION_STATE', 'session_id: expected a session that is in progress, received one that is completed');
      const removed = await workplace.run('removeTarget', await records.frameCount(session_id), { session_id, target_index });
      live.forget(session_id);
      context.journal.forget(session_id);
      return { session_id, target_index, ...removed };
    },

    /** The newest sessions, without a word about whose they are. */
    async newest(caller: Caller) {
      if (caller.role !== 'admin') throw new SightlineError('FORBIDDEN', `sessions_list: expected a token of the role admin, received ${caller.role}`);
      const sessions = await records.newestSessions(LISTED_MAX);
      return Promise.all(sessions.map(async ({ session_id, status, created_ms, completed_ms, report }) => {
        const fit = (report as CompletionAnswer | null)?.report;
        return {
          session_id, status, created_at: iso(created_ms), completed_at: completed_ms === null ? null : iso(completed_ms), frames: await records.frameCount(session_id), verdict: fit?.verdict ?? null,
          accuracy_deg: fit?.held_out.accuracy_deg ?? null,
        };
      }));
    },
  };
}

/** The fit is kept until there are other frames, and looks that come while it is made share it: looks come twice a second, and it may take as long with thousands of rows. */
async function fitSoFar({ records, workplace }: ServiceContext, { session_id, candidate_id }: Session, memory: LookMemory): Promise<TransformMatrix | null> {
  const frames = await records.framesMark(session_id);
  if (frames.count === 0) return null;
  const of = markOf(frames, (await records.screen(candidate_id)) ?? '');
  if (memory.fit?.of !== of) {
    const matrix = workplace.run('fit', frames.count, { session_id, candidate_id });
    const fit = { of, matrix };
    memory.fit = fit;
    matrix.catch(() => { if (memory.fit === fit) memory.fit = undefined; });
  }
  return memory.fit?.matrix ?? null;
}
