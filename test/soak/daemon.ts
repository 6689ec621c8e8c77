/** The daemon as a child process of a soak: started, killed, asked, and everything it says kept. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import path from 'node:path';

export interface SoakDaemon {
  url: string;
  pid: number;
  /** What it wrote so far, both streams. */
  output(): string;
  /** GET (or another method), with the API token; the text of the answer, also of a refusal. */
  ask(route: string, options?: RequestInit): Promise<string>;
  json<T>(route: string): Promise<T>;
  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null>;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise<void>((resolve) => server.close(() => { resolve(); }));
  return port;
}

export async function startDaemon({ root, env, config, api_token }: { root: string; env: Record<string, string>; config: string; api_token: string }): Promise<SoakDaemon> {
  const port = await freePort();
  const child: ChildProcess = spawn(process.execPath, [path.join(root, 'bin/sightline'), 'run', '--config', config], {
    cwd: root,
    env: { PATH: process.env['PATH'], HOST: '127.0.0.1', PORT: String(port), SIGHTLINE_API_TOKEN: api_token, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const url = `http://127.0.0.1:${port}`;
  const ask = async (route: string, options: RequestInit = {}): Promise<string> =>
    (await fetch(url + route, { signal: AbortSignal.timeout(10_000), ...options, headers: { authorization: `Bearer ${api_token}`, ...(options.headers as Record<string, string> | undefined) } })).text();
  return {
    url,
    pid: child.pid ?? 0,
    output: () => text,
    ask,
    json: async <T>(route: string) => JSON.parse(await ask(route)) as T,
    async kill(signal) {
      child.kill(signal);
      const late = setTimeout(() => child.kill('SIGKILL'), 15_000);
      const code = await exited;
      clearTimeout(late);
      return code;
    },
  };
}

export async function until<T>(what: string, seconds: number, probe: () => Promise<T | undefined | false>): Promise<T> {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; ) {
    const value = await probe().catch(() => undefined);
    if (value !== undefined && value !== false) return value;
    await sleep(0.3);
  }
  throw new Error(`not within ${seconds} s: ${what}`);
}

export function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
