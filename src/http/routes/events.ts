/** Events, with the frames and clips that were kept of them. */
import { Type } from '@sinclair/typebox';
import { SightlineError } from '../../errors.js';
import type { HttpDeps } from '../deps.js';
import { ErrorSchema, EventIdParams, EventQuerySchema, EventsSchema, KeptEventSchema } from '../schemas.js';
import type { Server } from '../typed_server.js';

const errors = { 400: ErrorSchema, 401: ErrorSchema, 403: ErrorSchema };
const missing = { ...errors, 404: ErrorSchema };
const TYPES: Readonly<Record<string, string>> = { jpg: 'image/jpeg', mp4: 'video/mp4', mkv: 'video/x-matroska', ts: 'video/mp2t' };
const DEFAULT_LIMIT = 100;

export function eventRoutes(app: Server, { events }: HttpDeps): void {
  const tags = ['events'];
  const kept = async (id: number) => {
    const event = await events.get(id);
    if (event === undefined) throw new SightlineError('NOT_FOUND', `id: expected an event that is kept, received ${id}`);
    return event;
  };
  const file = async (id: number, path: string | null, what: string): Promise<{ data: Buffer; type: string }> => {
    const data = path === null ? undefined : await events.read(path);
    if (path === null || data === undefined) throw new SightlineError('NOT_FOUND', `event ${id} has no ${what}, or it has been forgotten`);
    return { data, type: TYPES[path.split('.').at(-1) ?? ''] ?? 'application/octet-stream' };
  };

  app.get('/api/events', { schema: { summary: 'Events, newest first', tags, querystring: EventQuerySchema, response: { 200: EventsSchema, ...errors } } }, async (request) => {
    const { limit = DEFAULT_LIMIT, ...query } = request.query;
    const found = await events.list({ ...query, limit });
    return { events: found, next_before: found.length === limit ? (found.at(-1)?.id ?? null) : null };
  });
  app.get('/api/events/:id', { schema: { summary: 'An event', tags, params: EventIdParams, response: { 200: KeptEventSchema, ...missing } } }, async (request) => kept(request.params.id));
  app.get(
    '/api/events/:id/frame.jpg',
    { schema: { summary: 'The frame that raised the event', tags, produces: ['image/jpeg'], params: EventIdParams, response: { 200: { description: 'JPEG', content: { 'image/jpeg': { schema: Type.Any() } } }, ...missing } } },
    async (request, reply) => {
      const { data, type } = await file(request.params.id, (await kept(request.params.id)).frame_path, 'frame');
      return reply.header('content-type', type).send(data);
    },
  );
  app.get(
    '/api/events/:id/clip',
    { schema: { summary: 'A clip around an alert, as the camera encoded it', tags, produces: ['video/mp4'], params: EventIdParams, response: { 200: { description: 'mp4, mkv or ts', content: { 'video/mp4': { schema: Type.Any() } } }, ...missing } } },
    async (request, reply) => {
      const { data, type } = await file(request.params.id, (await kept(request.params.id)).clip_path, 'clip');
      return reply.header('content-type', type).send(data);
    },
  );
}
