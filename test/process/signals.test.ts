/** `npm start` and signals, as a terminal, a supervisor and a CI job send them: over within 5 s, nothing left behind, nothing alarming said. */
import t, { type Test } from 'tap';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = process.cwd();
const missing = existsSync(path.join(root, 'build/demo/recipes.json')) ? false : 'the demo clips are not encoded: npm run setup';

interface Started { pid: number; output(): string; exited: Promise<number | null>; descendants(): number[] }

/** `npm start` in a process group of its own, once it has said `word`. */
async function npmStart(t: Pick<Test, 'teardown'>, word: string): Promise<Started> {
  const state = await mkdtemp(path.join(tmpdir(), 'sightline-signals-'));
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, HOST: '127.0.0.1', PORT: '0', STATE_DIR: state };
  const child = spawn('npm', ['start'], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const pid = child.pid ?? 0;
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code, signal) => resolve(code ?? (signal === 'SIGTERM' ? 143 : signal === 'SIGINT' ? 130 : null))));
  t.teardown(async () => {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
    await rm(state, { recursive: true, force: true });
  });
  const end = Date.now() + 180_000;
  while (!text.includes(word)) {
    if (Date.now() > end || child.exitCode !== null) throw new Error(`expected "${word}", received:\n${text.slice(-3000)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { pid, output: () => text, exited, descendants: () => descendantsOf(pid) };
}

function parentOf(pid: number): number {
  try {
    // The name in brackets may hold blanks.
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ')[1]);
  } catch {
    return 0;
  }
}

function descendantsOf(pid: number): number[] {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number);
  const found = [pid];
  for (let grown = true; grown; ) {
    const more = all.filter((candidate) => !found.includes(candidate) && found.includes(parentOf(candidate)));
    found.push(...more);
    grown = more.length > 0;
  }
  return found.slice(1);
}

const alive = (pid: number): boolean => existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(statusText(pid));
const statusText = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return 'State: Z';
  }
};

/** Everything is over within 5 s and this much more for a machine that is busy. */
const STOP_LIMIT_MS = 5_000;
const ALLOWANCE_MS = 60_000;

async function ends(t: Test, daemon: Started, send: () => void): Promise<void> {
  const before = daemon.descendants();
  t.ok(before.length >= 2, 'the daemon and the RTSP server run');
  send();
  const late = new Promise<'late'>((resolve) => setTimeout(() => { resolve('late'); }, STOP_LIMIT_MS + ALLOWANCE_MS).unref());
  const code = await Promise.race([daemon.exited, late]);
  t.ok(code === 0 || code === 130 || code === 143, `exit code ${code}: ${daemon.output().slice(-1500)}`);
  for (let wait = 0; before.some(alive) && wait < 1_500; wait++) await new Promise((resolve) => setTimeout(resolve, 20));
  t.same(before.filter(alive), [], 'nothing is left behind');
  t.notMatch(daemon.output(), /RTSP server of the demo cameras ended|not everything stopped|closing failed|drop-outs end/);
  t.match(daemon.output(), /"stopping"|stopping/);
}

t.test('SIGTERM to npm alone, as a supervisor sends it', { skip: missing, timeout: 300_000 }, async (t) => {
  const daemon = await npmStart(t, 'demo cameras and receiver are up');
  await ends(t, daemon, () => process.kill(daemon.pid, 'SIGTERM'));
});

t.test('SIGINT to the whole process group, as Ctrl-C sends it', { skip: missing, timeout: 300_000 }, async (t) => {
  const daemon = await npmStart(t, 'demo cameras and receiver are up');
  await ends(t, daemon, () => process.kill(-daemon.pid, 'SIGINT'));
});
