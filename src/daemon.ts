/** The daemon as a process: reads the configuration, opens the app, says every few seconds what it does, and ends on a signal. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { openApp, type App } from './app.js';
import { Closers } from './closers.js';
import { loadConfig, secretsOf } from './config/load.js';
import type { Config } from './config/schema.js';
import { SightlineError } from './errors.js';
import { createLog, type Log } from './observability/log.js';
import { createSecrets, type Secrets } from './observability/redact.js';
import { createReload } from './reload.js';
import type { AppOptions } from './stages.js';
import { createSupervisor, type Supervisor } from './service/supervisor.js';
import { listenToSignals, STOP_MS } from './signals.js';
import { readVersion } from './version.js';

export interface DaemonOptions {
  config_file?: string | undefined;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  /** true: demo cameras and an embedded receiver, when neither a file nor the environment configures a production daemon. */
  demo?: boolean;
}

/** Variables of the contract: one of them set makes `npm start` the production daemon. Where it listens and keeps its state is not among them. */
const PRODUCTION = /^(PHP_CALLBACK_URL|CV_PIPELINE_TOKEN|DB_|MAX_CAMERAS|ANALYSIS_FPS|BATCH_SIZE|GPU_MEMORY_FRACTION|MODEL_DIR|[A-Z]+_MODEL$|FRAUD_ENCRYPTION_KEY)/;

/** Runs until a signal or a fatal fault. @returns exit code: 0 after a signal, 1 failed, 2 bad configuration */
export async function runDaemon(options: DaemonOptions): Promise<number> {
  const secrets = createSecrets();
  let config: Config;
  try {
    config = loadConfig({ file: options.config_file, env: options.env, cwd: options.cwd });
  } catch (error) {
    if (!(error instanceof SightlineError)) throw error;
    process.stderr.write(`sightline: ${error.code}: ${error.message}\n`);
    return 2;
  }
  secrets.add(secretsOf(config));
  const log = createLog({ level: config.logging.level, format: config.logging.format, tty: process.stdout.isTTY, sink: process.stdout, secrets });
  const signals = listenToSignals({ terminal: process.stdin.isTTY });
  const closers = new Closers(log);
  let cut: NodeJS.Timeout | undefined;
  const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
  const supervisor = createSupervisor({ env: options.env, pid: process.pid, log });
  try {
    void signals.received.then((name) => {
      log.info({ signal: name }, 'stopping');
      supervisor.stopping();
      cut = cutOff(log);
    });
    const running: { app: App | null } = { app: null };
    const reload = createReload({
      load: () => loadConfig({ file: options.config_file, env: options.env, cwd: options.cwd }),
      current: () => running.app?.config() ?? config,
      started: config,
      apply: async (changed) => { await running.app?.apply(changed); },
      secrets,
      log,
    });
    const app = await openWith({ options, config, root, log, secrets, closers, stop: signals.stop, reload });
    running.app = app;
    log.info(`listening on ${app.url}`);
    supervisor.ready(`listening on ${app.url}`);
    closers.push('summary', 100, summarise(app, log, supervisor));
    signals.onReload(() => {
      if (isDemo(options)) {
        log.warn('the demo has no configuration that could be read again');
        return;
      }
      supervisor.reloading();
      // Problems are in the log; what was in force stays.
      reload().catch(() => undefined).finally(() => { supervisor.ready(`listening on ${app.url}`); });
    });
    closers.push('watchdog', 100, supervisor.watch(() => app.parts()));
    await signals.received;
    await closers.closeAll();
    return 0;
  } catch (error) {
    if (signals.stop.aborted) {
      await closers.closeAll();
      return 0;
    }
    // A code and a sentence say it all; the stack is for whoever looks for a fault of ours.
    if (error instanceof SightlineError) log.error({ code: error.code }, `the daemon could not start: ${error.message}`);
    else log.error({ err: error, code: 'INTERNAL' }, 'the daemon could not start');
    log.debug({ err: error }, 'where it failed');
    cut = cutOff(log);
    await closers.closeAll();
    return error instanceof SightlineError && error.status === 400 ? 2 : 1;
  } finally {
    clearTimeout(cut);
    signals.forget();
  }
}

/** Demo cameras and a receiver of its own, because nothing configures a production daemon. */
function isDemo({ demo, config_file, env }: DaemonOptions): boolean {
  const production = config_file !== undefined || Object.keys(env).some((name) => PRODUCTION.test(name) && env[name] !== '');
  return demo === true && !production;
}

interface OpenInput {
  options: DaemonOptions;
  config: Config;
  root: string;
  log: Log;
  secrets: Secrets;
  closers: Closers;
  /** A start that is no longer wanted ends at its next step. */
  stop: AbortSignal;
  reload: NonNullable<AppOptions['reload']>;
}

async function openWith({ options, config, root, log, secrets, closers, stop: stopped, reload }: OpenInput): Promise<App> {
  const version = readVersion();
  let app_options: AppOptions = { config, root, version, log, secrets, env: options.env, cwd: options.cwd, stop: stopped, reload };
  const demo_wanted = isDemo(options);
  log.info({ version, mode: demo_wanted ? 'demo' : 'production', state_dir: config.state_dir }, 'sightline starts');
  if (demo_wanted) {
    const { openDemo } = await import('./demo/demo.js');
    const demo = await openDemo({ root, config, log });
    closers.push('demo', 3_000, () => demo.close());
    secrets.add(demo.secrets);
    // What the demo runs with is not what the file and the environment say.
    delete app_options.reload;
    app_options = { ...app_options, config: demo.config, extra_cameras: demo.cameras, analyser: demo.analyser };
  }
  const app = await openApp(app_options);
  closers.push('app', STOP_MS, () => app.close());
  return app;
}

/** One calm line every few seconds, in the log and in `systemctl status`. */
function summarise(app: App, log: Log, supervisor: Supervisor): () => void {
  let timer: NodeJS.Timeout;
  const say = (): void => {
    const { cameras, streaming, frames_per_s, latency_p99_ms, backlog, delivered } = app.summary();
    const latency = latency_p99_ms === null ? '' : `, p99 ${Math.round(latency_p99_ms)} ms`;
    const line = `${streaming}/${cameras} cameras, ${frames_per_s.toFixed(1)} frames/s${latency}, ${delivered} callbacks delivered, ${backlog} waiting`;
    log.info(line);
    supervisor.status(line);
    wait();
  };
  // A reload may change the interval.
  const wait = (): void => { timer = setTimeout(say, app.config().logging.summary_interval_s * 1000); };
  wait();
  return () => { clearTimeout(timer); };
}

/** What hangs while everything is being closed is left to the end of the process. */
function cutOff(log: Log): NodeJS.Timeout {
  return setTimeout(() => {
    log.error('not everything stopped in time, ending anyway');
    // Not exit(): that would tear down threads that are inside native calls. What matters is on the disk.
    process.kill(process.pid, 'SIGKILL');
  }, STOP_MS).unref();
}
