/**
 * The path of a frame on the main thread, from an inference answer to the newest analysis and the outbox: results → analyser of the camera →
 * sequence models → analysis → callbacks. One analyser a camera; bounded by the number of cameras.
 */
import { createCameraAnalyser } from './analysis/analyser.js';
import type { AnalyserOptions, CameraAnalyser, FrameAnalysis, Tuning } from './analysis/types.js';
import type { CameraRef } from './cameras/types.js';
import { frameAnalysisBody, type BuildSettings } from './delivery/build.js';
import type { BatchTally } from './delivery/batch_tally.js';
import type { Cadence } from './delivery/cadence.js';
import type { Delivery } from './delivery/types.js';
import { raiseEvent, type EvidencePath, type HeldBatch } from './raise_event.js';
import type { PipelineReport } from './inference/report.js';
import type { Learning } from './learning.js';
import type { FrameResult, SequenceResult, SequenceRow } from './inference/results.js';

export interface FramePathOptions {
  /** The camera of a capture handle; undefined once it was removed or changed. */
  cameraOf(handle: number): CameraRef | undefined;
  /** Runs rows through the sequence models; rows that were not run are absent from the answer. */
  sequences(rows: SequenceRow[]): Promise<SequenceResult[]>;
  analyser: AnalyserOptions;
  delivery: Pick<Delivery, 'enqueue' | 'keepLocal'>;
  body: BuildSettings;
  cadence: Cadence;
  /** Sums up frames for `batch_complete`. */
  tally: BatchTally;
  /** Keeps events with their frames and clips. */
  evidence?: EvidencePath;
  /** Baselines over days and who is on duty; without it each camera stands for itself. */
  learning?: Learning;
  report: PipelineReport;
  observe: { latency(seconds: number): void };
  monotonicUs(): number;
  log: { warn(fields: Record<string, unknown>, message: string): void };
}

export interface NewestAnalysis {
  analysis: FrameAnalysis;
  latency_ms: number;
}

interface Watched {
  analyser: CameraAnalyser;
  staff_id: number | null;
  newest: NewestAnalysis | null;
  /** Fits of its anomaly model so far. */
  fits: number;
}

export class FramePath {
  readonly #options: FramePathOptions;
  readonly #cameras = new Map<number, Watched>();
  /** Frames whose camera was gone when their result came. */
  #orphans = 0;

  constructor(options: FramePathOptions) {
    this.#options = options;
  }

  /** Takes the results of a batch; settles when each frame's analysis is done and its callbacks are on the way to the disk. */
  async take(frames: FrameResult[], held?: HeldBatch): Promise<void> {
    const rows: SequenceRow[] = [];
    const pending = frames.flatMap((frame) => {
      const registered = this.#options.cameraOf(frame.camera);
      if (!registered) {
        this.#orphans++;
        return [];
      }
      const { learning } = this.#options;
      const camera = learning === undefined ? registered : { ...registered, staff_id: learning.staffAt(registered, frame.wall_ms) };
      learning?.meet(camera.camera_id, camera.staff_id);
      const watched = this.#watched(camera);
      const own = watched.analyser.observe(frame);
      const first = rows.length;
      rows.push(...own.map((row, index) => ({ ...row, key: first + index })));
      return [{ frame, camera, watched, own, first }];
    });
    const results = rows.length > 0 ? await this.#options.sequences(rows) : [];
    const by_key = new Map(results.map((result) => [result.key, result]));
    for (const { frame, camera, watched, own, first } of pending) {
      const answers = own.flatMap((row, index) => {
        const result = by_key.get(first + index);
        return result ? [{ ...result, key: row.key }] : [];
      });
      this.#conclude(frame, camera, watched, answers, held);
    }
  }

