/**
 * Live eye tracking: clients that come by WebSocket, and one tracker for each source that any of them wants.
 *
 *   socket ──▶ client ──▶ tracker of the source ──▶ frames (capture) ──▶ faces and eyes (OpenCV process)
 */
import { SightlineError } from '../errors.js';
import { EyeClient } from './client.js';
import { parseSource, sourceKey } from './source.js';
import { Tracker, type TrackerLog, type TrackerSettings } from './tracker.js';
import type { DetectEyes, EyeSocket, EyeStats, OpenFeed } from './types.js';

export interface EyeTrackingOptions {
  settings: TrackerSettings & {
    /** What start_tracking without a source means. */
    source: string;
    max_clients: number;
    max_sources: number;
    /** Between two pings; a client that has not answered the one before is gone. */
    ping_interval_ms: number;
  };
  open: OpenFeed;
  detect: DetectEyes;
  /** Ids of the registered cameras by name. */
  cameraNames(): ReadonlyMap<string, number>;
  log: TrackerLog;
  /** How long a detection took. */
  observe?: (seconds: number) => void;
}

export interface EyeTracking {
  /** Takes over an open socket. */
  accept(socket: EyeSocket): void;
  stats(): EyeStats;
  /** Sends the clients away and resolves when every source is closed. Idempotent. */
  close(): Promise<void>;
}

export function createEyeTracking(options: EyeTrackingOptions): EyeTracking {
  const { settings, log } = options;
  const clients = new Map<EyeSocket, EyeClient>();
  const trackers = new Map<string, Tracker>();
  const counts = { readings: new Map<string, number>(), failures: new Map<string, number>(), skipped: new Map<string, number>(), refused: new Map<string, number>() };
  const count = (of: keyof typeof counts, key: string): void => void counts[of].set(key, (counts[of].get(key) ?? 0) + 1);
  let closed = false;

  function trackerOf(wanted: unknown): { tracker: Tracker; source: string } {
    const source = parseSource(wanted ?? settings.source, () => options.cameraNames());
    const key = sourceKey(source);
    const running = trackers.get(key);
    if (running !== undefined && !running.stopping) return { tracker: running, source: key };
    if (running === undefined && trackers.size >= settings.max_sources) {
      throw new SightlineError('EYE_LIMIT', `source: ${settings.max_sources} sources are followed already, which is the limit; expected one of ${[...trackers.keys()].join(', ')}`);
    }
    const tracker: Tracker = new Tracker(
      {
        source, settings, open: options.open, detect: options.detect, log,
        on: {
          reading(reason, detect_ms) {
            count('readings', reason);
            options.observe?.(detect_ms / 1000);
          },
          failure: (code) => { count('failures', code); },
        },
      },
      running?.ended,
    );
    trackers.set(key, tracker);
    void tracker.ended.then(() => {
      if (trackers.get(key) === tracker) trackers.delete(key);
    });
    return { tracker, source: key };
  }

  function forget(socket: EyeSocket): void {
    clients.get(socket)?.leave();
    clients.delete(socket);
  }

  const heart = setInterval(() => {
    for (const [socket, client] of clients) {
      if (client.alive) {
        client.alive = false;
        socket.ping();
        continue;
      }
      count('refused', 'no_pong');
      socket.terminate();
      forget(socket);
    }
  }, settings.ping_interval_ms);
  heart.unref();

  return {
    accept(socket) {
      if (closed) return socket.close(1001, 'Server stops');
      if (clients.size >= settings.max_clients) {
        count('refused', 'capacity');
        return socket.close(1013, 'Server at capacity');
      }
      const client = new EyeClient({
        socket,
        clients: () => clients.size,
        trackerOf,
        on: {
          skipped: (reason) => { count('skipped', reason); },
          refused: (reason) => { count('refused', reason); },
          fault: (error) => { log.warn({ err: error }, 'a message of an eye-tracking client could not be handled'); },
        },
      });
      clients.set(socket, client);
      socket.on('close', () => { forget(socket); });
    },
    stats() {
      const states = { opening: 0, tracking: 0, waiting: 0 };
      for (const { state, stopping } of trackers.values()) if (!stopping) states[state]++;
      const { readings, failures, skipped, refused } = counts;
      return {
        clients: clients.size, trackers: states,
        readings: Object.fromEntries(readings), failures: Object.fromEntries(failures), skipped: Object.fromEntries(skipped), refused: Object.fromEntries(refused),
      };
    },
    async close() {
      closed = true;
      clearInterval(heart);
      for (const socket of [...clients.keys()]) {
        forget(socket);
        socket.close(1001, 'Server stops');
      }
      for (const tracker of trackers.values()) tracker.stop();
      await Promise.all([...trackers.values()].map(({ ended }) => ended));
    },
  };
}
