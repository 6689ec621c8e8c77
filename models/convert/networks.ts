/** The default networks: how each is fed inside @vladmandic/human and what of it is kept. */
import type { TfGraph } from './tfjs_graph.js';
import { CONV_HANDLERS } from './conv.js';
import { ELEMENTWISE_HANDLERS } from './elementwise.js';
import { Lowering, type Value } from './lowering.js';
import { centernetTail } from './centernet_tail.js';
import { movenetTail } from './movenet_tail.js';
import { picture, type Normalisation } from './picture.js';
import { SHAPE_HANDLERS } from './shape_ops.js';
import type { ModelProto } from '../onnx/types.js';

const HANDLERS = { ...CONV_HANDLERS, ...ELEMENTWISE_HANDLERS, ...SHAPE_HANDLERS };

export interface NetworkSource {
  /** Base name of the TFJS files and of the ONNX file. */
  name: string;
  width: number;
  height: number;
  convert: (lowering: Lowering) => void;
}

/** Makes `name` a graph output called `as` of shape [batch, ...dims]. */
export function emitOutput(lowering: Lowering, name: string, as: string, dims: readonly number[]): void {
  lowering.builder.node('Reshape', [name, lowering.builder.ints([-1, ...dims])], {}, [as]);
  lowering.builder.output(as, 'float32', ['batch', ...dims]);
}

const SIZE_256: [number, number] = [256, 256];
const bytesTo = (low: number, high: number): Normalisation => ({ offset: [(-low * 255) / (high - low)], scale: [(high - low) / 255] });

/** Grey = 0.2989 R + 0.587 G + 0.114 B of 0..1 values, then −1..1: one 1×1 convolution over the bytes. */
function grey(lowering: Lowering, value: Value): Value {
  const weights = Float32Array.from([0.2989, 0.587, 0.114], (weight) => (2 * weight) / 255);
  const { builder } = lowering;
  const name = builder.node('Conv', [value.nchw ?? '', builder.constant(weights, [1, 3, 1, 1], 'grey'), builder.floats([-1])], { kernel_shape: [1, 1] });
  return { shape: [...value.shape.slice(0, 3), 1], nchw: name };
}

function convertBlazeface(lowering: Lowering): void {
  lowering.set('input', picture(lowering, ...SIZE_256, bytesTo(-1, 1)));
  const { builder } = lowering;
  const join = (names: string[]): string => builder.node('Concat', names.map((name) => lowering.plain(lowering.value(name))), { axis: 1 });
  // 16×16 cells with 2 anchors, then 8×8 with 6: the order of the anchors.
  emitOutput(lowering, join(['Identity', 'Identity_1']), 'logits', [896]);
  emitOutput(lowering, join(['Identity_2', 'Identity_3']), 'regressors', [896, 16]);
}

/** output_contours (266 numbers nobody reads) is a third of the heads and is left out. */
function convertFacemesh(lowering: Lowering): void {
  lowering.set('input_1', picture(lowering, 192, 192, bytesTo(0, 1)));
  emitOutput(lowering, lowering.plain(lowering.value('Identity_2')), 'mesh', [468, 3]);
  emitOutput(lowering, lowering.plain(lowering.value('Identity_1')), 'face', [1]);
}

function convertIris(lowering: Lowering): void {
  lowering.set('input_1', picture(lowering, 64, 64, bytesTo(0, 1)));
  emitOutput(lowering, lowering.plain(lowering.value('Identity')), 'points', [76, 3]);
}

function convertEmotion(lowering: Lowering): void {
  lowering.set('input_1', grey(lowering, picture(lowering, 64, 64, { offset: [0], scale: [1] })));
  emitOutput(lowering, lowering.plain(lowering.value('Identity')), 'probabilities', [7]);
}

export const NETWORKS: readonly NetworkSource[] = [
  { name: 'centernet', width: 512, height: 512, convert: centernetTail },
  { name: 'movenet-lightning', width: 192, height: 192, convert: movenetTail },
  { name: 'blazeface', width: 256, height: 256, convert: convertBlazeface },
  { name: 'facemesh', width: 192, height: 192, convert: convertFacemesh },
  { name: 'iris', width: 64, height: 64, convert: convertIris },
  { name: 'emotion', width: 64, height: 64, convert: convertEmotion },
];

/** Converts one of the default networks. */
export function convertNetwork(source: NetworkSource, graph: TfGraph): ModelProto {
  const lowering = new Lowering(graph, source.name, HANDLERS);
  source.convert(lowering);
  return lowering.builder.build({ source: `@vladmandic/human models/${source.name}.json`, licence: 'MIT' });
}

/**
 * Converts any TFJS graph model of supported operations with one picture input of fixed size; every output of its signature is kept.
 * @throws MODEL_CONVERT naming the first thing that is not supported
 */
export function convertGraph(graph: TfGraph, name: string, normalisation: Normalisation): ModelProto {
  const lowering = new Lowering(graph, name, HANDLERS);
  const [input, ...more] = graph.inputs;
  if (input === undefined || more.length > 0) return lowering.fail(name, `expected one input, found ${graph.inputs.length}`);
  const [, height = 0, width = 0, channels = 0] = input.shape;
  if (input.shape.length !== 4 || height < 1 || width < 1 || channels !== 3) {
    lowering.fail(name, `expected an input of shape [batch, height, width, 3] with a fixed size, found [${input.shape.join(', ')}]`);
  }
  if (graph.outputs.length === 0) lowering.fail(name, 'the signature names no outputs');
  lowering.set(input.name, picture(lowering, width, height, normalisation));
  graph.outputs.forEach((output) => {
    const value = lowering.value(output);
    emitOutput(lowering, lowering.plain(value), output.replaceAll(/[^\w.-]/g, '_'), value.shape.slice(1));
  });
  return lowering.builder.build({ source: `${name}.json` });
}
