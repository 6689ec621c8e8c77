/** Arithmetic, activations and reductions. */
import type { Constant, TfNode } from './tfjs_graph.js';
import { channelScale, prelu } from './conv.js';
import type { Handler, Lowering, Operand, Value } from './lowering.js';
import { emit, permuted } from './weights.js';

function broadcast(lowering: Lowering, node: TfNode, a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const x = a[axis - rank + a.length] ?? 1;
    const y = b[axis - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) lowering.fail(node, `shapes [${a.join(', ')}] and [${b.join(', ')}] do not broadcast`);
    return x === 1 ? y : x;
  });
}

/** A constant operand beside an NCHW tensor: its axes follow. */
function constantNchw(lowering: Lowering, constant: Constant): string {
  if (constant.values.length === 1) return emit(lowering.builder, constant, []);
  const shape = [1, 1, 1, 1, ...constant.shape].slice(-4);
  return emit(lowering.builder, permuted({ ...constant, shape }, [0, 3, 1, 2]));
}

const shapeOf = (operand: Operand): number[] => (operand.value === undefined ? operand.constant.shape : operand.value.shape);

function emitBinary(lowering: Lowering, node: TfNode, op: string, operands: [Operand, Operand]): Value {
  const shape = broadcast(lowering, node, shapeOf(operands[0]), shapeOf(operands[1]));
  // NCHW wins as soon as one side has it: transposes are put off until somebody needs the other order.
  const blocked = shape.length === 4 && operands.every(({ value }) => value === undefined || value.shape.length === 4) && operands.some(({ value }) => value?.nchw !== undefined);
  const names = operands.map((operand) => {
    if (operand.value !== undefined) return blocked ? lowering.nchw(operand.value, node) : lowering.plain(operand.value);
    return blocked ? constantNchw(lowering, operand.constant) : emit(lowering.builder, operand.constant);
  });
  const name = lowering.builder.node(op, names);
  return blocked ? { shape, nchw: name } : { shape, plain: name };
}

const binary = (op: string): Handler => (lowering, node) => emitBinary(lowering, node, op, [lowering.operand(node, 0), lowering.operand(node, 1)]);

/** One-element constant and the other input of a commutative node, or undefined. */
function scalarOf(lowering: Lowering, node: TfNode): { factor: number; other: string } | undefined {
  for (const [index, input] of node.inputs.entries()) {
    const constant = lowering.graph.constants.get(input.node);
    const other = node.inputs[1 - index];
    if (constant?.values.length === 1 && other !== undefined) return { factor: constant.values[0] as number, other: other.node };
  }
  return undefined;
}

/** x·c · relu6(x + 3) → its x, c and 3. */
function hardSwish(lowering: Lowering, node: TfNode): { x: string; factor: number; shift: number } | undefined {
  for (const [left, right] of [[0, 1], [1, 0]] as const) {
    const scaled = lowering.graph.nodes.get(node.inputs[left]?.node ?? '');
    const clipped = lowering.graph.nodes.get(node.inputs[right]?.node ?? '');
    if (scaled?.op !== 'Mul' || clipped?.op !== 'Relu6') continue;
    const shifted = lowering.graph.nodes.get(clipped.inputs[0]?.node ?? '');
    if (shifted === undefined || !/^Add(V2)?$/.test(shifted.op)) continue;
    const a = scalarOf(lowering, scaled);
    const b = scalarOf(lowering, shifted);
    if (a !== undefined && b !== undefined && a.other === b.other && a.factor > 0) return { x: a.other, factor: a.factor, shift: b.factor };
  }
  return undefined;
}

/**
 * c·x · relu6(x + s) = x · clip(c·x + c·s, 0, 6c), the bracket as a 1×1 depthwise convolution. Arithmetic with plain scalars would leave ONNX Runtime's
 * blocked layout twice per activation, and its HardSigmoid has 1/6 where these models have the float16 nearest to it, which moves scores by up to 0.0017.
 */
