/** What a calibration holds while it is made: frames on their way, what came of them, and the check frames, in memory only. */
import { outcomesOf, type PlacedFrame, type PointOutcome, type ScreenSize } from './outcome';
import { fpsOf } from './pace';
import { FrameSender, type SenderState } from './sender';
import { temporary, type Frame, type Replay, type ScreenBody, type Service } from './service';
import { FRAMES_NEEDED, type Position } from './targets';

/** Check frames of a point: enough for a median. */
const CHECK_FRAMES_MAX = 12;
const LATENCY_EVERY_MS = 3_000;

export interface Result {
  points: PointOutcome[];
  checks: PointOutcome[];
  replay: Replay;
}

export class Recording {
  readonly sender: FrameSender<Frame>;
  /** Kept frames by target index. */
  readonly accepted = new Map<number, number>();
  /** Why frames were not kept, by the server's code. */
  readonly refused = new Map<string, number>();
  /** Where on the screen each target was. */
  readonly positions = new Map<number, Position>();
  readonly #checks = new Map<number, { position: Position; frames: Frame[] }>();
  #next_index: number;
  #recommended: number | undefined;
  #latency_ms: number | undefined;
  #timer: ReturnType<typeof setInterval>;

  constructor(private readonly service: Service, start: { per_target: Record<string, number>; next_frame_index: number }, onState: (state: SenderState) => void) {
    this.#next_index = start.next_frame_index;
    for (const [target, frames] of Object.entries(start.per_target)) this.accepted.set(Number(target), frames);
    this.sender = new FrameSender<Frame>({ send: async (batch) => this.#send(batch), temporary, onState });
    const measure = (): void => {
      service.latency().then(({ latency_ms, recommended_fps }) => { this.#latency_ms = latency_ms; this.#recommended ??= recommended_fps; }, () => undefined);
    };
    measure();
    this.#timer = setInterval(measure, LATENCY_EVERY_MS);
  }

  close(): void {
    clearInterval(this.#timer);
    this.sender.close();
  }

  fps(): number {
    return fpsOf(this.#latency_ms, this.#recommended);
  }

  /** A frame of a target. @returns false where the sender is full */
  take(target_index: number, target_position: Position, image: Blob): boolean {
    this.positions.set(target_index, target_position);
    const taken = this.sender.push({ frame_index: this.#next_index, target_index, target_position, image, timestamp: new Date().toISOString() });
    if (taken) this.#next_index++;
    return taken;
  }

  takeCheck(index: number, position: Position, image: Blob): void {
    const check = this.#checks.get(index) ?? { position, frames: [] };
    this.#checks.set(index, check);
    check.position = position;
    // The newest: the eyes have been there longest.
    check.frames.push({ frame_index: check.frames.length, target_index: 0, target_position: position, image, timestamp: new Date().toISOString() });
    if (check.frames.length > CHECK_FRAMES_MAX) check.frames.shift();
  }

  /** Targets that have too few kept frames. */
  lacking(targets: readonly number[]): number[] {
    return targets.filter((target) => (this.accepted.get(target) ?? 0) < FRAMES_NEEDED);
  }

  async redo(target: number): Promise<void> {
    await this.service.redo(target);
    this.accepted.delete(target);
  }

  /** Fits what was kept, and places the check frames by that fit. */
  async result(targets: number, screen: ScreenSize): Promise<Result> {
    const replay = await this.service.replay();
    const positions = Array.from({ length: targets }, (_, index) => this.positions.get(index) ?? replay.frames.find((frame) => frame.target_index === index)?.target_position ?? { x: 0, y: 0 });
    const points = outcomesOf(positions, replay.frames.filter(({ kept }) => kept !== false).map(({ target_position, on_screen_mm }) => ({ target: target_position, on_screen_mm })), screen);
    const placed: PlacedFrame[] = [];
    if (replay.problem === null) {
      for (const { position, frames } of this.#checks.values()) {
        for (let at = 0; at < frames.length; at += 6) {
          const { results } = await this.service.look(frames.slice(at, at + 6));
          placed.push(...results.map(({ on_screen_mm }) => ({ target: position, on_screen_mm: on_screen_mm ?? null })));
        }
      }
    }
    return { points, checks: outcomesOf([...this.#checks.values()].map(({ position }) => position), placed, screen), replay };
  }

  async #send(batch: readonly Frame[]): Promise<readonly Frame[]> {
    const { results, recommended_fps } = await this.service.keep(batch);
    this.#recommended = recommended_fps;
    const again: Frame[] = [];
    batch.forEach((frame, at) => {
      const answer = results[at];
      if (answer?.success === true) this.accepted.set(frame.target_index, (this.accepted.get(frame.target_index) ?? 0) + 1);
      else if (answer?.error_code === 'busy' || answer?.error_code === 'unavailable') again.push(frame);
      else this.refused.set(answer?.error_code ?? 'unknown', (this.refused.get(answer?.error_code ?? 'unknown') ?? 0) + 1);
    });
    return again;
  }
}

export function screenSizeOf(screen: ScreenBody): ScreenSize {
  return { width_px: screen.screen_width_px, height_px: screen.screen_height_px, width_mm: screen.screen_width_mm, height_mm: screen.screen_height_mm, distance_mm: 10 * Number(screen.distance_cm) };
}
