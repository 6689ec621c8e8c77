// Runs the steps of set-up one after the other: a line for each, the whole log of one that fails, and a remedy.
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';

/** A step that can't go on says why and what to do about it; `code` becomes the exit code. */
export class StepError extends Error {
  constructor(message, { remedy = '', code = 1 } = {}) {
    super(message);
    this.remedy = remedy;
    this.code = code;
  }
}

/**
 * `steps`: [{name, needed(context): boolean | Promise<boolean>, run(context), remedy?}]. Returns the exit code.
 * Only one set-up works on a checkout at a time; another one waits for it.
 */
export async function runSteps(steps, { root, out, signal }) {
  const started = Date.now();
  let unlock = () => undefined;
  try {
    for (const step of steps) {
      const context = { root, signal, log: path.join(root, 'build/setup', `${step.name.replace(/[^a-z0-9]+/gi, '-')}.log`) };
      context.exec = (command, args, options = {}) => exec(command, args, { ...options, cwd: options.cwd ?? root, log: context.log, signal });
      const begun = Date.now();
      try {
        let needed = await step.needed(context);
        if (needed && step.locked !== false && unlock.held === undefined) {
          unlock = await lock(root, { out, signal });
          needed = await step.needed(context); // the one that held the lock may have done it
        }
        if (needed) {
          out.begin(step.name);
          rmSync(context.log, { force: true });
          await step.run(context);
          out.done(`✔ ${step.name} (${seconds(begun)})`);
        } else {
          out.done(`✔ ${step.name}`);
        }
      } catch (error) {
        return failed(step, context, error, { out, begun, signal });
      }
    }
    out.done(`✔ set-up complete (${seconds(started)})`);
    return 0;
  } finally {
    unlock();
  }
}

function failed(step, context, error, { out, begun, signal }) {
  if (signal.aborted) {
    out.done(`✘ ${step.name}: stopped; the next run goes on from here`);
    return 130;
  }
  out.done(`✘ ${step.name} (${seconds(begun)})`);
  const log = error instanceof StepError && error.code === 2 ? '' : readLog(context.log);
  if (log !== '') out.error(log.trimEnd());
  out.error(error instanceof StepError ? error.message : (error.stack ?? String(error)));
  const remedy = error.remedy || step.remedy;
  if (remedy) out.error(remedy);
  return error.code === 2 ? 2 : 1;
}

function readLog(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function seconds(since) {
  const passed = (Date.now() - since) / 1000;
  return `${passed < 10 ? passed.toFixed(1) : Math.round(passed)} s`;
}

function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGTERM');
  } catch {
    // It has ended already.
  }
}

/** Runs a command with its output in the step's log. Rejects with StepError when it fails. */
export function exec(command, args, { cwd, log, signal, env = {} }) {
  mkdirSync(path.dirname(log), { recursive: true });
  const file = openSync(log, 'a');
  writeSync(file, `$ ${command} ${args.join(' ')}\n`);
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', file, file], detached: true });
    // The whole group: a build tool that goes on after this would work against the next run.
    const stop = () => killGroup(child.pid);
    signal.addEventListener('abort', stop, { once: true });
    child.on('error', (error) => reject(new StepError(`${command} can't be run: ${error.message}`)));
    child.on('close', (code, killed) => {
      if (code === 0) resolve();
      else reject(new StepError(`${command} ${args[0] ?? ''} ended with ${killed ?? code}`));
    });
    child.on('close', () => signal.removeEventListener('abort', stop));
  }).finally(() => closeSync(file));
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const LOCK_WAIT_MS = 30 * 60_000;

async function lock(root, { out, signal }) {
  const file = path.join(root, 'build/setup/lock');
  mkdirSync(path.dirname(file), { recursive: true });
  const deadline = Date.now() + LOCK_WAIT_MS;
  for (let told = false; ; ) {
    try {
      const descriptor = openSync(file, 'wx');
      writeSync(descriptor, String(process.pid));
      closeSync(descriptor);
      await pause(100);
      if (Number(readLog(file)) !== process.pid) continue; // another one took it for the old lock and removed it
      return Object.assign(() => rmSync(file, { force: true }), { held: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const owner = Number(readLog(file));
    if (owner > 0 && !alive(owner)) {
      rmSync(file, { force: true }); // left by one that was killed
      continue;
    }
    if (Date.now() > deadline) throw new StepError(`another set-up (process ${owner}) holds ${file} for too long`);
    if (!told) out.note(`another set-up (process ${owner}) is at work here; waiting for it`);
    told = true;
    await pause(500);
    if (signal.aborted) throw new StepError('stopped');
  }
}

function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Lines for a person: on a terminal the running step is shown, too. */
export function terminal(stdout, stderr) {
  const clear = stdout.isTTY ? '\r\u001b[2K' : '';
  return {
    begin: (name) => stdout.isTTY && stdout.write(`… ${name}`),
    done: (line) => stdout.write(`${clear}${line}\n`),
    note: (line) => stdout.write(`${clear}${line}\n`),
    error: (text) => stderr.write(`${text}\n`),
  };
}
