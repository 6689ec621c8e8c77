/**
 * Runs a contender as a process of its own and reads what it cost from the operating system: user + system CPU time of the whole process (and of
 * its children), not wall time, because machines are shared.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';

export interface Cost {
  /** User + system CPU seconds of the process and its children. */
  cpu_s: number;
  wall_s: number;
  stdout: string;
}

export interface RunOptions {
  /** Pins the process to these processors (`taskset -c`), e.g. "1". */
  pin?: string;
  timeout_ms?: number;
  env?: Record<string, string>;
  cwd?: string;
}

/** Runs a command to its end. Rejects when it exits with another status than 0 or runs past its time. */
export async function run(command: string, args: string[], options: RunOptions = {}): Promise<Cost> {
  const argv = options.pin === undefined ? [command, ...args] : ['taskset', '-c', options.pin, command, ...args];
  // bash's own `time` counts the children too and exists wherever bash does.
  const child = spawn('bash', ['-c', 'TIMEFORMAT="@@ %3R %3U %3S"; time "$@"', 'bash', ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    cwd: options.cwd,
    detached: true,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-20_000)));
  const timer = setTimeout(() => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }, options.timeout_ms ?? 300_000);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  const times = /@@ ([\d.]+) ([\d.]+) ([\d.]+)\s*$/.exec(stderr);
  if (code !== 0 || !times) throw new Error(`${command} ${args.join(' ')}: exit ${String(code)}\n${stderr.slice(-2_000)}`);
  return { wall_s: Number(times[1]), cpu_s: Number(times[2]) + Number(times[3]), stdout };
}

export interface Contender {
  name: string;
  /** One measured run: its cost in the area's unit (for example CPU ms per frame). Throws when its result is wrong. */
  once: () => Promise<number>;
}

export interface Spread {
  min: number;
  median: number;
  max: number;
}

export interface ContenderResult {
  name: string;
  value: Spread;
  /** Against the first contender, pair by pair of the same round: holds when the machine's speed drifts. */
  ratio: Spread;
  rounds: number;
}

/** Rounds of all contenders in turn (A B C A B C …), after one uncounted round. */
export async function compare(contenders: Contender[], rounds: number, log: (line: string) => void): Promise<ContenderResult[]> {
  const values = contenders.map(() => [] as number[]);
  for (let round = 0; round <= rounds; round++) {
    for (const [index, contender] of contenders.entries()) {
      const value = await contender.once();
      if (round === 0) continue;
      values[index]?.push(value);
      log(`  round ${round}/${rounds} ${contender.name}: ${value.toPrecision(4)}`);
    }
  }
  const base = values[0] ?? [];
  return contenders.map((contender, index) => {
    const own = values[index] ?? [];
    return { name: contender.name, value: spread(own), ratio: spread(own.map((value, i) => value / (base[i] ?? NaN))), rounds };
  });
}

export function spread(values: number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
  return { min: sorted[0] ?? NaN, median: median ?? NaN, max: sorted[sorted.length - 1] ?? NaN };
}

/** Linux counts CPU time to programs in hundredths of a second (USER_HZ). */
const TICKS_PER_S = 100;

/** User and system time so far of a running process, with all its threads and the processes that it started and that run: fields 14 and 15 of /proc/PID/stat (proc(5)). */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ').filter((text) => text.trim() !== '');
  const below = await Promise.all(children.map(async (child) => cpuSeconds(Number(child))));
  return below.reduce((sum, seconds) => sum + seconds, (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S);
}
