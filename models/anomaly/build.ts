/**
 * Writes the run-time half of the anomaly autoencoder, models/weights/anomaly.onnx. It has no weights of its own: each row brings
 * its camera's parameters, so rows of many cameras share a batch. `node dist/models/anomaly/build.js [--out FILE]` from the
 * repository root.
 *
 *   x, centre, scale [batch, features], components [batch, features, codes] → error [batch]
 *
 * The same formula as src/analysis/anomaly.ts `reconstructionError`, where it is explained.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { CODE_LIMIT, COMPONENTS, TINY } from '../../src/analysis/anomaly.js';
import { FEATURE_COUNT } from '../../src/analysis/features.js';
import { GraphBuilder } from '../onnx/builder.js';
import { encodeModel } from '../onnx/codec.js';
import type { ModelProto } from '../onnx/types.js';

export function anomalyModel(): ModelProto {
  const graph = new GraphBuilder('anomaly');
  const x = graph.input('x', 'float32', ['batch', FEATURE_COUNT]);
  const centre = graph.input('centre', 'float32', ['batch', FEATURE_COUNT]);
  const scale = graph.input('scale', 'float32', ['batch', FEATURE_COUNT]);
  const components = graph.input('components', 'float32', ['batch', FEATURE_COUNT, COMPONENTS]);
  const z = graph.node('Unsqueeze', [graph.node('Div', [graph.node('Sub', [x, centre]), scale]), graph.ints([1])]);
  const along = graph.node('MatMul', [z, components]);
  const squares = graph.node('ReduceSumSquare', [components, graph.ints([1])], { keepdims: 1 });
  const code = graph.node('Div', [along, graph.node('Max', [squares, graph.scalar(TINY)])]);
  const cut = graph.node('Clip', [code, graph.scalar(-CODE_LIMIT), graph.scalar(CODE_LIMIT)]);
  const back = graph.node('MatMul', [cut, graph.node('Transpose', [components], { perm: [0, 2, 1] })]);
  const rest = graph.node('Sub', [z, back]);
  graph.node('ReduceMean', [graph.node('Mul', [rest, rest]), graph.ints([1, 2])], { keepdims: 0 }, ['error']);
  graph.output('error', 'float32', ['batch']);
  return graph.build({ features: String(FEATURE_COUNT), codes: String(COMPONENTS) });
}

function main(): void {
  const { values } = parseArgs({ options: { out: { type: 'string', default: 'models/weights/anomaly.onnx' } } });
  mkdirSync(dirname(values.out), { recursive: true });
  writeFileSync(values.out, encodeModel(anomalyModel()));
}

if (process.argv[1] !== undefined && import.meta.url === new URL(`file://${process.argv[1]}`).href) main();
