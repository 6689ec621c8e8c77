/** Reading output tensors and decoder parameters, with errors that name what was expected and what came. */
import { SightlineError } from '../../errors.js';
import type { DecoderContext, Outputs } from './types.js';

type Tensor = Outputs[string];

/** A dimension of a pattern: a size, or a letter that stands for any. */
export type Pattern = readonly (number | string)[];

export const shapeText = (dims: readonly (number | string)[]): string => `[${dims.join(', ')}]`;

function fits(dims: readonly number[], pattern: Pattern): boolean {
  return dims.length === pattern.length && pattern.every((size, axis) => (typeof size === 'string' ? (dims[axis] ?? -1) >= (axis === 0 ? 1 : 0) : dims[axis] === size));
}

/** MODEL_OUTPUT_SHAPE naming the output, the shapes that would do and the one that came. */
export function shapeError(name: string, expected: readonly Pattern[], got: readonly number[]): SightlineError {
  return new SightlineError('MODEL_OUTPUT_SHAPE', `output "${name}": expected shape ${expected.map(shapeText).join(' or ')}, got ${shapeText(got)}`, {
    details: { output: name, got },
  });
}

/**
 * The output named by the decoder entry's `param` (a string), else the one called `fallback`, else the first whose shape fits.
 * @throws MODEL_OUTPUT_SHAPE when there is none, or its shape fits none of `patterns` (the first dimension is the batch)
 */
export function output(outputs: Outputs, context: DecoderContext, param: string, fallback: string, patterns: readonly Pattern[]): { name: string; tensor: Tensor; dims: readonly number[] } {
  const wanted = stringParam(context, param, '');
  const names = Object.keys(outputs);
  const name = wanted !== '' ? wanted : fallback in outputs ? fallback : names.find((candidate) => patterns.some((pattern) => fits(outputs[candidate]?.dims ?? [], pattern)));
  const tensor = name === undefined ? undefined : outputs[name];
  if (name === undefined || tensor === undefined) {
    const found = names.map((candidate) => `"${candidate}" ${shapeText(outputs[candidate]?.dims ?? [])}`).join(', ');
    throw new SightlineError('MODEL_OUTPUT_SHAPE', `output "${wanted === '' ? fallback : wanted}": expected shape ${patterns.map(shapeText).join(' or ')}, got outputs ${found === '' ? 'none' : found}`);
  }
  if (!patterns.some((pattern) => fits(tensor.dims, pattern))) throw shapeError(name, patterns, tensor.dims);
  return { name, tensor, dims: tensor.dims };
}

/** One item of a batch as numbers, without a copy where the data is float32. */
export function itemOf(found: { name: string; tensor: Tensor }, item: number): Float32Array {
  const { data, dims } = found.tensor;
  const size = dims.slice(1).reduce((product, length) => product * length, 1);
  const batch = dims[0] ?? 0;
  if (!ArrayBuffer.isView(data) || !('length' in data)) throw new SightlineError('MODEL_OUTPUT_SHAPE', `output "${found.name}": expected numbers, got ${typeof data}`);
  const values = data as unknown as ArrayLike<number | bigint> & { subarray(start: number, end: number): ArrayLike<number | bigint> };
  if (item < 0 || item >= batch || values.length < (item + 1) * size) {
    throw new SightlineError('MODEL_OUTPUT_SHAPE', `output "${found.name}": expected at least ${item + 1} items of ${size} values, got ${values.length} values for shape ${shapeText(dims)}`);
  }
  if (data instanceof Float32Array) return data.subarray(item * size, (item + 1) * size);
  return Float32Array.from(values.subarray(item * size, (item + 1) * size), Number);
}

export function numberParam(context: DecoderContext, name: string, otherwise: number): number {
  const value = context.params[name];
  return typeof value === 'number' && Number.isFinite(value) ? value : otherwise;
}

export function stringParam(context: DecoderContext, name: string, otherwise: string): string {
  const value = context.params[name];
  return typeof value === 'string' ? value : otherwise;
}

export function flagParam(context: DecoderContext, name: string, otherwise: boolean): boolean {
  const value = context.params[name];
  return typeof value === 'boolean' ? value : otherwise;
}

/** 1 / (1 + e^−x) that neither overflows for logits of −10⁴ nor gives NaN for infinities. */
export function sigmoid(x: number): number {
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  const e = Math.exp(x);
  return e / (1 + e);
}

/** Probabilities of a row of logits; all NaN or infinite in, NaN out. */
export function softmax(logits: ArrayLike<number>): number[] {
  const row = Array.from(logits);
  const top = Math.max(...row);
  const powers = row.map((value) => Math.exp(value - top));
  const sum = powers.reduce((total, value) => total + value, 0);
  return powers.map((value) => value / sum);
}
