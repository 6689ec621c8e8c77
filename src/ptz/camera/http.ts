/** The HTTP side of a camera: snapshots of the media server, and commands of the camera service. */
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { SightlineError } from '../../errors.js';
import type { Frame, PtzStop } from '../types.js';
import { TILT_RANGE_DEG, wrap180 } from '../config/stops.js';
import type { FrameSource } from './frames.js';
import { pictureFormat } from './png.js';

const COMMAND_TIMEOUT_MS = 5_000;
const COMMAND_ATTEMPTS = 3;
const PICTURE_BYTES = 64 * 1024 * 1024;

/** `GET <media>/streams/<camera>-<variant>/capture`. The frame lies between the request and the last byte of its answer. */
export function httpFrames({ media, camera, variant }: { media: string; camera: string; variant: string }): FrameSource {
  const url = `${media.replace(/\/+$/, '')}/streams/${encodeURIComponent(`${camera}-${variant}`)}/capture`;
  return {
    async next(timeout_ms, signal): Promise<Frame> {
      const from_mono_ms = performance.now();
      const picture = await fetchPicture(url, timeout_ms, signal);
      const format = pictureFormat(picture);
      if (format === undefined) throw new SightlineError('PTZ_FRAME_FAILED', 'snapshot: expected a PNG or JPEG picture, received something else');
      return { picture, format, from_mono_ms, to_mono_ms: performance.now(), wall_ms: Date.now() };
    },
    close: async () => undefined,
  };
}

async function fetchPicture(url: string, timeout_ms: number, signal?: AbortSignal): Promise<Buffer> {
  const limit = AbortSignal.timeout(timeout_ms);
  try {
    const { statusCode, body } = await request(url, { signal: signal === undefined ? limit : AbortSignal.any([limit, signal]) });
    if (statusCode !== 200) {
      await body.dump();
      throw new SightlineError('PTZ_FRAME_FAILED', `snapshot: expected HTTP 200, received ${statusCode}`);
    }
    const parts: Buffer[] = [];
    let bytes = 0;
    for await (const part of body as AsyncIterable<Buffer>) {
      bytes += part.length;
      if (bytes > PICTURE_BYTES) throw new SightlineError('PTZ_FRAME_FAILED', `snapshot: expected at most ${PICTURE_BYTES / 2 ** 20} MiB`);
      parts.push(part);
    }
    return Buffer.concat(parts);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof SightlineError) throw error;
    throw new SightlineError('PTZ_FRAME_FAILED', `snapshot: expected a picture within ${timeout_ms} ms, ${limit.aborted ? 'received none' : reason(error)}`, { cause: error });
  }
}

export interface CommandOptions {
  /** `http://host:port` of the camera service. */
  base: string;
  camera: string;
  signal?: AbortSignal | undefined;
}

/** Orders an absolute move; three attempts. Pan is wrapped and tilt held in its range, as cameras want them. @throws PTZ_COMMAND_FAILED */
export async function moveTo({ base, camera, signal }: CommandOptions, stop: PtzStop): Promise<void> {
  const url = `${base.replace(/\/+$/, '')}/device/onvifcam/${encodeURIComponent(camera)}/command`;
  const tilt = Math.min(TILT_RANGE_DEG.max, Math.max(TILT_RANGE_DEG.min, stop.tilt_deg));
  const body = JSON.stringify({ command: 'absolute_move', pan: wrap180(stop.pan_deg), tilt, ...(stop.zoom === null ? {} : { zoom: stop.zoom }) });
  let last = '';
  for (let attempt = 1; attempt <= COMMAND_ATTEMPTS; attempt++) {
    if (attempt > 1) await sleep(800 + Math.random() * 400, undefined, { signal });
    const limit = AbortSignal.timeout(COMMAND_TIMEOUT_MS);
    try {
      const { statusCode, body: answer } = await request(url, {
        method: 'POST', body, headers: { 'content-type': 'application/json' }, signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
      });
      await answer.dump();
      if (statusCode >= 200 && statusCode < 300) return;
      last = `received HTTP ${statusCode}`;
    } catch (error) {
      signal?.throwIfAborted();
      last = limit.aborted ? `no answer within ${COMMAND_TIMEOUT_MS} ms` : reason(error);
    }
  }
  throw new SightlineError('PTZ_COMMAND_FAILED', `PTZ command: expected HTTP 2xx in ${COMMAND_ATTEMPTS} attempts, ${last}`);
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error ? String(error.code) : error.message;
}
