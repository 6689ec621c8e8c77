/** The features of views, from the OpenCV child or as they were given. */
import { SightlineError } from '../../errors.js';
import type { OpenCv, Share } from '../../opencv/types.js';
import type { CheckedOptions } from './options.js';
import type { FoundView } from './overlays.js';
import type { Features, OffsetReason, PtzView, RoiMargins } from './types.js';

export interface FailedView {
  view: PtzView;
  reason: OffsetReason;
}

/** Fewer tell nothing, whatever they match. */
const LEAST_FEATURES = 30;

/** One view after the other: the child does one thing at a time anyway, and an abort is noticed between them. */
export async function featuresOf(opencv: OpenCv, views: readonly PtzView[], options: CheckedOptions): Promise<(FoundView | FailedView)[]> {
  const found: (FoundView | FailedView)[] = [];
  for (const view of views) {
    options.signal?.throwIfAborted();
    found.push(await featuresOfView(opencv, view, options));
  }
  return found;
}

async function featuresOfView(opencv: OpenCv, view: PtzView, options: CheckedOptions): Promise<FoundView | FailedView> {
  try {
    const { camera } = options;
    const features = view.picture instanceof Uint8Array ? await extract(opencv, view.picture, options, camera) : given(view.picture, options);
    if (features.width !== camera.width || features.height !== camera.height) return { view, reason: 'wrong_size' };
    return features.count < LEAST_FEATURES ? { view, reason: 'too_few_features' } : { view, features };
  } catch (error) {
    const reason = reasonOf(error);
    if (reason === undefined) throw error;
    return { view, reason };
  }
}

export async function extract(
  opencv: OpenCv,
  picture: Uint8Array,
  { method, max_features, ignore, signal }: Pick<CheckedOptions, 'method' | 'max_features' | 'ignore' | 'signal'>,
  expect?: { width: number; height: number },
): Promise<Features> {
  const size = expect === undefined ? {} : { expect: { width: expect.width, height: expect.height } };
  const { width, height, xy, size: sizes, descriptors, descriptor_bytes } = await opencv.ask({ op: 'features', picture, method, max_features, ignore: sharesOf(ignore), ...size }, { signal });
  return { method, width, height, count: sizes.length, xy, size: sizes, descriptors, descriptor_bytes };
}

/** Stored features: whole, and of the method that the other side uses. */
function given(features: Features, { method }: CheckedOptions): Features {
  const { count, xy, size, descriptors, descriptor_bytes } = features;
  if (features.method !== method) throw new SightlineError('PTZ_INPUT', `features: expected ${method} features, received ${features.method}`);
  if (xy.length !== 2 * count || size.length !== count || descriptors.length !== count * descriptor_bytes) {
    throw new SightlineError('PTZ_INPUT', `features: expected ${count} places, sizes and descriptors of ${descriptor_bytes} bytes, received arrays of other lengths`);
  }
  return features;
}

function reasonOf(error: unknown): OffsetReason | undefined {
  if (!(error instanceof SightlineError)) return undefined;
  if (error.code === 'IMAGE_UNREADABLE') return 'unreadable_image';
  if (error.code === 'IMAGE_SIZE') return 'wrong_size';
  return error.code === 'OPENCV_CRASHED' || error.code === 'OPENCV_TIMEOUT' || error.code === 'OPENCV_FAILED' ? 'features_failed' : undefined;
}

function sharesOf({ top, bottom, left, right }: RoiMargins): Share[] {
  return [
    { x: 0, y: 0, width: 1, height: top },
    { x: 0, y: 1 - bottom, width: 1, height: bottom },
    { x: 0, y: 0, width: left, height: 1 },
    { x: 1 - right, y: 0, width: right, height: 1 },
  ].filter((share) => share.width > 0 && share.height > 0);
}
