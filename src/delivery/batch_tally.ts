import type { FrameAnalysis } from '../analysis/types.js';
import type { BatchCompleteBody } from './payloads.js';

interface Tally {
  frames: number;
  stress_sum: number;
  stress_frames: number;
  detections: number;
  alerts: number;
}

/** Sums up the frames of each camera for `batch_complete`. Bounded by the number of cameras. */
export class BatchTally {
  readonly #cameras = new Map<number, Tally>();

  /** @param frames analysed frames of a camera in one body; 0 = none is ever made */
  constructor(private readonly frames: number) {}

  /** Counts a frame. @returns the body when it completes a batch */
  add(camera_id: number, { indicators: { stress }, events }: Pick<FrameAnalysis, 'indicators' | 'events'>): BatchCompleteBody | undefined {
    if (this.frames === 0) return undefined;
    const tally = this.#cameras.get(camera_id) ?? { frames: 0, stress_sum: 0, stress_frames: 0, detections: 0, alerts: 0 };
    this.#cameras.set(camera_id, tally);
    tally.frames += 1;
    if (typeof stress === 'number' && Number.isFinite(stress)) {
      tally.stress_sum += stress;
      tally.stress_frames += 1;
    }
    for (const { kind } of events) {
      if (kind === 'anomaly_alert') tally.alerts += 1;
      else tally.detections += 1;
    }
    if (tally.frames < this.frames) return undefined;
    this.#cameras.delete(camera_id);
    const avg_stress = Math.min(1, Math.max(0, tally.stress_sum / tally.stress_frames));
    return {
      result_type: 'batch_complete',
      camera_id,
      frames_processed: tally.frames,
      // Absent where stress was measured in no frame: 0 would be a measurement.
      analysis_summary: { ...(tally.stress_frames === 0 ? {} : { avg_stress }), high_confidence_detections: tally.detections, alerts_generated: tally.alerts },
    };
  }

  /** A camera that is gone; its open batch is not told, as its frames were told one by one. */
  forget(camera_id: number): void {
    this.#cameras.delete(camera_id);
  }
}
