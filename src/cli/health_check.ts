/**
 * `sightline health-check`: is everything here that the daemon needs? Packages and addons, OpenCV with its cascades, the settings. It opens no camera and no port.
 * `--live` asks a running daemon instead; that is what a container's health check calls.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Argv } from 'yargs';
import { loadConfig } from '../config/load.js';
import type { Config } from '../config/schema.js';
import { messageOf, SightlineError } from '../errors.js';
import { addonFault, ADDONS, cascadeFaults, nodeFits, packages } from '../service/dependencies.js';
import type { CliContext } from './context.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const LIVE_LIMIT_MS = 4_000;

interface Check {
  name: string;
  ok: boolean;
  detail: string;
}

export function healthCheckCommand(cli: CliContext): (yargs: Argv) => Argv {
  return (yargs) =>
    yargs.option('live', { type: 'boolean', describe: 'ask the running daemon whether it works, check nothing else' }).command(
      '$0', false, (one) => one, async (argv) => {
        const load = (): Config => loadConfig({ file: argv.config as string | undefined, env: cli.io.env, cwd: cli.io.cwd() });
        const checks = argv.live === true ? [await live(load())] : [nodeVersion(), npm(), ...ADDONS.map(addon), ...(await cascades()), settings(load), webcams()];
        const ok = checks.every((check) => check.ok);
        if (!ok) cli.exit.code = 1;
        if (argv.json === true) return cli.json({ ok, checks });
        for (const check of checks) cli.line(`${check.ok ? '✔' : '✘'} ${check.name}: ${check.detail}`);
        cli.line(ok ? 'everything is here' : `${checks.filter((check) => !check.ok).length} of ${checks.length} checks failed; "npm run setup" makes what is missing`);
      },
    );
}

function nodeVersion(): Check {
  const ok = nodeFits();
  return { name: 'Node.js', ok, detail: `${process.versions.node}${ok ? '' : ', expected 20.17 or newer of 20, or 22.9 and newer'}` };
}

/** Every dependency of package.json is installed. */
function npm(): Check {
  const { count, missing } = packages(ROOT);
  return { name: 'npm packages', ok: missing.length === 0, detail: missing.length === 0 ? `${count} installed` : `missing: ${missing.join(', ')}` };
}

function addon(file: string): Check {
  const fault = addonFault(ROOT, file);
  return { name: path.basename(file), ok: fault === '', detail: fault === '' ? 'loads' : fault };
}

/** OpenCV answers, and each cascade is found, loads and searches a picture. */
async function cascades(): Promise<Check[]> {
  return (await cascadeFaults(ROOT)).map(({ cascade, fault }) => ({ name: `OpenCV cascade ${cascade}`, ok: fault === '', detail: fault === '' ? 'works' : fault }));
}

function settings(load: () => Config): Check {
  try {
    const { server, eye_tracking } = load();
    return { name: 'settings', ok: true, detail: `HOST ${server.host}, PORT ${server.port}, eye tracking ${eye_tracking.enabled ? `of ${eye_tracking.source}` : 'off'}` };
  } catch (error) {
    if (!(error instanceof SightlineError)) throw error;
    return { name: 'settings', ok: false, detail: error.message.split('\n').map((line) => line.trim()).join(' ') };
  }
}

/** For information: a daemon without webcams is complete. */
function webcams(): Check {
  const found = [0, 1, 2].map((index) => `/dev/video${index}`).filter((device) => existsSync(device));
  return { name: 'webcams', ok: true, detail: found.length === 0 ? 'none; eye tracking can use cameras of the registry' : found.join(', ') };
}

async function live({ server }: Config): Promise<Check> {
  const host = server.host === '0.0.0.0' || server.host === '::' ? '127.0.0.1' : server.host;
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${server.port}/health/live`;
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(LIVE_LIMIT_MS) });
    return { name: 'daemon', ok: answer.ok, detail: `${url} answers ${answer.status}` };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : messageOf(error);
    return { name: 'daemon', ok: false, detail: `${url} does not answer: ${cause}` };
  }
}
