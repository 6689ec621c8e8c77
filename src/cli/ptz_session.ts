/** What every command of the PTZ monitor starts with. */
import { loadConfig } from '../config/load.js';
import type { Config } from '../config/schema.js';
import { SightlineError } from '../errors.js';
import { createLog, type Log } from '../observability/log.js';
import { createSecrets } from '../observability/redact.js';
import type { CliContext } from './context.js';

export interface PtzSession {
  config: Config;
  log: Log;
  signal: AbortSignal;
  /** From now on the log leaves these out. */
  addSecrets: (secrets: string[]) => void;
}

/** Configuration, a log on stderr that knows the secrets, and an end on SIGINT and SIGTERM. */
export async function session<T>(cli: CliContext, file: string | undefined, work: (opened: PtzSession) => Promise<T>): Promise<T> {
  const config = loadConfig({ file, env: cli.io.env, cwd: cli.io.cwd() });
  const secrets = createSecrets();
  const log = createLog({ level: config.logging.level, format: config.logging.format, tty: process.stderr.isTTY, sink: cli.io.stderr, secrets });
  const stop = new AbortController();
  const end = (): void => { stop.abort(new SightlineError('NOT_READY', 'stopped by a signal')); };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end);
  try {
    return await work({ config, log, signal: stop.signal, addSecrets: (values) => { secrets.add(values); } });
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, end);
  }
}
