/** The machine, the versions and the commit that a result belongs to. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';

export interface Machine {
  date: string;
  commit: string;
  /** Uncommitted changes were there. */
  dirty: boolean;
  cpu: string;
  cores: number;
  memory_gib: number;
  gpu: string | null;
  governor: string | null;
  node: string;
  onnxruntime: string;
  ffmpeg: string;
  kernel: string;
  /** Scheduling policy of the runner, e.g. `SCHED_RR 5`: on a machine that others use, `chrt -r 5 npm run bench` keeps them out of the figures. */
  scheduler: string;
}

export function describeMachine(root: string): Machine {
  const packageJson = JSON.parse(readFileSync(`${root}/node_modules/onnxruntime-node/package.json`, 'utf8')) as { version: string };
  return {
    date: new Date().toISOString(),
    commit: output('git', ['-C', root, 'rev-parse', '--short', 'HEAD']) ?? 'unknown',
    dirty: (output('git', ['-C', root, 'status', '--porcelain', '--untracked-files=no']) ?? '') !== '',
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    gpu: output('nvidia-smi', ['--query-gpu=name,memory.total', '--format=csv,noheader']),
    governor: readOptional('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor'),
    node: process.version,
    onnxruntime: packageJson.version,
    ffmpeg: (output('ffmpeg', ['-version']) ?? '').split(' ')[2] ?? 'absent',
    kernel: output('uname', ['-r']) ?? 'unknown',
    scheduler: schedulerOf(readOptional('/proc/self/stat')),
  };
}

const POLICIES = ['SCHED_OTHER', 'SCHED_FIFO', 'SCHED_RR', 'SCHED_BATCH'];

/** Fields 40 and 41 of /proc/PID/stat (proc(5)): real-time priority and policy. */
function schedulerOf(stat: string | null): string {
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
  const priority = Number(fields[37] ?? 0);
  return `${POLICIES[Number(fields[38])] ?? 'unknown'}${priority > 0 ? ` ${priority}` : ''}`;
}

function output(command: string, args: string[]): string | null {
  try {
    return execFileSync(command, args, { stdio: ['ignore', 'pipe', 'ignore'], timeout: 10_000 }).toString().trim();
  } catch {
    return null;
  }
}

function readOptional(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return null;
  }
}
