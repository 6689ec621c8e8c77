/**
 * What an answer of the receiver means. Success is status 200 and a body that parses and has `success: true`, nothing less: the
 * receiver also answers 200 with an HTML error text. Faults of ours or of the configuration are not sent again, all else is.
 */

export interface Answer {
  status: number;
  text: string;
}

export type Verdict =
  | { outcome: 'delivered'; status: number }
  /** Would fail again: goes to the dead letters. `configuration`: so would every other payload. */
  | { outcome: 'refused'; status: number; code: string; configuration: boolean }
  /** May work later. `answered`: the receiver was there and said so. */
  | { outcome: 'retry'; status: number | null; code: string; answered: boolean };

/** Statuses that another attempt does not change. 404 is not one of them: a receiver being deployed gives it for a while. */
const REFUSED: ReadonlyMap<number, { configuration: boolean }> = new Map([
  [400, { configuration: false }],
  [401, { configuration: true }],
  [405, { configuration: true }],
  [413, { configuration: false }],
]);

export function classifyAnswer({ status, text }: Answer): Verdict {
  const refused = REFUSED.get(status);
  if (refused !== undefined) return { outcome: 'refused', status, code: `http_${status}`, ...refused };
  if (status !== 200) return { outcome: 'retry', status, code: `http_${status}`, answered: true };
  const problem = bodyProblem(text);
  return problem === null ? { outcome: 'delivered', status } : { outcome: 'retry', status, code: problem, answered: true };
}

function bodyProblem(text: string): string | null {
  if (text.trim() === '') return 'empty_body';
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null && (body as { success?: unknown }).success === true ? null : 'not_success';
  } catch {
    return 'body_not_json';
  }
}

/** Fault of a request that got no complete answer, as a code without addresses or texts of the other side. */
export type TransportCode = 'timeout' | 'connection_refused' | 'connection_reset' | 'dns' | 'unreachable' | 'tls' | 'bad_http' | 'body_too_large' | 'stopped' | 'connection_failed';

export function classifyFault(code: TransportCode): Verdict {
  // The receiver was there, and will say as much again.
  return { outcome: 'retry', status: null, code, answered: code === 'body_too_large' };
}

const FAULTS: Readonly<Record<string, TransportCode>> = {
  UND_ERR_HEADERS_TIMEOUT: 'timeout',
  UND_ERR_BODY_TIMEOUT: 'timeout',
  UND_ERR_CONNECT_TIMEOUT: 'timeout',
  ETIMEDOUT: 'timeout',
  ECONNREFUSED: 'connection_refused',
  ECONNRESET: 'connection_reset',
  EPIPE: 'connection_reset',
  UND_ERR_SOCKET: 'connection_reset',
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'body_too_large',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'connection_reset',
  UND_ERR_HEADERS_OVERFLOW: 'bad_http',
};

/** The code of an error thrown by undici or the socket under it. */
export function faultCode(error: unknown): TransportCode {
  for (let at: unknown = error, depth = 0; typeof at === 'object' && at !== null && depth < 5; depth++) {
    const { name, code, cause, errors } = at as { name?: unknown; code?: unknown; cause?: unknown; errors?: unknown };
    // undici's parser leaves out the code of some of its errors.
    if (name === 'HTTPParserError') return 'bad_http';
    if (typeof code === 'string') {
      const known = FAULTS[code];
      if (known !== undefined) return known;
      if (code.startsWith('HPE_')) return 'bad_http';
      if (/^ERR_(TLS|SSL)|CERT|SIGNATURE|SELF_SIGNED|^EPROTO$/.test(code)) return 'tls';
    }
    at = cause ?? (Array.isArray(errors) ? errors[0] : undefined);
  }
  return 'connection_failed';
}
