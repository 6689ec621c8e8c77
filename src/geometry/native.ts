/** The only importer of geometry.node. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { SightlineError } from '../errors.js';
import type { GeometryAddon } from './types.js';

/** Where `npm run build:native` puts the addon, from the root of the project. */
const BUILT = 'build/native/bin/geometry.node';
const REMEDY = 'run `npm run build:native`';

/** Every function that the addon must have; `satisfies` keeps the list complete. */
export const GEOMETRY_FUNCTIONS = Object.keys({
  info: 0,
  setSimdTarget: 0,
  fitGaze: 0,
  projectGaze: 0,
  matchFeatures: 0,
  estimateOffset: 0,
} satisfies Record<keyof GeometryAddon, 0>);

let loaded: GeometryAddon | undefined;

/**
 * Loads geometry.node; once, further calls answer the same object.
 * @param candidates Files to try, in this order; by default the built one of each `package.json` root above this file.
 * @throws SightlineError NATIVE_LOAD_FAILED: lists each attempt with the loader's words, and what to do. NATIVE_SIMD when the
 *   environment names instructions that are not there.
 */
export function loadGeometry(candidates?: readonly string[]): GeometryAddon {
  if (candidates !== undefined) return load(candidates);
  return (loaded ??= load(builtFiles()));
}

function load(candidates: readonly string[]): GeometryAddon {
  const require = createRequire(import.meta.url);
  const attempts: string[] = [];
  let cause: unknown;
  for (const file of candidates) {
    if (!existsSync(file)) {
      attempts.push(`${file}: no such file`);
      continue;
    }
    try {
      const addon = require(file) as GeometryAddon;
      const missing = GEOMETRY_FUNCTIONS.filter((name) => typeof (addon as unknown as Record<string, unknown>)[name] !== 'function');
      if (missing.length === 0) return addon;
      attempts.push(`${file}: older than this code, it has no ${missing.join(', ')}`);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (error instanceof Error && 'code' in error && error.code === 'NATIVE_SIMD') throw new SightlineError('NATIVE_SIMD', message, { cause: error });
      cause = error;
      attempts.push(`${file}: ${message}`);
    }
  }
  throw new SightlineError('NATIVE_LOAD_FAILED', `geometry.node does not load; tried ${attempts.join('; ')}; ${REMEDY}`, { cause });
}

/** The built addon of each project root above this file, whatever folder the compiled code is in. */
function builtFiles(): string[] {
  const files: string[] = [];
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (true) {
    const manifest = path.join(folder, 'package.json');
    if (existsSync(manifest) && (JSON.parse(readFileSync(manifest, 'utf8')) as { name?: unknown }).name === 'sightline') files.push(path.join(folder, BUILT));
    const parent = path.dirname(folder);
    if (parent === folder) return files;
    folder = parent;
  }
}
