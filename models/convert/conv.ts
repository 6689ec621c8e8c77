/** Convolutions, pooling and the activations that hang on them. */
import { attrInts, attrString, attrStrings, type Constant, type TfNode } from './tfjs_graph.js';
import type { Attribute } from '../onnx/builder.js';
import type { Handler, Lowering, Value } from './lowering.js';
import { emit, paddedRows, permuted } from './weights.js';

interface Window {
  kernel: [number, number];
  stride: [number, number];
  dilation: [number, number];
  /** top, left, bottom, right: ONNX's order. */
  pads: [number, number, number, number];
  out: [number, number];
}

/**
 * TensorFlow's SAME: out = ceil(in / stride), and what is missing is added half before, half after, the odd pixel after. With stride 2
 * this is asymmetric for even sizes, so the pads are always written out.
 */
function samePads(size: number, kernel: number, stride: number, dilation: number): [before: number, after: number] {
  const out = Math.ceil(size / stride);
  const total = Math.max(0, (out - 1) * stride + (kernel - 1) * dilation + 1 - size);
  return [Math.floor(total / 2), total - Math.floor(total / 2)];
}

function windowOf(lowering: Lowering, node: TfNode, shape: readonly number[], kernel: [number, number]): Window {
  const format = attrString(node, 'data_format');
  if (format !== '' && format !== 'NHWC') lowering.fail(node, `expected data_format NHWC, found ${format}`);
  const [, strideY = 1, strideX = 1] = attrInts(node, 'strides');
  const [, dilationY = 1, dilationX = 1] = attrInts(node, 'dilations');
  const padding = attrString(node, 'padding');
  const [, height = 0, width = 0] = shape;
  if (height < 1 || width < 1) lowering.fail(node, `expected a fixed height and width, found shape [${shape.join(', ')}]`);
  let pads: Window['pads'] = [0, 0, 0, 0];
  if (padding === 'SAME') {
    const [top, bottom] = samePads(height, kernel[0], strideY, dilationY);
    const [left, right] = samePads(width, kernel[1], strideX, dilationX);
    pads = [top, left, bottom, right];
  } else if (padding === 'EXPLICIT') {
    const [, , top = 0, bottom = 0, left = 0, right = 0] = attrInts(node, 'explicit_paddings');
    pads = [top, left, bottom, right];
  } else if (padding !== 'VALID') lowering.fail(node, `expected padding SAME, VALID or EXPLICIT, found "${padding}"`);
  const out = (size: number, pad: number, k: number, stride: number, dilation: number): number => Math.floor((size + pad - (k - 1) * dilation - 1) / stride) + 1;
  return {
    kernel,
    stride: [strideY, strideX],
    dilation: [dilationY, dilationX],
    pads,
    out: [out(height, pads[0] + pads[2], kernel[0], strideY, dilationY), out(width, pads[1] + pads[3], kernel[1], strideX, dilationX)],
  };
}

const CONV_OPS = new Set(['Conv2D', '_FusedConv2D', 'FusedConv2D']);
const DEPTHWISE_OPS = new Set(['DepthwiseConv2dNative', 'FusedDepthwiseConv2dNative']);

/**
 * ONNX Runtime's blocked layout (NCHWc) wants channel counts that are multiples of four and leaves it for the others, at a cost. Where all
 * that reads a tensor is convolutions, it gets channels of zeros up to the next multiple: the numbers stay the same.
 */
function mayPadChannels(lowering: Lowering, node: TfNode): boolean {
  const readers = [...lowering.graph.nodes.values()].filter((other) => other.inputs.some((input) => input.node === node.name));
  return readers.length > 0 && !lowering.graph.outputs.includes(node.name) && readers.every((reader) => CONV_OPS.has(reader.op) || (DEPTHWISE_OPS.has(reader.op) && mayPadChannels(lowering, reader)));
}

const roundUp = (count: number): number => Math.ceil(count / 4) * 4;

