/** The only importer of service.node: what the daemon needs of the operating system that Node does not have. */
import { createRequire } from 'node:module';
import path from 'node:path';
import { SightlineError } from '../errors.js';

export interface ServiceAddon {
  /**
   * Sends a datagram to a unix socket: an absolute path, or `@name` for the abstract namespace. Never blocks.
   * @returns '' when it was sent, else the system's words
   */
  notify(address: string, message: string): string;
}

/** Where the build puts it, from the root of the project. */
const BUILT = 'build/native/bin/service.node';

/** Errors: NATIVE_LOAD_FAILED. */
export function loadService(root: string): ServiceAddon {
  const file = path.join(root, BUILT);
  try {
    return createRequire(import.meta.url)(file) as ServiceAddon;
  } catch (error) {
    const why = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    throw new SightlineError('NATIVE_LOAD_FAILED', `service.node does not load: ${why}; run \`npm run build:native\``, { cause: error });
  }
}
