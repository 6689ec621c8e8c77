/** Watches whether the machine keeps up and moves the cameras along the ladder (cameras/ladder.ts): counted, logged and shown, never silent. */
import { allowance, Descent, LOOK_MS, Pace, rateRungs, rungs, type LadderOptions } from './cameras/ladder.js';
import type { Cameras } from './cameras/supervisor.js';
import type { PoolStats } from './capture/types.js';
import type { Config } from './config/schema.js';

export interface DegradationOptions {
  cameras: Pick<Cameras, 'statuses' | 'wanted' | 'allow'>;
  poolStats: () => PoolStats;
  ladder: () => LadderOptions & { enabled: boolean };
  log: { warn(fields: Record<string, unknown>, message: string): void; info(fields: Record<string, unknown>, message: string): void };
}

/** What is shown of it. */
export interface DegradationSnapshot {
  /** 0 = everybody has what they want. */
  rung: number;
  rungs: number;
  /** Share of the frames due for inference that was lost lately, 0..1. */
  lost_share: number;
  /** Cameras whose analysis rate is reduced, and what they get. */
  slowed: { camera_id: number; fps: number; wanted_fps: number }[];
  paused: number[];
}

/** What the configuration allows to be given up. */
export function ladderOf({ processing }: Config): ReturnType<DegradationOptions['ladder']> {
  return { enabled: processing.degradation !== 'off', pause_cameras: processing.degradation === 'full', min_fps: processing.min_fps };
}

export class Degradation {
  readonly #options: DegradationOptions;
  readonly #descent = new Descent();
  readonly #pace = new Pace();
  #timer: NodeJS.Timeout | null = null;
  #rung = 0;

  constructor(options: DegradationOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => { this.look(); }, LOOK_MS);
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** One look at the load; the timer's work, and a test's. */
  look(): void {
    const { cameras, poolStats, ladder } = this.#options;
    const options = ladder();
    const wanted = cameras.wanted();
    const top = options.enabled ? rungs(wanted, options) : 0;
    const streaming = cameras.statuses().filter((camera) => camera.state === 'streaming');
    const { claimed, no_slot, superseded } = poolStats();
    const load = { totals: { offered: claimed + no_slot, lost: superseded + no_slot }, streaming: streaming.length, behind: this.#pace.behind(streaming) };
    const rung = this.#descent.look(load, top, rateRungs(wanted));
    cameras.allow(allowance(wanted, rung, options));
    if (rung !== this.#rung) this.#say(rung, top);
    this.#rung = rung;
  }

  snapshot(): DegradationSnapshot {
    const options = this.#options.ladder();
    const wanted = this.#options.cameras.wanted();
    const given = allowance(wanted, this.#rung, options);
    const slowed = wanted.flatMap(({ camera_id, fps }) => {
      const got = given.get(camera_id) ?? fps;
      return got > 0 && got < fps ? [{ camera_id, fps: got, wanted_fps: fps }] : [];
    });
    return {
      rung: this.#rung,
      rungs: options.enabled ? rungs(wanted, options) : 0,
      lost_share: Math.round(this.#descent.lost_share * 1000) / 1000,
      slowed,
      paused: wanted.filter(({ camera_id }) => given.get(camera_id) === 0).map(({ camera_id }) => camera_id),
    };
  }

  #say(rung: number, top: number): void {
    const before = this.#rung;
    this.#rung = rung;
    const { slowed, paused, lost_share } = this.snapshot();
    const fields = { code: 'DEGRADED', rung, rungs: top, lost_share, slowed: slowed.length, paused };
    if (rung > before) this.#options.log.warn(fields, `the machine can't keep up: ${slowed.length} cameras are analysed less often, ${paused.length} are paused`);
    else if (rung > 0) this.#options.log.info(fields, `the machine has room again: ${slowed.length} cameras are analysed less often, ${paused.length} are paused`);
    else this.#options.log.info(fields, 'the machine keeps up: every camera has its rate again');
  }
}
