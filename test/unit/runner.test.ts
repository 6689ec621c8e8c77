/** The runner of the tests tells passed, failed, skipped, crashed and hung files apart. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { runProcess } from '../runner/process.js';
import { jobLines, summary, type JobReport } from '../runner/report.js';
import { stages } from '../runner/stages.js';
import { readTap } from '../runner/tap_reader.js';

const fine = { code: 0, signal: null };

t.test('top-level tests are counted, nested ones are not', async (t) => {
  const tap = ['TAP version 14', '# Subtest: a', '    ok 1 - inner', '    ok 2 - inner', '    1..2', 'ok 1 - a # time=3ms', 'ok 2 - b', '1..2', '# time=5ms'];
  t.strictSame(readTap('x', tap.join('\n'), fine), { passed: 2, failed: [], skipped: [] });
});

t.test('skips are named with their reason, at any depth, and are not passes', async (t) => {
  const tap = ['# Subtest: a', '    ok 1 - inner # SKIP no camera', '    1..1', 'ok 1 - a # time=3ms', 'ok 2 - b # SKIP no GPU', 'ok 3 - c # TODO later', 'ok 4 - d # skip', '1..4'];
  t.strictSame(readTap('x', tap.join('\n'), fine), {
    passed: 1,
    failed: [],
    skipped: [
      { name: 'x: inner', reason: 'no camera' },
      { name: 'x: b', reason: 'no GPU' },
      { name: 'x: c', reason: 'to do: later' },
      { name: 'x: d', reason: 'no reason given' },
    ],
  });
  t.strictSame(readTap('x', '1..0 # SKIP needs Linux', fine), { passed: 0, failed: [], skipped: [{ name: 'x', reason: 'needs Linux' }] });
});

t.test('a failure comes with its subtest and its diagnostics, and with nothing of its neighbours', async (t) => {
  const tap = [
    'ok 1 - before', '# Subtest: bad', '    not ok 1 - numbers', '      ---', '      diff: |', '        ok 7 - not a test # SKIP', '      ...', '    1..1',
    'not ok 2 - bad # time=1ms', '  ---', '  at: here', '  ...', '', '# Subtest: after', '    ok 1 - fine', '    1..1', 'ok 3 - after', '1..3',
  ];
  const { passed, failed, skipped } = readTap('x', tap.join('\n'), { code: 1, signal: null });
  t.equal(passed, 2);
  t.strictSame(skipped, []);
  t.strictSame(failed.map(({ name }) => name), ['x: bad']);
  t.match(failed[0]?.output, /numbers[\s\S]*not a test[\s\S]*not ok 2 - bad[\s\S]*at: here/);
  t.notMatch(failed[0]?.output, /before|after|fine/);
});

t.test('a file that cannot be trusted is a failure', async (t) => {
  for (const [what, tap, ending, words] of [
    ['no plan', 'ok 1 - a', fine, /printed no plan/],
    ['nothing at all', '', { code: 1, signal: null }, /printed no plan \(exit code 1\)/],
    ['a plan of more', 'ok 1 - a\n1..2', fine, /planned 2 tests, ran 1/],
    ['an exit code', 'ok 1 - a\n1..1', { code: 66, signal: null }, /exit code was 66/],
    ['a signal', 'ok 1 - a\n1..1', { code: null, signal: 'SIGSEGV' }, /ended by SIGSEGV/],
    ['the time limit', 'ok 1 - a\n# Subtest: slow\n    ok 1 - half', { code: null, signal: 'SIGKILL', timed_out_s: 5 }, /limit of 5 s[\s\S]*Subtest: slow/],
    ['a bail-out', 'ok 1 - a\nBail out! no database\n1..1', fine, /no database/],
  ] as const) {
    const { failed } = readTap('x', tap, ending);
    t.equal(failed.length, 1, what);
    t.match(failed[0]?.output, words, what);
  }
});

t.test('a program is killed at its limit with all that it started', async (t) => {
  const folder = t.testdir();
  const note = path.join(folder, 'child.pid');
  const result = await runProcess('/bin/sh', ['-c', 'sleep 600 & echo $! > child.pid; wait'], { cwd: folder, limit_s: 5, signal: new AbortController().signal });
  t.match(result, { timed_out: true, signal: 'SIGKILL', left_behind: false });
  await gone(t, note);
});

t.test('what a program leaves running is killed and reported', async (t) => {
  const folder = t.testdir();
  const note = path.join(folder, 'child.pid');
  const code = `const {spawn}=require('node:child_process');const c=spawn('sleep',['600'],{stdio:'inherit'});require('node:fs').writeFileSync(${JSON.stringify(note)},String(c.pid));c.unref();console.log('said')`;
  const result = await runProcess(process.execPath, ['-e', code], { cwd: folder, limit_s: 60, signal: new AbortController().signal });
  t.match(result, { code: 0, timed_out: false, left_behind: true, stdout: 'said\n' });
  await gone(t, note);
});

t.test('what has ended before is not left running, even if nobody has asked for its end', async (t) => {
  const wait = 'p=$(sh -c "true >/dev/null & echo \\$!"); while [ -d /proc/$p ] && ! grep -q "^State:.Z" /proc/$p/status; do sleep 0.05; done';
  t.match(await runProcess('/bin/sh', ['-c', wait], { cwd: '.', limit_s: 60, signal: new AbortController().signal }), { code: 0, timed_out: false, left_behind: false });
});

t.test('a program that does not exist is a result, not an exception', async (t) => {
  const result = await runProcess('/nonexistent/program', [], { cwd: '.', limit_s: 5, signal: new AbortController().signal });
  t.match(result, { code: 127, stderr: /nonexistent/ });
});

t.test('an abort ends a running program', async (t) => {
  const stop = new AbortController();
  const running = runProcess('sleep', ['600'], { cwd: '.', limit_s: 60, signal: stop.signal });
  stop.abort();
  t.match(await running, { signal: 'SIGKILL', timed_out: false });
});

t.test('the last line has the counts, skips only when there are any', async (t) => {
  const report = (fields: Partial<JobReport>): JobReport => ({ name: 'unit/x', duration_ms: 1, stderr: '', left_behind: false, passed: 0, failed: [], skipped: [], ...fields });
  t.equal(summary([report({ passed: 2 }), report({ passed: 3 })]).split('\n').at(-1), '5 passed, 0 failed');
  const mixed = [report({ passed: 1, skipped: [{ name: 'x: a', reason: 'no GPU' }] }), report({ failed: [{ name: 'y: b', output: 'why' }], stderr: 'warned' })];
  const lines = summary(mixed).split('\n');
  t.equal(lines.at(-1), '1 passed, 1 failed, 1 skipped');
  t.ok(lines.includes('skipped: x: a: no GPU'));
  t.ok(lines.includes('failed: y: b'));
  t.match(jobLines(mixed[1] as JobReport), /why[\s\S]*warned/);
});

t.test('every kind of test has a stage, and every job a limit', async (t) => {
  const folder = t.testdir();
  for (const kind of ['arch', 'unit', 'native', 'integration', 'process', 'leak', 'fuzz']) {
    mkdirSync(path.join(folder, 'dist/test', kind), { recursive: true });
    writeFileSync(path.join(folder, 'dist/test', kind, 'one.test.js'), '');
    writeFileSync(path.join(folder, 'dist/test', kind, 'one.test.js.map'), '');
  }
  const jobs = stages(folder).flatMap((stage) => stage.jobs);
  t.strictSame(jobs.map(({ name }) => name), [
    'lint/eslint', 'arch/one', 'unit/one', 'native-cpp/plain', 'native-cpp/address-undefined', 'native-cpp/thread',
    'native/one', 'integration/one', 'process/one', 'leak/one', 'fuzz/one',
  ]);
  t.ok(jobs.every(({ limit_s }) => limit_s > 0 && limit_s <= 900));
});

/** The process whose number the file holds has ended. */
async function gone(t: Test, note: string): Promise<void> {
  const pid = Number(readFileSync(note, 'utf8'));
  for (let i = 0; i < 600; i++) {
    // A dead process that nobody has waited for yet is gone, too.
    if (!existsSync(`/proc/${pid}/stat`) || readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')) {
      t.pass('its child is gone');
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  t.fail(`process ${pid} is still there`);
}
