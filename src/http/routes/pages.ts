/** The pages: what Vite built into build/web. Names of assets hold a hash of their content, so a browser keeps them; the pages themselves are asked for each time. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyRequest } from 'fastify';
import { SightlineError } from '../../errors.js';
import type { Server } from '../typed_server.js';

/** Of the clone: set-up builds it there (setup/steps/web_build.mjs). */
export const PAGES_DIR = fileURLToPath(new URL('../../../../build/web/', import.meta.url));
const PAGES: Record<string, string> = { '/': 'index.html', '/calibrate': 'calibrate.html' };
const KEEP = 'public, max-age=31536000, immutable';

export async function pageRoutes(app: Server): Promise<void> {
  if (!Object.values(PAGES).every((file) => existsSync(PAGES_DIR + file))) {
    for (const path of Object.keys(PAGES)) {
      app.get(path, { schema: { hide: true } }, async () => {
        throw new SightlineError('PAGES_MISSING', 'the pages are not built: npm run setup makes them');
      });
    }
    return;
  }
  await app.register(fastifyStatic, {
    root: `${PAGES_DIR}assets/`,
    prefix: '/assets/',
    wildcard: false, // a route for each file that is there now, and for nothing else
    preCompressed: true,
    cacheControl: false,
    index: false,
  });
  app.addHook('onSend', async (request, reply) => {
    if (request.url.startsWith('/assets/') && reply.statusCode === 200) reply.header('cache-control', KEEP);
  });
  for (const [path, file] of Object.entries(PAGES)) {
    app.get(path, { schema: { hide: true } }, async (_request, reply) => reply.sendFile(file, PAGES_DIR, { cacheControl: false }));
  }
}

/** What a person gets in a browser where there is nothing, with links to the pages; undefined where the pages are not built. */
export function missingPage(): string | undefined {
  const file = `${PAGES_DIR}missing.html`;
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

/** Does a person look at the answer? Browsers name text/html where they open an address, scripts and programs do not. */
export function fromAddressBar({ method, headers }: FastifyRequest): boolean {
  return (method === 'GET' || method === 'HEAD') && /(^|[\s,])text\/html([\s,;]|$)/i.test(headers.accept ?? '');
}
