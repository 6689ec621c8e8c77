/** Is what was installed really there, and does it work? Asked by `sightline doctor` and `sightline health-check`. Changes nothing. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { messageOf } from '../errors.js';
import { createOpenCv } from '../opencv/client.js';
import type { CascadeName } from '../opencv/types.js';

/** Native addons, from the root of the installation, without their extension. */
export const ADDONS = [
  'build/native/bin/capture', 'build/native/bin/geometry', 'build/native/bin/vision', 'build/native/bin/service',
  'node_modules/better-sqlite3/build/Release/better_sqlite3', 'node_modules/@u4/opencv4nodejs/build/Release/opencv4nodejs',
] as const;
const CASCADES: readonly CascadeName[] = ['face', 'profile', 'eye', 'eye_spectacles'];
const OPENCV_LIMIT_MS = 30_000;
const LOAD_LIMIT_MS = 20_000;

/** Of the Node.js that runs this. */
export function nodeFits(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return (major === 20 && minor >= 17) || major > 22 || (major === 22 && minor >= 9);
}

/** Dependencies of package.json, and those of them that are not installed. */
export function packages(root: string): { count: number; missing: string[] } {
  const { dependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { dependencies: Record<string, string> };
  const names = Object.keys(dependencies);
  return { count: names.length, missing: names.filter((name) => !existsSync(path.join(root, 'node_modules', name, 'package.json'))) };
}

/** Loads an addon in a process of its own: one that crashes is a finding, not the end of this process. @returns '' when it loads, else why not */
export function addonFault(root: string, addon: string): string {
  const file = path.format({ name: addon, ext: 'node' });
  const full = path.join(root, file);
  if (!existsSync(full)) return `${file} is missing`;
  const { status, stderr, signal } = spawnSync(process.execPath, ['-e', `process.dlopen({ exports: {} }, ${JSON.stringify(full)})`], { encoding: 'utf8', timeout: LOAD_LIMIT_MS });
  if (status === 0) return '';
  const words = stderr.split('\n').find((line) => line.startsWith('Error')) ?? signal ?? `exit code ${status ?? 'unknown'}`;
  return words.replaceAll(root, '');
}

/** Each cascade, and '' when it is found, loads and searches a picture, else why not. */
export async function cascadeFaults(root: string): Promise<{ cascade: CascadeName; fault: string }[]> {
  const opencv = createOpenCv();
  const side = 64;
  const picture = Buffer.concat([Buffer.from(`P5 ${side} ${side} 255\n`), Buffer.alloc(side * side, 128)]);
  const found: { cascade: CascadeName; fault: string }[] = [];
  try {
    for (const cascade of CASCADES) {
      const fault = await opencv
        .ask({ op: 'cascade', picture, cascade, min_neighbours: 5, min_size: 30 }, { deadline_ms: OPENCV_LIMIT_MS })
        .then(({ boxes }) => (boxes.length === 0 ? '' : 'finds something in an empty picture'), (error: unknown) => messageOf(error).replaceAll(root, ''));
      found.push({ cascade, fault });
    }
    return found;
  } finally {
    await opencv.close();
  }
}
