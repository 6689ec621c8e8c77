/** Frames of a session: looked at, rated, stored, answered in the form that the existing clients read. */
import { SightlineError } from '../../errors.js';
import type { StillResult } from '../../inference/results.js';
import { captureTime } from './clock.js';
import type { FrameJournal } from './frame_journal.js';
import type { LiveSession, LiveSessions } from './live.js';
import type { Pace } from './pace.js';
import { headSample, qualityOf, readingOf } from './reading.js';
import type { Records } from './records.js';
import { shareOf, targetMm } from './targets.js';
import type { FrameRecord, GazeSource, IncomingFrame, Position, Quality, ServiceCounts } from './types.js';

const RADIANS = Math.PI / 180;

export interface FrameAnswer {
  success: boolean;
  frame_index: number;
  target_index: number;
  target_position: Position;
  timestamp: string;
  /** Why not, in words that the existing clients show. */
  error?: string;
  /** Stable: `no_face`, `no_gaze`, `not_a_picture`, `invalid`, `index_taken`, `busy`, `unavailable`. */
  error_code?: string;
  frame_shape?: [number, number];
  /** Stored before: this is the frame that was stored then. */
  duplicate?: boolean;
  gaze_vector?: number[];
  normalized_gaze_angles?: number[];
  angle_to_vector?: number[];
  landmarks?: number[][];
  head_pose_rot?: { yaw: number; pitch: number; roll: number };
  bbox?: number[];
  eye_centers?: { right: number[]; left: number[] };
  estimated_gaze_point?: Position;
  quality?: Quality;
  guidance?: string;
}

/** A frame without a gaze. `quality` where there was a picture: whoever is not seen needs the guidance most. */
interface Refusal {
  code: string;
  error: string;
  shape?: [number, number];
  quality?: Quality;
}

export interface FramesDeps {
  gaze: GazeSource;
  journal: FrameJournal;
  records: Records;
  live: LiveSessions;
  pace: Pace;
  counts: Pick<ServiceCounts, 'frames'>;
  observeGaze(seconds: number): void;
  now_ms(): number;
}

export class Frames {
  private readonly counts: ServiceCounts['frames'];

  constructor(private readonly deps: FramesDeps) {
    this.counts = deps.counts.frames;
  }

  /**
   * One answer a frame, in their order; resolves when what was accepted is on the disk. What is wrong with a frame among several is its own answer; a single one is refused.
   * @throws what concerns the whole session; REQUEST_INVALID for a single frame
   */
  async process(live: LiveSession, frames: readonly IncomingFrame[]): Promise<FrameAnswer[]> {
    const arrived_ms = this.deps.now_ms();
    const { session_id } = live.session;
    const before = await this.stored(session_id, frames);
    const looked = await Promise.all(frames.map(async (frame) => (before.has(frame.frame_index) || frame.fault !== undefined ? null : this.look(frame.image, live.session.candidate_id))));
    const fresh = new Map<number, FrameRecord>();
    const answers = frames.map((frame, index) => {
      const known = before.get(frame.frame_index) ?? fresh.get(frame.frame_index);
      if (known !== undefined) return this.repeat(live, frame, known, arrived_ms);
      if (frame.fault !== undefined) return this.refuse(frame, { code: 'not_a_picture', error: frame.fault }, arrived_ms);
      const made = this.checked(live, frame, looked[index] as StillResult, arrived_ms, frames.length === 1);
      if ('record' in made) fresh.set(frame.frame_index, made.record);
      return 'record' in made ? accepted(made.record, live) : this.refuse(frame, made, arrived_ms);
    });
    const others = fresh.size === 0 ? [] : await this.store(live, [...fresh.values()]);
    if (others.length === 0) return answers;
    // A request beside this one was faster with the same numbers: what it stored counts.
    const kept = await this.stored(session_id, frames);
    return answers.map((answer, index) => {
      const [frame, known] = [frames[index], kept.get(answer.frame_index)];
      return frame !== undefined && known !== undefined && others.includes(answer.frame_index) && answer.duplicate !== true ? this.repeat(live, frame, known, arrived_ms) : answer;
    });
  }

  /** A frame of another target is not the one that was stored: to answer as if it were would lose it without a word. */
  private repeat(live: LiveSession, frame: IncomingFrame, known: FrameRecord, arrived_ms: number): FrameAnswer {
    if (known.target_index !== frame.target_index) return this.refuse(frame, { code: 'index_taken', error: indexTaken(known) }, arrived_ms);
    this.counts.repeated++;
    return { ...accepted(known, live), duplicate: true };
  }

  private async look(image: Uint8Array, candidate_id: string): Promise<StillResult> {
    const since_ms = performance.now();
    const seen = await this.deps.gaze.still(image, candidate_id);
    if (seen.ok) this.deps.observeGaze((performance.now() - since_ms) / 1000);
    return seen;
  }

  private async stored(session_id: string, frames: readonly IncomingFrame[]): Promise<Map<number, FrameRecord>> {
    const indexes = frames.map(({ frame_index }) => frame_index);
    if (!this.deps.journal.mayHave(session_id, indexes)) return new Map();
    const found = await this.deps.records.framesAt(session_id, indexes);
    return new Map(found.map((record) => [record.frame_index, record]));
  }

