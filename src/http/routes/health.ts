/** Health, metrics and the API description. Health needs no token: a supervisor has none. */
import { Type } from '@sinclair/typebox';
import type { HttpDeps, Health } from '../deps.js';
import { ErrorSchema, HealthSchema } from '../schemas.js';
import type { Server } from '../typed_server.js';

const responses = { 200: HealthSchema, 503: HealthSchema };

export function healthRoutes(app: Server, { health, metrics }: HttpDeps): void {
  const answer = ({ ok, reasons }: Health) => ({ status: ok ? ('ok' as const) : ('unavailable' as const), reasons });

  app.get('/health', { schema: { summary: 'Live and ready', tags: ['health'], response: responses } }, async (_request, reply) => {
    const [live, ready] = [health.live(), health.ready()];
    const both = { ok: live.ok && ready.ok, reasons: [...live.reasons, ...ready.reasons] };
    return reply.code(both.ok ? 200 : 503).send(answer(both));
  });
  app.get('/health/live', { schema: { summary: 'The process does its work', tags: ['health'], response: responses } }, async (_request, reply) => {
    const live = health.live();
    return reply.code(live.ok ? 200 : 503).send(answer(live));
  });
  app.get('/health/ready', { schema: { summary: 'The main job runs', tags: ['health'], response: responses } }, async (_request, reply) => {
    const ready = health.ready();
    return reply.code(ready.ok ? 200 : 503).send(answer(ready));
  });
  app.get(
    '/metrics',
    { schema: { summary: 'Metrics for Prometheus', tags: ['health'], produces: ['text/plain'], response: { 200: Type.String({ description: 'text exposition format' }), 401: ErrorSchema, 403: ErrorSchema } } },
    async (_request, reply) => reply.header('content-type', metrics.content_type).send(await metrics.render()),
  );
  app.get('/openapi.json', { schema: { summary: 'This description', tags: ['health'], response: { 200: Type.Any({ description: 'OpenAPI 3' }) } } }, async (_request, reply) =>
    reply.header('content-type', 'application/json; charset=utf-8').serializer(JSON.stringify).send(app.swagger()),
  );
}