const mul: Handler = (lowering, node) => {
  const pattern = hardSwish(lowering, node);
  if (pattern === undefined) return binary('Mul')(lowering, node);
  const value = lowering.value(pattern.x);
  const channels = value.shape[3];
  if (value.shape.length !== 4 || channels === undefined) return binary('Mul')(lowering, node);
  const { builder } = lowering;
  const x = lowering.nchw(value, node);
  const factors = new Float32Array(channels).fill(pattern.factor);
  const gate = channelScale(lowering, x, factors, 'swish', factors.map((factor) => factor * pattern.shift));
  const clipped = builder.node('Clip', [gate, builder.scalar(0), builder.scalar(6 * pattern.factor)]);
  return { shape: value.shape, nchw: builder.node('Mul', [x, clipped]) };
};

/** An operation on each element: the layout stays what it is. */
const each = (emitOp: (lowering: Lowering, name: string, node: TfNode) => string): Handler => (lowering, node) => {
  const value = lowering.input(node, 0);
  if (value.nchw !== undefined) return { shape: value.shape, nchw: emitOp(lowering, lowering.nchw(value, node), node) };
  return { shape: value.shape, plain: emitOp(lowering, lowering.plain(value), node) };
};
const unary = (op: string): Handler => each((lowering, name) => lowering.builder.node(op, [name]));

const preluNode: Handler = (lowering, node) => {
  const value = lowering.input(node, 0);
  const slope = lowering.constant(node, 1);
  return { shape: value.shape, nchw: prelu(lowering, lowering.nchw(value, node), slope, value.shape[3] ?? 0) };
};

const mean: Handler = (lowering, node) => {
  const value = lowering.input(node, 0);
  const rank = value.shape.length;
  const axes = Array.from(lowering.constant(node, 1).values, (axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b);
  const keep = node.attr['keep_dims']?.b ?? false;
  const [batch = -1, , , channels = 0] = value.shape;
  if (rank === 4 && axes.join() === '1,2') {
    const pooled = lowering.builder.node('GlobalAveragePool', [lowering.nchw(value, node)]);
    if (keep) return { shape: [batch, 1, 1, channels], nchw: pooled };
    return { shape: [batch, channels], plain: lowering.builder.node('Reshape', [pooled, lowering.builder.ints([-1, channels])]) };
  }
  if (axes.includes(0)) lowering.fail(node, 'a mean over the batch is not supported');
  const name = lowering.builder.node('ReduceMean', [lowering.plain(value), lowering.builder.ints(axes)], { keepdims: keep ? 1 : 0 });
  const shape = keep ? value.shape.map((size, axis) => (axes.includes(axis) ? 1 : size)) : value.shape.filter((_, axis) => !axes.includes(axis));
  return { shape, plain: name };
};

const softmax: Handler = (lowering, node) => {
  const value = lowering.input(node, 0);
  return { shape: value.shape, plain: lowering.builder.node('Softmax', [lowering.plain(value)], { axis: -1 }) };
};

const relu6: Handler = each(({ builder }, name) => builder.node('Clip', [name, builder.scalar(0), builder.scalar(6)]));
const leaky: Handler = each(({ builder }, name, node) => builder.node('LeakyRelu', [name], { alpha: { float: node.attr['alpha']?.f ?? 0.2 } }));

export const ELEMENTWISE_HANDLERS: Readonly<Record<string, Handler>> = {
  Add: binary('Add'),
  AddV2: binary('Add'),
  BiasAdd: binary('Add'),
  Sub: binary('Sub'),
  Mul: mul,
  RealDiv: binary('Div'),
  Maximum: binary('Max'),
  Minimum: binary('Min'),
  Relu: unary('Relu'),
  Relu6: relu6,
  LeakyRelu: leaky,
  Elu: unary('Elu'),
  Sigmoid: unary('Sigmoid'),
  Tanh: unary('Tanh'),
  Exp: unary('Exp'),
  Sqrt: unary('Sqrt'),
  Identity: (lowering, node) => lowering.input(node, 0),
  Prelu: preluNode,
  Mean: mean,
  Softmax: softmax,
};
