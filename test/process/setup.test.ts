/** Set-up does what is missing and nothing else, says what the user must do, and goes on after it was stopped. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import t, { type Test } from 'tap';
import { anyAddon, setupWorld, type SetupWorld } from '../fixtures/setup_world.js';

t.setTimeout(300_000);
const repository = process.cwd();
const addon = anyAddon(repository);
const skip = addon === undefined ? 'better-sqlite3 is not built (npm run setup)' : false;
const asRoot = process.getuid?.() === 0 ? false : 'needs root: it pretends to install packages';

function world(t: Test, installed: string[] | null = null): SetupWorld {
  const made = setupWorld(repository, { addon: addon ?? '', installed });
  t.teardown(made.close);
  return made;
}

/** Everything, in its order, on a machine that has nothing of it. */
const ALL = ['npm ci ', 'npm rebuild better-sqlite3', 'npm rebuild segfault-handler', 'npm rebuild beamcoder', 'npm rebuild @u4/opencv4nodejs', 'cmake-js', 'cmake-js', 'tsc', 'tsc', 'vite', 'models', 'clips'];

t.test('the first run makes everything, the second nothing', { skip }, async (t) => {
  const { run, calls } = world(t);
  const first = await run();
  t.match(first, { code: 0, stderr: '' });
  t.strictSame(calls(), ALL);
  t.match(first.stdout, /^✔ Node\.js\n✔ Debian packages\n✔ npm packages \([\d.]+ s\)\n/);
  t.match(first.stdout.trimEnd().split('\n').at(-1), /^✔ set-up complete/);
  const second = await run();
  t.equal(second.code, 0);
  t.strictSame(calls(), []);
  t.strictSame(second.stdout.split('\n').slice(0, -2).filter((line) => line.includes('(')), [], 'no step took time');
});

t.test('what has changed or is gone is made again, and only that', { skip }, async (t) => {
  const { run, calls, write, remove } = world(t);
  await run();
  calls();
  for (const [what, change, expected] of [
    ['a source', () => write('src/one.ts', 'export {};'), ['tsc']],
    ['a page', () => write('src/web/page.tsx', '// changed'), ['tsc', 'vite']],
    ['the built pages', () => remove('build/web/index.html'), ['tsc', 'vite']],
    ['a native source', () => write('native/a.cc', ''), ['cmake-js', 'cmake-js']],
    ['a model', () => remove('models/weights/a.onnx'), ['models']],
    ['a clip that is cut short', () => write('build/demo/a.mkv', ''), ['clips']],
    ['the server', () => remove('build/native/bin/sightline-rtsp-server'), ['cmake-js', 'cmake-js']],
    ['the compiled code', () => remove('dist'), ['tsc']],
    ['a package', () => remove('node_modules/onnxruntime-node'), ['npm ci ']], // the addons come from the cache
    ['an install that was cut short', () => remove('node_modules/.package-lock.json'), ['npm ci ']],
    ['nothing', () => undefined, []],
  ] as const) {
    change();
    t.equal((await run()).code, 0, what);
    t.strictSame(calls(), expected, what);
  }
});

t.test('another checkout takes the addons from the cache, unless the cache is damaged', { skip }, async (t) => {
  const { run, calls, remove, cache } = world(t);
  await run();
  calls();
  const forget = (): void => ['node_modules', 'build', 'dist', 'models/weights'].forEach(remove);
  forget();
  t.equal((await run()).code, 0);
  t.strictSame(calls(), ALL.filter((call) => !call.startsWith('npm rebuild')));

  const folders = readdirSync(cache);
  t.equal(folders.length, 4);
  const beamcoder = folders.find((name) => name.startsWith('beamcoder-1.0.0-abi')) ?? '';
  appendFileSync(path.join(cache, beamcoder, 'addon.node'), 'damage');
  forget();
  t.equal((await run()).code, 0);
  t.strictSame(calls().filter((call) => call.startsWith('npm rebuild')), ['npm rebuild beamcoder']);

  // A whole copy of something that doesn't load: the checksum is right, the binary is not.
  writeFileSync(path.join(cache, beamcoder, 'addon.node'), 'no binary');
  writeFileSync(path.join(cache, beamcoder, 'sha256'), spawnSync('sha256sum', [path.join(cache, beamcoder, 'addon.node')]).stdout.toString().slice(0, 64));
  forget();
  t.equal((await run()).code, 0);
  t.strictSame(calls().filter((call) => call.startsWith('npm rebuild')), ['npm rebuild beamcoder']);
});

