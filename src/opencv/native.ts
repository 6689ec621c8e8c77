/** The only importer of vision.node, and only in the child process: see native/vision_addon/addon.cc. */
import { createRequire } from 'node:module';
import path from 'node:path';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SightlineError } from '../errors.js';

export interface VisionAddon {
  /** Version of the OpenCV it is linked with. */
  opencv: string;
  setThreads(threads: number): void;
  /** @param contrast OpenCV's threshold; features that stand out less are dropped. */
  sift(grey: Uint8Array, width: number, height: number, mask: Uint8Array | null, features: number, contrast: number): { xy: Float32Array; size: Float32Array; descriptors: Uint8Array };
  /** The picture with its contrast spread; null when it needs none. */
  normalise(grey: Uint8Array, width: number, height: number): Uint8Array | null;
}

const BUILT = 'build/native/bin/vision.node';

export function loadVision(): VisionAddon {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  const tried: string[] = [];
  for (let parent = path.dirname(folder); parent !== folder; folder = parent, parent = path.dirname(folder)) {
    const file = path.join(folder, BUILT);
    if (!existsSync(file)) continue;
    try {
      return createRequire(import.meta.url)(file) as VisionAddon;
    } catch (error) {
      tried.push(`${file}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new SightlineError('NATIVE_LOAD_FAILED', `vision.node does not load; ${tried.length === 0 ? 'it is not built' : tried.join('; ')}; run \`npm run build:native\` (needs libopencv-dev)`);
}