  /** @returns numbers that were there before */
  private async store(live: LiveSession, records: FrameRecord[]): Promise<number[]> {
    const { session_id } = live.session;
    const stored = await this.deps.journal.add(session_id, records);
    if (stored.outcome === 'stored') {
      this.counts.stored += records.length - stored.repeated.length;
      return stored.repeated;
    }
    this.deps.live.forget(session_id);
    if (stored.outcome === 'gone') throw new SightlineError('CALIBRATION_SESSION_NOT_FOUND', 'session_id: the session was deleted meanwhile');
    if (stored.outcome === 'completed') throw new SightlineError('CALIBRATION_SESSION_STATE', 'session_id: expected a session that is in progress, received one that is completed');
    throw new SightlineError('CALIBRATION_LIMIT', 'session_id: the session has as many frames as it can hold (calibration.frames_per_session)');
  }

  /** @throws REQUEST_INVALID where the frame is alone */
  private checked(live: LiveSession, frame: IncomingFrame, seen: StillResult, arrived_ms: number, alone: boolean): { record: FrameRecord } | Refusal {
    try {
      return this.record(live, frame, seen, arrived_ms);
    } catch (error) {
      if (alone || !(error instanceof SightlineError && error.code === 'REQUEST_INVALID')) throw error;
      return { code: 'invalid', error: error.message };
    }
  }

  private record(live: LiveSession, frame: IncomingFrame, seen: StillResult, arrived_ms: number): { record: FrameRecord } | Refusal {
    if (!seen.ok) {
      if (seen.code === 'busy') this.deps.pace.turnedAway();
      const words = { not_a_picture: `frame_data: ${seen.message}`, busy: 'Too many frames at once, please send fewer', unavailable: 'Gaze estimation is not available at the moment' };
      return { code: seen.code, error: words[seen.code] };
    }
    const shape: [number, number] = [seen.height, seen.width];
    const reading = readingOf(seen);
    if (typeof reading === 'string') return { code: reading === 'No face detected' ? 'no_face' : 'no_gaze', error: reading, shape, quality: qualityOf(seen, live.heads) };
    this.deps.live.noteHead(live, headSample(reading, seen.width));
    const share = shareOf(frame.target_position, live.screen);
    return {
      record: {
        ...reading,
        frame_index: frame.frame_index,
        target_index: frame.target_index,
        target_position: frame.target_position,
        set_mm: targetMm(share, live.screen),
        timestamp_s: captureTime(frame.timestamp, live.session.clock_offset_ms, arrived_ms),
        client_timestamp: frame.timestamp === undefined ? null : String(frame.timestamp),
        frame_shape: shape,
        quality: qualityOf(seen, live.heads),
        score: seen.faces[seen.nearest]?.score ?? 0,
      },
    };
  }

  private refuse(frame: IncomingFrame, { code: error_code, error, shape, quality }: Refusal, now_ms: number): FrameAnswer {
    this.counts.refused[error_code] = (this.counts.refused[error_code] ?? 0) + 1;
    const { frame_index, target_index, target_position } = frame;
    return {
      success: false, error, error_code, frame_index, target_index, target_position, timestamp: new Date(now_ms).toISOString(),
      ...(shape === undefined ? {} : { frame_shape: shape }), ...(quality === undefined ? {} : { quality, guidance: quality.guidance }),
    };
  }
}

function indexTaken({ frame_index, target_index }: FrameRecord): string {
  return `frame_index: expected a number that the session has not used, ${frame_index} is a frame of target ${target_index}; count on from one target to the next`;
}

function accepted(record: FrameRecord, live: LiveSession): FrameAnswer {
  const { camera_gaze, head, quality } = record;
  const [x, y, z] = camera_gaze;
  return {
    success: true,
    gaze_vector: camera_gaze,
    // As the existing model says it: pitch, then yaw, radians.
    normalized_gaze_angles: [Math.asin(Math.max(-1, Math.min(1, -y))), Math.atan2(-x, -z)],
    angle_to_vector: camera_gaze,
    landmarks: [record.right_eye, record.left_eye],
    head_pose_rot: { yaw: head.yaw * RADIANS, pitch: head.pitch * RADIANS, roll: head.roll * RADIANS },
    bbox: record.head_box,
    eye_centers: { right: record.right_eye, left: record.left_eye },
    frame_shape: record.frame_shape,
    target_position: record.target_position,
    target_index: record.target_index,
    frame_index: record.frame_index,
    timestamp: new Date(record.timestamp_s * 1000).toISOString(),
    estimated_gaze_point: uncalibrated(record, live),
    quality,
    guidance: quality.guidance,
  };
}

/** Where the gaze would meet the screen if the person sat straight before its middle and the camera on its upper edge: share of the screen, before any calibration. */
function uncalibrated({ gaze: [x, y, z] }: FrameRecord, { screen }: LiveSession): Position {
  const distance_mm = (Number(screen.distance_cm) || 60) * 10;
  return { x: 0.5 - (distance_mm * x) / Math.max(0.05, z) / screen.screen_width_mm, y: (distance_mm * -y) / Math.max(0.05, z) / screen.screen_height_mm };
}
