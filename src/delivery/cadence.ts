/**
 * When a camera's next frame analysis is due. The contract wants neighbouring cameras `stagger` (200 ms) apart; more than interval /
 * stagger of them don't fit in one interval, so the next turn of them lies evenly between those of the first:
 *
 *     phase(k) = (k · stagger mod interval) + ⌊k · stagger / interval⌋ · stagger / turns,   turns = ⌈n · stagger / interval⌉
 *
 * At 2 s and 120 cameras, k and k + 1 are 200 ms apart and the posts of all cameras 16.7 ms. Ranks k are given in the order in which
 * cameras first ask, and given back by `forget`. Pure: the clock is the caller's, and may be set back.
 */
export class Cadence {
  readonly #interval_ms: number;
  readonly #stagger_ms: number;
  readonly #cameras = new Map<number, { rank: number; last_ms: number; slot_ms: number }>();
  readonly #free: number[] = [];

  /** @param settings interval_ms > 0, stagger_ms ≥ 0 */
  constructor(settings: { interval_ms: number; stagger_ms: number }) {
    this.#interval_ms = settings.interval_ms;
    this.#stagger_ms = settings.stagger_ms;
  }

  /** True once in each interval, at the first frame at or after the camera's slot; a camera's first frame is due at once. */
  due(camera_id: number, now_ms: number): boolean {
    let camera = this.#cameras.get(camera_id);
    if (!camera) {
      camera = { rank: this.#free.pop() ?? this.#cameras.size, last_ms: -Infinity, slot_ms: -Infinity };
      this.#cameras.set(camera_id, camera);
    }
    const phase_ms = this.#phase_ms(camera.rank);
    const slot_ms = phase_ms + Math.floor((now_ms - phase_ms) / this.#interval_ms) * this.#interval_ms;
    const set_back = now_ms < camera.last_ms - this.#interval_ms;
    if (slot_ms <= camera.slot_ms && !set_back) return false;
    camera.slot_ms = slot_ms;
    // Slots move when cameras come or go, and the first frame is before its slot: one that follows a post too soon is skipped.
    if (now_ms - camera.last_ms < this.#interval_ms / 2 && !set_back) return false;
    camera.last_ms = now_ms;
    return true;
  }

  /** A camera that is gone. */
  forget(camera_id: number): void {
    const camera = this.#cameras.get(camera_id);
    if (!camera) return;
    this.#cameras.delete(camera_id);
    this.#free.push(camera.rank);
  }

  #phase_ms(rank: number): number {
    const [interval_ms, stagger_ms] = [this.#interval_ms, this.#stagger_ms];
    const ranks = this.#cameras.size + this.#free.length;
    const turns = Math.max(1, Math.ceil((ranks * stagger_ms) / interval_ms));
    const offset_ms = rank * stagger_ms;
    return (offset_ms % interval_ms) + (Math.floor(offset_ms / interval_ms) * stagger_ms) / turns;
  }
}
