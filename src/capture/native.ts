/**
 * The only importer of capture.node. The addon is context-aware and shared: main thread and workers each call `loadCapture()`, and
 * all of them get functions over the same process-wide pool and cameras (see native/README.md).
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { SightlineError } from '../errors.js';
import type { CaptureAddon } from './types.js';

/** Where `npm run build:native` puts the addon, from the root of the project. */
const BUILT = 'build/native/bin/capture.node';
const REMEDY = 'run `npm run build:native` (needs FFmpeg >= 5: libavformat59, libavcodec59, libavutil57, libavdevice59, libswscale6 or newer)';

/** Every function that the addon must have; `satisfies` keeps the list complete. */
export const CAPTURE_FUNCTIONS = Object.keys({
  info: 0,
  setSimdTarget: 0,
  openPool: 0,
  close: 0,
  addCamera: 0,
  removeCamera: 0,
  setAnalysisRate: 0,
  cameraStats: 0,
  poolStats: 0,
  onState: 0,
  onReady: 0,
  armReady: 0,
  setTargetRows: 0,
  takeBatch: 0,
  releaseBatch: 0,
  snapshot: 0,
  rowJpeg: 0,
  clip: 0,
  probe: 0,
  monotonicUs: 0,
  batchTensor: 0,
  cropRows: 0,
  placement: 0,
  decodeStill: 0,
  releaseStill: 0,
  stillTensor: 0,
  cropStill: 0,
} satisfies Record<keyof CaptureAddon, 0>);

/**
 * Loads capture.node.
 * @param candidates Files to try, in this order; by default the built one of each `package.json` root above this file.
 * @throws SightlineError NATIVE_LOAD_FAILED: lists each attempt with the loader's words, and what to do. NATIVE_SIMD when the
 *   environment names instructions that are not there.
 */
export function loadCapture(candidates: readonly string[] = builtFiles()): CaptureAddon {
  const require = createRequire(import.meta.url);
  const attempts: string[] = [];
  let cause: unknown;
  for (const file of candidates) {
    if (!existsSync(file)) {
      attempts.push(`${file}: no such file`);
      continue;
    }
    try {
      const addon = require(file) as CaptureAddon;
      const missing = CAPTURE_FUNCTIONS.filter((name) => typeof (addon as unknown as Record<string, unknown>)[name] !== 'function');
      if (missing.length === 0) return addon;
      attempts.push(`${file}: older than this code, it has no ${missing.join(', ')}`);
    } catch (error) {
      if (codeOf(error) === 'NATIVE_SIMD') throw new SightlineError('NATIVE_SIMD', messageOf(error), { cause: error });
      cause = error;
      attempts.push(`${file}: ${messageOf(error)}`);
    }
  }
  throw new SightlineError('NATIVE_LOAD_FAILED', `capture.node does not load; tried ${attempts.join('; ')}; ${REMEDY}`, { cause });
}

/** The built addon beside the nearest package.json above this file, whatever folder the compiled code is in. */
function builtFiles(): string[] {
  const files: string[] = [];
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (true) {
    if (isRoot(folder)) files.push(path.join(folder, BUILT));
    const parent = path.dirname(folder);
    if (parent === folder) return files;
    folder = parent;
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