t.test('a compiled file without a source is removed', { skip }, async (t) => {
  const { root, run, write } = world(t);
  await run();
  write('dist/test/unit/old.test.js', '');
  write('src/one.ts', '// changed');
  await run();
  t.notOk(existsSync(path.join(root, 'dist/test/unit/old.test.js')));
  t.ok(existsSync(path.join(root, 'dist/src/one.js')));
});

t.test('not root and a package is missing: the one line to run, exit code 2, nothing touched', { skip }, async (t) => {
  const { root, run, calls } = world(t, ['build-essential', 'cmake']);
  const result = await run('start', process.getuid?.() === 0 ? { uid: 65534 } : {});
  t.equal(result.code, 2);
  const line = result.stderr.split('\n').find((text) => text.includes('apt-get')) ?? '';
  t.match(line, /^ {2}sudo apt-get install --no-install-recommends ninja-build .*libhwy-dev/);
  t.notMatch(line, /build-essential|[^-]cmake/);
  t.strictSame(calls(), []);
  t.notOk(existsSync(path.join(root, 'build')));
});

t.test('root and a package is missing: it is installed', { skip: skip || asRoot }, async (t) => {
  const { run, calls } = world(t, ['build-essential']);
  t.equal((await run('test')).code, 0);
  const [update, install] = calls();
  t.equal(update, 'apt-get update');
  t.match(install, /^apt-get install -y --no-install-recommends cmake .*ffmpeg/);
});

t.test('a failing step shows its output in full and a remedy; the next run starts there', { skip }, async (t) => {
  const { run, calls, write } = world(t);
  write('src/one.ts', 'wrong');
  const result = await run();
  t.equal(result.code, 1);
  t.match(result.stdout, /✘ TypeScript/);
  t.match(result.stderr, /error TS1/);
  calls();
  write('src/one.ts', 'right');
  t.equal((await run()).code, 0);
  t.strictSame(calls(), ['tsc', 'tsc', 'vite', 'models', 'clips']);
});

t.test('the archive of packages is away: its words and a remedy', { skip: skip || asRoot }, async (t) => {
  const { root, run } = world(t, []);
  writeFileSync(path.join(root, '../no-archive'), '');
  const result = await run();
  t.equal(result.code, 1);
  t.match(result.stderr, /the archive is away[\s\S]*check the network/);
});

t.test('stopped in the middle of npm ci: exit code 130, no process left, and the next run goes on', { skip }, async (t) => {
  const { root, run, calls, remove } = world(t);
  await run();
  calls();
  remove('node_modules');
  const flag = (name: string): string => path.join(root, '..', name);
  writeFileSync(flag('slow'), '');
  const stopped = await run('start', {
    until: (child) => {
      const timer = setInterval(() => {
        if (!existsSync(flag('started'))) return;
        clearInterval(timer);
        child.kill('SIGINT');
      }, 20);
    },
  });
  t.equal(stopped.code, 130);
  t.match(stopped.stdout, /npm packages: stopped; the next run goes on from here/);
  remove('../slow');
  remove('node_modules/.package-lock.json'); // the real npm had not written it yet
  t.equal((await run()).code, 0);
  t.strictSame(calls(), ['npm ci ', 'npm ci ']);
});

t.test('two set-ups of one checkout: the second waits, and a lock that was left behind is taken', { skip }, async (t) => {
  const { run, calls, write } = world(t);
  write('build/setup/lock', '999999999');
  const [one, two] = await Promise.all([run(), run()]);
  t.strictSame([one.code, two.code], [0, 0]);
  t.equal(calls().filter((call) => call === 'npm ci ').length, 1);
});

t.test('an unknown profile is refused', { skip }, async (t) => {
  t.match(await world(t).run('everything'), { code: 2, stderr: /start\|test\|bench\|gpu/ });
});

const stamped = existsSync(path.join(repository, 'build/setup/clips.stamp.json')) ? false : 'set-up has not been run in this checkout';
t.test('in this checkout: after set-up there is nothing left to do', { skip: stamped }, async (t) => {
  const run = (): string => spawnSync(process.execPath, ['setup/main.mjs', 'test'], { encoding: 'utf8', cwd: repository }).stdout;
  run();
  t.strictSame(run().split('\n').slice(0, -2).filter((line) => line.includes('(') || line.startsWith('✘')), []);
});
