/** Constants → initialisers, in the order ONNX wants them, float16 kept as float16. */
import type { GraphBuilder } from '../onnx/builder.js';
import type { Constant } from './tfjs_graph.js';

/** Reorders axes: out[i0, i1, ...] = in[.. perm ..]. */
export function permute<T extends Float32Array | Uint16Array | Int32Array>(data: T, shape: readonly number[], perm: readonly number[]): T {
  const out = data.slice() as T;
  const stride = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const dims = perm.map((axis) => shape[axis] as number);
  const steps = perm.map((axis) => stride[axis] as number);
  const index = dims.map(() => 0);
  let from = 0;
  for (let to = 0; to < out.length; to++) {
    out[to] = data[from] as number;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] as number) + 1;
      from += steps[axis] as number;
      if ((index[axis] as number) < (dims[axis] as number)) break;
      from -= (steps[axis] as number) * (dims[axis] as number);
      index[axis] = 0;
    }
  }
  return out;
}

/** A constant with its axes reordered; float16 stays float16. */
export function permuted(constant: Constant, perm: readonly number[]): Constant {
  return {
    shape: perm.map((axis) => constant.shape[axis] as number),
    values: permute(constant.values, constant.shape, perm),
    ...(constant.half === undefined ? {} : { half: permute(constant.half, constant.shape, perm) }),
  };
}

/** The constant as an initialiser of shape `dims` (default: its own). */
export function emit(builder: GraphBuilder, constant: Constant, dims: readonly number[] = constant.shape, hint = 'weight'): string {
  if (constant.half !== undefined && constant.half.length > 4) return builder.half(constant.half, dims, hint);
  const values = constant.values instanceof Float32Array ? constant.values : BigInt64Array.from(constant.values, BigInt);
  return builder.constant(values, dims, hint);
}

/** Zeros appended along axis 0 until it is `count` long. */
export function paddedRows(constant: Constant, count: number): Constant {
  const [rows = 0, ...rest] = constant.shape;
  const size = rest.reduce((product, length) => product * length, 1);
  const values = new Float32Array(count * size);
  values.set(constant.values);
  const shape = [count, ...rest];
  if (rows === count) return constant;
  if (constant.half === undefined) return { shape, values };
  const half = new Uint16Array(count * size);
  half.set(constant.half);
  return { shape, values, half };
}