/** Name of the input as NCHW and the weights to use with it: an input's pending scale goes into the weights. */
function scaledWeights(lowering: Lowering, node: TfNode, value: Value, weights: string, axis: 0 | 1): [input: string, weights: string] {
  if (value.scale === undefined || value.nchw === undefined) return [lowering.nchw(value, node), weights];
  const dims = value.scale.length === 1 ? [] : axis === 0 ? [value.scale.length, 1, 1, 1] : [1, value.scale.length, 1, 1];
  return [value.nchw, lowering.builder.node('Mul', [weights, lowering.builder.floats(value.scale, dims)])];
}

/** A 1×1 convolution that scales each channel, optionally shifting it. */
export function channelScale(lowering: Lowering, name: string, factors: Float32Array, hint: string, shift?: Float32Array): string {
  const { builder } = lowering;
  const channels = factors.length;
  const inputs = [name, builder.constant(factors, [channels, 1, 1, 1], hint)];
  if (shift !== undefined) inputs.push(builder.constant(shift, [channels], hint));
  return builder.node('Conv', inputs, { kernel_shape: [1, 1], group: channels });
}

/**
 * PRelu(x) = a·x + (1 − a)·relu(x), the products as 1×1 depthwise convolutions: ONNX's PRelu would leave ONNX Runtime's blocked
 * layout. Where no slope is above 1 the second product is relu((1 − a)·x), the same numbers with one pass less.
 */
export function prelu(lowering: Lowering, name: string, slope: Constant, channels: number): string {
  const { builder } = lowering;
  if (slope.values.length !== channels) {
    if (slope.shape.length !== 3) return builder.node('PRelu', [name, emit(builder, flat(slope))]);
    return builder.node('PRelu', [name, emit(builder, permuted({ shape: slope.shape, values: slope.values }, [2, 0, 1]))]);
  }
  const slopes = Float32Array.from(slope.values);
  const rest = Float32Array.from(slope.values, (a) => 1 - a);
  const positive = rest.every((factor) => factor >= 0)
    ? builder.node('Relu', [channelScale(lowering, name, rest, 'slope')])
    : channelScale(lowering, builder.node('Relu', [name]), rest, 'slope');
  return builder.node('Add', [channelScale(lowering, name, slopes, 'slope'), positive]);
}

export function activation(lowering: Lowering, node: TfNode, kind: string | undefined, name: string, channels: number): string {
  const { builder } = lowering;
  switch (kind) {
    case undefined:
      return name;
    case 'Relu':
    case 'Elu':
    case 'Sigmoid':
      return builder.node(kind, [name]);
    case 'Relu6':
      return builder.node('Clip', [name, builder.scalar(0), builder.scalar(6)]);
    case 'LeakyRelu':
      return builder.node('LeakyRelu', [name], { alpha: { float: node.attr['leakyrelu_alpha']?.f ?? 0.2 } });
    case 'Prelu':
      return prelu(lowering, name, lowering.constant(node, 3), channels);
    default:
      return lowering.fail(node, `fused activation ${kind} is not supported`);
  }
}

function convAttributes(window: Window, group: number): Record<string, Attribute> {
  return { kernel_shape: window.kernel, strides: window.stride, dilations: window.dilation, pads: window.pads, group };
}

/** Adds bias and activation, pads channels, emits the node. `weights` is [O, I/group, kh, kw]. */
function finish(lowering: Lowering, node: TfNode, value: Value, weights: Constant, window: Window, channels: number, group: number): Value {
  const { builder } = lowering;
  const [first, second] = attrStrings(node, 'fused_ops');
  if (first !== undefined && first !== 'BiasAdd') lowering.fail(node, `expected BiasAdd as the first fused operation, found ${first}`);
  const physical = group > 1 && value.channels !== undefined ? value.channels : channels % 4 !== 0 && channels > 4 && second !== 'Prelu' && mayPadChannels(lowering, node) ? roundUp(channels) : channels;
  const emitted = emit(builder, paddedRows(weights, physical));
  const [input, scaled] = scaledWeights(lowering, node, value, emitted, group > 1 ? 0 : 1);
  const inputs = [input, scaled];
  if (first !== undefined) inputs.push(emit(builder, paddedRows(flat(lowering.constant(node, 2)), physical), undefined, 'bias'));
  const conv = builder.node('Conv', inputs, convAttributes(window, group > 1 ? physical : 1));
  const [batch = -1] = value.shape;
  return {
    shape: [batch, ...window.out, channels],
    nchw: activation(lowering, node, second, conv, physical),
    ...(physical === channels ? {} : { channels: physical }),
  };
}

