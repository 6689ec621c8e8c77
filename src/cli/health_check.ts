/**
 * `sightline health-check`: is everything here that the daemon needs? Packages and addons, OpenCV with its cascades, the settings. It opens no camera and no port.
 * `--live` asks a running daemon instead; that is what a container's health check calls.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Argv } from 'yargs';
import { loadConfig } from '../config/load.js';
import type { Config } from '../config/schema.js';
import { messageOf, SightlineError } from '../errors.js';
import { createOpenCv } from '../opencv/client.js';
import type { CascadeName } from '../opencv/types.js';
import type { CliContext } from './context.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const ADDONS = [
  'build/native/bin/capture', 'build/native/bin/geometry', 'build/native/bin/vision',
  'node_modules/better-sqlite3/build/Release/better_sqlite3', 'node_modules/@u4/opencv4nodejs/build/Release/opencv4nodejs',
];
const CASCADES: readonly CascadeName[] = ['face', 'profile', 'eye', 'eye_spectacles'];
const OPENCV_LIMIT_MS = 30_000;
const LOAD_LIMIT_MS = 20_000;
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
        const checks = argv.live === true ? [await live(load())] : [nodeVersion(), packages(), ...ADDONS.map((name) => addon(path.format({ name, ext: 'node' }))), ...(await cascades()), settings(load), webcams()];
        const ok = checks.every((check) => check.ok);
        if (!ok) cli.exit.code = 1;
        if (argv.json === true) return cli.json({ ok, checks });
        for (const check of checks) cli.line(`${check.ok ? '✔' : '✘'} ${check.name}: ${check.detail}`);
        cli.line(ok ? 'everything is here' : `${checks.filter((check) => !check.ok).length} of ${checks.length} checks failed; "npm run setup" makes what is missing`);
      },
    );
}

function nodeVersion(): Check {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const ok = (major === 20 && minor >= 17) || major > 22 || (major === 22 && minor >= 9);
  return { name: 'Node.js', ok, detail: `${process.versions.node}${ok ? '' : ', expected 20.17 or newer of 20, or 22.9 and newer'}` };
}

/** Every dependency of package.json is installed. */
function packages(): Check {
  const { dependencies } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { dependencies: Record<string, string> };
  const names = Object.keys(dependencies);
  const missing = names.filter((name) => !existsSync(path.join(ROOT, 'node_modules', name, 'package.json')));
  return { name: 'npm packages', ok: missing.length === 0, detail: missing.length === 0 ? `${names.length} installed` : `missing: ${missing.join(', ')}` };
}

/** Loaded in a process of its own: an addon that crashes is a failed check, not the end of this one. */
function addon(file: string): Check {
  const name = path.basename(file);
  const full = path.join(ROOT, file);
  if (!existsSync(full)) return { name, ok: false, detail: `${file} is missing` };
  const { status, stderr, signal } = spawnSync(process.execPath, ['-e', `process.dlopen({ exports: {} }, ${JSON.stringify(full)})`], { encoding: 'utf8', timeout: LOAD_LIMIT_MS });
  if (status === 0) return { name, ok: true, detail: 'loads' };
  const words = stderr.split('\n').find((line) => line.startsWith('Error')) ?? signal ?? `exit code ${status ?? 'unknown'}`;
  return { name, ok: false, detail: words.replaceAll(ROOT, '') };
}

/** OpenCV answers, and each cascade is found, loads and searches a picture. */
async function cascades(): Promise<Check[]> {
  const opencv = createOpenCv();
  const side = 64;
  const picture = Buffer.concat([Buffer.from(`P5 ${side} ${side} 255\n`), Buffer.alloc(side * side, 128)]);
  try {
    const checks: Check[] = [];
    for (const cascade of CASCADES) {
      const name = `OpenCV cascade ${cascade}`;
      try {
        const { boxes } = await opencv.ask({ op: 'cascade', picture, cascade, min_neighbours: 5, min_size: 30 }, { deadline_ms: OPENCV_LIMIT_MS });
        checks.push({ name, ok: boxes.length === 0, detail: boxes.length === 0 ? 'works' : 'finds something in an empty picture' });
      } catch (error) {
        checks.push({ name, ok: false, detail: messageOf(error).replaceAll(ROOT, '') });
      }
    }
    return checks;
  } finally {
    await opencv.close();
  }
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
