/** The configuration: what is in force, and reading it again. */
import type { HttpDeps } from '../deps.js';
import { ErrorSchema, ReloadSchema, ShownConfigSchema } from '../schemas.js';
import type { Server } from '../typed_server.js';

const errors = { 400: ErrorSchema, 401: ErrorSchema, 403: ErrorSchema };

export function configRoutes(app: Server, { config }: HttpDeps): void {
  const tags = ['config'];
  app.get('/api/config', { schema: { summary: 'What is in force; secrets are masked', tags, response: { 200: ShownConfigSchema, ...errors } } }, async () => config.shown());
  app.post(
    '/api/config/reload',
    { schema: { summary: 'Read the configuration again; streams are not dropped, keys that need a restart are named', tags, response: { 200: ReloadSchema, ...errors } } },
    async () => config.reload(),
  );
}
