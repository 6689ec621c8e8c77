/** Runs one program in a process group of its own, with a time limit, and leaves nothing of it behind. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  timed_out: boolean;
  /** It ended, but processes that it had started were still there; they were killed. */
  left_behind: boolean;
  duration_ms: number;
}

export interface ProcessOptions {
  cwd: string;
  limit_s: number;
  env?: Record<string, string>;
  signal: AbortSignal;
}

/** Output kept of each stream; a test that floods its output can't take the runner down. */
const OUTPUT_MAX = 16 * 1024 * 1024;

export function runProcess(command: string, args: readonly string[], { cwd, limit_s, env = {}, signal: stop }: ProcessOptions): Promise<ProcessResult> {
  const started = Date.now();
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        if (output[name].length < OUTPUT_MAX) output[name] += text;
      });
    }
    let timedOut = false;
    let leftBehind = false;
    const kill = (): void => { killGroup(child.pid); };
    const timer = setTimeout(() => {
      timedOut = true;
      kill();
    }, limit_s * 1000);
    stop.addEventListener('abort', kill);
    // Not 'close': that waits for everybody who holds the pipes, also for what the test left running.
    child.on('exit', () => {
      leftBehind = hasLiving(child.pid) && !timedOut && !stop.aborted;
      kill();
    });
    const finish = (code: number | null, signal: NodeJS.Signals | null): void => {
      clearTimeout(timer);
      stop.removeEventListener('abort', kill);
      resolve({ code, signal, ...output, timed_out: timedOut, left_behind: leftBehind, duration_ms: Date.now() - started });
    };
    child.on('error', (error) => {
      output.stderr += `${command}: ${error.message}\n`;
      finish(127, null);
    });
    child.on('close', finish);
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nothing of it is left.
  }
}

/** Whether a process of the group runs. One that has ended, and whose end nobody has asked for yet, does not. */
function hasLiving(group: number | undefined): boolean {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).some((pid) => {
    try {
      // The name in brackets may hold blanks; then come state, parent and group.
      const [state = '', , of = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ');
      return Number(of) === group && !/[ZX]/.test(state);
    } catch {
      return false; // it has just ended
    }
  });
}
