/**
 * The embedded receiver of `npm start`: answers on loopback as the PHP system does, checks each body against the contract's schema, and
 * keeps counts and the last bodies in memory for whoever wants to look.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { payloadCheck, RESULT_TYPES, type ResultType } from '../delivery/payloads.js';
import { receiverAnswer } from './receiver_rules.js';

export const CALLBACK_PATH = '/modules/fraud-detection/api/cv-callback.php';
/** Bodies kept, newest first; each at most BODY_BYTES_MAX. */
const RECENT_MAX = 50;
const BODY_BYTES_MAX = 1024 * 1024;
/** A larger body is counted and not kept. */
const KEPT_BYTES_MAX = 64 * 1024;
const REQUEST_TIMEOUT_MS = 10_000;

export interface ReceivedBody {
  /** ISO 8601, UTC. */
  received_at: string;
  idempotency_key: string | null;
  /** What was answered. */
  status: number;
  /** What does not fit the contract's schema; null = it fits. */
  problem: string | null;
  /** null: not JSON, or too large to keep. */
  body: unknown;
}

/** `GET /received`. */
export interface Received {
  /** Payloads taken (answered with 200), by type. */
  counts: Record<ResultType, number>;
  /** POSTs that were refused or do not fit the contract's schema. */
  invalid: number;
  recent: ReceivedBody[];
}

export interface Receiver {
  /** `http://127.0.0.1:PORT`; GET /received is there. */
  url: string;
  /** What `php_system.callback_url` has to be. */
  callback_url: string;
  received(): Received;
  close(): Promise<void>;
}

/**
 * Starts it on loopback.
 * @param options.token what X-CV-Auth-Token has to be
 * @param options.port default: any free one
 */
export async function startReceiver(options: { token: string; port?: number }): Promise<Receiver> {
  const ledger = new Ledger();
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS }, (request, response) => void serve(request, response, options.token, ledger));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port: options.port ?? 0 }, resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, callback_url: url + CALLBACK_PATH, received: () => ledger.received(), close: () => closed(server) };
}

class Ledger {
  private readonly check = payloadCheck();
  private readonly counts = Object.fromEntries(RESULT_TYPES.map((type) => [type, 0])) as Record<ResultType, number>;
  private readonly recent: ReceivedBody[] = [];
  private invalid = 0;
  private last_id = 0;

  readonly nextId = (): number => ++this.last_id;

  note(text: Buffer, status: number, idempotency_key: string | null, result_type: ResultType | undefined): void {
    const body = parsed(text);
    const checked = this.check(body);
    const problem = 'problem' in checked ? checked.problem : null;
    if (result_type !== undefined) this.counts[result_type] += 1;
    if (problem !== null || result_type === undefined) this.invalid += 1;
    this.recent.unshift({ received_at: new Date().toISOString(), idempotency_key, status, problem, body: text.length > KEPT_BYTES_MAX ? null : (body ?? null) });
    this.recent.length = Math.min(this.recent.length, RECENT_MAX);
  }

  received(): Received {
    return { counts: { ...this.counts }, invalid: this.invalid, recent: [...this.recent] };
  }
}

/** Never throws: a request that breaks off gets no answer. */
async function serve(request: IncomingMessage, response: ServerResponse, token: string, ledger: Ledger): Promise<void> {
  try {
    const path = (request.url ?? '').split('?')[0];
    if (path === '/received') {
      const status = request.method === 'GET' || request.method === 'HEAD' ? 200 : 405;
      send(request, response, status, JSON.stringify(status === 200 ? ledger.received() : { error: 'expected GET' }, null, 2));
    } else if (path === CALLBACK_PATH) {
      const body = await received(request);
      if (body === null) {
        response.shouldKeepAlive = false;
        send(request, response, 413, '');
        return;
      }
      const { method = '', headers } = request;
      const answer = receiverAnswer({ method, token: one(headers['x-cv-auth-token']), body }, token, ledger.nextId);
      if (method === 'POST') ledger.note(body, answer.status, one(headers['idempotency-key']) ?? null, answer.result_type);
      send(request, response, answer.status, answer.body === null ? '' : phpJson(answer.body));
    } else {
      send(request, response, 404, JSON.stringify({ error: `nothing here; callbacks go to ${CALLBACK_PATH}, GET /received shows them` }));
    }
  } catch {
    response.destroy();
  }
}

function send(request: IncomingMessage, response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(request.method === 'HEAD' ? undefined : text);
}

/** The body; null when it is longer than BODY_BYTES_MAX (the rest is read and thrown away, so that the answer arrives). */
async function received(request: IncomingMessage): Promise<Buffer | null> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes <= BODY_BYTES_MAX) parts.push(part);
  }
  return bytes > BODY_BYTES_MAX ? null : Buffer.concat(parts);
}

function parsed(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString('utf8'));
  } catch {
    return undefined;
  }
}

function one(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

/** json_encode with JSON_PRETTY_PRINT: slashes and everything beyond ASCII escaped. */
function phpJson(body: Record<string, unknown>): string {
  return JSON.stringify(body, null, 4)
    .replace(/\//g, '\\/')
    .replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

async function closed(server: Server): Promise<void> {
  const done = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await done;
}
