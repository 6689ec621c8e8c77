/** The only importer of service.node: what the daemon needs of the operating system that Node does not have. */
import { loadAddon, membersOf } from '../native_addon.js';

export interface ServiceAddon {
  /**
   * Sends a datagram to a unix socket: an absolute path, or `@name` for the abstract namespace. Never blocks.
   * @returns '' when it was sent, else the system's words
   */
  notify(address: string, message: string): string;
}

/** Errors: NATIVE_LOAD_FAILED. */
export function loadService(): ServiceAddon {
  return loadAddon({ file: 'service.node', members: membersOf<ServiceAddon>({ notify: 0 }), remedy: 'run `npm run build:native`' });
}
