/** The front of every network: uint8 NHWC RGB in, NCHW float out, normalised. */
import type { Lowering, Value } from './lowering.js';
import { DataType } from '../onnx/types.js';

/** Name of the one input of a converted network. */
export const INPUT_NAME = 'image';

export interface Normalisation {
  /** true value = (byte − offset) · scale, one number or one per channel. */
  offset: number[];
  scale: number[];
}

/** Declares the input and returns it as a value whose scale is still to be taken into the first convolution. */
export function picture(lowering: Lowering, width: number, height: number, normalisation: Normalisation): Value {
  const { builder } = lowering;
  builder.input(INPUT_NAME, 'uint8', ['batch', height, width, 3]);
  const planes = builder.node('Transpose', [INPUT_NAME], { perm: [0, 3, 1, 2] });
  let name = builder.node('Cast', [planes], { to: DataType.float32 });
  const { offset, scale } = normalisation;
  if (offset.some((value) => value !== 0)) name = builder.node('Sub', [name, builder.floats(offset, offset.length === 1 ? [] : [offset.length, 1, 1])]);
  return { shape: [-1, height, width, 3], nchw: name, ...(scale.every((value) => value === 1) ? {} : { scale }) };
}
