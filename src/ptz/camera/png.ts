/** Writes PNG: RGB, 8 bits, no palette. Lossless, so that features are those of the decoded frame. */
import { promisify } from 'node:util';
import { crc32, deflate } from 'node:zlib';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** Up: each byte minus the one above it. One filter for all lines; choosing per line gains little on photographs. */
const FILTER_UP = 2;
const deflateAsync = promisify(deflate) as (data: Uint8Array, options: { level: number }) => Promise<Buffer>;

/** `rgb` has `width × height × 3` bytes. Compression runs on libuv's threads. */
export async function encodePng(rgb: Uint8Array, width: number, height: number): Promise<Buffer> {
  const stride = width * 3;
  if (rgb.length !== stride * height) throw new RangeError(`rgb: expected ${stride * height} bytes for ${width}×${height}, received ${rgb.length}`);
  const lines = Buffer.allocUnsafe((stride + 1) * height);
  for (let y = 0; y < height; y++) {
    const at = y * (stride + 1);
    lines[at] = FILTER_UP;
    const above = (y - 1) * stride;
    for (let x = 0; x < stride; x++) lines[at + 1 + x] = ((rgb[above + stride + x] ?? 0) - (y === 0 ? 0 : (rgb[above + x] ?? 0))) & 0xff;
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([SIGNATURE, chunk('IHDR', header), chunk('IDAT', await deflateAsync(lines, { level: 3 })), chunk('IEND', Buffer.alloc(0))]);
}

function chunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const whole = Buffer.alloc(named.length + 8);
  whole.writeUInt32BE(data.length, 0);
  named.copy(whole, 4);
  whole.writeUInt32BE(crc32(named), named.length + 4);
  return whole;
}

/** `png` or `jpeg` by the first bytes, undefined for anything else. */
export function pictureFormat(bytes: Uint8Array): 'png' | 'jpeg' | undefined {
  if (bytes.length > 8 && SIGNATURE.equals(bytes.subarray(0, 8))) return 'png';
  return bytes.length > 3 && bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff ? 'jpeg' : undefined;
}
