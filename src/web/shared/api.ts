/** Requests to the daemon that served this page. The token lives in this module's memory and nowhere else: a reload asks for it again. */

let token: string | undefined;

export function setToken(given: string | undefined): void {
  token = given;
}

/** Authorization of a request; empty without a token. */
export function authorization(): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

/** An answer that is not a success, or none (`status` 0: the network). */
export class ApiError extends Error {
  constructor(readonly status: number, readonly code: string, message: string) {
    super(message);
    this.name = 'ApiError';
  }

  /** Trying again later may help. */
  get temporary(): boolean {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

interface Options {
  method?: 'GET' | 'POST' | 'DELETE';
  body?: unknown;
  timeout_ms?: number;
  signal?: AbortSignal | undefined;
}

const TIMEOUT_MS = 15_000;

export async function request(path: string, { method = 'GET', body, timeout_ms = TIMEOUT_MS, signal }: Options = {}): Promise<Response> {
  const deadline = AbortSignal.timeout(timeout_ms);
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: { ...authorization(), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]),
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
    });
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw new ApiError(0, deadline.aborted ? 'TIMEOUT' : 'NETWORK', deadline.aborted ? 'The server did not answer in time.' : 'The server cannot be reached.');
  }
  if (response.ok) return response;
  throw await errorOf(response);
}

export async function json<T>(path: string, options: Options = {}): Promise<T> {
  return (await (await request(path, options)).json()) as T;
}

/** Both forms of errors: the daemon's own, and the one that the calibration's existing clients read. */
async function errorOf(response: Response): Promise<ApiError> {
  const body: unknown = await response.json().catch(() => null);
  const { error, detail, code } = (body ?? {}) as { error?: { code?: string; message?: string }; detail?: unknown; code?: string };
  const message = error?.message ?? (typeof detail === 'string' ? detail : `The server answers ${response.status}.`);
  return new ApiError(response.status, error?.code ?? code ?? `HTTP_${response.status}`, message);
}

/** Waits, or rejects when the signal comes. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(new DOMException('stopped', 'AbortError'));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop); // a page on a wall pauses for weeks with the same signal
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/** Words of anything thrown, for a person. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
