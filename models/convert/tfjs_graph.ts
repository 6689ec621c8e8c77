/** Reads a TensorFlow.js graph model (a .json topology and its .bin weights) into plain nodes and typed constants. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SightlineError } from '../../src/errors.js';
import { fromHalves } from '../onnx/float16.js';

export interface Constant {
  shape: number[];
  /** int32 and bool constants are given as numbers as well. */
  values: Float32Array | Int32Array;
  /** The float16 bit patterns the weight was stored as, when it was. */
  half?: Uint16Array;
}

export interface TfNode {
  name: string;
  op: string;
  /** Data inputs; a port other than 0 is the `:n` of the file. */
  inputs: { node: string; port: number }[];
  attr: Record<string, TfAttr>;
}

/** One attribute as the JSON has it: strings are base64, int64 are decimal strings. */
export interface TfAttr {
  s?: string;
  i?: string | number;
  b?: boolean;
  f?: number;
  list?: { s?: string[]; i?: (string | number)[] };
  shape?: { dim?: { size: string | number }[] };
}

export interface TfGraph {
  file: string;
  nodes: Map<string, TfNode>;
  constants: Map<string, Constant>;
  /** Names of the placeholders and their shapes (−1 = dynamic), and of the signature's outputs, without ports. */
  inputs: { name: string; shape: number[] }[];
  outputs: string[];
}

interface WeightSpec {
  name: string;
  shape: number[];
  dtype: string;
  quantization?: { dtype: string; min?: number; scale?: number };
}

interface ModelJson {
  modelTopology?: { node?: { name: string; op: string; input?: string[]; attr?: Record<string, TfAttr> }[] };
  weightsManifest?: { paths: string[]; weights: WeightSpec[] }[];
  signature?: Signature;
  userDefinedMetadata?: { signature?: Signature };
}
interface Signature {
  outputs?: Record<string, { name?: string }>;
}

const BYTES: Record<string, number> = { float32: 4, int32: 4, bool: 1, float16: 2, uint8: 1, uint16: 2 };

const fail = (file: string, message: string): never => {
  throw new SightlineError('MODEL_CONVERT', `${file}: ${message}`);
};

export function attrString(node: TfNode, name: string): string {
  return Buffer.from(node.attr[name]?.s ?? '', 'base64').toString('utf8');
}
export function attrInts(node: TfNode, name: string): number[] {
  return (node.attr[name]?.list?.i ?? []).map(Number);
}
export function attrStrings(node: TfNode, name: string): string[] {
  return (node.attr[name]?.list?.s ?? []).map((text) => Buffer.from(text, 'base64').toString('utf8'));
}

function decodeWeight(spec: WeightSpec, bytes: Uint8Array, file: string): Constant {
  const count = spec.shape.reduce((product, size) => product * size, 1);
  // A copy, because typed arrays want aligned offsets (Buffer.slice would be a view of the whole file).
  const aligned = new Uint8Array(bytes).buffer;
  const { quantization } = spec;
  if (quantization?.dtype === 'float16') {
    const half = new Uint16Array(aligned, 0, count);
    return { shape: spec.shape, values: fromHalves(half), half };
  }
  if (quantization !== undefined) {
    const raw = quantization.dtype === 'uint8' ? new Uint8Array(aligned, 0, count) : new Uint16Array(aligned, 0, count);
    const values = Float32Array.from(raw, (value) => value * (quantization.scale ?? 1) + (quantization.min ?? 0));
    return { shape: spec.shape, values: spec.dtype === 'int32' ? Int32Array.from(values, Math.round) : values };
  }
  if (spec.dtype === 'float32') return { shape: spec.shape, values: new Float32Array(aligned, 0, count) };
  if (spec.dtype === 'int32') return { shape: spec.shape, values: new Int32Array(aligned, 0, count) };
  if (spec.dtype === 'bool') return { shape: spec.shape, values: Int32Array.from(new Uint8Array(aligned, 0, count)) };
  return fail(file, `weight ${spec.name}: expected float32, int32 or bool, found ${spec.dtype}`);
}

function readWeights(json: ModelJson, file: string): Map<string, Constant> {
  const constants = new Map<string, Constant>();
  for (const group of json.weightsManifest ?? []) {
    const bytes = Buffer.concat(group.paths.map((path) => readFileSync(join(dirname(file), path))));
    let offset = 0;
    for (const spec of group.weights) {
      const count = spec.shape.reduce((product, size) => product * size, 1);
      const size = count * (BYTES[spec.quantization?.dtype ?? spec.dtype] ?? fail(file, `weight ${spec.name}: unknown type ${spec.quantization?.dtype ?? spec.dtype}`));
      if (offset + size > bytes.length) fail(file, `weights end after ${bytes.length} bytes, ${spec.name} needs ${offset + size}`);
      constants.set(spec.name, decodeWeight(spec, bytes.subarray(offset, offset + size), file));
      offset += size;
    }
  }
  return constants;
}

/**
 * @param file path of the model's .json
 * @throws MODEL_CONVERT when it is not a TFJS graph model or its weights are cut short
 */
export function readTfjsGraph(file: string): TfGraph {
  let json: ModelJson;
  try {
    json = JSON.parse(readFileSync(file, 'utf8')) as ModelJson;
  } catch (cause) {
    throw new SightlineError('MODEL_CONVERT', `${file}: expected the JSON of a TensorFlow.js graph model`, { cause });
  }
  const list = json.modelTopology?.node;
  if (!Array.isArray(list)) return fail(file, 'expected a TensorFlow.js graph model (modelTopology.node); a layers model has to be exported as a graph model first');
  const nodes = new Map<string, TfNode>();
  for (const raw of list) {
    const inputs = (raw.input ?? []).filter((name) => !name.startsWith('^')).map((name) => {
      const at = name.lastIndexOf(':');
      return at < 0 ? { node: name, port: 0 } : { node: name.slice(0, at), port: Number(name.slice(at + 1)) };
    });
    nodes.set(raw.name, { name: raw.name, op: raw.op, inputs, attr: raw.attr ?? {} });
  }
  const signature = json.signature ?? json.userDefinedMetadata?.signature;
  const outputs = Object.values(signature?.outputs ?? {}).map((output) => (output.name ?? '').replace(/:\d+$/, ''));
  const inputs = [...nodes.values()]
    .filter((node) => node.op === 'Placeholder')
    .map((node) => ({ name: node.name, shape: (node.attr['shape']?.shape?.dim ?? []).map((dim) => Number(dim.size)) }));
  return { file, nodes, constants: readWeights(json, file), inputs, outputs };
}
