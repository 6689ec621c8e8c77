/** Features and their matching, in the child. */
import { SightlineError } from '../errors.js';
import type { Binding, Detector, DescriptorMatch, Mat } from './binding.js';
import { findMoving, type Moving, type Plane } from './moving.js';
import type { VisionAddon } from './native.js';
import { maskOf, readGrey, type Grey } from './pictures.js';
import type { FeatureAnswer, FeatureRequest, MatchAnswer, MatchRequest } from './types.js';

/** A third of OpenCV's default: the number of features is bounded anyway, so only poor pictures (blur, sky, walls) get more of them. Rich ones are not searched so deep (native/vision). */
const SIFT_CONTRAST = 0.012;

export function findFeatures(cv: Binding, vision: VisionAddon, request: FeatureRequest): FeatureAnswer {
  const { mat, data, width, height } = readGrey(cv, request.picture, request.expect);
  const spread = vision.normalise(data, width, height);
  const moving = movingIn(cv, { mat, data, width, height }, request.again ?? []);
  const mask = both(maskOf(width, height, request.ignore), moving?.mask ?? null);
  const found = request.method === 'sift'
    ? { ...vision.sift(spread ?? data, width, height, mask, request.max_features, SIFT_CONTRAST), descriptor_bytes: 128 }
    : detect(cv, request, spread === null ? mat : matOf(cv, spread, width, height), mask === null ? undefined : matOf(cv, mask, width, height));
  return { width, height, ...found, normalised: spread !== null, moving_share: moving === null ? null : Number(moving.share.toFixed(4)) };
}

/** null where there is nothing to compare with. */
function movingIn(cv: Binding, first: Grey, again: readonly Uint8Array[]): Moving | null {
  const others = again.flatMap((picture): Plane[] => {
    try {
      return [readGrey(cv, picture, first)];
    } catch (error) {
      if (error instanceof SightlineError) return [];
      throw error;
    }
  });
  return others.length === 0 ? null : findMoving(first, others);
}

function both(a: Uint8Array | null, b: Uint8Array | null): Uint8Array | null {
  return a === null || b === null ? (a ?? b) : a.map((value, index) => Math.min(value, b[index] ?? 0));
}

function detect(cv: Binding, { method, max_features }: FeatureRequest, image: Mat, mask: Mat | undefined): Pick<FeatureAnswer, 'xy' | 'size' | 'descriptors' | 'descriptor_bytes'> {
  const detector: Detector = method === 'akaze' ? new cv.AKAZEDetector() : new cv.ORBDetector(max_features);
  const points = mask === undefined ? detector.detect(image) : detector.detect(image, mask);
  // AKAZE has no limit of its own: the strongest, as the others do.
  const kept = points.length > max_features ? points.sort((a, b) => response(b) - response(a)).slice(0, max_features) : points;
  if (kept.length === 0) return { xy: new Float32Array(0), size: new Float32Array(0), descriptors: new Uint8Array(0), descriptor_bytes: method === 'akaze' ? 61 : 32 };
  const descriptors = detector.compute(image, kept);
  if (descriptors.rows !== kept.length) throw new Error(`${method}: ${kept.length} features, ${descriptors.rows} descriptors`);
  const xy = new Float32Array(kept.length * 2);
  const size = new Float32Array(kept.length);
  for (const [index, point] of kept.entries()) {
    xy[2 * index] = point.pt.x;
    xy[2 * index + 1] = point.pt.y;
    size[index] = point.size;
  }
  return { xy, size, descriptors: new Uint8Array(descriptors.getData()), descriptor_bytes: descriptors.cols };
}

function response(point: object): number {
  return (point as { response: number }).response;
}

function matOf(cv: Binding, bytes: Uint8Array, width: number, height: number): Mat {
  return new cv.Mat(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), height, width, cv.CV_8U);
}

/** Ratio test from a to b, and each other's nearest. */
export function matchPairs(cv: Binding, { a, b, descriptor_bytes, hamming, ratio }: MatchRequest): MatchAnswer {
  if (a.length < descriptor_bytes || b.length < 2 * descriptor_bytes) return { pairs: new Uint32Array(0) };
  const as = descriptorMat(cv, a, descriptor_bytes, hamming);
  const bs = descriptorMat(cv, b, descriptor_bytes, hamming);
  const match = (one: Mat, other: Mat, k: number): DescriptorMatch[][] => (hamming ? cv.matchKnnBruteForceHamming(one, other, k) : cv.matchKnnBruteForce(one, other, k));
  const nearest_to_b = match(bs, as, 1).map(([best]) => best?.trainIdx);
  const pairs: number[] = [];
  for (const [best, second] of match(as, bs, 2)) {
    if (best !== undefined && second !== undefined && best.distance < ratio * second.distance && nearest_to_b[best.trainIdx] === best.queryIdx) pairs.push(best.queryIdx, best.trainIdx);
  }
  return { pairs: Uint32Array.from(pairs) };
}

function descriptorMat(cv: Binding, bytes: Uint8Array, each: number, hamming: boolean): Mat {
  if (hamming) return matOf(cv, bytes, each, bytes.length / each);
  const floats = Float32Array.from(bytes);
  return new cv.Mat(Buffer.from(floats.buffer), bytes.length / each, each, cv.CV_32F);
}
