/** Where frames of a device come from. */
import type { Frame } from '../types.js';

export interface FrameSource {
  /** A frame that arrived after now. @throws PTZ_FRAME_FAILED, PTZ_FRAME_SIZE */
  next(timeout_ms: number, signal?: AbortSignal): Promise<Frame>;
  close(): Promise<void>;
}
