/** What all calibration routes share: who asks, how often, from which page, and errors in the form that the existing clients read. */
import rateLimit from '@fastify/rate-limit';
import type { FastifyRequest } from 'fastify';
import type { CalibrationService } from '../../calibration/service/service.js';
import type { Caller } from '../../calibration/service/tokens.js';
import { SightlineError } from '../../errors.js';
import type { HttpDeps } from '../deps.js';
import type { Server } from '../typed_server.js';

/** Paths that calibration answers for, and that its tokens open. */
export const CALIBRATION_PATHS = /^\/api\/(calibration|screen|ping)(\/|$)/;
/** Parts of a request as Fastify calls them, and as the existing clients do. */
const PART: Readonly<Record<string, string>> = { params: 'path', querystring: 'query', headers: 'header' };
/** Callers whose rate is kept count of. */
const CALLERS_MAX = 10_000;

export interface CalibrationAccess {
  service: () => CalibrationService;
  caller: (request: FastifyRequest) => Caller;
}

export async function calibrationAccess(app: Server, { calibration, log }: HttpDeps): Promise<CalibrationAccess> {
  const callers = new WeakMap<FastifyRequest, Caller>();
  const service = (): CalibrationService => {
    if (calibration === undefined) throw new SightlineError('CALIBRATION_OFF', 'the calibration service is switched off (calibration.enabled)');
    return calibration.service;
  };
  app.addHook('onRequest', async (request, reply) => {
    const { origin } = request.headers;
    if (origin !== undefined && calibration?.allowed_origins.includes(origin) === true) {
      reply.headers({ 'access-control-allow-origin': origin, vary: 'origin', 'cross-origin-resource-policy': 'cross-origin', 'access-control-expose-headers': 'retry-after, content-disposition' });
    }
    // Before the body is read: who may not ask does not get to send megabytes.
    if (request.method === 'OPTIONS' || isPing(request)) return;
    callers.set(request, await service().caller(request.headers.authorization));
  });
  app.setErrorHandler<Error & { statusCode?: number; code?: string; status?: number; validation?: unknown }>((error, request, reply) => {
    const { status, code, message, problems } = answerTo(error);
    if (status >= 500) log.error({ err: error, code, method: request.method, route: request.routeOptions.url ?? '' }, 'request failed');
    if (status === 401) reply.header('www-authenticate', 'Bearer');
    return reply.code(status).send({ detail: status === 422 ? problems : message, error: { code, message } });
  });
  if (calibration !== undefined) {
    await app.register(rateLimit, {
      global: true,
      max: calibration.rate_limit_per_s,
      timeWindow: 1_000,
      cache: CALLERS_MAX,
      hook: 'preHandler',
      keyGenerator: (request) => rateKey(request, callers.get(request)),
      allowList: (request) => isPing(request),
      errorResponseBuilder: () => new SightlineError('RATE_LIMITED', `expected at most ${calibration.rate_limit_per_s} requests a second, received more`),
    });
  }
  return {
    service,
    caller: (request) => {
      const caller = callers.get(request);
      if (caller === undefined) throw new SightlineError('UNAUTHORIZED', 'Authorization: expected "Bearer" and a token');
      return caller;
    },
  };
}

/** One budget for each person under a token: a platform relays many with one. */
function rateKey(request: FastifyRequest, caller: Caller | undefined): string {
  const { session_id, candidate_id } = (request.body ?? {}) as { session_id?: unknown; candidate_id?: unknown };
  const params = (request.params ?? {}) as Record<string, unknown>;
  const about = [session_id, candidate_id, params.candidate_id, params.id].find((value) => typeof value === 'string');
  return `${caller?.role ?? ''}|${caller?.actor ?? ''}|${typeof about === 'string' ? about : request.ip}`;
}

function isPing({ url }: FastifyRequest): boolean {
  return /^\/api\/ping(\?|$)/.test(url);
}

/** A malformed request is a 422 here, as the existing clients know it; what is wrong with the data itself keeps its own status. */
function answerTo(error: Error & { statusCode?: number; code?: string; status?: number }): { status: number; code: string; message: string; problems: Problem[] } {
  const answer = wordsOf(error);
  const { problems = [answer.message], part = 'body' } = (error instanceof SightlineError ? error.details : undefined) as { problems?: string[]; part?: string } | undefined ?? {};
  return { ...answer, problems: problems.map((problem) => located(problem, PART[part] ?? part)) };
}

function wordsOf(error: Error & { statusCode?: number; code?: string; status?: number }): { status: number; code: string; message: string } {
  if (error.name === 'SightlineError') {
    const status = error.code === 'REQUEST_INVALID' ? 422 : (error.status ?? 500);
    // What a 503 says is for the asker; the words of other faults of ours may name files.
    const message = status >= 500 && status !== 503 ? 'an unexpected fault; the log has the cause' : error.message;
    return { status, code: error.code ?? 'INTERNAL', message };
  }
  const status = error.statusCode ?? 500;
  if (status >= 500) return { status: 500, code: 'INTERNAL', message: 'an unexpected fault; the log has the cause' };
  if (status === 413) return { status, code: 'REQUEST_TOO_LARGE', message: 'body: expected a smaller one (calibration.body_limit_kib)' };
  if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return { status: 422, code: 'REQUEST_INVALID', message: 'content-type: expected application/json, received another one or none' };
  const message = error instanceof SyntaxError || error.code === 'FST_ERR_CTP_INVALID_JSON_BODY' ? 'body: expected JSON, received text that does not parse' : error.message;
  return { status: 422, code: 'REQUEST_INVALID', message };
}

/** As the existing clients know it; `loc` begins with the part of the request. */
interface Problem {
  loc: string[];
  msg: string;
  type: string;
}

function located(problem: string, part: string): Problem {
  const [, field, words] = /^([\w.[\]-]{1,80}): (.*)$/s.exec(problem) ?? [];
  const path = (field ?? '').split('.').filter((name) => name !== '' && name !== part);
  return { loc: [part, ...path], msg: words ?? problem, type: 'value_error' };
}
