/** ONNX files ⇄ plain objects, through protobufjs. */
import protobuf from 'protobufjs';
import { SightlineError } from '../../src/errors.js';
import { ONNX_PROTO } from './schema.js';
import { DataType, type DataTypeName, type Dimension, type Int64, type ModelProto, type ValueInfoProto } from './types.js';

let modelType: protobuf.Type | undefined;

/** Parsed on first use, so that importing this module costs nothing. */
function type(): protobuf.Type {
  modelType ??= protobuf.parse(ONNX_PROTO, { keepCase: true }).root.lookupType('onnx.ModelProto');
  return modelType;
}

/** The bytes of an .onnx file. The same model gives the same bytes. */
export function encodeModel(model: ModelProto): Uint8Array {
  return type().encode(type().fromObject(model)).finish();
}

/**
 * Reads an .onnx file. int64 fields come as Long (see toNumber).
 * @param where file name for the message
 * @throws MODEL_FORMAT when the bytes are not a ModelProto with a graph
 */
export function decodeModel(bytes: Uint8Array, where = 'model'): ModelProto {
  let model: ModelProto;
  try {
    model = type().decode(bytes) as unknown as ModelProto;
  } catch (cause) {
    throw new SightlineError('MODEL_FORMAT', `${where}: expected an ONNX file (a protobuf ModelProto), ${bytes.length} bytes do not parse as one`, { cause });
  }
  if (model.graph === undefined || model.graph === null || (model.opset_import ?? []).length === 0) {
    throw new SightlineError('MODEL_FORMAT', `${where}: expected an ONNX file, parsed ${bytes.length} bytes without a graph or an opset`);
  }
  return model;
}

export function toNumber(value: Int64 | undefined): number {
  return value === undefined ? 0 : typeof value === 'number' ? value : value.toNumber();
}

/** A dimension: a size, or the name of a dynamic one ('' when the file gives no name). */
export type Dim = number | string;

export interface ValueSpec {
  name: string;
  /** 'unknown' for element types outside DataType or values that are not tensors. */
  type: DataTypeName | 'unknown';
  /** undefined when the file declares no shape. */
  shape: Dim[] | undefined;
}

function dimOf(dim: Dimension): Dim {
  const has = (key: keyof Dimension): boolean => Object.prototype.hasOwnProperty.call(dim, key) && dim[key] !== undefined && dim[key] !== null;
  if (has('dim_value')) return toNumber(dim.dim_value);
  return has('dim_param') ? (dim.dim_param as string) : '';
}

/** Name, element type and shape of a graph input or output. */
export function valueSpec(info: ValueInfoProto): ValueSpec {
  const tensor = info.type?.tensor_type ?? undefined;
  const entry = Object.entries(DataType).find(([, code]) => code === tensor?.elem_type);
  return {
    name: info.name ?? '',
    type: entry === undefined ? 'unknown' : (entry[0] as DataTypeName),
    shape: tensor?.shape === undefined || tensor.shape === null ? undefined : (tensor.shape.dim ?? []).map(dimOf),
  };
}

/** The inputs a caller has to feed (graph inputs that are not initialisers) and the outputs. */
export function signature(model: ModelProto): { inputs: ValueSpec[]; outputs: ValueSpec[]; opset: number } {
  const graph = model.graph ?? {};
  const initialised = new Set((graph.initializer ?? []).map((tensor) => tensor.name));
  const opset = (model.opset_import ?? []).find((entry) => (entry.domain ?? '') === '' || entry.domain === 'ai.onnx');
  return {
    inputs: (graph.input ?? []).filter((info) => !initialised.has(info.name)).map(valueSpec),
    outputs: (graph.output ?? []).map(valueSpec),
    opset: toNumber(opset?.version),
  };
}
