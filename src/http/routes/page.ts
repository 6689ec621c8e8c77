/** The index page: links, and a wall of snapshots that app.js keeps fresh. Three small files, read once. */
import { readFile } from 'node:fs/promises';
import type { HttpDeps } from '../deps.js';
import type { Server } from '../server.js';

/** Beside the sources, not beside the compiled file: tsc copies no assets. */
const STATIC = new URL('../../../../src/http/static/', import.meta.url);
const FILES = [
  { path: '/', file: 'index.html', type: 'text/html; charset=utf-8' },
  { path: '/app.js', file: 'app.js', type: 'text/javascript; charset=utf-8' },
  { path: '/app.css', file: 'app.css', type: 'text/css; charset=utf-8' },
];

export async function pageRoutes(app: Server, { version }: HttpDeps): Promise<void> {
  for (const { path, file, type } of FILES) {
    const text = (await readFile(new URL(file, STATIC), 'utf8')).replaceAll('{{version}}', escapeHtml(version));
    app.get(path, { schema: { hide: true } }, async (_request, reply) => reply.header('content-type', type).send(text));
  }
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
