/**
 * Whether the daemon's work advances: each part says how much it has done and whether something waits for it. A part that has work and has not
 * advanced for its limit is stuck. This, and no timer, feeds the watchdog of the service manager and answers /health/live.
 */

export interface Part {
  name: string;
  /** Counts up with every piece of work. */
  done: number;
  /** Something waits for it, or should come from it. */
  waiting: boolean;
  /** Without advance for so long it is stuck, milliseconds. */
  limit_ms: number;
}

export interface ProgressReport {
  /** Names of the parts that are stuck, as reasons: `inference_stuck`. */
  stuck: string[];
  /** Some part has advanced since the report before, or none has anything to do. */
  moved: boolean;
}

export class Progress {
  readonly #seen = new Map<string, { done: number; at_ms: number }>();

  /** Looks at the parts now. A part's clock runs only while something waits for it. */
  look(parts: readonly Part[], now_ms: number): ProgressReport {
    let moved = parts.every((part) => !part.waiting);
    const stuck: string[] = [];
    for (const { name, done, waiting, limit_ms } of parts) {
      const before = this.#seen.get(name);
      const advanced = before?.done !== done;
      if (advanced) moved = true;
      if (before === undefined || advanced || !waiting) this.#seen.set(name, { done, at_ms: now_ms });
      else if (now_ms - before.at_ms > limit_ms) stuck.push(`${name}_stuck`);
    }
    return { stuck, moved };
  }
}
