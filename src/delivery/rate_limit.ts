/** At most so many requests of one camera in any window of time: a sliding window, since a bucket lets twice as many through at its edge. */
export class RateLimit {
  private readonly sent = new Map<number | null, number[]>();
  private readonly in_window: number;
  private readonly window_ms: number;

  /** @param per_second > 0; below 1 it means one request in 1 / per_second seconds */
  constructor(per_second: number) {
    this.in_window = Math.max(1, Math.floor(per_second));
    this.window_ms = (this.in_window / per_second) * 1000;
  }

  /** Milliseconds until that camera may send; 0 = now. */
  wait_ms(camera_id: number | null, now_ms: number): number {
    const times = this.sent.get(camera_id);
    if (times === undefined || times.length < this.in_window) return 0;
    return Math.max(0, (times[0] as number) + this.window_ms - now_ms);
  }

  /** Notes a request. */
  take(camera_id: number | null, now_ms: number): void {
    const times = this.sent.get(camera_id);
    if (times === undefined) {
      this.sent.set(camera_id, [now_ms]);
      return;
    }
    times.push(now_ms);
    if (times.length > this.in_window) times.shift();
  }

  /** Forgets cameras that have been silent for a window; called now and then, so that removed cameras leave nothing behind. */
  prune(now_ms: number): void {
    for (const [camera, times] of this.sent) if ((times.at(-1) as number) + this.window_ms <= now_ms) this.sent.delete(camera);
  }
}
