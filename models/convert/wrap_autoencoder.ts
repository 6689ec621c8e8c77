/**
 * A user's autoencoder behind the inputs of our anomaly network: features in units of the camera's own baseline go through it, and the mean squared
 * difference is the error.
 *
 *   x, centre, scale [batch, features], components [batch, features, codes] (not used) → error [batch]
 */
import { SightlineError } from '../../src/errors.js';
import { attribute, valueInfo } from '../onnx/builder.js';
import { signature, toNumber } from '../onnx/codec.js';
import type { ModelProto, NodeProto } from '../onnx/types.js';

interface Window {
  input: { tensor: string; width: number };
  extra_inputs?: { tensor: string; shape: number[] }[];
}

export function wrapAutoencoder(model: ModelProto, input: string, output: string, { input: x, extra_inputs = [] }: Window): ModelProto {
  const graph = model.graph ?? {};
  const spec = signature(model).outputs.find(({ name }) => name === output);
  const width = spec?.shape?.at(-1);
  if (spec === undefined || spec.shape?.length !== 2 || (typeof width === 'number' && width !== x.width)) {
    throw new SightlineError('MODEL_FORMAT', `anomaly model: expected an output [batch, ${x.width}] (the input made again), got [${(spec?.shape ?? []).join(', ')}]`);
  }
  const [centre, scale] = extra_inputs;
  const names = new Set([...(graph.node ?? []).flatMap((node) => node.output ?? []), ...(graph.input ?? []).map((info) => info.name ?? '')]);
  for (const { tensor } of [x, ...extra_inputs]) {
    if (names.has(tensor) && tensor !== input) throw new SightlineError('MODEL_FORMAT', `anomaly model: the name "${tensor}" is taken by our input; rename that tensor`);
  }
  // The model's own input may be called like ours: then what it reads gets another name.
  const inner = input === x.tensor ? `sightline_${input}` : input;
  if (inner !== input) for (const node of graph.node ?? []) node.input = (node.input ?? []).map((name) => (name === input ? inner : name));
  const node = (op: string, inputs: string[], out: string, more: Partial<NodeProto> = {}): NodeProto => ({ op_type: op, name: `sightline_${op}_${out}`, input: inputs, output: [out], ...more });
  const front = [node('Sub', [x.tensor, centre?.tensor ?? ''], 'sightline_shifted'), node('Div', ['sightline_shifted', scale?.tensor ?? ''], inner)];
  const { opset } = signature(model);
  const tail = [
    node('Sub', [inner, output], 'sightline_rest'),
    node('Mul', ['sightline_rest', 'sightline_rest'], 'sightline_squares'),
    // GlobalAveragePool is a mean whose form has not changed since the first opset.
    node('Unsqueeze', opset < 13 ? ['sightline_squares'] : ['sightline_squares', 'sightline_axis'], 'sightline_lines', opset < 13 ? { attribute: [attribute('axes', [1])] } : {}),
    node('GlobalAveragePool', ['sightline_lines'], 'sightline_mean'),
    node('Reshape', ['sightline_mean', 'sightline_flat'], 'error'),
  ];
  const int64 = (name: string, value: number): NonNullable<typeof graph.initializer>[number] => ({ name, dims: [1], data_type: 7, raw_data: new Uint8Array(BigInt64Array.of(BigInt(value)).buffer) });
  graph.node = [...front, ...(graph.node ?? []), ...tail];
  graph.initializer = [...(graph.initializer ?? []), int64('sightline_flat', -1), ...(opset < 13 ? [] : [int64('sightline_axis', 1)])];
  const batch = spec.shape[0] === 1 ? 1 : 'batch';
  graph.input = [valueInfo(x.tensor, 'float32', [batch, x.width]), ...extra_inputs.map(({ tensor, shape }) => valueInfo(tensor, 'float32', [batch, ...shape]))];
  graph.output = [valueInfo('error', 'float32', [batch])];
  model.ir_version = Math.max(4, toNumber(model.ir_version));
  return model;
}
