/** Sources of frames: cameras that run anyway, and local webcams that are opened for eye tracking alone. Pixels stay outside the main thread until they are a small JPEG. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CameraStatus } from '../cameras/types.js';
import type { CaptureAddon, CaptureOptions } from '../capture/types.js';
import { SightlineError } from '../errors.js';
import { NO_CAMERA_TEXT } from './protocol.js';
import { sourceKey, WEBCAMS_TRIED } from './source.js';
import type { EyeSource, FrameFeed, OpenFeed } from './types.js';

export type FeedAddon = Pick<CaptureAddon, 'addCamera' | 'removeCamera' | 'cameraStats' | 'snapshot'>;

export interface FeedsOptions {
  addon: FeedAddon;
  cameras: {
    statuses(): CameraStatus[];
    snapshot(camera_id: number, options: { quality: number; max_width: number }): Promise<Buffer | null>;
  };
  /** Capture options of a webcam; null when the machine has no device of this number. */
  webcam(index: number): CaptureOptions | null;
  /** How long a webcam may take until its first frame. */
  open_limit_ms?: number;
}

const QUALITY = 85;
/** How long what the addon says of all cameras may be used: one look serves every tracker. */
const LOOK_MS = 15;
const OPENING_LOOK_MS = 25;
const OPEN_LIMIT_MS = 6_000;

export function createFeeds(options: FeedsOptions): OpenFeed {
  const look = cached(() => new Map(options.cameras.statuses().map((status) => [status.camera_id, status])));
  const stats = cached(() => new Map(options.addon.cameraStats().map((one) => [one.handle, one])));

  function cameraFeed(camera_id: number): FrameFeed {
    return {
      name: sourceKey({ kind: 'camera', camera_id }),
      own: false,
      look() {
        const status = look().get(camera_id);
        if (status === undefined) return { seq: 0, streaming: false, reason: 'CAMERA_NOT_FOUND' };
        return { seq: status.frames, streaming: status.state === 'streaming', reason: status.reason };
      },
      picture: (width) => options.cameras.snapshot(camera_id, { quality: QUALITY, max_width: width }),
      close: async () => undefined,
    };
  }

  /** undefined: there is none, or it does not give a frame in time. */
  async function webcamFeed(index: number, signal: AbortSignal): Promise<FrameFeed | undefined> {
    const capture = options.webcam(index);
    if (capture === null) return undefined;
    // A device can be open once only: a camera of the registry that uses it is asked for its frames.
    const registered = options.cameras.statuses().find(({ kind, url, state }) => kind === 'v4l2' && url === capture.url && state !== 'disabled');
    if (registered !== undefined) return registered.state === 'streaming' ? { ...cameraFeed(registered.camera_id), name: `webcam:${index}` } : undefined;

    const handle = options.addon.addCamera(capture);
    const streams = await firstFrame(handle, signal).catch(() => false);
    if (!streams) {
      await options.addon.removeCamera(handle);
      signal.throwIfAborted();
      return undefined;
    }
    let closed: Promise<void> | undefined;
    return {
      name: `webcam:${index}`,
      own: true,
      look() {
        const one = stats().get(handle);
        return { seq: one?.frames ?? 0, streaming: one?.state === 'streaming', reason: one?.reason ?? '' };
      },
      picture: async (width) => (await options.addon.snapshot(handle, { quality: QUALITY, max_width: width }))?.jpeg ?? null,
      close: () => (closed ??= options.addon.removeCamera(handle)),
    };
  }

  async function firstFrame(handle: number, signal: AbortSignal): Promise<boolean> {
    const end = performance.now() + (options.open_limit_ms ?? OPEN_LIMIT_MS);
    while (performance.now() < end) {
      const one = options.addon.cameraStats().find((other) => other.handle === handle);
      if (one === undefined || one.state === 'failed' || one.state === 'backing_off') return false;
      if (one.state === 'streaming' && one.frames > 0) return true;
      await sleep(OPENING_LOOK_MS, undefined, { signal });
    }
    return false;
  }

  return async (source: EyeSource, signal: AbortSignal) => {
    if (source.kind === 'camera') {
      if (!look().has(source.camera_id)) throw new SightlineError('CAMERA_NOT_FOUND', `source: expected a registered camera, received ${source.camera_id}`);
      return cameraFeed(source.camera_id);
    }
    for (const index of source.kind === 'webcam' ? [source.index] : WEBCAMS_TRIED) {
      const feed = await webcamFeed(index, signal);
      if (feed !== undefined) return feed;
    }
    throw new SightlineError('EYE_NO_CAMERA', NO_CAMERA_TEXT);
  };
}

function cached<T>(read: () => T): () => T {
  let value: T | undefined;
  let at = Number.NEGATIVE_INFINITY;
  return () => {
    const now = performance.now();
    if (value === undefined || now - at > LOOK_MS) {
      value = read();
      at = now;
    }
    return value;
  };
}
