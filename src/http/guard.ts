/**
 * Who may ask. With an API token: /api and /metrics want it. Without one the server listens on a loopback address only, and then a page
 * of some web site in a local browser must not reach it either: not by a form (Origin), not by a name that it made point to 127.0.0.1 (Host).
 */
import { timingSafeEqual, createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { isLoopback } from '../config/rules.js';
import { SightlineError } from '../errors.js';
import type { HttpSettings } from './deps.js';

/** Where eye-tracking clients connect. Their pages come from elsewhere: from another port of this machine, or from where `eye_tracking.allowed_origins` says. */
export const EYE_PATHS: readonly string[] = ['/', '/ws'];

/** Paths that check tokens of their own, and pages elsewhere that may call them. */
export interface OwnAccess {
  paths: RegExp;
  origins: readonly string[];
}

export function createGuard({ api_token, host, trust_proxy, eye_origins = [] }: HttpSettings, own?: OwnAccess): (request: FastifyRequest) => void {
  const local = isLoopback(host) && !trust_proxy && api_token === undefined;
  return (request) => {
    const asked = hostname(request.headers.host ?? '');
    if (local && !isLoopback(asked)) throw new SightlineError('FORBIDDEN', 'Host: expected localhost or a loopback address, received another name');
    const { origin } = request.headers;
    const eyes = isEyeSocket(request);
    const foreign = origin !== undefined && !sameOrigin(origin, request.host);
    const has_own = own?.paths.test(pathOf(request.url)) === true;
    if (foreign && !(has_own && own?.origins.includes(origin) === true) && !(eyes && (eye_origins.includes(origin) || (local && isLoopbackOrigin(origin))))) throw new SightlineError('FORBIDDEN', 'Origin: expected this server, received another origin');
    if (api_token === undefined || has_own || !(eyes || isProtected(request.url))) return;
    // A page cannot send headers with a WebSocket: it may name the token as ?token=.
    const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? (eyes ? tokenOf(request.url) : undefined);
    if (given === undefined || !equal(given, api_token)) throw new SightlineError('UNAUTHORIZED', 'Authorization: expected "Bearer" and the API token');
  };
}

function isProtected(url: string): boolean {
  const path = pathOf(url);
  return path === '/metrics' || path === '/api' || path.startsWith('/api/');
}

function isEyeSocket({ headers, url }: FastifyRequest): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket' && EYE_PATHS.includes(url.split('?', 1)[0] ?? '');
}

function tokenOf(url: string): string | undefined {
  return new URLSearchParams(url.split('?')[1] ?? '').get('token') ?? undefined;
}

function isLoopbackOrigin(origin: string): boolean {
  return URL.canParse(origin) && isLoopback(new URL(origin).hostname);
}

function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? '';
}

function hostname(authority: string): string {
  return authority.replace(/:\d+$/, '');
}

function sameOrigin(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host.replace(/:(80|443)$/, '');
}

/** Over hashes, so that neither the time nor the length tells anything. */
function equal(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
