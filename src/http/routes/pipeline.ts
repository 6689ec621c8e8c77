/** What the pipeline does, and with which configuration. */
import type { HttpDeps } from '../deps.js';
import { BaselinesSchema, ErrorSchema, PipelineSchema } from '../schemas.js';
import { configRoutes } from './config.js';
import type { Server } from '../typed_server.js';

export function pipelineRoutes(app: Server, deps: HttpDeps): void {
  const { pipeline, baselines } = deps;
  configRoutes(app, deps);
  app.get(
    '/api/baselines',
    { schema: { summary: 'Baselines over days: how far they have come, and what is usual', tags: ['pipeline'], response: { 200: BaselinesSchema, 401: ErrorSchema, 403: ErrorSchema } } },
    async () => baselines.list(),
  );
  app.get(
    '/api/pipeline',
    { schema: { summary: 'Frames per second, latencies, batch sizes and drops, per stage', tags: ['pipeline'], response: { 200: PipelineSchema, 401: ErrorSchema, 403: ErrorSchema } } },
    async () => pipeline.snapshot(),
  );
}
