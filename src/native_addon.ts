/** How every native addon of ours is found and loaded. Each addon has one importer, the `native.ts` of its folder, which calls this. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { SightlineError } from './errors.js';

export interface AddonDescription<T> {
  /** File name in the build's folder, such as capture.node. */
  file: string;
  /** Every member that the addon must have: an older build is refused by name. */
  members: readonly (keyof T)[];
  /** What to do when it does not load. */
  remedy: string;
}

/** The members of an addon; the type of the argument keeps the list complete. */
export function membersOf<T extends object>(all: Record<keyof T, 0>): readonly (keyof T)[] {
  return Object.keys(all) as (keyof T)[];
}

/** Where `npm run build:native` puts addons, from the root of the project. */
const BUILT = 'build/native/bin';

/**
 * Loads an addon.
 * @param candidates Files to try, in this order; by default the built one of each `package.json` root above this file.
 * @throws SightlineError NATIVE_LOAD_FAILED: lists each attempt with the loader's words, and what to do. NATIVE_SIMD when the
 *   environment names instructions that are not there.
 */
export function loadAddon<T extends object>({ file: name, members, remedy }: AddonDescription<T>, candidates: readonly string[] = builtFiles(name)): T {
  const require = createRequire(import.meta.url);
  const attempts: string[] = [];
  let cause: unknown;
  for (const file of candidates) {
    if (!existsSync(file)) {
      attempts.push(`${file}: no such file`);
      continue;
    }
    try {
      const addon = require(file) as T;
      const missing = members.filter((member) => addon[member] === undefined);
      if (missing.length === 0) return addon;
      attempts.push(`${file}: older than this code, it has no ${missing.join(', ')}`);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (error instanceof Error && 'code' in error && error.code === 'NATIVE_SIMD') throw new SightlineError('NATIVE_SIMD', message, { cause: error });
      cause = error;
      attempts.push(`${file}: ${message}`);
    }
  }
  throw new SightlineError('NATIVE_LOAD_FAILED', `${name} does not load; tried ${attempts.join('; ')}; ${remedy}`, { cause });
}

/** The built addon of each project root above this file, whatever folder the compiled code is in. */
function builtFiles(name: string): string[] {
  const files: string[] = [];
  for (let folder = path.dirname(fileURLToPath(import.meta.url)); ; folder = path.dirname(folder)) {
    if (isRoot(folder)) files.push(path.join(folder, BUILT, name));
    if (path.dirname(folder) === folder) return files;
  }
}

function isRoot(folder: string): boolean {
  const file = path.join(folder, 'package.json');
  if (!existsSync(file)) return false;
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { name?: unknown }).name === 'sightline';
  } catch {
    return false;
  }
}
