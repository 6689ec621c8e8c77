/**
 * Reads the configuration again (SIGHUP, POST /api/config/reload) and puts into force what can change while the streams run. A configuration with
 * problems changes nothing; keys that need a restart are named, and what runs stays as it was.
 */
import { changesBetween, withKeys, type Changes } from './config/changes.js';
import { secretsOf } from './config/load.js';
import type { Config } from './config/schema.js';
import { SightlineError } from './errors.js';
import type { Log } from './observability/log.js';
import type { Secrets } from './observability/redact.js';

export interface ReloadOptions {
  /** Reads file and environment. Errors: CONFIG_INVALID. */
  load: () => Config;
  /** What is in force. */
  current: () => Config;
  /** Puts it into force: the configuration before with what may change at once. */
  apply: (config: Config) => Promise<void>;
  secrets: Secrets;
  log: Pick<Log, 'info' | 'warn' | 'error'>;
}

/** One reload after the other: the second of two that come together reads what the first left. */
export function createReload(options: ReloadOptions): () => Promise<Changes> {
  let tail: Promise<unknown> = Promise.resolve();
  return () => {
    const turn = tail.then(() => reload(options));
    tail = turn.catch(() => undefined);
    return turn;
  };
}

async function reload({ load, current, apply, secrets, log }: ReloadOptions): Promise<Changes> {
  let wanted: Config;
  try {
    wanted = load();
  } catch (error) {
    log.error({ err: error, code: error instanceof SightlineError ? error.code : 'INTERNAL' }, 'the configuration was not reloaded: it has problems, what was in force stays');
    throw error;
  }
  secrets.add(secretsOf(wanted));
  const before = current();
  const changes = changesBetween(before, wanted);
  if (changes.applied.length > 0) await apply(withKeys(before, wanted, changes.applied));
  if (changes.needs_restart.length > 0) log.warn({ ...changes }, `configuration reloaded; ${changes.needs_restart.length} changed keys need a restart: ${changes.needs_restart.join(', ')}`);
  else log.info({ ...changes }, changes.applied.length === 0 ? 'configuration reloaded: nothing has changed' : `configuration reloaded, in force: ${changes.applied.join(', ')}`);
  return changes;
}
