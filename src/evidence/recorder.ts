/** Keeps events with their evidence: the frame that raised one, and around an alert a clip of the packets kept in memory. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { AnalysisEvent } from '../analysis/types.js';
import type { CaptureAddon } from '../capture/types.js';
import type { Config } from '../config/schema.js';
import type { StoreDb, StoreTransaction } from '../store/store.js';
import { evidenceFolder, type EvidenceFolder } from './folder.js';
import { evidencePath } from './paths.js';
import { createEvidenceRepository, type EvidenceRepository } from './repository.js';
import type { EventQuery, EventRecord, NewEvent } from './types.js';

const MIB = 1024 * 1024;
const DAY_MS = 86_400_000;
/** An alert does not wait longer for its picture. */
const PICTURE_LIMIT_MS = 400;
/** Clips that wait for their end; beyond it the event stays without one. */
const CLIPS_MAX = 256;

export interface RecorderOptions {
  db: StoreDb;
  settings: Config['evidence'];
  state_dir: string;
  addon: Pick<CaptureAddon, 'clip'>;
  log: { warn(fields: Record<string, unknown>, message: string): void };
}

/** Where an event came from. */
export interface EventSource {
  camera_id: number;
  /** Native handle. */
  handle: number;
  /** Of the frame: arrival on the monotonic clock, and wall clock. */
  packet_us: number;
  wall_ms: number;
}

export interface RecorderCounts {
  events: number;
  frames: number;
  clips: number;
  /** By reason: late, failed, crowded, none. */
  missed: Record<string, number>;
}

/** What is kept of what analysis says. */
export function toldOf({ kind, type, category, severity, confidence, deviation, risk_score, context, indicators, frame_timestamp, duration_seconds }: AnalysisEvent): Pick<NewEvent, 'kind' | 'type' | 'category' | 'severity' | 'confidence' | 'deviation' | 'risk_score' | 'context' | 'indicators' | 'frame_timestamp' | 'duration_seconds'> {
  return { kind, type, category, severity, confidence, deviation: deviation ?? null, risk_score, context, indicators, frame_timestamp, duration_seconds };
}

export class EventRecorder {
  readonly #options: RecorderOptions;
  readonly #repository: EvidenceRepository;
  readonly #folder: EvidenceFolder;
  readonly #clips = new Set<NodeJS.Timeout>();
  readonly #writing = new Set<Promise<void>>();
  readonly counts: RecorderCounts = { events: 0, frames: 0, clips: 0, missed: {} };
  #pruning: Promise<void> | undefined;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#repository = createEvidenceRepository(options.db);
    this.#folder = evidenceFolder(join(options.state_dir, 'evidence'), this.#repository);
  }

  /** Writes the picture of an event; its path, or undefined when there is none in time: an alert goes out without it. Never rejects. */
  async picture(event: AnalysisEvent, source: EventSource, encode: () => Promise<Buffer>): Promise<string | undefined> {
    if (!this.#options.settings.frames) return undefined;
    let late = false;
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => {
        late = true;
        this.#miss('late');
        resolve(undefined);
      }, PICTURE_LIMIT_MS);
    });
    const path = this.#path(event, source, 'jpg');
    const made = (async (): Promise<string | undefined> => {
      try {
        const jpeg = await encode();
        if (late) return undefined;
        await this.#folder.write(path, jpeg, source.wall_ms);
        this.counts.frames += 1;
        return path;
      } catch (error) {
        this.#miss('failed');
        this.#options.log.warn({ camera_id: source.camera_id, err: error }, 'the picture of an event could not be kept');
        return undefined;
      }
    })();
    try {
      return await Promise.race([made, limit]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Keeps an event that belongs to no callback; what follows is as in `follow`. */
  async keep(record: NewEvent, event: AnalysisEvent, source: EventSource): Promise<void> {
    this.follow(await this.#repository.add(record), event, source);
  }

  /** Writes an event in the transaction that stores its callback. @returns its id, for `follow` once that is on the disk */
  note(record: NewEvent, within: StoreTransaction): Promise<number> {
    return this.#repository.add(record, within);
  }

  /** After an event was kept: it counts, and the clip of an alert is made when its time is over. */
  follow(id: number, event: AnalysisEvent, source: EventSource): void {
    this.counts.events += 1;
    const { clips, clip_before_s, clip_after_s } = this.#options.settings;
    if (!clips || event.kind !== 'anomaly_alert') return;
    if (this.#clips.size >= CLIPS_MAX) {
      this.#miss('crowded');
      return;
    }
    const span = { from_us: Math.max(0, Math.floor(source.packet_us - clip_before_s * 1e6)), to_us: Math.floor(source.packet_us + clip_after_s * 1e6) };
    const timer = setTimeout(() => {
      this.#clips.delete(timer);
      const writing = this.#clip(id, event, source, span).finally(() => this.#writing.delete(writing));
      this.#writing.add(writing);
    }, clip_after_s * 1000);
    timer.unref();
    this.#clips.add(timer);
  }

  list(query: EventQuery): Promise<EventRecord[]> {
    return this.#repository.list(query);
  }

  get(id: number): Promise<EventRecord | undefined> {
    return this.#repository.get(id);
  }

  /** A file of an event; undefined when it has been forgotten. */
  read(path: string): Promise<Buffer | undefined> {
    return this.#folder.read(path);
  }

  size(): Promise<{ count: number; bytes: number }> {
    return this.#repository.files();
  }

  /** Forgets what is too old or too much. One run at a time. */
  prune(wall_ms: number): Promise<void> {
    const { keep_days, max_mib, max_events } = this.#options.settings;
    const before_ms = wall_ms - keep_days * DAY_MS;
    this.#pruning ??= this.#folder
      .prune(before_ms, max_mib * MIB)
      .then(() => this.#repository.prune(before_ms, max_events))
      .then(() => undefined)
      .finally(() => { this.#pruning = undefined; });
    return this.#pruning;
  }

  /** Clips that still wait are given up; what is being written is finished. */
  async stop(): Promise<void> {
    for (const timer of this.#clips) {
      clearTimeout(timer);
      this.#miss('stopped');
    }
    this.#clips.clear();
    await Promise.all([...this.#writing, this.#pruning?.catch(() => undefined)]);
  }

  async #clip(id: number, event: AnalysisEvent, source: EventSource, span: { from_us: number; to_us: number }): Promise<void> {
    try {
      const clip = await this.#options.addon.clip(source.handle, span);
      if (clip === null) {
        this.#miss('none');
        return;
      }
      const path = this.#path(event, source, clip.extension);
      await this.#folder.write(path, clip.data, source.wall_ms);
      await this.#repository.setClip(id, path);
      this.counts.clips += 1;
    } catch (error) {
      // The camera may have been changed or taken away meanwhile.
      this.#miss('failed');
      this.#options.log.warn({ camera_id: source.camera_id, err: error }, 'the clip of an alert could not be kept');
    }
  }

  #path({ kind, type }: AnalysisEvent, { camera_id, wall_ms }: EventSource, extension: string): string {
    return evidencePath({ camera_id, kind, type, wall_ms, mark: randomBytes(4).toString('hex') }, extension);
  }

  #miss(reason: string): void {
    this.counts.missed[reason] = (this.counts.missed[reason] ?? 0) + 1;
  }
}
