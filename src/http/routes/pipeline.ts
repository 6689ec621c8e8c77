/** What the pipeline does. */
import type { HttpDeps } from '../deps.js';
import { ErrorSchema, PipelineSchema } from '../schemas.js';
import type { Server } from '../server.js';

export function pipelineRoutes(app: Server, { pipeline }: HttpDeps): void {
  app.get(
    '/api/pipeline',
    { schema: { summary: 'Frames per second, latencies, batch sizes and drops, per stage', tags: ['pipeline'], response: { 200: PipelineSchema, 401: ErrorSchema, 403: ErrorSchema } } },
    async () => pipeline.snapshot(),
  );
}
