/** The only importer of vision.node, and only in the child process: see native/vision_addon/addon.cc. */
import { loadAddon, membersOf } from '../native_addon.js';

export interface VisionAddon {
  /** Version of the OpenCV it is linked with. */
  opencv: string;
  setThreads(threads: number): void;
  /** @param contrast OpenCV's threshold; features that stand out less are dropped. */
  sift(grey: Uint8Array, width: number, height: number, mask: Uint8Array | null, features: number, contrast: number): { xy: Float32Array; size: Float32Array; descriptors: Uint8Array };
  /** The picture with its contrast spread; null when it needs none. */
  normalise(grey: Uint8Array, width: number, height: number): Uint8Array | null;
}

/** Errors: NATIVE_LOAD_FAILED. */
export function loadVision(): VisionAddon {
  const members = membersOf<VisionAddon>({ opencv: 0, setThreads: 0, sift: 0, normalise: 0 });
  return loadAddon({ file: 'vision.node', members, remedy: 'run `npm run build:native` (needs libopencv-dev)' });
}
