/** What comes out of a session: completion, status, the files for others, and a second look at them. */
import { createHash } from 'node:crypto';
import { messageOf, SightlineError } from '../../errors.js';
import { belongs, iso, sessionOf, type ServiceContext } from './context.js';
import { inOrder, makeFiles, type Made } from './fitting.js';
import { readScreen } from './screens.js';
import type { Caller } from './tokens.js';
import type { FrameRecord, Session } from './types.js';
import type { WebhookEvent } from './webhooks.js';

/** What others download. */
export interface CandidateFiles {
  candidate_id: string;
  /** As the file's text. */
  screen: string;
  csv: string;
  npz: Buffer;
  created_at: string;
}

export function createResults(context: ServiceContext) {
  const { records, access, live } = context;

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
        if (error instanceof SightlineError && error.status < 500) await fail(context, session, error);
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

    async files(caller: Caller, candidate_id: string): Promise<CandidateFiles> {
      await access.check(caller, 'calibration_download', { candidate_id });
      const files = await records.files(candidate_id);
      if (files === undefined) throw new SightlineError('CALIBRATION_NOT_FOUND', 'Calibration not found');
      return { candidate_id, ...files };
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
      const frames = await records.frames(session.session_id);
      return {
        session_info: {
          session_id: session.session_id, candidate_id: session.candidate_id, status: session.status, interview_id: session.interview_id, error_message: session.error_message, timezone: session.timezone,
          clock_offset_ms: session.clock_offset_ms, created_at: iso(session.created_ms), updated_at: iso(session.updated_ms), started_at: session.started_ms === null ? null : iso(session.started_ms),
          completed_at: session.completed_ms === null ? null : iso(session.completed_ms),
        },
        frame_count: frames.length,
        frame_analysis: {
          targets_covered: [...new Set(frames.map(positionKey))],
          frames_per_target: countBy(frames, positionKey),
          // Frames without a face are answered, never stored.
          face_detection_rate: frames.length === 0 ? 0 : 1,
          head_pose_stability: inOrder(frames).map(({ quality }) => quality.head_stability),
        },
        quality: {
          head_stability: mean(frames.map(({ quality }) => quality.head_stability)), lighting: mean(frames.map(({ quality }) => quality.lighting)), detection: mean(frames.map(({ quality }) => quality.detection)),
          guidance: countBy(frames, ({ quality }) => quality.guidance), eyes_shut: frames.filter(({ left_open, right_open }) => left_open === 0 || right_open === 0).length,
        },
        consent: (await records.consent(session.candidate_id)) !== undefined,
        completion: session.report,
      };
    },

    /** Makes the files anew from the stored frames and compares them with the stored ones. */
    async validate(caller: Caller, id: string) {
      const session = await sessionOrNewest(caller, id, 'calibration_validate');
      const { candidate_id, session_id } = session;
      const stored = await records.files(candidate_id);
      const problems: string[] = [];
      const screen = await readScreen(records, candidate_id);
      let made: Made | undefined;
      try {
        if (screen === undefined) problems.push('no screen information is stored');
        else made = makeFiles(candidate_id, screen, await records.frames(session_id));
      } catch (error) {
        problems.push(messageOf(error));
      }
      if (stored === undefined) problems.push('no calibration files are stored');
      const csv = stored !== undefined && made !== undefined ? stored.csv === made.csv : null;
      const npz = stored !== undefined && made !== undefined ? stored.npz.equals(made.npz) : null;
      if (csv === false) problems.push('the stored CSV is not the one that this session\'s frames give; a later session may have replaced it');
      if (npz === false) problems.push('the stored matrix is not the one that this session\'s frames give');
      return {
        valid: problems.length === 0, candidate_id, session_id, problems, checks: { csv_matches_frames: csv, matrix_matches_frames: npz },
        file_checksums: stored === undefined ? null : checksums(stored), report: made?.fit.report ?? null,
      };
    },

    /** The session again, frame by frame, with where its own fit puts each gaze. */
    async replay(caller: Caller, id: string) {
      const session = await sessionOrNewest(caller, id, 'calibration_replay');
      const screen = await readScreen(records, session.candidate_id);
      const frames = inOrder(await records.frames(session.session_id));
      let fit: Made['fit'] | null = null;
      let problem: string | null = null;
      try {
        if (screen === undefined) problem = 'no screen information is stored';
        else ({ fit } = makeFiles(session.candidate_id, screen, frames));
      } catch (error) {
        problem = messageOf(error);
      }
      const kept = new Set(fit?.kept_rows ?? []);
      return {
        session_id: session.session_id, candidate_id: session.candidate_id, status: session.status, screen_info: screen ?? null, problem,
        frames: frames.map((frame, row) => ({
          frame_index: frame.frame_index, timestamp: iso(frame.timestamp_s * 1000), target_index: frame.target_index, target_position: frame.target_position, set_mm: frame.set_mm,
          gaze_vector: frame.camera_gaze, head: frame.head, quality: frame.quality, kept: fit === null ? null : kept.has(row), on_screen_mm: fit === null ? null : onScreen(fit, frame),
        })),
        report: fit?.report ?? null,
      };
    },
  };
}

