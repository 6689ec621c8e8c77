/**
 * What the daemon tells its service manager (sd_notify(3)): that it is ready, what it does, that it stops, and that it still makes progress. The
 * process itself sends, so `NotifyAccess=main` is enough. Without a manager every call does nothing.
 */
import { SightlineError } from '../errors.js';
import { Progress, type Part } from '../progress.js';
import { loadService } from './native.js';

export interface Supervisor {
  /** The start is complete. */
  ready(status: string): void;
  /** One line for `systemctl status`. */
  status(text: string): void;
  /** The configuration is being read again; end with ready(). */
  reloading(): void;
  stopping(): void;
  /**
   * From now on the watchdog is fed, as long as the parts advance. A timer only looks: when nothing has moved since it looked last, or a part is
   * stuck, the manager hears nothing, and restarts the daemon after WatchdogSec.
   * @returns how to end it
   */
  watch(parts: () => readonly Part[]): () => void;
}

export interface SupervisorOptions {
  env: Readonly<Record<string, string | undefined>>;
  pid: number;
  log: { warn(fields: Record<string, unknown>, message: string): void; error(fields: Record<string, unknown>, message: string): void };
  /** Replaced by tests. */
  send?: (address: string, message: string) => string;
  now_ms?: () => number;
}

/** The watchdog is looked after so many times in its interval. */
const LOOKS = 4;
const LOOK_MIN_MS = 100;

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { env, log, now_ms = () => performance.now() } = options;
  const address = env.NOTIFY_SOCKET ?? '';
  const send = address === '' ? () => undefined : sender(options, address);
  const interval_ms = watchdogMs(env, options.pid);

  return {
    ready: (status) => { send(`READY=1\nSTATUS=${oneLine(status)}`); },
    status: (text) => { send(`STATUS=${oneLine(text)}`); },
    reloading: () => { send(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`); },
    stopping: () => { send('STOPPING=1'); },
    watch(parts) {
      if (address === '' || interval_ms === null) return () => undefined;
      const progress = new Progress();
      let said = '';
      const look = (): void => {
        const { stuck, moved } = progress.look(parts(), now_ms());
        const reasons = stuck.join(' ');
        if (reasons !== said && reasons !== '') log.error({ stuck, restart_after_ms: interval_ms }, 'work does not advance: the watchdog is not fed any more');
        said = reasons;
        if (moved && stuck.length === 0) send('WATCHDOG=1');
      };
      look();
      const timer = setInterval(look, Math.max(LOOK_MIN_MS, interval_ms / LOOKS));
      return () => { clearInterval(timer); };
    },
  };
}

/** Interval of the watchdog; null when there is none, or it watches another process. */
export function watchdogMs(env: SupervisorOptions['env'], pid: number): number | null {
  const us = Number(env.WATCHDOG_USEC ?? '');
  const watched = env.WATCHDOG_PID ?? '';
  if (!Number.isFinite(us) || us <= 0 || (watched !== '' && watched !== String(pid))) return null;
  return us / 1000;
}

function sender({ log, send }: SupervisorOptions, address: string): (message: string) => void {
  let notify = send;
  let complained = false;
  return (message) => {
    try {
      notify ??= loadService().notify.bind(undefined);
      const fault = notify(address, message);
      if (fault !== '' && !complained) {
        complained = true;
        log.warn({ code: 'SERVICE_NOTIFY', fault }, 'the service manager could not be told');
      }
    } catch (error) {
      if (complained) return;
      complained = true;
      log.error({ err: error, code: error instanceof SightlineError ? error.code : 'INTERNAL' }, 'the service manager can not be told anything');
    }
  };
}

/** Line breaks would start another variable. */
function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, ' ').slice(0, 500);
}
