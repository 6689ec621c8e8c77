/** Opens the camera registry for a command, whether or not a daemon runs, and closes it again. */
import { join } from 'node:path';
import type { OpenRegistry } from '../cameras/open_registry.js';
import { loadConfig } from '../config/load.js';
import type { Config } from '../config/schema.js';
import { SightlineError, type ErrorCode } from '../errors.js';
import type { CliContext } from './context.js';

/** Options that every command takes. */
export interface Common {
  config: string | undefined;
  json: boolean | undefined;
}

export async function withRegistry<T>(cli: CliContext, { config: file }: Common, work: (registry: OpenRegistry['registry'], opened: OpenRegistry, config: Config) => Promise<T>): Promise<T> {
  const config = loadConfig({ file, env: cli.io.env, cwd: cli.io.cwd() });
  // Here and not at the top: `config check` and `--help` need no database library.
  const { openStore } = await import('../store/store.js');
  const store = await openStore({ file: join(config.state_dir, 'sightline.db'), log: { info: () => undefined } });
  const { openRegistry } = await import('../cameras/open_registry.js');
  const opened = openRegistry(config, store.db, { info: () => undefined, warn: () => undefined });
  try {
    // With the database away the list is of the last run, which would be taken for the truth here.
    await opened.registry.list();
    const { error } = opened.registry.state();
    if (error !== null) throw new SightlineError(error.code as ErrorCode, error.message);
    return await work(opened.registry, opened, config);
  } finally {
    await opened.close();
    await store.close();
  }
}
