/** Summarises repeats: the first of a kind is said at once, the others are counted and said once a window. */

/** What repeats are said with: pino's signature. */
export interface RepeatLog {
  warn: (fields: Record<string, unknown>, message: string) => void;
  error: (fields: Record<string, unknown>, message: string) => void;
}

export interface RepeatsOptions {
  log: RepeatLog;
  /** Monotonic or wall-clock milliseconds. */
  now: () => number;
  window_ms: number;
  /** Kinds remembered at once, default 1000; beyond it the oldest is flushed early. */
  max_kinds?: number;
}

/** Its `warn` and `error`: a kind is `fields.code` (the message, where there is none) with `fields.camera_id`. */
export interface Repeats extends RepeatLog {
  /** Says the counts of the windows that are over; to be called every now and then, by a timer of the owner. */
  sweep(): void;
  /** Says all counts at once: before the end. */
  flush(): void;
}

interface Kind {
  since: number;
  more: number;
  level: 'warn' | 'error';
  fields: Record<string, unknown>;
  message: string;
}

export function createRepeats({ log, now, window_ms, max_kinds = 1000 }: RepeatsOptions): Repeats {
  const kinds = new Map<string, Kind>();

  function close(key: string, kind: Kind): void {
    kinds.delete(key);
    if (kind.more === 0) return;
    const seconds = Math.round((now() - kind.since) / 1000);
    log[kind.level]({ ...kind.fields, repeats: kind.more }, `${kind.more} more in ${seconds} s, the last: ${kind.message}`);
  }

  function say(level: Kind['level'], fields: Record<string, unknown>, message: string): void {
    const key = JSON.stringify([level, fields.code ?? message, fields.camera_id]);
    const kind = kinds.get(key);
    if (kind !== undefined && now() - kind.since < window_ms) {
      Object.assign(kind, { more: kind.more + 1, fields, message });
      return;
    }
    if (kind !== undefined) close(key, kind);
    const [oldest] = kinds;
    if (kinds.size >= max_kinds && oldest !== undefined) close(...oldest);
    kinds.set(key, { since: now(), more: 0, level, fields, message });
    log[level](fields, message);
  }

  return {
    warn: (fields, message) => { say('warn', fields, message); },
    error: (fields, message) => { say('error', fields, message); },
    sweep() {
      for (const [key, kind] of kinds) if (now() - kind.since >= window_ms) close(key, kind);
    },
    flush() {
      for (const [key, kind] of kinds) close(key, kind);
    },
  };
}
