/** The HTTP server: limits, headers, errors and the list of routes. It does not listen: app.ts does, tests use `inject()`. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import swagger from '@fastify/swagger';
import websocket from '@fastify/websocket';
import fastify, { type FastifyError } from 'fastify';
import type { SightlineError} from '../errors.js';
import { type ErrorCode } from '../errors.js';
import type { HttpDeps } from './deps.js';
import { createGuard } from './guard.js';
import { CALIBRATION_PATHS } from './calibration/access.js';
import { calibrationRoutes } from './routes/calibration.js';
import { callbackRoutes } from './routes/callbacks.js';
import { cameraRoutes } from './routes/cameras.js';
import { eventRoutes } from './routes/events.js';
import { eyeTrackingRoutes, onUpgrade } from './routes/eye_tracking.js';
import { healthRoutes } from './routes/health.js';
import { overviewRoutes } from './routes/overview.js';
import { fromAddressBar, missingPage, pageRoutes } from './routes/pages.js';
import { ptzResultRoutes } from './routes/ptz_results.js';
import { pipelineRoutes } from './routes/pipeline.js';
import { ptzOffsetRoutes } from './routes/ptz_offset.js';
import type { Server } from './typed_server.js';
import { compileValidator } from './validate.js';

const HEADERS = {
  'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(self), fullscreen=(self), microphone=(), geolocation=()',
  'cache-control': 'no-store',
} as const;

/** How long an open WebSocket may take to say goodbye. */
const SOCKET_FAREWELL_MS = 300;

/** Codes of Fastify's own refusals, by HTTP status. */
const REFUSALS: Record<number, ErrorCode> = { 404: 'NOT_FOUND', 413: 'REQUEST_TOO_LARGE', 415: 'REQUEST_INVALID' };

export async function createServer(deps: HttpDeps): Promise<Server> {
  const { settings, log } = deps;
  const app: Server = fastify({
    logger: false,
    trustProxy: settings.trust_proxy,
    bodyLimit: settings.body_limit_kib * 1024,
    // Headers and body; a slow client may not keep a socket for ever.
    requestTimeout: settings.request_timeout_ms,
    connectionTimeout: 0, // snapshots and downloads of a slow reader are bounded by keepAliveTimeout afterwards, not cut
    keepAliveTimeout: 15_000,
    maxRequestsPerSocket: 0,
    forceCloseConnections: true, // stopping does not wait for idle keep-alive sockets
    return503OnClosing: true,
    routerOptions: { maxParamLength: 1_024, ignoreTrailingSlash: false, caseSensitive: true, constraints: { upgrade: onUpgrade } },
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
  }).withTypeProvider<TypeBoxTypeProvider>();

  // text/plain bodies need no CORS preflight: a form of any web site could send them.
  app.removeContentTypeParser('text/plain');
  app.setValidatorCompiler(compileValidator as Parameters<typeof app.setValidatorCompiler>[0]);
  // Before the guard: the plug-in closes the sockets of refused requests only if it saw them first. Errors of an open socket end that socket only; 1 MiB is the largest message.
  await app.register(websocket, {
    options: { maxPayload: 2 ** 20 },
    errorHandler: (_error, socket) => { socket.terminate(); },
    preClose(done) {
      const { websocketServer } = app;
      for (const socket of websocketServer.clients) socket.close(1001, 'Server stops');
      // Who does not answer is cut off: a socket that stays open would keep the listener from closing.
      setTimeout(() => { for (const socket of websocketServer.clients) socket.terminate(); }, SOCKET_FAREWELL_MS).unref();
      websocketServer.close();
      done();
    },
  });
  const guard = createGuard(settings, { paths: CALIBRATION_PATHS, origins: deps.calibration?.allowed_origins ?? [] });
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(HEADERS);
    guard(request);
  });
  const missing = missingPage();
  app.setNotFoundHandler((request, reply) => {
    reply.code(404).header('vary', 'accept');
    if (missing !== undefined && fromAddressBar(request)) return reply.type('text/html; charset=utf-8').send(missing);
    const path = request.url.split('?', 1)[0] ?? '';
    const message = `there is no ${request.method} ${path.slice(0, 200)}`;
    // The clients of the calibration read `detail`.
    return reply.send({ ...(CALIBRATION_PATHS.test(path) ? { detail: message } : {}), ...body('NOT_FOUND', message) });
  });
  app.setErrorHandler<FastifyError | SightlineError>((error, request, reply) => {
    const { status, code, message } = answerTo(error);
    if (status >= 500) log.error({ err: error, code, method: request.method, route: request.routeOptions.url ?? '' }, 'request failed');
    return reply.code(status).send(body(code, message));
  });

  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Sightline', version: deps.version, description: 'Cameras, what they see, and the way to the receiver' },
      ...(settings.api_token === undefined ? {} : { components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } }, security: [{ token: [] }] }),
    },
  });
  for (const routes of [healthRoutes, cameraRoutes, pipelineRoutes, eventRoutes, ptzResultRoutes, callbackRoutes, overviewRoutes, eyeTrackingRoutes, calibrationRoutes, ptzOffsetRoutes, pageRoutes]) {
    await app.register(async (scope) => routes(scope.withTypeProvider<TypeBoxTypeProvider>(), deps));
  }
  await app.ready();
  return app;
}

function body(code: string, message: string): { error: { code: string; message: string } } {
  return { error: { code, message } };
}

/** Status, code and safe sentence for an error. What we did not expect is INTERNAL without a word more: the log has the cause. */
function answerTo(error: FastifyError | SightlineError): { status: number; code: string; message: string } {
  const known = isSightlineError(error) ? error : undefined;
  if (known !== undefined) return { status: known.status, code: known.code, message: known.message };
  const status = 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : 500;
  if (status >= 500) return { status: 500, code: 'INTERNAL', message: 'an unexpected fault; the log has the cause' };
  // Fastify's own sentences about content types and JSON hold no value of the request, but V8's do: they quote the body.
  const message = error instanceof SyntaxError || error.code === 'FST_ERR_CTP_INVALID_JSON_BODY' ? 'body: expected JSON, received text that does not parse' : error.message;
  return { status, code: REFUSALS[status] ?? 'REQUEST_INVALID', message };
}

/** By name and status, not `instanceof`: errors may come from another thread. */
function isSightlineError(error: FastifyError | SightlineError): error is SightlineError {
  return error.name === 'SightlineError' && 'status' in error && typeof error.status === 'number';
}
