/** The features of views, from the OpenCV child or as they were given. */
import { SightlineError } from '../../errors.js';
import type { OpenCv, Share } from '../../opencv/types.js';
import { samePointing } from './candidates.js';
import { AGAIN_MAX, type CheckedOptions } from './options.js';
import type { FoundView } from './overlays.js';
import type { Features, OffsetReason, PtzView, RoiMargins } from './types.js';

/** A view whose features are known. */
export interface SeenView extends FoundView {
  /** See ViewOffset. */
  moving_share: number | null;
}

export interface FailedView {
  view: PtzView;
  reason: OffsetReason;
}

/** Fewer tell nothing, whatever they match. */
const LEAST_FEATURES = 30;

/** One view after the other: the child does one thing at a time anyway, and an abort is noticed between them. */
export async function featuresOf(opencv: OpenCv, views: readonly PtzView[], options: CheckedOptions): Promise<(SeenView | FailedView)[]> {
  const found: (SeenView | FailedView)[] = [];
  for (const view of views) {
    options.signal?.throwIfAborted();
    found.push(await featuresOfView(opencv, view, againOf(view, views), options));
  }
  return found;
}

/** The further pictures of a view's pointing: its own, and those of other views that look there. */
function againOf(view: PtzView, views: readonly PtzView[]): Uint8Array[] {
  const others = views.filter((other) => other.picture !== view.picture && samePointing(other, view)).map(({ picture }) => picture);
  return [...(view.again ?? []), ...others.filter((picture) => picture instanceof Uint8Array)].slice(0, AGAIN_MAX);
}

async function featuresOfView(opencv: OpenCv, view: PtzView, again: readonly Uint8Array[], options: CheckedOptions): Promise<SeenView | FailedView> {
  try {
    const { camera } = options;
    const features = view.picture instanceof Uint8Array ? await extract(opencv, view.picture, { ...options, again }, camera) : { ...given(view.picture, options), moving_share: null };
    if (features.width !== camera.width || features.height !== camera.height) return { view, reason: 'wrong_size' };
    return features.count < LEAST_FEATURES ? { view, reason: 'too_few_features' } : { view, features, moving_share: features.moving_share };
  } catch (error) {
    const reason = reasonOf(error);
    if (reason === undefined) throw error;
    return { view, reason };
  }
}

export async function extract(
  opencv: OpenCv,
  picture: Uint8Array,
  { method, max_features, ignore, again, signal }: Pick<CheckedOptions, 'method' | 'max_features' | 'ignore' | 'signal'> & { again: readonly Uint8Array[] },
  expect?: { width: number; height: number },
): Promise<Features & Pick<SeenView, 'moving_share'>> {
  const size = expect === undefined ? {} : { expect: { width: expect.width, height: expect.height } };
  const request = { op: 'features' as const, picture, method, max_features, ignore: sharesOf(ignore), again, ...size };
  const { width, height, xy, size: sizes, descriptors, descriptor_bytes, moving_share } = await opencv.ask(request, { signal });
  return { method, width, height, count: sizes.length, xy, size: sizes, descriptors, descriptor_bytes, moving_share };
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
