/**
 * Frames over RTSP through the capture addon: decoded natively, taken as RGB from a batch slot at the size of the device, with the arrival time of
 * their packet. One grabber a process (the slot pool is process-wide), several streams at once.
 */
import { captureOptions } from '../../cameras/plan.js';
import type { CaptureAddon, PoolInput, TakenBatch } from '../../capture/types.js';
import type { Config } from '../../config/schema.js';
import { SightlineError } from '../../errors.js';
import type { Frame } from '../types.js';
import type { FrameSource } from './frames.js';
import { encodePng } from './png.js';

/** The slot pool holds so many inputs. */
const MAX_SIZES = 4;
/** A connection that hangs is opened again while the frame is still waited for; a monitor asks seldom, so it may ask again soon. */
const QUICK = { open_timeout_ms: 3_000, read_timeout_ms: 2_000, stall_limit_ms: 3_000, backoff_min_ms: 150, backoff_max_ms: 600 };
/** A camera that fails is looked at so often while a frame is waited for. */
const LOOK_MS = 200;

export interface FrameSize {
  width: number;
  height: number;
}

export interface GrabberOptions {
  addon: CaptureAddon;
  /** Sizes of frames that will be asked for. */
  sizes: readonly FrameSize[];
  /** Streams at once. */
  streams: number;
  capture: Config['capture'];
}

interface Waiting {
  handle: number;
  size: FrameSize;
  /** CLOCK_MONOTONIC: older frames do not count. */
  after_us: number;
  resolve(frame: RawFrame): void;
  reject(error: Error): void;
}

interface RawFrame extends FrameSize {
  rgb: Uint8Array;
  packet_us: number;
  wall_ms: number;
}

export interface Grabber {
  open(url: string, size: FrameSize): FrameSource;
  close(): Promise<void>;
}

/** @throws PTZ_FRAME_SIZE when the devices have more different sizes than the pool has room for */
export function openGrabber({ addon, sizes, streams, capture }: GrabberOptions): Grabber {
  const different = [...new Map(sizes.map((size) => [`${size.width}×${size.height}`, size])).values()];
  if (different.length > MAX_SIZES) {
    throw new SightlineError('PTZ_FRAME_SIZE', `devices: expected at most ${MAX_SIZES} different frame sizes in a run, received ${different.length}; monitor them in several runs (--device)`);
  }
  const inputs: PoolInput[] = different.map(({ width, height }) => ({ name: `${width}x${height}`, width, height, fit: 'stretch', pad: 0 }));
  addon.openPool({ batches: Math.max(2, streams + 2), rows: 1, inputs });
  const waiting = new Set<Waiting>();
  const take = (): void => {
    for (let batch = addon.takeBatch(Number.MAX_SAFE_INTEGER); batch !== null; batch = addon.takeBatch(Number.MAX_SAFE_INTEGER)) {
      try {
        hand(addon, batch, different, waiting);
      } finally {
        addon.releaseBatch(batch.batch);
      }
    }
    addon.armReady();
  };
  addon.onReady(take);
  // The addon's callback does not keep the process alive; a wait for a frame has a timer that does.
  addon.setTargetRows(1);
  addon.armReady();
  return {
    open: (url, size) => openStream(addon, { url, size, capture, waiting }),
    async close() {
      for (const one of waiting) one.reject(new SightlineError('PTZ_FRAME_FAILED', 'frame: the grabber was closed'));
      waiting.clear();
      await addon.close();
    },
  };
}

function hand(addon: CaptureAddon, batch: TakenBatch, sizes: readonly FrameSize[], waiting: Set<Waiting>): void {
  for (const row of batch.rows) {
    for (const one of waiting) {
      if (one.handle !== row.camera || row.packet_us < one.after_us) continue;
      waiting.delete(one);
      const input = sizes.findIndex(({ width, height }) => width === one.size.width && height === one.size.height);
      if (row.width !== one.size.width || row.height !== one.size.height || input < 0) {
        const message = `frame: expected ${one.size.width}×${one.size.height} as the lens data say, received ${row.width}×${row.height}; set width and height in devices.yaml (lens) or [camera]`;
        one.reject(new SightlineError('PTZ_FRAME_SIZE', message));
        continue;
      }
      const bytes = row.width * row.height * 3;
      const rgb = addon.batchTensor(batch.batch, input).slice(row.row * bytes, (row.row + 1) * bytes);
      one.resolve({ rgb, width: row.width, height: row.height, packet_us: row.packet_us, wall_ms: row.wall_ms });
    }
  }
}

function openStream(addon: CaptureAddon, { url, size, capture, waiting }: { url: string; size: FrameSize; capture: Config['capture']; waiting: Set<Waiting> }): FrameSource {
  const { options } = captureOptions({ camera_id: 0, url, transport: 'tcp', analysis_fps: null }, { fps: 10, capture, hw_device: '' });
  const handle = addon.addCamera({ ...options, label: 'ptz', ...QUICK });
  const next = async (timeout_ms: number, signal?: AbortSignal): Promise<Frame> => {
    const raw = await rawFrame(addon, { handle, size, waiting, timeout_ms, signal });
    const mono_ms = performance.now() - (addon.monotonicUs() - raw.packet_us) / 1000;
    return { picture: await encodePng(raw.rgb, raw.width, raw.height), format: 'png', from_mono_ms: mono_ms, to_mono_ms: mono_ms, wall_ms: raw.wall_ms };
  };
  return { next, close: () => addon.removeCamera(handle) };
}

interface Wanted {
  handle: number;
  size: FrameSize;
  waiting: Set<Waiting>;
  timeout_ms: number;
  signal: AbortSignal | undefined;
}

async function rawFrame(addon: CaptureAddon, { handle, size, waiting, timeout_ms, signal }: Wanted): Promise<RawFrame> {
  signal?.throwIfAborted();
  let look: NodeJS.Timeout | undefined;
  let stop: (() => void) | undefined;
  const start_ms = performance.now();
  const one: Partial<Waiting> & { handle: number; size: FrameSize; after_us: number } = { handle, size, after_us: addon.monotonicUs() };
  try {
    return await new Promise<RawFrame>((resolve, reject) => {
      Object.assign(one, { resolve, reject });
      waiting.add(one as Waiting);
      stop = () => { reject(signal?.reason instanceof Error ? signal.reason : new Error('aborted')); };
      signal?.addEventListener('abort', stop);
      look = setInterval(() => {
        const fault = faultOf(addon, handle, performance.now() - start_ms > timeout_ms ? timeout_ms : undefined);
        if (fault !== undefined) reject(fault);
      }, LOOK_MS);
    });
  } finally {
    clearInterval(look);
    waiting.delete(one as Waiting);
    if (stop !== undefined) signal?.removeEventListener('abort', stop);
  }
}

/** The failure of a stream that is over the limit, or whose credentials were refused: waiting longer would not help. */
function faultOf(addon: CaptureAddon, handle: number, limit_ms: number | undefined): SightlineError | undefined {
  const stats = addon.cameraStats().find((camera) => camera.handle === handle);
  const why = stats === undefined ? 'the stream was closed' : stats.reason === '' ? `stream ${stats.state}` : `stream ${stats.state} (${stats.reason})`;
  if (stats?.reason === 'CAPTURE_AUTH' || stats?.state === 'failed') return new SightlineError('PTZ_FRAME_FAILED', `frame: ${why}`);
  return limit_ms === undefined ? undefined : new SightlineError('PTZ_FRAME_FAILED', `frame: expected one within ${limit_ms} ms, ${why}`);
}
