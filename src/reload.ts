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
  /** What the daemon was started with. */
  started: Config;
  /** Puts it into force: the configuration before with what may change at once. Called with the same one, too: the registry is read again. */
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

async function reload({ load, current, started, apply, secrets, log }: ReloadOptions): Promise<Changes> {
  let wanted: Config;
  try {
    wanted = load();
  } catch (error) {
    log.error({ err: error, code: codeOf(error) }, 'the configuration was not reloaded: it has problems, what was in force stays');
    throw error;
  }
  secrets.add(secretsOf(wanted));
  const before = current();
  const changes = changesBetween(before, wanted, started);
  try {
    await apply(withKeys(before, wanted, changes.applied));
  } catch (error) {
    log.error({ err: error, code: codeOf(error) }, 'the configuration was read again, but is not in force everywhere; reload once more');
    throw error;
  }
  const said = [
    ...(changes.applied.length === 0 ? [] : [`in force: ${changes.applied.join(', ')}`]),
    ...(changes.needs_restart.length === 0 ? [] : [`changed, but in force only after a restart: ${changes.needs_restart.join(', ')}`]),
  ].join('; ');
  const level = changes.needs_restart.length > 0 ? 'warn' : 'info';
  log[level]({ ...changes }, `configuration reloaded; ${said === '' ? 'nothing has changed' : said}`);
  return changes;
}

function codeOf(error: unknown): string {
  return error instanceof SightlineError ? error.code : 'INTERNAL';
}
