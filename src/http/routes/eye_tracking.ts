/** The WebSocket of live eye tracking, at / and /ws. The same paths answer plain requests as well: / with a page, /ws with 426. */
import type { FastifyServerOptions } from 'fastify';
import { EYE_PATHS } from '../guard.js';
import type { HttpDeps } from '../deps.js';
import type { Server } from '../typed_server.js';

type Strategy = NonNullable<NonNullable<FastifyServerOptions['routerOptions']>['constraints']>[string];

/** Fastify's router tells requests for a WebSocket from others of the same path by this. */
export const onUpgrade: Strategy = {
  name: 'upgrade',
  storage() {
    const handlers = new Map<string, Parameters<ReturnType<Strategy['storage']>['set']>[1]>();
    return { get: (kind) => handlers.get(kind) ?? null, set: (kind, handler) => void handlers.set(kind, handler) };
  },
  deriveConstraint: (request) => request.headers.upgrade?.toLowerCase() ?? '',
  mustMatchWhenDerived: false,
};

export function eyeTrackingRoutes(app: Server, { eye_tracking }: HttpDeps): void {
  if (eye_tracking === undefined) return;
  for (const path of EYE_PATHS) {
    app.get(path, { websocket: true, constraints: { upgrade: 'websocket' }, schema: { hide: true }, exposeHeadRoute: false }, (socket) => { eye_tracking.accept(socket); });
  }
  app.get('/ws', { schema: { hide: true } }, async (_request, reply) =>
    reply.code(426).header('upgrade', 'websocket').send({ error: { code: 'REQUEST_INVALID', message: '/ws: expected a WebSocket connection, received a plain request' } }),
  );
}
