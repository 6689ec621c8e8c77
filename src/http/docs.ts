/** The route table of docs/API.md, made from the OpenAPI description; a test compares the two. */
import type { HttpDeps } from './deps.js';
import { createServer } from './server.js';

interface Operation {
  summary?: string;
  parameters?: { name: string; in: string; description?: string; schema?: { description?: string } }[];
  responses: Record<string, { description: string }>;
}

/** The OpenAPI description of every route. */
export async function describeApi(): Promise<Record<string, Record<string, Operation>>> {
  const settings = { host: 'localhost', port: 0, trust_proxy: false, body_limit_kib: 64, request_timeout_ms: 1000 };
  // Handlers are never called here, so none of the stages behind them is needed.
  const server = await createServer({ settings, version: '0', log: {} } as HttpDeps);
  try {
    return server.swagger().paths as unknown as Record<string, Record<string, Operation>>;
  } finally {
    await server.close();
  }
}

/** Markdown: a row per route. */
export async function renderRoutes(): Promise<string> {
  const rows = Object.entries(await describeApi()).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { summary = '', parameters = [], responses }]) => {
      const query = parameters.filter((parameter) => parameter.in === 'query').map(({ name, description, schema }) => `\`${name}\`: ${description ?? schema?.description ?? ''}`);
      return `| \`${method.toUpperCase()} ${path}\` | ${[summary, ...query].join('; ')} | ${Object.keys(responses).join(', ')} |`;
    }),
  );
  return ['| route | what it does | answers |', '| --- | --- | --- |', ...rows].join('\n');
}
