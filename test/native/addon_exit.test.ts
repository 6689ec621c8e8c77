/** How a process ends while cameras run: with its own exit code, with nothing on stderr, and soon. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { fileURLToPath } from 'node:url';

const child = fileURLToPath(new URL('../fixtures/capture_child.js', import.meta.url));
/** Far above what any of these takes, far below the ten minutes that the silent server would be waited for. */
const LIMIT_MS = 60_000;

async function run(way: string): Promise<{ code: number | null; signal: string | null; stderr: string }> {
  const process_ = spawn(process.execPath, [child, way], { stdio: ['ignore', 'ignore', 'pipe'], timeout: LIMIT_MS, killSignal: 'SIGKILL' });
  let stderr = '';
  process_.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text; });
  const [code, signal] = (await once(process_, 'close')) as [number | null, string | null];
  return { code, signal, stderr };
}

const ways: [string, string, number][] = [
  ['exit', 'process.exit()', 7],
  ['exit_in_callback', 'process.exit() inside a native callback', 7],
  ['close', 'close(), and the loop runs empty', 0],
  ['idle', 'the loop runs empty although callbacks are registered and cameras run', 0],
  ['exit_while_probing', 'process.exit() while connection tests and a camera wait for a silent server', 7],
  ['exit_while_closing', 'process.exit() while close() and snapshots are under way', 7],
  ['exit_with_workers', 'process.exit() while workers crop', 7],
  ['owner_worker_ends', 'the worker that opened the pool is terminated: cameras and pool end with it', 7],
];

for (const [way, name, code] of ways) {
  t.test(name, async (t) => t.same(await run(way), { code, signal: null, stderr: '' }));
}

t.setTimeout(10 * LIMIT_MS);

t.test('an uncaught exception ends the process as ever', async (t) => {
  const { code, signal, stderr } = await run('throw');
  t.equal(code, 1);
  t.equal(signal, null);
  t.match(stderr, /Error: on purpose/);
  t.notMatch(stderr, /assertion|terminate called|FATAL/i);
});
