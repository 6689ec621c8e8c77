/**
 * The runner of `npm test`: each test file in a process of its own, stage by stage (see runner/stages.ts).
 *   node dist/test/run.js [--filter TEXT]... [--list]
 * `--filter` runs the jobs whose name contains the text (`unit/config`, `native-cpp/thread`, `integration`). The last line is
 * `N passed, N failed` (`, N skipped`); exit code 0 only when nothing failed and something ran.
 */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runProcess, type ProcessResult } from './runner/process.js';
import { jobLines, summary, type JobReport } from './runner/report.js';
import { stages, type Job } from './runner/stages.js';
import { readTap, type FileResult } from './runner/tap_reader.js';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

async function runJob(job: Job, stop: AbortSignal): Promise<JobReport> {
  let duration_ms = 0;
  for (const { command, args, limit_s } of job.before ?? []) {
    const result = await runProcess(command, args, { cwd: root, limit_s, signal: stop });
    duration_ms += result.duration_ms;
    if (result.code !== 0) return report(job, result, duration_ms, { passed: 0, failed: [{ name: job.name, output: wordsOf(`${command} ${args.join(' ')}`, result) }], skipped: [] });
  }
  let result = await runProcess(job.command, job.args, { cwd: root, limit_s: job.limit_s, env: job.env ?? {}, signal: stop });
  if (result.stderr.includes('ThreadSanitizer: unexpected memory mapping')) {
    // Some kernels place programs where this sanitizer doesn't expect them; without address randomisation it works.
    result = await runProcess('setarch', ['-R', job.command, ...job.args], { cwd: root, limit_s: job.limit_s, env: job.env ?? {}, signal: stop });
  }
  return report(job, result, duration_ms + result.duration_ms, job.tap ? readOutput(job, result) : readExit(job, result));
}

function readOutput(job: Job, result: ProcessResult): FileResult {
  return readTap(job.name, result.stdout, { code: result.code, signal: result.signal, ...(result.timed_out ? { timed_out_s: job.limit_s } : {}) });
}

function readExit(job: Job, result: ProcessResult): FileResult {
  return result.code === 0 ? { passed: 1, failed: [], skipped: [] } : { passed: 0, failed: [{ name: job.name, output: wordsOf(job.name, result) }], skipped: [] };
}

function wordsOf(what: string, { stdout, code, signal, timed_out }: ProcessResult): string {
  return `${what}: ${timed_out ? 'ran too long' : (signal ?? `exit code ${code}`)}\n${stdout}`;
}

function report(job: Job, { stderr, left_behind }: ProcessResult, duration_ms: number, result: FileResult): JobReport {
  return { name: job.name, duration_ms, stderr, left_behind, ...result };
}

/** Runs `width` jobs at a time, in their order. */
async function runAll(jobs: readonly Job[], width: number, stop: AbortSignal, done: (report: JobReport) => void): Promise<void> {
  const waiting = [...jobs];
  const lane = async (): Promise<void> => {
    for (let job = waiting.shift(); job !== undefined && !stop.aborted; job = waiting.shift()) {
      const finished = await runJob(job, stop);
      if (!stop.aborted) done(finished);
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { filter: { type: 'string', multiple: true, default: [] }, list: { type: 'boolean', default: false } } });
  const wanted = ({ name }: Job): boolean => values.filter.length === 0 || values.filter.some((text) => name.includes(text));
  const chosen = stages(root).map((stage) => ({ ...stage, jobs: stage.jobs.filter(wanted) }));
  if (values.list) {
    for (const { name } of chosen.flatMap((stage) => stage.jobs)) console.log(name);
    return 0;
  }
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
  const reports: JobReport[] = [];
  for (const { jobs, width } of chosen) {
    await runAll(jobs, width, stop.signal, (finished) => {
      reports.push(finished);
      console.log(jobLines(finished));
    });
  }
  if (stop.signal.aborted) {
    console.log(`stopped after ${reports.length} jobs`);
    return 130;
  }
  if (reports.length === 0) {
    console.log(`no test matches ${values.filter.join(', ')}`);
    console.log('0 passed, 1 failed');
    return 1;
  }
  console.log(summary(reports));
  return reports.some(({ failed }) => failed.length > 0) ? 1 : 0;
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  return 2;
});
