/**
 * What reads all frames of a session at once, or writes files of megabytes. The same functions run on the calling thread and, where there is much to do, on a thread
 * of their own (workplace.ts): what goes in and comes out is plain data, long texts are UTF-8 bytes. Who may ask is decided before.
 */
import { createHash } from 'node:crypto';
import { calibrationCsv } from '../csv_write.js';
import { readCalibrationCsv } from '../csv_read.js';
import { parseFiles } from '../files.js';
import { validateCalibration } from '../validate.js';
import { messageOf, SightlineError } from '../../errors.js';
import type { FitReport, ScreenInfo, TransformMatrix } from '../types.js';
import { zipOf } from './archive.js';
import { iso } from './clock.js';
import { fitFrames, inOrder, makeFiles, type Made } from './fitting.js';
import { erasePerson, renamePerson } from './person_work.js';
import { readScreen, type Records } from './records.js';
import type { FrameRecord, Session } from './types.js';
import type { Vault } from './vault.js';

/** What `complete` answers, and what is kept of it with the session. */
export type CompletionAnswer = ReturnType<typeof completion>;

/** Files that are made and not kept yet. `mark` names the frames and the screen they are made of. */
export interface MadeFiles {
  mark: string;
  answer: CompletionAnswer;
  csv: Uint8Array;
  npz: Uint8Array;
}

/** In which form the files are asked for, and how they are called. */
export interface FilesWanted {
  csv: 'exact' | 'desktop';
  format: 'json' | 'zip';
  names: { screen: string; csv: string; npz: string };
}

interface OfSession {
  session_id: string;
  candidate_id: string;
}

const FRAMES_A_DELETION = 400;

