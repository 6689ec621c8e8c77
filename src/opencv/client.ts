/**
 * The parent's side of the OpenCV child process: a bounded queue, one request at a time, a deadline for each, a new child after a crash. The child is
 * started by the first request and ended when nothing was asked for a while, so a daemon without PTZ checks has none.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ERRORS, SightlineError, type ErrorCode } from '../errors.js';
import type { ChildMessage, OpenCv, OpenCvOp, OpenCvOps, OpenCvRequest, OpenCvStats, RequestMessage } from './types.js';

export interface OpenCvLog {
  warn(fields: Record<string, unknown>, message: string): void;
}

export interface OpenCvOptions {
  log?: OpenCvLog;
  /** Requests that may wait; further ones are refused. */
  queue_limit?: number;
  /** From asking to the answer, waiting included. */
  deadline_ms?: number;
  /** How long loading OpenCV may take. */
  start_limit_ms?: number;
  /** An unused child is ended after this. */
  idle_ms?: number;
  /** The child's program; for tests. */
  program?: string;
}

interface Job {
  request: OpenCvRequest;
  attempts: number;
  timer: NodeJS.Timeout;
  settle(error: SightlineError | undefined, answer?: unknown): void;
}

const PROGRAM = fileURLToPath(new URL('./child.js', import.meta.url));
const ATTEMPTS = 2;
/**
 * For glibc: SIFT's pyramids of a picture of 1280×720 are 200 MB, and without this the child gives them back after each picture and gets them again page by page, which takes
 * longer than computing them. It keeps up to 512 MiB until it ends.
 */
const KEPT_MEMORY = { MALLOC_MMAP_THRESHOLD_: String(32 * 2 ** 20), MALLOC_TRIM_THRESHOLD_: String(512 * 2 ** 20) };
/** After a child that did not even start: how long until the next try. Doubles, with jitter. */
const PAUSE_MS = { first: 500, most: 60_000 };
const STDERR_KEPT = 2_000;

export function createOpenCv(options: OpenCvOptions = {}): OpenCv {
  return new Client(options);
}

class Client implements OpenCv {
  readonly #options: Required<Omit<OpenCvOptions, 'log'>> & Pick<OpenCvOptions, 'log'>;
  readonly #waiting: Job[] = [];
  readonly #stats = { starts: 0, crashes: 0, timeouts: 0, retried: 0, refused: 0 };
  #child: ChildProcess | undefined;
  #ready = false;
  #running: Job | undefined;
  #next_id = 0;
  #idle: NodeJS.Timeout | undefined;
  #starting: NodeJS.Timeout | undefined;
  #failed_starts = 0;
  #paused_until = 0;
  #last_words = '';
  #closed = false;

  constructor(options: OpenCvOptions) {
    this.#options = { queue_limit: 64, deadline_ms: 60_000, start_limit_ms: 30_000, idle_ms: 60_000, program: PROGRAM, ...options };
  }

