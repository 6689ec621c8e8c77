/**
 * A user's ONNX model with our front put before it, so that it takes uint8 NHWC RGB like every other network here: what the cameras' tensors are is the same
 * for all, and what a model wants of them is inside its graph. Operations used are those that every opset from 7 has in this form.
 */
import { attribute, tensor, valueInfo } from '../onnx/builder.js';
import { DataType, type DataTypeName, type ModelProto, type NodeProto, type TensorProto } from '../onnx/types.js';
import { signature, toNumber, valueSpec } from '../onnx/codec.js';

/** Name of the input that is put in front. */
export const WRAPPED_INPUT = 'sightline_image';
const P = 'sightline_';

export interface PictureInput {
  /** The model's own input. */
  tensor: string;
  dtype: 'uint8' | 'float32' | 'float16' | 'int32';
  layout: 'nhwc' | 'nchw';
  colour: 'rgb' | 'bgr' | 'grey';
  /** Size of the model's own input. */
  width: number;
  height: number;
  /** Size of the tensor that is handed in; where it is larger than the model's, the middle is used. */
  outer: { width: number; height: number };
  /** value = (byte − mean) / std, in bytes, one number or one a channel. Not for uint8 and int32. */
  mean: readonly number[];
  std: readonly number[];
  /** 1 when the model's batch is fixed. */
  batch: 'dynamic' | 1;
}

interface Front {
  nodes: NodeProto[];
  constants: TensorProto[];
  last: string;
}

function add(front: Front, op: string, more: readonly string[], attributes: NodeProto['attribute'] = []): void {
  const output = `${P}${op.toLowerCase()}_${front.nodes.length}`;
  front.nodes.push({ op_type: op, name: output, input: [front.last, ...more], output: [output], attribute: attributes });
  front.last = output;
}

function constant(front: Front, data: Float32Array | BigInt64Array, dims: readonly number[]): string {
  const name = `${P}const_${front.constants.length}`;
  front.constants.push(tensor(name, data, dims));
  return name;
}

/** The middle `inner` of `outer` along an axis, and reversed channels, as gathers: Slice has changed its form between opsets. */
function gather(front: Front, indices: readonly number[], axis: number): void {
  add(front, 'Gather', [constant(front, BigInt64Array.from(indices, BigInt), [indices.length])], [attribute('axis', axis)]);
}

function middle(front: Front, outer: number, inner: number, axis: number): void {
  if (outer !== inner) gather(front, Array.from({ length: inner }, (_, at) => at + Math.floor((outer - inner) / 2)), axis);
}

/** Scale and offset, with one multiplication and one addition per number. */
function normalise(front: Front, { mean, std, colour }: PictureInput): void {
  if (mean.every((value) => value === 0) && std.every((value) => value === 1)) return;
  const channels = colour === 'grey' ? 1 : 3;
  const spread = (list: readonly number[]): number[] => Array.from({ length: channels }, (_, at) => list[list.length === 1 ? 0 : at] ?? 0);
  add(front, 'Sub', [constant(front, Float32Array.from(spread(mean)), [channels])]);
  add(front, 'Div', [constant(front, Float32Array.from(spread(std)), [channels])]);
}

/**
 * The model with its picture input replaced by `sightline_image`, uint8 [batch, height, width, 3]. Outputs of float16 get a cast and the suffix
 * `_float32`. The model given is changed.
 */
export function wrapPictureModel(model: ModelProto, input: PictureInput): ModelProto {
  const graph = model.graph ?? {};
  const front: Front = { nodes: [], constants: [], last: WRAPPED_INPUT };
  middle(front, input.outer.height, input.height, 1);
  middle(front, input.outer.width, input.width, 2);
  if (input.colour === 'bgr') gather(front, [2, 1, 0], 3);
  const plain = input.dtype === 'uint8' && input.colour !== 'grey';
  if (!plain) add(front, 'Cast', [], [attribute('to', DataType.float32)]);
  if (input.colour === 'grey') add(front, 'MatMul', [constant(front, Float32Array.of(0.2989, 0.587, 0.114), [3, 1])]);
  if (input.dtype === 'float32' || input.dtype === 'float16') normalise(front, input);
  if (!plain && input.dtype !== 'float32') add(front, 'Cast', [], [attribute('to', DataType[input.dtype as DataTypeName])]);
  if (input.layout === 'nchw') add(front, 'Transpose', [], [attribute('perm', [0, 3, 1, 2])]);
  // The last step makes the model's own input; with no step at all, a copy does.
  if (front.nodes.length === 0) add(front, 'Identity', []);
  (front.nodes.at(-1) as NodeProto).output = [input.tensor];
  graph.node = [...front.nodes, ...(graph.node ?? [])];
  graph.initializer = [...(graph.initializer ?? []), ...front.constants];
  const batch = input.batch === 'dynamic' ? 'batch' : input.batch;
  graph.input = [valueInfo(WRAPPED_INPUT, 'uint8', [batch, input.outer.height, input.outer.width, 3]), ...(graph.input ?? []).filter((info) => info.name !== input.tensor)];
  castHalfOutputs(model);
  // Before IR version 4 every initialiser had to be an input as well.
  model.ir_version = Math.max(4, toNumber(model.ir_version));
  return model;
}

function castHalfOutputs(model: ModelProto): void {
  const graph = model.graph ?? {};
  graph.output = (graph.output ?? []).map((info) => {
    const spec = valueSpec(info);
    if (spec.type !== 'float16') return info;
    const name = `${spec.name}_float32`;
    graph.node?.push({ op_type: 'Cast', name: `${P}${name}`, input: [spec.name], output: [name], attribute: [attribute('to', DataType.float32)] });
    return valueInfo(name, 'float32', spec.shape ?? []);
  });
}

/** Heat maps [batch, channels, h, w] with zeros on both sides until they have the shape of a square picture. Returns the name of the new output. */
export function padHeatmaps(model: ModelProto, output: string, channels: number, width: number, height: number): string {
  const graph = model.graph ?? {};
  const side = Math.max(width, height);
  const name = `${P}${output}`;
  const [left, top] = [Math.floor((side - width) / 2), Math.floor((side - height) / 2)];
  const pads = [0, 0, top, left, 0, 0, side - height - top, side - width - left];
  const { opset } = signature(model);
  const node: NodeProto = { op_type: 'Pad', name, input: [output], output: [name] };
  if (opset < 11) node.attribute = [attribute('pads', pads)];
  else {
    const amounts = `${P}pads`;
    graph.initializer = [...(graph.initializer ?? []), tensor(amounts, BigInt64Array.from(pads, BigInt), [8])];
    node.input = [output, amounts];
  }
  graph.node?.push(node);
  graph.output = (graph.output ?? []).map((info) => (info.name === output ? valueInfo(name, 'float32', ['batch', channels, side, side]) : info));
  return name;
}
