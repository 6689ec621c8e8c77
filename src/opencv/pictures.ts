/** Encoded pictures to grey ones, in the child. */
import { SightlineError } from '../errors.js';
import type { Binding, Mat } from './binding.js';
import type { ReadAnswer, Share, WriteRequest } from './types.js';

/** OpenCV's flag for pixels as they are stored; the binding does not name it. */
const IGNORE_ORIENTATION = 128;
const LARGEST_BYTES = 64 * 2 ** 20;
const LARGEST_SIDE = 16_384;

export interface Grey {
  mat: Mat;
  data: Buffer;
  width: number;
  height: number;
}

/** Refuses what cannot be read, or has another size than expected, in words that say what came. */
export function readGrey(cv: Binding, picture: Uint8Array, expect?: { width: number; height: number }): Grey {
  if (picture.byteLength === 0) throw new SightlineError('IMAGE_UNREADABLE', 'picture: expected an encoded picture (PNG, JPEG, ...), received 0 bytes');
  if (picture.byteLength > LARGEST_BYTES) throw new SightlineError('IMAGE_UNREADABLE', `picture: expected at most ${LARGEST_BYTES} bytes, received ${picture.byteLength}`);
  const stored = decode(cv, picture, cv.IMREAD_GRAYSCALE | IGNORE_ORIENTATION);
  if (expect === undefined || (stored.cols === expect.width && stored.rows === expect.height)) return grey(stored);
  // A photograph may carry a note that it is to be turned.
  if (stored.cols === expect.height && stored.rows === expect.width) {
    const turned = decode(cv, picture, cv.IMREAD_GRAYSCALE);
    if (turned.cols === expect.width && turned.rows === expect.height) return grey(turned);
  }
  throw new SightlineError('IMAGE_SIZE', `picture: expected ${expect.width}×${expect.height} pixels as the camera has, received ${stored.cols}×${stored.rows}`);
}

function decode(cv: Binding, picture: Uint8Array, flags: number): Mat {
  let mat: Mat;
  try {
    mat = cv.imdecode(Buffer.from(picture.buffer, picture.byteOffset, picture.byteLength), flags);
  } catch (error) {
    throw new SightlineError('IMAGE_UNREADABLE', `picture: expected an encoded picture (PNG, JPEG, ...), received ${picture.byteLength} bytes that do not decode`, { cause: error });
  }
  if (mat.rows < 1 || mat.cols < 1) throw new SightlineError('IMAGE_UNREADABLE', `picture: expected an encoded picture (PNG, JPEG, ...), received ${picture.byteLength} bytes that do not decode`);
  if (mat.rows > LARGEST_SIDE || mat.cols > LARGEST_SIDE) throw new SightlineError('IMAGE_UNREADABLE', `picture: expected at most ${LARGEST_SIDE} pixels a side, received ${mat.cols}×${mat.rows}`);
  return mat;
}

function grey(mat: Mat): Grey {
  return { mat, data: mat.getData(), width: mat.cols, height: mat.rows };
}

export function readPicture(cv: Binding, picture: Uint8Array): ReadAnswer {
  const { data, width, height } = readGrey(cv, picture);
  return { width, height, grey: new Uint8Array(data) };
}

export function writeJpeg(cv: Binding, { grey: bytes, width, height, quality }: WriteRequest): Uint8Array {
  if (bytes.length !== width * height || bytes.length === 0) throw new SightlineError('IMAGE_SIZE', `grey: expected ${width}×${height} bytes, received ${bytes.length}`);
  const mat = new cv.Mat(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), height, width, cv.CV_8U);
  return new Uint8Array(cv.imencode('.jpg', mat, [cv.IMWRITE_JPEG_QUALITY, quality]));
}

/** 255 where features are wanted; null when they are everywhere. */
export function maskOf(width: number, height: number, ignore: readonly Share[]): Uint8Array | null {
  if (ignore.length === 0) return null;
  const mask = new Uint8Array(width * height).fill(255);
  for (const share of ignore) {
    const left = Math.max(0, Math.floor(share.x * width));
    const right = Math.min(width, Math.ceil((share.x + share.width) * width));
    const bottom = Math.min(height, Math.ceil((share.y + share.height) * height));
    for (let y = Math.max(0, Math.floor(share.y * height)); y < bottom; y++) mask.fill(0, y * width + left, y * width + Math.max(left, right));
  }
  return mask;
}
