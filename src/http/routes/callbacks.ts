/** The way to the receiver: what waits, what was refused, and sending it again. */
import type { HttpDeps } from '../deps.js';
import { CallbacksSchema, CallbackTestSchema, DeadLetterQuery, DeadLettersSchema, ErrorSchema, ReplayRequestSchema, ReplaySchema } from '../schemas.js';
import type { Server } from '../typed_server.js';

const errors = { 400: ErrorSchema, 401: ErrorSchema, 403: ErrorSchema };

export function callbackRoutes(app: Server, { callbacks }: HttpDeps): void {
  const tags = ['callbacks'];
  app.get('/api/callbacks', { schema: { summary: 'Backlog, deliveries and failures', tags, response: { 200: CallbacksSchema, ...errors } } }, async () => callbacks.summary());
  app.get(
    '/api/callbacks/dead-letters',
    { schema: { summary: 'Callbacks that are not sent by themselves any more', tags, querystring: DeadLetterQuery, response: { 200: DeadLettersSchema, ...errors } } },
    async (request) => ({ dead_letters: await callbacks.deadLetters({ limit: request.query.limit ?? 100, after: request.query.after ?? 0 }) }),
  );
  app.post(
    '/api/callbacks/replay',
    { schema: { summary: 'Put dead letters back into the outbox', tags, body: ReplayRequestSchema, response: { 200: ReplaySchema, ...errors } } },
    async (request) => callbacks.replay(request.body.ids ?? 'all'),
  );
  app.post(
    '/api/callbacks/test',
    { schema: { summary: 'Ask the receiver whether it takes our token; it stores nothing', tags, response: { 200: CallbackTestSchema, ...errors, 503: ErrorSchema } } },
    async () => callbacks.test(),
  );
}
