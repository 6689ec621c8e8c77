/**
 * The only importer of capture.node. The addon is context-aware and shared: main thread and workers each call `loadCapture()`, and
 * all of them get functions over the same process-wide pool and cameras (see native/README.md).
 */
import { loadAddon, membersOf } from '../native_addon.js';
import type { CaptureAddon } from './types.js';

export const CAPTURE_FUNCTIONS = membersOf<CaptureAddon>({
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
});

/**
 * Loads capture.node.
 * @param candidates Files to try, in this order; by default the built one of each `package.json` root above the code.
 * @throws SightlineError NATIVE_LOAD_FAILED, NATIVE_SIMD: see loadAddon.
 */
export function loadCapture(candidates?: readonly string[]): CaptureAddon {
  const remedy = 'run `npm run build:native` (needs FFmpeg >= 5: libavformat59, libavcodec59, libavutil57, libavdevice59, libswscale6 or newer)';
  return loadAddon({ file: 'capture.node', members: CAPTURE_FUNCTIONS, remedy }, candidates);
}
