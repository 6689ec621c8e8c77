/**
 * The state of one conversion: TFJS nodes are lowered on demand, from the outputs back, so that a branch nobody asks for costs nothing.
 *
 * Layout: shapes are kept as TensorFlow sees them (NHWC); a rank-4 value may exist in NHWC, in NCHW or in both. A transpose is made
 * when somebody needs the other one, and once.
 */
import { SightlineError } from '../../src/errors.js';
import { GraphBuilder } from '../onnx/builder.js';
import type { Constant, TfGraph, TfNode } from './tfjs_graph.js';

/** A tensor in the graph being built. `shape` is logical (NHWC), the batch is −1. */
export interface Value {
  shape: number[];
  /** Name of the tensor in logical order. */
  plain?: string;
  /** Name of the tensor as [N, C, H, W]. */
  nchw?: string;
  /**
   * The true value is this tensor times `scale` (per channel or one number). Only the network's input carries it: the first convolution
   * takes it into its weights, which saves a pass over the picture. An offset can't be folded so, because SAME pads with zero after it.
   */
  scale?: number[];
  /** Channels of the NCHW tensor when there are more than in `shape`: the rest are zeros, for convolutions only (see conv.ts). */
  channels?: number;
}

export type Operand = { value: Value; constant?: never } | { constant: Constant; value?: never };
export type Handler = (lowering: Lowering, node: TfNode) => Value;

export class Lowering {
  readonly builder: GraphBuilder;
  readonly graph: TfGraph;
  readonly #handlers: Readonly<Record<string, Handler>>;
  readonly #values = new Map<string, Value>();

  constructor(graph: TfGraph, name: string, handlers: Readonly<Record<string, Handler>>) {
    this.graph = graph;
    this.builder = new GraphBuilder(name);
    this.#handlers = handlers;
  }

  fail(node: TfNode | string, message: string): never {
    const where = typeof node === 'string' ? node : `${node.op} "${node.name}"`;
    throw new SightlineError('MODEL_CONVERT', `${this.graph.file}: ${where}: ${message}`);
  }

  /** Says what a node's value is, instead of lowering it: the network's input. */
  set(name: string, value: Value): void {
    this.#values.set(name, value);
  }

  node(name: string): TfNode {
    return this.graph.nodes.get(name) ?? this.fail(name, 'there is no such node');
  }

  /** The value of a node, lowered when first asked for. */
  value(name: string): Value {
    const known = this.#values.get(name);
    if (known !== undefined) return known;
    const node = this.node(name);
    const handler = this.#handlers[node.op] ?? this.fail(node, `operation is not supported (supported: ${Object.keys(this.#handlers).sort().join(', ')})`);
    const value = handler(this, node);
    this.#values.set(name, value);
    return value;
  }

  operand(node: TfNode, index: number): Operand {
    const input = node.inputs[index] ?? this.fail(node, `expected at least ${index + 1} inputs, found ${node.inputs.length}`);
    const constant = this.graph.constants.get(input.node);
    if (constant !== undefined) return { constant };
    if (input.port !== 0) this.fail(node, `reads output ${input.port} of "${input.node}", only first outputs are supported`);
    return { value: this.value(input.node) };
  }

  input(node: TfNode, index: number): Value {
    return this.operand(node, index).value ?? this.fail(node, `input ${index} is a constant, expected a tensor`);
  }

  constant(node: TfNode, index: number): Constant {
    return this.operand(node, index).constant ?? this.fail(node, `input ${index} is not a constant`);
  }

  /** A scalar or one-element constant. */
  number(node: TfNode, index: number): number {
    const { values } = this.constant(node, index);
    return values.length === 1 ? (values[0] as number) : this.fail(node, `input ${index}: expected one number, found ${values.length}`);
  }

  /** Applies a pending scale, for everybody but a convolution. */
  #settled(value: Value): Value {
    if (value.scale === undefined) return value;
    const name = value.nchw ?? value.plain ?? '';
    const dims = value.scale.length === 1 ? [] : value.nchw === undefined ? [value.scale.length] : [value.scale.length, 1, 1];
    const scaled = this.builder.node('Mul', [name, this.builder.floats(value.scale, dims)]);
    if (value.nchw === undefined) value.plain = scaled;
    else {
      value.nchw = scaled;
      delete value.plain;
    }
    delete value.scale;
    return value;
  }

  /** Name of the value as [N, C, H, W]. */
  nchw(value: Value, node: TfNode): string {
    if (value.shape.length !== 4) return this.fail(node, `expected a tensor of rank 4, found shape [${value.shape.join(', ')}]`);
    this.#settled(value);
    if (value.nchw === undefined) value.nchw = this.#transpose(value.plain as string, value.shape, [0, 3, 1, 2]);
    return value.nchw;
  }

  /** Name of the value in logical order. */
  plain(value: Value): string {
    this.#settled(value);
    if (value.plain === undefined) value.plain = this.#transpose(value.nchw as string, value.shape, [0, 2, 3, 1]);
    return value.plain;
  }

  /** A transpose that moves nothing is a reshape. */
  #transpose(name: string, [, height = 0, width = 0, channels = 0]: number[], perm: number[]): string {
    const shape = [-1, height, width, channels];
    if ((height === 1 && width === 1) || channels === 1) {
      return this.builder.node('Reshape', [name, this.builder.ints(perm.map((axis) => shape[axis] as number))]);
    }
    return this.builder.node('Transpose', [name], { perm });
  }
}
