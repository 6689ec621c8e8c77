/** What a daemon's signals mean: SIGINT and SIGTERM stop it, SIGHUP reads the configuration again (at a terminal, which is gone then, it stops). */

/** Signals that come so soon after the first are the same wish: npm passes on what its whole process group got anyway. */
const SAME_WISH_MS = 500;
/** What is not over within this time after a signal is cut off. */
export const STOP_MS = 4_500;

export interface Signals {
  /** The name of the first signal to stop. */
  received: Promise<string>;
  /** Aborted by it: a start that is no longer wanted ends at its next step. */
  stop: AbortSignal;
  /** Called at each SIGHUP; the newest callback wins. */
  onReload(callback: () => void): void;
  forget(): void;
}

/** Listens from now on. From the second signal to stop on the process ends at once: what matters is on the disk. */
export function listenToSignals({ terminal }: { terminal: boolean }): Signals {
  const controller = new AbortController();
  let first_ms: number | null = null;
  let reload: () => void = () => undefined;
  let resolve: (name: string) => void = () => undefined;
  const received = new Promise<string>((settle) => { resolve = settle; });
  const stop = (name: string): void => {
    const now = performance.now();
    if (first_ms !== null && now - first_ms > SAME_WISH_MS) process.kill(process.pid, 'SIGKILL');
    if (first_ms !== null) return;
    first_ms = now;
    resolve(name);
    controller.abort();
  };
  const hangup = (name: string): void => {
    if (terminal) stop(name);
    else reload();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  process.on('SIGHUP', hangup);
  return {
    received,
    stop: controller.signal,
    onReload(callback) { reload = callback; },
    forget() {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
      process.off('SIGHUP', hangup);
    },
  };
}
