/** Operations that move or join numbers without changing them, resizing, and dense layers. */
import { attrInts, attrStrings, type TfNode } from './tfjs_graph.js';
import { activation } from './conv.js';
import type { Handler, Lowering, Value } from './lowering.js';
import { emit } from './weights.js';

/** Axis of a logical NHWC shape → axis of NCHW. */
const NCHW_AXIS = [0, 2, 3, 1] as const;
const count = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** A leading constant batch of 1 becomes "as the input's": models signed for one picture take any number. */
const reshape: Handler = (lowering, node) => {
  const value = lowering.input(node, 0);
  const target = Array.from(lowering.constant(node, 1).values);
  const rest = count(value.shape.slice(1));
  const tail = target.slice(1);
  const open = tail.indexOf(-1);
  if (open >= 0) tail[open] = rest / -count(tail);
  if (target.length === 0 || (target[0] !== 1 && target[0] !== -1) || count(tail) !== rest) {
    lowering.fail(node, `shape [${target.join(', ')}] does not keep the batch of [${value.shape.join(', ')}]`);
  }
  const name = lowering.builder.node('Reshape', [lowering.plain(value), lowering.builder.ints([-1, ...tail])]);
  return { shape: [-1, ...tail], plain: name };
};

const squeeze: Handler = (lowering, node) => {
  const value = lowering.input(node, 0);
  const dims = attrInts(node, 'squeeze_dims').map((axis) => (axis < 0 ? axis + value.shape.length : axis));
  const shape = value.shape.filter((size, axis) => (dims.length === 0 ? axis === 0 || size !== 1 : !dims.includes(axis)));
  if (dims.includes(0)) lowering.fail(node, 'squeezing the batch away is not supported');
  return { shape, plain: lowering.builder.node('Reshape', [lowering.plain(value), lowering.builder.ints(shape)]) };
};

const concat: Handler = (lowering, node) => {
  const last = node.inputs.length - 1;
  const values = node.inputs.slice(0, last).map((_, index) => lowering.input(node, index));
  const first = values[0] as Value;
  const rank = first.shape.length;
  const given = lowering.number(node, last);
  const axis = given < 0 ? given + rank : given;
  const shape = first.shape.map((size, at) => (at === axis ? values.reduce((sum, value) => sum + (value.shape[at] ?? 0), 0) : size));
  const blocked = rank === 4 && values.some((value) => value.nchw !== undefined);
  if (!blocked) return { shape, plain: lowering.builder.node('Concat', values.map((value) => lowering.plain(value)), { axis }) };
  return { shape, nchw: lowering.builder.node('Concat', values.map((value) => lowering.nchw(value, node)), { axis: NCHW_AXIS[axis] ?? axis }) };
};

/** How many channels are added in front and behind, when nothing else is padded. */
function channelsOnly(before: readonly number[], after: readonly number[]): [front: number, back: number] | undefined {
  const spatial = [before[1], before[2], after[1], after[2]].some((size) => size !== 0);
  return spatial ? undefined : [before[3] ?? 0, after[3] ?? 0];
}

/**
 * Channels of zeros as a 1×1 convolution with an identity: exact, few operations, and unlike a Pad it lets the residual chain behind it
 * stay in ONNX Runtime's blocked layout.
 */
function padChannels(lowering: Lowering, node: TfNode, value: Value, [front, back]: [number, number]): Value {
  const [batch = -1, height = 0, width = 0, channels = 0] = value.shape;
  const total = front + channels + back;
  const identity = new Float32Array(total * channels);
  for (let channel = 0; channel < channels; channel++) identity[(front + channel) * channels + channel] = 1;
  const name = lowering.builder.node('Conv', [lowering.nchw(value, node), lowering.builder.constant(identity, [total, channels, 1, 1], 'identity')], { kernel_shape: [1, 1] });
  return { shape: [batch, height, width, total], nchw: name };
}

