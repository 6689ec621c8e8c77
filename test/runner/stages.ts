/** What `npm test` runs, in which order, how many at a time and for how long at most. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { longer } from '../fixtures/fuzz.js';

/** One process whose output is TAP, or (`tap: false`) whose exit code alone counts. */
export interface Job {
  /** Shown to people and matched by --filter, e.g. `unit/config`. */
  name: string;
  command: string;
  args: string[];
  limit_s: number;
  tap: boolean;
  env?: Record<string, string>;
  /** Commands that come first; a failure of one is the failure of the job. */
  before?: { command: string; args: string[]; limit_s: number }[];
}

export interface Stage {
  name: string;
  /** Jobs at a time. */
  width: number;
  jobs: Job[];
}

interface Kind {
  name: string;
  width: number;
  limit_s: number;
  flags?: string[];
}

// Quick ones first. Those that look at memory, threads or whole processes have the machine to themselves.
const KINDS_BEFORE_NATIVE: Kind[] = [
  { name: 'arch', width: 2, limit_s: 120 },
  { name: 'unit', width: 2, limit_s: 180 },
];
const KINDS_AFTER_NATIVE: Kind[] = [
  { name: 'native', width: 1, limit_s: 300 },
  { name: 'integration', width: 2, limit_s: 420 },
  { name: 'process', width: 1, limit_s: 600 },
  { name: 'leak', width: 1, limit_s: 600, flags: ['--expose-gc'] },
  { name: 'fuzz', width: 2, limit_s: longer(900) },
];

const BUILD_LIMIT_S = 1200;
/** As -fsanitize= takes them; address and undefined work in one binary. */
const SANITIZERS = ['', 'address,undefined', 'thread'];

/** `root`: of the repository; the compiled tests are taken from `dist/test` in it. */
export function stages(root: string): Stage[] {
  return [
    { name: 'lint', width: 1, jobs: [lint(root)] },
    ...KINDS_BEFORE_NATIVE.map((kind) => testFiles(root, kind)),
    { name: 'native-cpp', width: 1, jobs: SANITIZERS.map((sanitizer) => nativeTests(root, sanitizer)) },
    ...KINDS_AFTER_NATIVE.map((kind) => testFiles(root, kind)),
  ];
}

function lint(root: string): Job {
  return { name: 'lint/eslint', command: process.execPath, args: [path.join(root, 'node_modules/eslint/bin/eslint.js'), '--cache', '--cache-location', 'build/eslint/', '.'], limit_s: 420, tap: false };
}

function testFiles(root: string, { name, width, limit_s, flags = [] }: Kind): Stage {
  const folder = path.join(root, 'dist/test', name);
  const files = listFolder(folder).filter((file) => file.endsWith('.test.js')).sort();
  const jobs = files.map((file) => ({
    name: `${name}/${file.replace(/\.test\.js$/, '')}`,
    command: process.execPath,
    args: [...flags, path.join(folder, file)],
    limit_s,
    tap: true,
    env: { TAP_TIMEOUT: String(limit_s) },
  }));
  return { name, width, jobs };
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** The plain C++ tests, once as they are and once under each set of sanitizers. */
function nativeTests(root: string, sanitizer: string): Job {
  const name = sanitizer.replace(',', '-');
  const build = path.join(root, sanitizer === '' ? 'build/native-tests' : `build/native-${name}`);
  return {
    name: `native-cpp/${name || 'plain'}`,
    command: path.join(build, 'test/native_tests'),
    args: [],
    limit_s: 900,
    tap: true,
    env: SANITIZER_OPTIONS,
    before: [
      {
        command: 'cmake',
        args: ['-G', 'Ninja', '-S', path.join(root, 'native'), '-B', build, '-DSIGHTLINE_TESTS=ON', `-DSIGHTLINE_SANITIZE=${sanitizer}`],
        limit_s: 120,
      },
      { command: 'cmake', args: ['--build', build, '--target', 'native_tests'], limit_s: BUILD_LIMIT_S },
    ],
  };
}

const SANITIZER_OPTIONS = {
  // Debian's libav has no frame pointers: without the slow unwinder a leak of its own ends at av_malloc and cannot be told from one of ours.
  ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0:exitcode=66:fast_unwind_on_malloc=0',
  UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
  TSAN_OPTIONS: 'halt_on_error=1:exitcode=66:second_deadlock_stack=1',
};
