/** The parts of the daemon whose work has to advance, read from the stages. */
import type { Stages } from './stages.js';
import { STUCK_MS } from './health.js';
import type { Part } from './progress.js';

/**
 * Inference is stuck when frames wait for it and no batch comes back; capture is stuck when cameras say they stream and no frame comes from any of
 * them (a capture thread that only lost its camera says so itself). A receiver, a database or a camera that is away is no reason for a restart.
 */
export function partsOf({ addon, report, dispatcher, cameras, options }: Stages): Part[] {
  const statuses = cameras.statuses();
  const frames = statuses.reduce((sum, camera) => sum + camera.frames, 0);
  return [
    { name: 'inference', done: report.answers, waiting: addon.poolStats().waiting_rows > 0 || dispatcher.stats().in_flight > 0, limit_ms: STUCK_MS },
    {
      name: 'capture',
      done: frames,
      waiting: statuses.some((camera) => camera.state === 'streaming'),
      limit_ms: Math.max(STUCK_MS, 2 * options.config.capture.stall_limit_ms),
    },
  ];
}
