/** Builds an ONNX graph node by node. Names are made up in order, so the same calls give the same bytes. */
import { AttributeType, DataType, type AttributeProto, type DataTypeName, type GraphProto, type ModelProto, type NodeProto, type TensorProto, type ValueInfoProto } from './types.js';
import type { Dim } from './codec.js';

export const OPSET = 18;
const IR_VERSION = 8;

export type TensorData = Float32Array | Float64Array | Uint8Array | Int8Array | Int32Array | BigInt64Array | Uint16Array;

/**
 * An attribute. A plain number is an INT and a list of numbers is INTS (both must be integers); floats are said to be floats,
 * because 1 and 1.0 are one value in JavaScript and two types in ONNX.
 */
export type Attribute = number | number[] | string | string[] | { float: number } | { floats: number[] } | { tensor: TensorProto } | { graph: GraphProto };

const utf8 = new TextEncoder();

/** A tensor with its data as raw little-endian bytes. Uint16Array holds float16 bit patterns; bool is not written here. */
export function tensor(name: string, data: TensorData, dims: readonly number[]): TensorProto {
  const count = dims.reduce((product, size) => product * size, 1);
  if (count !== data.length) throw new Error(`initialiser ${name}: ${data.length} values for shape [${dims.join(', ')}]`);
  return {
    dims: [...dims],
    data_type: DataType[typeOf(data)],
    name,
    raw_data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}

function typeOf(data: TensorData): DataTypeName {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Float64Array) return 'float64';
  if (data instanceof Uint8Array) return 'uint8';
  if (data instanceof Int8Array) return 'int8';
  if (data instanceof Int32Array) return 'int32';
  if (data instanceof BigInt64Array) return 'int64';
  return 'float16';
}

export function valueInfo(name: string, type: DataTypeName, shape: readonly Dim[]): ValueInfoProto {
  const dim = shape.map((size) => (typeof size === 'number' ? { dim_value: size } : { dim_param: size }));
  return { name, type: { tensor_type: { elem_type: DataType[type], shape: { dim } } } };
}

export function attribute(name: string, value: Attribute): AttributeProto {
  if (typeof value === 'number') {
    if (!Number.isInteger(value)) throw new Error(`attribute ${name}: ${value} is not an integer, write { float: ${value} }`);
    return { name, type: AttributeType.int, i: value };
  }
  if (typeof value === 'string') return { name, type: AttributeType.string, s: utf8.encode(value) };
  if (Array.isArray(value)) {
    if (typeof value[0] === 'string') return { name, type: AttributeType.strings, strings: (value as string[]).map((text) => utf8.encode(text)) };
    return { name, type: AttributeType.ints, ints: value as number[] };
  }
  if ('float' in value) return { name, type: AttributeType.float, f: value.float };
  if ('floats' in value) return { name, type: AttributeType.floats, floats: value.floats };
  if ('tensor' in value) return { name, type: AttributeType.tensor, t: value.tensor };
  return { name, type: AttributeType.graph, g: value.graph };
}

export class GraphBuilder {
  readonly #name: string;
  readonly #nodes: NodeProto[] = [];
  readonly #initializers: TensorProto[] = [];
  readonly #inputs: ValueInfoProto[] = [];
  readonly #outputs: ValueInfoProto[] = [];
  readonly #constants = new Map<string, string>();
  #next = 0;

  constructor(name: string) {
    this.#name = name;
  }

  /** A fresh value name. */
  fresh(hint: string): string {
    return `${hint}_${this.#next++}`;
  }

  /** Declares a graph input; a string dimension is dynamic. Returns the name. */
  input(name: string, type: DataTypeName, shape: readonly Dim[]): string {
    this.#inputs.push(valueInfo(name, type, shape));
    return name;
  }

  /** Declares the value `name` (made by a node, see `node`'s `outputs`) as a graph output. */
  output(name: string, type: DataTypeName, shape: readonly Dim[]): void {
    this.#outputs.push(valueInfo(name, type, shape));
  }

  /** An initialiser; returns its name. Equal small constants share one. */
  constant(data: TensorData, dims: readonly number[], hint = 'const'): string {
    const key = data.length <= 16 ? `${data.constructor.name}/${dims.join(',')}/${Array.from<number | bigint>(data as ArrayLike<number>).map((value) => (Object.is(value, -0) ? '-0' : String(value))).join(',')}` : '';
    const known = this.#constants.get(key);
    if (key !== '' && known !== undefined) return known;
    const name = this.fresh(hint);
    this.#initializers.push(tensor(name, data, dims));
    if (key !== '') this.#constants.set(key, name);
    return name;
  }

  floats(values: readonly number[], dims: readonly number[] = [values.length]): string {
    return this.constant(Float32Array.from(values), dims);
  }

  ints(values: readonly number[], dims: readonly number[] = [values.length]): string {
    return this.constant(BigInt64Array.from(values, BigInt), dims);
  }

  /** A float32 scalar. */
  scalar(value: number): string {
    return this.floats([value], []);
  }

  /** float16 bit patterns stored as an initialiser and cast to float32 at load (half the file, the same numbers). Returns the float32 value. */
  half(bits: Uint16Array, dims: readonly number[], hint = 'half'): string {
    return this.node('Cast', [this.constant(bits, dims, hint)], { to: DataType.float32 });
  }

  /**
   * Adds a node and returns its first output.
   * @param inputs value names; '' leaves an optional input out
   * @param outputs names of the outputs, or how many fresh ones
   */
  node(opType: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}, outputs: readonly string[] | number = 1): string {
    return this.nodes(opType, inputs, attributes, outputs)[0] as string;
  }

  /** As `node`, returning all outputs. */
  nodes(opType: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}, outputs: readonly string[] | number = 1): string[] {
    const names = typeof outputs === 'number' ? Array.from({ length: outputs }, () => this.fresh(opType.toLowerCase())) : [...outputs];
    this.#nodes.push({
      input: [...inputs],
      output: names,
      name: this.fresh(opType),
      op_type: opType,
      attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
    });
    return names;
  }

  /** The graph so far, for a subgraph attribute or to prepend to another graph. */
  graph(): GraphProto {
    return { node: this.#nodes, name: this.#name, initializer: this.#initializers, input: this.#inputs, output: this.#outputs };
  }

  /** A model of opset 18. `metadata` goes to metadata_props in the order given. */
  build(metadata: Readonly<Record<string, string>> = {}, docString = ''): ModelProto {
    return {
      ir_version: IR_VERSION,
      opset_import: [{ domain: '', version: OPSET }],
      producer_name: 'sightline',
      ...(docString === '' ? {} : { doc_string: docString }),
      graph: this.graph(),
      metadata_props: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    };
  }
}
