/**
 * Feature files: a first line `N D`, then N lines `x y size 0.0 d1 … dD`. Readers of the published format take x, y and the columns from the fifth on;
 * coordinates are kept to 1/1000 pixel here, since a whole pixel is 0.05° at 60° and 1280 pixels.
 */
import { SightlineError } from '../../errors.js';
import type { FeatureMethod, Features } from '../estimate/types.js';

export interface FeatureShape {
  method: FeatureMethod;
  width: number;
  height: number;
}

const MAX_FEATURES = 100_000;

export function featuresToText({ count, xy, size, descriptors, descriptor_bytes }: Features): string {
  const lines = [`${count} ${descriptor_bytes}`];
  for (let index = 0; index < count; index++) {
    const descriptor = descriptors.subarray(index * descriptor_bytes, (index + 1) * descriptor_bytes);
    lines.push(`${number(xy[2 * index])} ${number(xy[2 * index + 1])} ${number(size[index])} 0.0 ${descriptor.join(' ')}`);
  }
  return lines.join('\n') + '\n';
}

/** @throws PTZ_REFERENCE_BROKEN with the line */
export function featuresFromText(text: string, { method, width, height }: FeatureShape, name: string): Features {
  const broken = (line: number, expected: string): SightlineError => new SightlineError('PTZ_REFERENCE_BROKEN', `${name} line ${line}: expected ${expected}`);
  const lines = text.split('\n');
  const [count = NaN, bytes = NaN, ...more] = (lines[0] ?? '').split(' ').map(Number);
  if (more.length > 0 || !Number.isInteger(count) || !Number.isInteger(bytes) || count < 0 || count > MAX_FEATURES || bytes < 1 || bytes > 1_024) throw broken(1, 'the numbers of features and of descriptor values');
  if (lines.length < count + 1) throw broken(lines.length, `${count} features, the file ends before`);
  const features: Features = { method, width, height, count, xy: new Float32Array(2 * count), size: new Float32Array(count), descriptors: new Uint8Array(count * bytes), descriptor_bytes: bytes };
  for (let index = 0; index < count; index++) {
    const values = (lines[index + 1] ?? '').split(' ').map(Number);
    if (values.length !== 4 + bytes || values.some((value) => !Number.isFinite(value))) throw broken(index + 2, `${4 + bytes} numbers`);
    features.xy.set(values.slice(0, 2), 2 * index);
    features.size[index] = values[2] ?? 0;
    features.descriptors.set(values.slice(4), index * bytes);
  }
  return features;
}

function number(value: number | undefined): string {
  return String(Math.round((value ?? 0) * 1_000) / 1_000);
}