const flat = (constant: Constant): Constant => ({ ...constant, shape: [constant.values.length] });

const conv2d: Handler = (lowering, node) => {
  const value = lowering.input(node, 0);
  const filter = lowering.constant(node, 1);
  const [kh = 1, kw = 1, depth = 0, channels = 0] = filter.shape;
  if (depth !== value.shape[3]) lowering.fail(node, `filter reads ${depth} channels, the input has ${value.shape[3] ?? 0}`);
  const window = windowOf(lowering, node, value.shape, [kh, kw]);
  let weights = permuted(filter, [3, 2, 0, 1]);
  if (value.channels !== undefined) {
    const swapped = paddedRows(permuted(weights, [1, 0, 2, 3]), value.channels);
    weights = permuted(swapped, [1, 0, 2, 3]);
  }
  return finish(lowering, node, value, weights, window, channels, 1);
};

/** HWCM → [C·M, 1, h, w], one group a channel. */
const depthwise: Handler = (lowering, node) => {
  const value = lowering.input(node, 0);
  const filter = lowering.constant(node, 1);
  const [kh = 1, kw = 1, depth = 0, multiplier = 1] = filter.shape;
  if (depth !== value.shape[3]) lowering.fail(node, `filter reads ${depth} channels, the input has ${value.shape[3] ?? 0}`);
  if (multiplier !== 1 && value.channels !== undefined) lowering.fail(node, 'a channel multiplier over padded channels is not supported');
  const window = windowOf(lowering, node, value.shape, [kh, kw]);
  const ordered = permuted(filter, [2, 3, 0, 1]);
  const weights: Constant = { ...ordered, shape: [depth * multiplier, 1, kh, kw] };
  if (multiplier === 1) return finish(lowering, node, value, weights, window, depth, depth);
  const { builder } = lowering;
  const inputs = [lowering.nchw(value, node), emit(builder, weights)];
  const [first, second] = attrStrings(node, 'fused_ops');
  if (first === 'BiasAdd') inputs.push(emit(builder, flat(lowering.constant(node, 2))));
  const name = builder.node('Conv', inputs, convAttributes(window, depth));
  return { shape: [value.shape[0] ?? -1, ...window.out, depth * multiplier], nchw: activation(lowering, node, second, name, depth * multiplier) };
};

const pool = (op: 'MaxPool' | 'AveragePool'): Handler => (lowering, node) => {
  const value = lowering.input(node, 0);
  const [, kh = 1, kw = 1] = attrInts(node, 'ksize');
  const window = windowOf(lowering, node, value.shape, [kh, kw]);
  const channels = value.shape[3] ?? 0;
  let name = lowering.builder.node(op, [lowering.nchw(value, node)], { kernel_shape: window.kernel, strides: window.stride, pads: window.pads });
  // Pooling leaves the blocked layout for such counts, and a residual chain behind it would stay out; a multiplication by one leads back in.
  if (channels % 16 !== 0 && channels % 4 === 0) name = channelScale(lowering, name, new Float32Array(channels).fill(1), 'one');
  return { shape: [value.shape[0] ?? -1, ...window.out, channels], nchw: name };
};

export const CONV_HANDLERS: Readonly<Record<string, Handler>> = {
  Conv2D: conv2d,
  _FusedConv2D: conv2d,
  FusedConv2D: conv2d,
  DepthwiseConv2dNative: depthwise,
  FusedDepthwiseConv2dNative: depthwise,
  MaxPool: pool('MaxPool'),
  AvgPool: pool('AveragePool'),
};
