/**
 * One episode is one event. An episode of a type opens when its value reaches the threshold, and closes when it has been below
 * RELEASE × threshold (or absent) for RELEASE_US. An open episode is raised once; if the type's last event was less than the
 * cool-down ago, it is raised when that is over, should it still last.
 */

export const RELEASE = 0.85;
export const RELEASE_US = 3_000_000;

interface Episode {
  open: boolean;
  raised: boolean;
  opened_us: number;
  /** Last time the value was not below the release level. */
  held_us: number;
  event_us: number;
}

export interface Raised {
  /** How long the episode has lasted. */
  duration_us: number;
}

export class Episodes {
  readonly #episodes = new Map<string, Episode>();
  #cooldown_us: number;
  #suppressed = 0;

  constructor(cooldown_us: number) {
    this.#cooldown_us = cooldown_us;
  }

  /**
   * @param type one of a fixed set; each is remembered for ever
   * @param t_us not before the type's last call (an earlier time changes nothing)
   * @param value 0..1, undefined when it could not be measured
   * @returns the episode when it is to be raised now
   */
  update(type: string, t_us: number, value: number | undefined, threshold: number): Raised | undefined {
    let episode = this.#episodes.get(type);
    if (episode === undefined) {
      if (value === undefined || value < threshold) return undefined;
      episode = { open: false, raised: false, opened_us: t_us, held_us: t_us, event_us: -Infinity };
      this.#episodes.set(type, episode);
    }
    if (t_us < episode.held_us) return undefined;
    if (!episode.open) {
      if (value === undefined || value < threshold) return undefined;
      Object.assign(episode, { open: true, raised: false, opened_us: t_us, held_us: t_us });
      if (t_us - episode.event_us < this.#cooldown_us) this.#suppressed += 1;
    } else if (value !== undefined && value >= threshold * RELEASE) {
      episode.held_us = t_us;
    } else if (t_us - episode.held_us >= RELEASE_US) {
      episode.open = false;
      return undefined;
    }
    const above = value !== undefined && value >= threshold;
    if (episode.raised || !above || t_us - episode.event_us < this.#cooldown_us) return undefined;
    episode.raised = true;
    episode.event_us = t_us;
    return { duration_us: t_us - episode.opened_us };
  }

  /** Another cool-down from now on, also for one that runs. */
  coolDown(cooldown_us: number): void {
    this.#cooldown_us = cooldown_us;
  }

  /** Episodes that opened within a cool-down. */
  get suppressed(): number {
    return this.#suppressed;
  }

  /** Closes every episode; the cool-downs go on. */
  close(): void {
    for (const episode of this.#episodes.values()) episode.open = false;
  }
}