export type CompletionAnswer = Awaited<ReturnType<typeof finish>>;

/** Files and the end of the session land in one transaction. */
async function finish(context: ServiceContext, session: Session, candidate_id: string) {
  const { records } = context;
  const { session_id, interview_id } = session;
  const screen = await readScreen(records, candidate_id);
  if (screen === undefined) throw new SightlineError('CALIBRATION_NO_SCREEN', 'Screen information must be saved first');
  const frames = await records.frames(session_id);
  const made = makeFiles(candidate_id, screen, frames);
  const screen_text = (await records.screen(candidate_id)) ?? '';
  const now_ms = context.now_ms();
  const per_target = countBy(frames, positionKey);
  const answer = {
    success: true,
    session_id,
    candidate_id,
    calibration_stats: { total_frames: frames.length, targets_used: Object.keys(per_target).length, frames_per_target: per_target },
    validation_metrics: {
      total_frames: frames.length, unique_targets: Object.keys(per_target).length, min_frames_per_target: Math.min(...Object.values(per_target)), face_detection_rate: 1,
      head_stability: mean(frames.map(({ quality }) => quality.head_stability)), head_pose_std: [spread(frames, 'pitch'), spread(frames, 'yaw'), spread(frames, 'roll')],
    },
    file_checksums: checksums({ screen: screen_text, csv: made.csv, npz: made.npz }),
    message: 'Calibration completed successfully',
    completed_at: iso(now_ms),
    report: made.fit.report,
  };
  await records.transaction(async (trx) => {
    await records.saveFiles(candidate_id, made.csv, made.npz, trx);
    await records.setStatus(session_id, 'completed', { updated_ms: now_ms, completed_ms: now_ms, error_message: null, report: JSON.stringify(answer) }, trx);
  });
  const { verdict } = made.fit.report;
  context.counts.sessions.completed++;
  context.counts.fits[verdict] = (context.counts.fits[verdict] ?? 0) + 1;
  const { calibration_stats, validation_metrics, file_checksums } = answer;
  await announce(context, {
    event: 'calibration.completed', candidate_id, session_id, interview_id, at: iso(now_ms), data: { calibration_stats, validation_metrics, file_checksums, verdict },
  });
  return answer;
}

/** The session is kept with its frames; it can be resumed and completed later. */
async function fail(context: ServiceContext, session: Session, error: SightlineError): Promise<void> {
  const { session_id, candidate_id, interview_id } = session;
  const now_ms = context.now_ms();
  context.counts.sessions.failed++;
  await context.records.setStatus(session_id, 'failed', { updated_ms: now_ms, error_message: error.message.slice(0, 1000) });
  await announce(context, { event: 'calibration.failed', candidate_id, session_id, interview_id, at: iso(now_ms), data: { error: { code: error.code, message: error.message } } });
}

/** Where the person was deleted or renamed between the end of the session and the event, the event goes too. */
async function announce(context: ServiceContext, event: WebhookEvent): Promise<void> {
  await context.announce(event);
  if ((await context.records.session(event.session_id))?.candidate_id !== event.candidate_id) await context.traces?.erase(event.candidate_id);
}

/** The reference's regression point. */
export function onScreen({ matrix }: Made['fit'], { gaze: [x, y, z] }: Pick<FrameRecord, 'gaze'>): [number, number] {
  const [tx = 0, ty = 0, tz = 0] = matrix.STransG.map((row) => row[3] ?? 0);
  return [tx + (tz * x) / z, ty + (tz * y) / z];
}

function checksums({ screen, csv, npz }: { screen: string; csv: string; npz: Buffer }): Record<'screen_info' | 'calibration_csv' | 'transform_matrix', string> {
  const first8 = (content: string | Buffer) => createHash('sha256').update(content).digest('hex').slice(0, 8);
  return { screen_info: first8(screen), calibration_csv: first8(csv), transform_matrix: first8(npz) };
}

function positionKey({ target_position: { x, y } }: FrameRecord): string {
  return `${x},${y}`;
}

function countBy(frames: readonly FrameRecord[], key: (frame: FrameRecord) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const frame of frames) counts[key(frame)] = (counts[key(frame)] ?? 0) + 1;
  return counts;
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function spread(frames: readonly FrameRecord[], angle: 'yaw' | 'pitch' | 'roll'): number {
  const values = frames.map(({ head }) => head[angle]);
  const centre = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - centre) ** 2)));
}
