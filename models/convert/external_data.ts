/** Weights that a model keeps in files beside it, taken into the model itself: what we write is one file. */
import { readFileSync } from 'node:fs';
import { dirname, resolve, sep } from 'node:path';
import { SightlineError } from '../../src/errors.js';
import type { GraphProto, ModelProto, TensorProto } from '../onnx/types.js';

function inline(tensor: TensorProto, folder: string): void {
  if (tensor.data_location !== 1) return;
  const entries = new Map((tensor.external_data ?? []).map(({ key, value }) => [key ?? '', value ?? '']));
  const file = resolve(folder, entries.get('location') ?? '');
  if (!file.startsWith(resolve(folder) + sep)) throw new SightlineError('MODEL_FORMAT', `weights of "${tensor.name ?? ''}": expected a file beside the model`);
  const offset = Number(entries.get('offset') ?? 0);
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw new SightlineError('MODEL_MISSING', `weights of "${tensor.name ?? ''}": expected the file "${entries.get('location') ?? ''}" beside the model`, { cause });
  }
  const length = Number(entries.get('length') ?? bytes.length - offset);
  if (offset + length > bytes.length) throw new SightlineError('MODEL_FORMAT', `weights of "${tensor.name ?? ''}": expected ${offset + length} bytes, the file has ${bytes.length}`);
  tensor.raw_data = bytes.subarray(offset, offset + length);
  delete tensor.external_data;
  delete tensor.data_location;
}

function walk(graph: GraphProto | undefined, folder: string): void {
  for (const tensor of graph?.initializer ?? []) inline(tensor, folder);
  for (const node of graph?.node ?? []) {
    for (const attribute of node.attribute ?? []) {
      if (attribute.t) inline(attribute.t, folder);
      if (attribute.g) walk(attribute.g, folder);
      for (const graphs of attribute.graphs ?? []) walk(graphs, folder);
    }
  }
}

/** Changes the model in place. Errors: MODEL_MISSING, MODEL_FORMAT. */
export function inlineExternalData(model: ModelProto, modelFile: string): ModelProto {
  walk(model.graph, dirname(modelFile));
  return model;
}