  /** Other settings from now on, also for cameras to come. */
  tune(tuning: Tuning): void {
    Object.assign(this.#options.analyser, tuning);
    for (const { analyser } of this.#cameras.values()) analyser.tune(tuning);
  }

  newest(camera_id: number): NewestAnalysis | null {
    return this.#cameras.get(camera_id)?.newest ?? null;
  }

  /** Who is seen at a camera; null when nobody in particular, or the camera is not known here. */
  staffOf(camera_id: number): number | null {
    return this.#cameras.get(camera_id)?.staff_id ?? null;
  }

  get orphans(): number {
    return this.#orphans;
  }

  /** Forgets cameras that are no longer registered. */
  keepOnly(camera_ids: ReadonlySet<number>): void {
    this.#options.learning?.keepOnly(camera_ids);
    for (const camera_id of this.#cameras.keys()) {
      if (camera_ids.has(camera_id)) continue;
      this.#cameras.delete(camera_id);
      this.#options.cadence.forget(camera_id);
      this.#options.tally.forget(camera_id);
    }
  }

  #watched({ camera_id, staff_id }: CameraRef): Watched {
    let watched = this.#cameras.get(camera_id);
    if (!watched) {
      watched = { analyser: this.#analyser(camera_id), staff_id, newest: null, fits: 0 };
      this.#cameras.set(camera_id, watched);
    }
    watched.staff_id = staff_id;
    return watched;
  }

  #analyser(camera_id: number): CameraAnalyser {
    const { analyser, learning, log } = this.#options;
    const learnt = learning?.analyser(camera_id) ?? {};
    try {
      return createCameraAnalyser({ ...analyser, ...learnt });
    } catch (error) {
      if (learnt.baseline === undefined) throw error;
      log.warn({ camera_id, err: error }, 'the anomaly model of an earlier run does not fit, it is learnt anew');
      return createCameraAnalyser({ ...analyser, ...learnt, baseline: undefined });
    }
  }

  #conclude(frame: FrameResult, camera: CameraRef, watched: Watched, answers: SequenceResult[], held: HeldBatch | undefined): void {
    const analysis = watched.analyser.conclude(frame, answers);
    this.#learn(camera.camera_id, watched, analysis, frame.wall_ms);
    const now_us = this.#options.monotonicUs();
    const latency_us = now_us - frame.packet_us;
    this.#options.report.result(latency_us, now_us);
    this.#options.observe.latency(latency_us / 1e6);
    // Batches of one camera may come back in another order than they left.
    if (!watched.newest || watched.newest.analysis.seq < analysis.seq || watched.newest.analysis.frame_timestamp < analysis.frame_timestamp) {
      watched.newest = { analysis, latency_ms: latency_us / 1000 };
    }
    this.#deliver(camera, analysis, frame, held);
  }

  #learn(camera_id: number, watched: Watched, analysis: FrameAnalysis, wall_ms: number): void {
    const { learning } = this.#options;
    if (learning === undefined) return;
    learning.take(camera_id, analysis, wall_ms);
    const { baseline_fits } = watched.analyser.stats();
    if (baseline_fits === watched.fits) return;
    watched.fits = baseline_fits;
    learning.fitted(camera_id, watched.analyser.baseline());
  }

  #deliver(camera: CameraRef, analysis: FrameAnalysis, frame: FrameResult, held: HeldBatch | undefined): void {
    const { delivery, body, cadence, tally } = this.#options;
    const { camera_id } = camera;
    for (const event of analysis.events) this.#watch(raiseEvent(camera, event, frame, held, this.#options), camera_id);
    if (cadence.due(camera_id, frame.wall_ms)) {
      this.#watch(delivery.enqueue(frameAnalysisBody(camera, analysis, body), { camera_id, kind: 'frame_analysis' }), camera_id);
    }
    const batch = tally.add(camera_id, analysis);
    if (batch !== undefined) this.#watch(delivery.enqueue(batch, { camera_id, kind: 'batch_complete' }), camera_id);
  }

  /** Drops are counted by delivery; what is left is a fault of ours, which must not be silent. */
  #watch(stored: Promise<unknown>, camera_id: number): void {
    stored.catch((error: unknown) => {
      this.#options.log.warn({ camera_id, err: error }, 'a result could not be put into the outbox');
    });
  }
}