const pad: Handler = (lowering, node) => {
  const value = lowering.input(node, 0);
  const pairs = Array.from(lowering.constant(node, 1).values);
  const rank = value.shape.length;
  const before = value.shape.map((_, axis) => pairs[2 * axis] ?? 0);
  const after = value.shape.map((_, axis) => pairs[2 * axis + 1] ?? 0);
  if ((before[0] ?? 0) + (after[0] ?? 0) !== 0) lowering.fail(node, 'padding the batch is not supported');
  const shape = value.shape.map((size, axis) => (axis === 0 ? size : size + (before[axis] ?? 0) + (after[axis] ?? 0)));
  const amount = rank === 4 && node.inputs.length === 2 ? channelsOnly(before, after) : undefined;
  if (amount !== undefined) return padChannels(lowering, node, value, amount);
  const ordered = (list: number[]): number[] => (rank === 4 ? [0, 3, 1, 2].map((axis) => list[axis] ?? 0) : list);
  const blocked = rank === 4 && value.nchw !== undefined;
  const amounts = blocked ? [...ordered(before), ...ordered(after)] : [...before, ...after];
  const name = blocked ? lowering.nchw(value, node) : lowering.plain(value);
  const padded = lowering.builder.node('Pad', [name, lowering.builder.ints(amounts), lowering.builder.scalar(node.inputs.length > 2 ? lowering.number(node, 2) : 0)]);
  return blocked ? { shape, nchw: padded } : { shape, plain: padded };
};

/** Scales, not sizes, so that the batch stays dynamic. */
const resize = (mode: 'linear' | 'nearest'): Handler => (lowering, node) => {
  const value = lowering.input(node, 0);
  const [height = 0, width = 0] = Array.from(lowering.constant(node, 1).values);
  const [batch = -1, fromHeight = 1, fromWidth = 1, channels = 0] = value.shape;
  const half = node.attr['half_pixel_centers']?.b ?? false;
  const corners = node.attr['align_corners']?.b ?? false;
  const scales = [height / fromHeight, width / fromWidth];
  if (!Number.isInteger(scales[0]) || !Number.isInteger(scales[1])) lowering.fail(node, `expected a whole factor, found ${fromHeight}x${fromWidth} → ${height}x${width}`);
  const name = lowering.builder.node('Resize', [lowering.nchw(value, node), '', lowering.builder.floats([1, 1, ...scales])], {
    mode,
    coordinate_transformation_mode: corners ? 'align_corners' : half ? 'half_pixel' : 'asymmetric',
    ...(mode === 'nearest' ? { nearest_mode: half ? 'round_prefer_ceil' : 'floor' } : {}),
  });
  return { shape: [batch, height, width, channels], nchw: name };
};

const dense: Handler = (lowering, node) => {
  const value = lowering.input(node, 0);
  const matrix = lowering.constant(node, 1);
  if (node.attr['transpose_a']?.b === true || node.attr['transpose_b']?.b === true || matrix.shape.length !== 2) lowering.fail(node, 'expected a plain product with a constant matrix');
  const { builder } = lowering;
  let name = builder.node('MatMul', [lowering.plain(value), emit(builder, matrix)]);
  const [bias, fused] = attrStrings(node, 'fused_ops');
  if (bias === 'BiasAdd') name = builder.node('Add', [name, emit(builder, lowering.constant(node, 2))]);
  const width = matrix.shape[1] ?? 0;
  if (fused === 'Prelu') lowering.fail(node, 'a fused Prelu is not supported here');
  return { shape: [...value.shape.slice(0, -1), width], plain: activation(lowering, node, fused, name, width) };
};

const transpose: Handler = (lowering, node) => {
  const value = lowering.input(node, 0);
  const perm = Array.from(lowering.constant(node, 1).values);
  return { shape: perm.map((axis) => value.shape[axis] ?? 0), plain: lowering.builder.node('Transpose', [lowering.plain(value)], { perm }) };
};

export const SHAPE_HANDLERS: Readonly<Record<string, Handler>> = {
  Reshape: reshape,
  Squeeze: squeeze,
  ConcatV2: concat,
  Pad: pad,
  PadV2: pad,
  ResizeBilinear: resize('linear'),
  ResizeNearestNeighbor: resize('nearest'),
  MatMul: dense,
  _FusedMatMul: dense,
  Transpose: transpose,
};
