/** Where the HTTP server listens, and in words why it cannot. */
import { createServer } from 'node:net';
import { SightlineError } from '../errors.js';
import type { Server } from './typed_server.js';

interface Address {
  host: string;
  /** 0 = any free one. */
  port: number;
}

/**
 * Looks whether the address is free, before the long part of a start. It may be taken until `listen`, which says the same then.
 * @throws LISTEN_FAILED
 */
export async function tryAddress({ host, port }: Address): Promise<void> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', (error) => { reject(refusal(error, { host, port })); });
    probe.listen({ host, port, exclusive: true }, () => { probe.close(() => { resolve(); }); });
  });
}

/** @returns the URL to open. @throws LISTEN_FAILED */
export async function listen(server: Server, { host, port }: Address): Promise<string> {
  try {
    return await server.listen({ host, port });
  } catch (error) {
    throw refusal(error, { host, port });
  }
}

function refusal(error: unknown, { host, port }: Address): SightlineError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const message =
    code === 'EADDRINUSE' ? `server.port: expected a free port on ${host}, received ${port}, which another program uses (PORT names another)`
    : code === 'EACCES' ? `server.port: expected a port that this user may listen on, received ${port} (those from 1024 need no rights)`
    : `server.host: expected an address of this machine, received "${host}" (${code})`;
  return new SightlineError('LISTEN_FAILED', message, { cause: error });
}