  ask<Op extends OpenCvOp>(request: OpenCvOps[Op]['request'] & { op: Op }, { deadline_ms = this.#options.deadline_ms, signal }: { deadline_ms?: number; signal?: AbortSignal | undefined } = {}): Promise<OpenCvOps[Op]['answer']> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.#closed) throw new SightlineError('OPENCV_UNAVAILABLE', 'the OpenCV process has been closed');
      if (this.#waiting.length >= this.#options.queue_limit) {
        this.#stats.refused++;
        throw new SightlineError('OPENCV_BUSY', `${this.#waiting.length} requests wait for the OpenCV process already; expected fewer than ${this.#options.queue_limit}`);
      }
      const job: Job = {
        request,
        attempts: 0,
        timer: setTimeout(() => { this.#expire(job, deadline_ms); }, deadline_ms),
        settle: (error, answer) => {
          clearTimeout(job.timer);
          signal?.removeEventListener('abort', onAbort);
          if (error === undefined) resolve(answer as OpenCvOps[Op]['answer']);
          else reject(error);
        },
      };
      // What is running is not worth a new process: its answer is thrown away.
      const onAbort = (): void => {
        this.#forget(job);
        clearTimeout(job.timer);
        reject(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(job);
      this.#pump();
    });
  }

  stats(): OpenCvStats {
    return { ...this.#stats, starts: Math.max(0, this.#stats.starts - 1), waiting: this.#waiting.length };
  }

  pid(): number | undefined {
    return this.#child?.pid;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const job of [this.#running, ...this.#waiting.splice(0)]) job?.settle(new SightlineError('OPENCV_UNAVAILABLE', 'the OpenCV process has been closed'));
    this.#running = undefined;
    await this.#end();
  }

  #pump(): void {
    if (this.#running !== undefined || this.#closed) return;
    const job = this.#waiting[0];
    if (job === undefined) return this.#rest();
    clearTimeout(this.#idle);
    if (this.#child === undefined && !this.#start()) return;
    if (!this.#ready) return;
    this.#waiting.shift();
    this.#running = job;
    job.attempts++;
    const message: RequestMessage = { id: ++this.#next_id, request: job.request };
    // A failed write is followed by the child's exit, which decides what becomes of the job.
    this.#child?.send(message, () => undefined);
  }

  /** False while the pause after a failed start lasts; the waiting are refused then. */
  #start(): boolean {
    if (performance.now() < this.#paused_until) {
      this.#refuseAll(`it did not start: ${this.#last_words}`);
      return false;
    }
    this.#last_words = '';
    this.#ready = false;
    this.#stats.starts++;
    // OpenCV's own limit on what a decoder may unpack; the daemon's environment is none of its business.
    const env = { OPENCV_IO_MAX_IMAGE_PIXELS: String(2 ** 27), OPENCV4NODEJS_DISABLE_AUTOBUILD: '1', ...KEPT_MEMORY };
    const child = fork(this.#options.program, [], { serialization: 'advanced', stdio: ['ignore', 'ignore', 'pipe', 'ipc'], env, execArgv: [] });
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => { this.#last_words = (this.#last_words + text).slice(-STDERR_KEPT); });
    child.on('message', (message) => { this.#hear(child, message as ChildMessage); });
    child.on('error', (error) => { this.#last_words = error.message; });
    child.once('close', (code, signal) => { this.#ended(child, signal ?? `exit code ${String(code)}`); });
    this.#starting = setTimeout(() => { child.kill('SIGKILL'); }, this.#options.start_limit_ms);
    return true;
  }

  #hear(child: ChildProcess, message: ChildMessage): void {
    if (child !== this.#child) return;
    if ('ready' in message) {
      clearTimeout(this.#starting);
      this.#ready = true;
      this.#failed_starts = 0;
      return this.#pump();
    }
    if (message.id !== this.#next_id || this.#running === undefined) return;
    const job = this.#running;
    this.#running = undefined;
    if (message.ok) job.settle(undefined, message.answer);
    else job.settle(new SightlineError(codeOf(message.code), message.message));
    this.#pump();
  }

  #ended(child: ChildProcess, how: string): void {
    if (child !== this.#child) return;
    clearTimeout(this.#starting);
    const was_ready = this.#ready;
    this.#child = undefined;
    this.#ready = false;
    const job = this.#running;
    this.#running = undefined;
    if (this.#closed) return;
    if (!was_ready) {
      const pause = Math.min(PAUSE_MS.most, PAUSE_MS.first * 2 ** this.#failed_starts++) * (0.75 + Math.random() / 2);
      this.#paused_until = performance.now() + pause;
      const words = lastLine(this.#last_words) ?? how;
      this.#last_words = words;
      this.#refuseAll(`it did not start: ${words}`);
      return;
    }
    if (job !== undefined) {
      this.#stats.crashes++;
      this.#options.log?.warn({ how, op: job.request.op, attempt: job.attempts }, 'the OpenCV process died; a new one is started');
      if (job.attempts >= ATTEMPTS) job.settle(new SightlineError('OPENCV_CRASHED', `the OpenCV process died twice over the same request (${job.request.op}: ${how})`));
      else {
        this.#stats.retried++;
        this.#waiting.unshift(job);
      }
    }
    this.#pump();
  }

  #expire(job: Job, deadline_ms: number): void {
    this.#stats.timeouts++;
    const ran = this.#running === job;
    this.#forget(job);
    job.settle(new SightlineError('OPENCV_TIMEOUT', `the OpenCV process did not answer within ${deadline_ms} ms (${job.request.op}, ${ran ? 'running' : 'waiting'})`));
    // Whatever it is doing, it can't be told to stop.
    if (ran) this.#child?.kill('SIGKILL');
  }

  /** Takes a job out; the child's answer to a running one finds nobody. */
  #forget(job: Job): void {
    const at = this.#waiting.indexOf(job);
    if (at >= 0) this.#waiting.splice(at, 1);
    if (this.#running === job) {
      // Stays in its place until the child answers or dies: nothing else may be sent before.
      this.#running = { ...job, settle: () => undefined, attempts: ATTEMPTS };
    }
  }

  #refuseAll(why: string): void {
    for (const job of this.#waiting.splice(0)) job.settle(new SightlineError('OPENCV_UNAVAILABLE', `the OpenCV process cannot be used: ${why}`));
  }

  #rest(): void {
    clearTimeout(this.#idle);
    if (this.#child === undefined) return;
    this.#idle = setTimeout(() => { void this.#end(); }, this.#options.idle_ms);
    this.#idle.unref();
  }

  async #end(): Promise<void> {
    clearTimeout(this.#idle);
    clearTimeout(this.#starting);
    const child = this.#child;
    this.#child = undefined;
    this.#ready = false;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => { resolve(); }));
    child.kill('SIGKILL'); // holds nothing that needs an orderly end
    await gone;
  }
}

function codeOf(code: string): ErrorCode {
  return code in ERRORS ? (code as ErrorCode) : 'OPENCV_FAILED';
}

function lastLine(text: string): string | undefined {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return (lines.find((line) => /^\w*Error|error:/i.test(line)) ?? lines.at(-1))?.slice(0, 300);
}
