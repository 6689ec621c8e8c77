import type { DeliveryClock } from './types.js';

/** setTimeout takes no more. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** The clocks of this machine. */
export function systemClock(): DeliveryClock {
  return {
    wallMs: () => Date.now(),
    monoMs: () => performance.now(),
    after(delay_ms, run) {
      const timer = setTimeout(run, Math.min(Math.max(delay_ms, 0), LONGEST_DELAY_MS));
      return () => clearTimeout(timer);
    },
  };
}
