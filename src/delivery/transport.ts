/** One POST to the receiver over undici: bounded in time, connections and size; redirects are answers like any other, never followed. */
import { Agent, request, type Dispatcher } from 'undici';
import { faultCode, type Answer, type TransportCode } from './classify.js';
import type { DeliveryClock } from './types.js';

/** The receiver's answers are some hundred bytes; an error page is a few thousand. */
const ANSWER_BYTES_MAX = 64 * 1024;

export interface TransportOptions {
  /** http or https; credentials in it are sent as basic authentication and shown nowhere. */
  url: string;
  /** Sent as X-CV-Auth-Token; without one the header is left out. */
  token: string | undefined;
  /** From connecting to the last byte of the answer. */
  timeout_ms: number;
  clock: DeliveryClock;
  dispatcher: Dispatcher;
  /** Further headers of a request, made anew at each attempt. */
  headersOf?: (body: string) => Record<string, string>;
}

export type PostResult = { answer: Answer } | { fault: TransportCode };

export interface Transport {
  /** Never throws. `signal` aborts it with the fault 'stopped'. */
  post(body: string, idempotency_key: string, signal: AbortSignal): Promise<PostResult>;
  /** URL without credentials, query and fragment. */
  shown_url: string;
}

/**
 * Keep-alive connections, one request at a time on each (a POST is never pipelined behind another), certificates checked
 * unless `any_certificate` (development only).
 */
export function deliveryAgent(connections: number, timeout_ms: number, any_certificate: boolean): Agent {
  return new Agent({
    connections,
    pipelining: 1,
    connect: { timeout: timeout_ms, rejectUnauthorized: !any_certificate },
    headersTimeout: timeout_ms,
    bodyTimeout: timeout_ms,
    // Below the 5 s after which Apache and Node drop an idle connection, lest a request meets a closing socket.
    keepAliveTimeout: 4_000,
    keepAliveMaxTimeout: 4_000,
    maxResponseSize: ANSWER_BYTES_MAX,
  });
}

export function httpTransport({ url, token, timeout_ms, clock, dispatcher, headersOf }: TransportOptions): Transport {
  const target = new URL(url);
  const shown_url = `${target.origin}${target.pathname}`;
  const headers: Record<string, string> = { 'content-type': 'application/json', accept: 'application/json', 'user-agent': 'sightline' };
  if (token !== undefined) headers['x-cv-auth-token'] = token;
  if (target.username !== '' || target.password !== '') {
    headers['authorization'] = `Basic ${Buffer.from(`${decoded(target.username)}:${decoded(target.password)}`).toString('base64')}`;
    target.username = '';
    target.password = '';
  }
  target.hash = '';
  const address = target.href;

  return {
    shown_url,
    async post(body, idempotency_key, signal) {
      const limit = new AbortController();
      let late = false;
      const cancel = clock.after(timeout_ms, () => {
        late = true;
        limit.abort();
      });
      try {
        const response = await request(address, {
          dispatcher,
          method: 'POST',
          headers: { ...headers, ...headersOf?.(body), 'idempotency-key': idempotency_key },
          body,
          signal: AbortSignal.any([limit.signal, signal]),
        });
        const text = await bounded(response.body);
        return text === null ? { fault: 'body_too_large' } : { answer: { status: response.statusCode, text } };
      } catch (error) {
        if (late) return { fault: 'timeout' };
        return { fault: signal.aborted ? 'stopped' : faultCode(error) };
      } finally {
        cancel();
      }
    },
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

async function bounded(body: AsyncIterable<Buffer> & { destroy(): unknown }): Promise<string | null> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of body) {
    bytes += part.length;
    if (bytes > ANSWER_BYTES_MAX) {
      body.destroy();
      return null;
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