export function createSessionWork(records: Records, vault: Vault) {
  return {
    /** How many frames there are, of each target, and the next free frame_index. */
    async tally({ session_id }: { session_id: string }) {
      const frames = await records.frames(session_id);
      const per_target: Record<string, number> = countBy(frames, ({ target_index }) => String(target_index));
      return { frames: frames.length, next_frame_index: frames.reduce((next, { frame_index }) => Math.max(next, frame_index + 1), 0), per_target };
    },

    /** Removes the frames of a target. @returns how many there were, and the next free frame_index */
    async removeTarget({ session_id, target_index }: { session_id: string; target_index: number }) {
      const frames = await records.frames(session_id);
      const gone = frames.filter((frame) => frame.target_index === target_index).map(({ frame_index }) => frame_index);
      await records.transaction(async (trx) => {
        for (let at = 0; at < gone.length; at += FRAMES_A_DELETION) await records.removeFrames(session_id, gone.slice(at, at + FRAMES_A_DELETION), trx);
      });
      return { removed_frames: gone.length, next_frame_index: frames.reduce((next, { frame_index }) => Math.max(next, frame_index + 1), 0) };
    },

    /** The transform of the frames so far; null while they determine none: the completion says why, this need not. */
    async fit({ session_id, candidate_id }: OfSession): Promise<TransformMatrix | null> {
      const screen = await readScreen(records, candidate_id);
      if (screen === undefined) return null;
      try {
        return fitFrames(candidate_id, screen, await records.frames(session_id)).matrix;
      } catch (error) {
        if (error instanceof SightlineError && error.status < 500) return null;
        throw error;
      }
    },

    /** Fits and makes the files; keeps nothing. @throws CALIBRATION_NO_SCREEN, or as makeFiles */
    async make({ session_id, candidate_id, now_ms }: OfSession & { now_ms: number }): Promise<MadeFiles> {
      const screen = await records.screen(candidate_id);
      if (screen === undefined) throw new SightlineError('CALIBRATION_NO_SCREEN', 'Screen information must be saved first');
      const mark = markOf(await records.framesMark(session_id), screen);
      const frames = await records.frames(session_id);
      const made = makeFiles(candidate_id, JSON.parse(screen) as ScreenInfo, frames);
      return { mark, answer: completion({ session_id, candidate_id, now_ms, frames, screen, made }), csv: bytesOf(made.csv), npz: made.npz };
    },

    /**
     * Files and the end of the session land in one transaction, if they are still those of its frames.
     * @returns `changed`: they are not, make them anew; `completed`: somebody else was faster, with that report
     */
    async keep({ session_id, candidate_id, mark, answer, csv, npz, now_ms }: OfSession & MadeFiles & { now_ms: number }): Promise<{ outcome: 'kept' | 'changed' } | { outcome: 'completed'; answer: CompletionAnswer }> {
      return records.transaction(async (trx) => {
        await records.lockSession(session_id, trx);
        const session = await records.session(session_id, trx);
        if (session?.candidate_id !== candidate_id) throw new SightlineError('CALIBRATION_SESSION_NOT_FOUND', 'session_id: the session was deleted meanwhile');
        if (session.status === 'completed' && session.report !== null) return { outcome: 'completed', answer: session.report as CompletionAnswer };
        if (markOf(await records.framesMark(session_id, trx), (await records.screen(candidate_id, trx)) ?? '') !== mark) return { outcome: 'changed' };
        await records.saveFiles(candidate_id, textOf(csv), asBuffer(npz), trx);
        await records.setStatus(session_id, 'completed', { updated_ms: now_ms, completed_ms: now_ms, error_message: null, report: JSON.stringify(answer) }, trx);
        return { outcome: 'kept' };
      });
    },

    /** Makes the files anew from the stored frames and compares them with the stored ones. */
    async validate({ session_id, candidate_id }: OfSession) {
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

    /** Imported files, which have no session: whether they belong together and the analyzers can use them. */
    async validateFiles({ candidate_id }: { candidate_id: string }) {
      const stored = await records.files(candidate_id);
      if (stored === undefined) return { valid: false, candidate_id, session_id: null, problems: ['no screen information is stored'], checks: {}, file_checksums: null, report: null };
      const read = parseFiles(candidate_id, { screen_info: Buffer.from(stored.screen), calibration: Buffer.from(stored.csv), transform_matrix: stored.npz });
      const { valid, checks, fit } = validateCalibration(read);
      return {
        valid, candidate_id, session_id: null, problems: checks.filter(({ ok, required }) => !ok && required).map(({ name, message }) => `${name}: ${message}`),
        checks: Object.fromEntries(checks.map(({ name, ok }) => [name, ok])), file_checksums: checksums(stored), report: fit?.report ?? null,
      };
    },

    /** The session again, frame by frame, with where its own fit puts each gaze. @returns JSON */
    async replay({ session }: { session: Session }): Promise<Uint8Array> {
      const { session_id, candidate_id, status } = session;
      const screen = await readScreen(records, candidate_id);
      const frames = inOrder(await records.frames(session_id));
      let fit: Made['fit'] | null = null;
      let problem: string | null = null;
      try {
        if (screen === undefined) problem = 'no screen information is stored';
        else fit = fitFrames(candidate_id, screen, frames);
      } catch (error) {
        problem = messageOf(error);
      }
      const kept = new Set(fit?.kept_rows ?? []);
      const report: FitReport | null = fit?.report ?? null;
      return bytesOf(JSON.stringify({
        session_id, candidate_id, status, screen_info: screen ?? null, problem,
        frames: frames.map((frame, row) => ({
          frame_index: frame.frame_index, timestamp: iso(frame.timestamp_s * 1000), target_index: frame.target_index, target_position: frame.target_position, set_mm: frame.set_mm,
          gaze_vector: frame.camera_gaze, head: frame.head, quality: frame.quality, kept: fit === null ? null : kept.has(row), on_screen_mm: fit === null ? null : onScreen(fit.matrix, frame),
        })),
        report,
      }));
    },

    /** How the frames of a session are, in figures. */
    async diagnose({ session_id }: { session_id: string }) {
      const frames = await records.frames(session_id);
      return {
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
      };
    },

    /**
     * The stored files, the CSV in the form that is asked for. JSON is as the plan's clients read it: an object by file names, the screen as an object, the CSV as text, the NPZ
     * as base64. @returns undefined without all three
     */
    async files({ candidate_id, csv, format, names }: FilesWanted & { candidate_id: string }): Promise<Uint8Array | undefined> {
      const stored = await records.files(candidate_id);
      if (stored === undefined) return undefined;
      const text = csv === 'desktop' ? calibrationCsv(readCalibrationCsv(stored.csv), 'desktop') : stored.csv;
      const { screen, npz } = stored;
      if (format === 'zip') return new Uint8Array(await zipOf([{ name: names.screen, content: Buffer.from(screen) }, { name: names.csv, content: Buffer.from(text) }, { name: names.npz, content: npz }]));
      // The screen's own text goes in as it is: JavaScript would write its 597.0 as 597.
      return bytesOf(`{${JSON.stringify(names.screen)}:${screen},${JSON.stringify(names.csv)}:${JSON.stringify(text)},${JSON.stringify(names.npz)}:"${npz.toString('base64')}"}`);
    },

    /** Everything that is stored of a candidate, in a form that other programs read; `beside` = what other databases have. @returns JSON */
    async export({ candidate_id, now_ms, beside }: { candidate_id: string; now_ms: number; beside: Record<string, unknown> }): Promise<Uint8Array> {
      const files = await records.files(candidate_id);
      const screen = await records.screen(candidate_id);
      const sessions: unknown[] = [];
      for (const session of await records.sessionsOf(candidate_id, 1000)) sessions.push({ ...session, frames: await records.frames(session.session_id) });
      return bytesOf(JSON.stringify({
        format: 'sightline-calibration-export/1', exported_at: iso(now_ms), candidate_id, screen_info: screen === undefined ? null : (JSON.parse(screen) as unknown),
        calibration: files === undefined ? null : { created_at: files.created_at, calibration_csv: files.csv, transform_matrix_npz_base64: files.npz.toString('base64') },
        sessions, consents: await records.consentsOf(candidate_id), audit_log: await records.auditOf({ candidate_id, after: 0, limit: 10_000 }), ...beside,
      }));
    },

    /** All that is stored of a candidate is gone; the audit log keeps `alias` instead of their id. @returns how much of what */
    erase: ({ candidate_id, alias }: { candidate_id: string; alias: string }) => erasePerson(records, candidate_id, alias),

    /** The calibration stays, under another id and without what leads to the person. */
    rename: ({ from, to }: { from: string; to: string }) => renamePerson(records, vault, from, to),
  };
}

export type SessionWork = ReturnType<typeof createSessionWork>;

/** The reference's regression point. */
export function onScreen({ STransG }: TransformMatrix, { gaze: [x, y, z] }: Pick<FrameRecord, 'gaze'>): [number, number] {
  const [tx = 0, ty = 0, tz = 0] = STransG.map((row) => row[3] ?? 0);
  return [tx + (tz * x) / z, ty + (tz * y) / z];
}

/** Other frames or another screen give another mark. */
export function markOf(frames: { count: number; newest: number }, screen: string): string {
  return JSON.stringify([frames, screen]);
}

function completion({ session_id, candidate_id, now_ms, frames, screen, made }: OfSession & { now_ms: number; frames: readonly FrameRecord[]; screen: string; made: Made }) {
  const per_target = countBy(frames, positionKey);
  const targets = Object.keys(per_target).length;
  return {
    success: true,
    session_id,
    candidate_id,
    calibration_stats: { total_frames: frames.length, targets_used: targets, frames_per_target: per_target },
    validation_metrics: {
      total_frames: frames.length, unique_targets: targets, min_frames_per_target: Math.min(...Object.values(per_target)), face_detection_rate: 1,
      head_stability: mean(frames.map(({ quality }) => quality.head_stability)), head_pose_std: [spread(frames, 'pitch'), spread(frames, 'yaw'), spread(frames, 'roll')],
    },
    file_checksums: checksums({ screen, csv: made.csv, npz: made.npz }),
    message: 'Calibration completed successfully',
    completed_at: iso(now_ms),
    report: made.fit.report,
  };
}

function checksums({ screen, csv, npz }: { screen: string; csv: string; npz: Buffer }): Record<'screen_info' | 'calibration_csv' | 'transform_matrix', string> {
  const first8 = (content: string | Buffer) => createHash('sha256').update(content).digest('hex').slice(0, 8);
  return { screen_info: first8(screen), calibration_csv: first8(csv), transform_matrix: first8(npz) };
}

/** In memory of its own, so that it can be handed to another thread without a copy. */
function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function textOf(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('utf8');
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
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
