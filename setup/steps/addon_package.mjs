import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { nodeHeaders } from '../node_headers.mjs';
import { StepError } from '../run.mjs';
import { stampFits, writeAtomically, writeStamp } from '../stamp.mjs';

/**
 * An npm package with a native addon: built from source by its own install script, then kept in the user's cache for other clones. A binary
 * counts only after a process has loaded it, wherever it came from. `parts` are packages that it needs and that have an addon, too;
 * `env` is for its install script.
 */
export function addonPackage(name, { parts = [], env = {} } = {}) {
  const packages = [...parts, name];
  return {
    name,
    needed: ({ root }) => !stampFits(root, name, packages.map((one) => keyOf(root, one)).join(' ')),
    run: async ({ root, exec }) => {
      for (const one of packages) await make(root, one, exec, env);
      writeStamp(root, name, packages.map((one) => keyOf(root, one)).join(' '), packages.map((one) => binaryOf(one)));
    },
    remedy: `Its build needs a C++ compiler, make and python3. "npm rebuild ${name} --ignore-scripts=false" does the same by hand.`,
  };
}

async function make(root, name, exec, env) {
  const file = path.join(root, binaryOf(name));
  const kept = path.join(cacheFolder(), keyOf(root, name));
  if (existsSync(file) && loads(root, name)) return;
  if (restore(kept, file) && loads(root, name)) return;
  rmSync(kept, { recursive: true, force: true });
  rmSync(path.join(root, 'node_modules', name, 'build'), { recursive: true, force: true });
  await exec('npm', ['rebuild', name, '--ignore-scripts=false', '--foreground-scripts'], {
    env: { npm_config_build_from_source: 'true', MAKEFLAGS: '-j2', JOBS: '2', ...nodeHeaders(), ...env },
  });
  if (!loads(root, name)) throw new StepError(`${name} was built but does not load: ${lastWords(root, name)}`);
  keep(file, kept);
}

const binaryName = (name) => (name === 'segfault-handler' ? name : path.basename(name).replaceAll('-', '_'));
const binaryOf = (name) => `node_modules/${name}/build/Release/${binaryName(name)}.node`;

/** What a binary depends on, as the name of a folder. */
function keyOf(root, name) {
  const { version } = JSON.parse(readFileSync(path.join(root, 'node_modules', name, 'package.json'), 'utf8'));
  return `${name.replace('/', '-')}-${version}-abi${process.versions.modules}-${process.platform}-${process.arch}`;
}

function cacheFolder() {
  return path.join(process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache'), 'sightline');
}

const load = (root, name) =>
  spawnSync(process.execPath, ['-e', `process.dlopen({exports: {}}, ${JSON.stringify(path.join(root, binaryOf(name)))})`], { encoding: 'utf8' });
const loads = (root, name) => load(root, name).status === 0;
const lastWords = (root, name) => load(root, name).stderr.split('\n').find((line) => line.startsWith('Error')) ?? '';

const sumOf = (file) => createHash('sha256').update(readFileSync(file)).digest('hex');

function keep(file, folder) {
  try {
    mkdirSync(folder, { recursive: true });
    const copy = path.join(folder, 'addon.node');
    copyFileSync(file, `${copy}.${process.pid}.part`);
    renameSync(`${copy}.${process.pid}.part`, copy);
    writeAtomically(path.join(folder, 'sha256'), sumOf(copy));
  } catch {
    // No room or no right to write there: the next clone builds it again.
  }
}

/** False when there is nothing, or something else than was put there. */
function restore(folder, file) {
  const copy = path.join(folder, 'addon.node');
  try {
    if (readFileSync(path.join(folder, 'sha256'), 'utf8') !== sumOf(copy)) return false;
    mkdirSync(path.dirname(file), { recursive: true });
    copyFileSync(copy, `${file}.part`);
    renameSync(`${file}.part`, file);
    return true;
  } catch {
    return false;
  }
}
