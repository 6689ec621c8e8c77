/**
 * Starts and drives `sightline-rtsp-server` (native/rtsp_server): the cameras of the demo, the tests and the bench. The program
 * ends with this process, because it ends when its stdin closes.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { SightlineError } from '../errors.js';

export interface RtspCredentials {
  user: string;
  password: string;
  /** Default basic. */
  auth?: 'basic' | 'digest';
}

export interface MountOptions {
  /** Access units per second; default is the file's own pace. */
  fps?: number;
  /** Place of this mount's frames between those of the others, milliseconds. */
  phase_ms?: number;
  credentials?: RtspCredentials;
}

export interface MountInfo {
  codec: 'h264' | 'hevc' | 'mjpeg';
  width: number;
  height: number;
  fps: number;
  /** Access units in one turn of the clip. */
  units: number;
}

export interface MountStats {
  path: string;
  state: 'serving' | 'stalled' | 'cut';
  codec: string;
  width: number;
  height: number;
  clients: number;
  /** Access units sent since it was mounted. */
  frames: number;
  /** Times an access unit waited because nobody had said PLAY yet. */
  held: number;
  /** RTP packets dropped or altered by `corrupt`. */
  damaged: number;
}

/** Every command is answered within 10 s or throws DEMO_SERVER, as does a refused one; its message is the server's. */
export interface RtspServer {
  port: number;
  pid: number;
  /** `rtsp://127.0.0.1:PORT/path`, credentials percent-encoded. */
  url(mountPath: string, credentials?: { user: string; password: string }): string;
  mount(mountPath: string, file: string, options?: MountOptions): Promise<MountInfo>;
  unmount(mountPath: string): Promise<void>;
  /** No frames, connections stay. */
  stall(mountPath: string): Promise<void>;
  /** Clients are disconnected and get 503 until resume(). */
  cut(mountPath: string): Promise<void>;
  resume(mountPath: string): Promise<void>;
  /** Damages this share (0..1) of the RTP packets. */
  corrupt(mountPath: string, rate: number): Promise<void>;
  /** The next access units come from another file of the same codec. */
  swap(mountPath: string, file: string): Promise<void>;
  stats(): Promise<MountStats[]>;
  /** Resolves when the program has ended, after at most 3 s. Idempotent. */
  close(): Promise<void>;
  /** Resolves when the program has ended, however that came. */
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

const START_TIMEOUT_MS = 15_000;
const ANSWER_TIMEOUT_MS = 10_000;
const END_TIMEOUT_MS = 3_000;
const STDERR_KEPT = 4_000;

/** Where set-up builds the program, from the root of the repository. */
export function rtspServerBinary(root: string): string {
  return path.join(root, 'build/native/bin/sightline-rtsp-server');
}

interface Waiting {
  resolve(answer: Record<string, unknown>): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

/** Starts the program on a free loopback port. Throws DEMO_MISSING when it isn't built, DEMO_SERVER when it doesn't start. */
export async function startRtspServer({ binary, port = 0 }: { binary: string; port?: number }): Promise<RtspServer> {
  if (!existsSync(binary)) throw new SightlineError('DEMO_MISSING', `expected the RTSP server at ${binary}, found nothing; "npm run setup" builds it`);
  // A process group of its own: Ctrl-C at a terminal goes to the whole group, and the cameras must not end before the daemon does.
  const child = spawn(binary, ['--port', String(port)], { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  const waiting: Waiting[] = [];
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints = (complaints + text).slice(-STDERR_KEPT)));
  child.stdin.on('error', () => undefined); // the answer to a broken pipe is `ended`
  createInterface({ input: child.stdout }).on('line', (line) => {
    const next = waiting.shift();
    if (next === undefined) return;
    clearTimeout(next.timer);
    next.resolve(JSON.parse(line) as Record<string, unknown>);
  });
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal }));
    child.on('error', () => resolve({ code: null, signal: null }));
  });
  void ended.then(({ code, signal }) => {
    const why = `the RTSP server ended (${signal ?? code ?? 'it could not be run'}) ${complaints.trim()}`.trim();
    for (const one of waiting.splice(0)) {
      clearTimeout(one.timer);
      one.reject(new SightlineError('DEMO_SERVER', why));
    }
  });

  const answer = (timeoutMs: number, what: string) =>
    new Promise<Record<string, unknown>>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new SightlineError('DEMO_SERVER', `the RTSP server did not answer ${what} within ${timeoutMs} ms`));
        child.kill('SIGKILL'); // answers come in order: after a lost one the rest can't be told apart
      }, timeoutMs);
      waiting.push({ resolve, reject, timer });
    });
  const send = async (verb: string, ...words: string[]): Promise<Record<string, unknown>> => {
    if (child.exitCode !== null || child.signalCode !== null) throw new SightlineError('DEMO_SERVER', `${verb}: the RTSP server has ended`);
    const reply = answer(ANSWER_TIMEOUT_MS, verb);
    child.stdin.write(`${[verb, ...words].join(' ')}\n`);
    const fields = await reply;
    if (fields.ok !== true) throw new SightlineError('DEMO_SERVER', `${verb}: ${String(fields.error)}`);
    return fields;
  };
  const order = async (verb: string, ...words: string[]): Promise<void> => void (await send(verb, ...words));

  const { port: bound } = (await answer(START_TIMEOUT_MS, 'its start')) as { port: number };
  return {
    port: bound,
    pid: child.pid ?? 0,
    url: (mountPath, credentials) => `rtsp://${credentials === undefined ? '' : login(credentials)}127.0.0.1:${bound}${mountPath}`,
    mount: async (mountPath, file, options = {}) =>
      (await send('mount', quoted(mountPath), quoted(file), ...mountWords(options))) as unknown as MountInfo,
    unmount: (mountPath) => order('unmount', quoted(mountPath)),
    stall: (mountPath) => order('stall', quoted(mountPath)),
    cut: (mountPath) => order('cut', quoted(mountPath)),
    resume: (mountPath) => order('resume', quoted(mountPath)),
    corrupt: (mountPath, rate) => order('corrupt', quoted(mountPath), `rate=${rate}`),
    swap: (mountPath, file) => order('swap', quoted(mountPath), quoted(file)),
    stats: async () => (await send('stats')).mounts as MountStats[],
    close: async () => {
      child.stdin.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), END_TIMEOUT_MS);
      await ended;
      clearTimeout(timer);
    },
    ended,
  };
}

function login({ user, password }: { user: string; password: string }): string {
  return `${encodeURIComponent(user)}:${encodeURIComponent(password)}@`;
}

function mountWords({ fps, phase_ms, credentials }: MountOptions): string[] {
  const words = [];
  if (fps !== undefined) words.push(`fps=${fps}`);
  if (phase_ms !== undefined) words.push(`phase_ms=${phase_ms}`);
  if (credentials !== undefined) {
    words.push(`user=${quoted(credentials.user)}`, `pass=${quoted(credentials.password)}`, `auth=${credentials.auth ?? 'basic'}`);
  }
  return words;
}

function quoted(text: string): string {
  if (text.includes('\n')) throw new SightlineError('DEMO_SERVER', 'expected a word without line breaks');
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
