/**
 * What is given up, in which order, when the machine can't keep up. Pure. The order is a ladder: first the analysis rate of the least important
 * cameras, in three rungs down to the least rate, then that of more important ones; only when every rate is at its least are cameras paused,
 * the least important first, and never the last one; and only when decoding is behind, too: where only inference is, the newest frames win anyway.
 */

export interface LadderCamera {
  camera_id: number;
  /** 10 is the most important. */
  priority: number;
  /** Analysed frames per second that are wanted. */
  fps: number;
}

export interface LadderOptions {
  /** No camera's rate is reduced below it; cameras that want less keep what they want. */
  min_fps: number;
  /** false: rates only. */
  pause_cameras: boolean;
}

/** Shares of the wanted rate, rung by rung; the last one is `min_fps`. */
const SHARES = [0.5, 0.25, 0];

/** Rungs that reduce rates; those above them pause cameras. */
export function rateRungs(cameras: readonly LadderCamera[]): number {
  return priorities(cameras).length * SHARES.length;
}

/** What a camera gets on a rung: its rate, 0 = paused. */
export type Allowance = ReadonlyMap<number, number>;

/** Rungs of the ladder for these cameras; 0 = everybody has what they want. */
export function rungs(cameras: readonly LadderCamera[], options: LadderOptions): number {
  return rateRungs(cameras) + (options.pause_cameras ? Math.max(0, cameras.length - 1) : 0);
}

export function allowance(cameras: readonly LadderCamera[], rung: number, options: LadderOptions): Allowance {
  const groups = priorities(cameras);
  const paused = new Set(
    [...cameras]
      .sort((a, b) => a.priority - b.priority || b.camera_id - a.camera_id)
      .slice(0, Math.max(0, Math.min(cameras.length - 1, rung - rateRungs(cameras))))
      .map((camera) => camera.camera_id),
  );
  return new Map(
    cameras.map(({ camera_id, priority, fps }): [number, number] => {
      if (options.pause_cameras && paused.has(camera_id)) return [camera_id, 0];
      const down = Math.max(0, Math.min(SHARES.length, rung - groups.indexOf(priority) * SHARES.length));
      if (down === 0) return [camera_id, fps];
      return [camera_id, Math.min(fps, Math.max(options.min_fps, fps * (SHARES[down - 1] ?? 0)))];
    }),
  );
}

/** The least important first. */
function priorities(cameras: readonly LadderCamera[]): number[] {
  return [...new Set(cameras.map((camera) => camera.priority))].sort((a, b) => a - b);
}

/** Running totals since the start. */
export interface LoadTotals {
  /** Frames that were due for inference. */
  offered: number;
  /** Of those, the ones that found no place or were replaced by a newer one while they waited. */
  lost: number;
}

export interface Load {
  totals: LoadTotals;
  /** Cameras that stream, and how many of them decode clearly fewer frames than they have lately. */
  streaming: number;
  behind: number;
}

/** One look every so often, by a timer of the owner. */
export const LOOK_MS = 2_000;
/** So many looks in a row must agree before a rung is taken. */
const LOOKS_DOWN = 3;
const LOOKS_UP = 15;
/** Looks with too few decoded frames before a camera is paused. */
const LOOKS_PAUSE = 5;
/** Frames lost, as a share of those offered. */
const TOO_MUCH = 0.1;
const FAR_TOO_MUCH = 0.5;
const CALM = 0.02;
/** Fewer frames say nothing. */
const FRAMES_MIN = 5;
/** A step up that has to be taken back makes the next attempt wait twice as long, up to this many looks. */
const LOOKS_UP_MAX = 300;

/** Decides which rung is right, from one look after the other. */
export class Descent {
  #rung = 0;
  #before: LoadTotals | null = null;
  #bad = 0;
  #starved = 0;
  #calm = 0;
  #patience = LOOKS_UP;
  /** Looks since the last step towards what is wanted; a failure soon after it was that step's fault. */
  #since_up = Infinity;
  #lost_share = 0;

  get rung(): number {
    return this.#rung;
  }

  /** Share of the offered frames that was lost at the newest look. */
  get lost_share(): number {
    return this.#lost_share;
  }

  /** @param top the ladder's last rung @param rates its last one that reduces rates @returns the rung from now on */
  look({ totals, streaming, behind }: Load, top: number, rates = top): number {
    const offered = totals.offered - (this.#before?.offered ?? totals.offered);
    const lost = totals.lost - (this.#before?.lost ?? totals.lost);
    this.#before = totals;
    this.#since_up++;
    this.#lost_share = offered < FRAMES_MIN ? 0 : lost / offered;
    // Half of the cameras short of frames at once is the machine (or its network), not a camera.
    const starved = streaming >= 2 && behind * 2 >= streaming;
    const bad = this.#lost_share > TOO_MUCH || starved;
    this.#bad = bad ? this.#bad + 1 : 0;
    this.#calm = !bad && this.#lost_share < CALM ? this.#calm + 1 : 0;
    this.#starved = starved ? this.#starved + 1 : 0;
    const lowest = this.#starved >= LOOKS_PAUSE ? top : Math.min(top, Math.max(rates, this.#rung));
    if (this.#bad >= LOOKS_DOWN && this.#rung < lowest) this.#down(lowest);
    else if (this.#calm >= this.#patience && this.#rung > 0) this.#up();
    this.#rung = Math.min(this.#rung, top);
    return this.#rung;
  }

  #down(top: number): void {
    if (this.#since_up <= 2 * LOOKS_UP) this.#patience = Math.min(LOOKS_UP_MAX, this.#patience * 2);
    this.#since_up = Infinity;
    this.#rung = Math.min(top, this.#rung + (this.#lost_share > FAR_TOO_MUCH ? 2 : 1));
    this.#bad = 0;
  }

  #up(): void {
    if (this.#since_up > 4 * LOOKS_UP) this.#patience = Math.max(LOOKS_UP, Math.floor(this.#patience / 2));
    this.#rung--;
    this.#calm = 0;
    this.#since_up = 0;
  }
}

/** Says of each camera whether it decodes clearly fewer frames than it has lately; what a stream says of its own rate is often wrong. */
export class Pace {
  readonly #best = new Map<number, number>();

  /** @param cameras those that stream, with their decoded frames per second @returns how many are behind */
  behind(cameras: readonly { camera_id: number; fps: number }[]): number {
    const listed = new Set(cameras.map((camera) => camera.camera_id));
    for (const id of this.#best.keys()) if (!listed.has(id)) this.#best.delete(id);
    let count = 0;
    for (const { camera_id, fps } of cameras) {
      const best = this.#best.get(camera_id) ?? 0;
      if (best > 0 && fps < 0.75 * best) count++;
      // Forgets slowly: a camera that was set to a lower rate is not behind for ever.
      this.#best.set(camera_id, Math.max(fps, best * 0.99));
    }
    return count;
  }
}
