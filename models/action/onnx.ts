/** The action network as an ONNX graph: `poses` [batch, steps, inputs] → `probabilities` [batch, labels]. */
import { ACTION_LABELS } from '../../src/analysis/pose_window.js';
import { GraphBuilder } from '../onnx/builder.js';
import type { ModelProto } from '../onnx/types.js';
import type { Shape, Weights } from './network.js';

export function actionModel(shape: Shape, weights: Weights): ModelProto {
  const { steps, inputs, hidden, labels } = shape;
  const graph = new GraphBuilder('action');
  const poses = graph.input('poses', 'float32', ['batch', steps, inputs]);
  const sequence = graph.node('Transpose', [poses], { perm: [1, 0, 2] });
  const bias = new Float32Array(6 * hidden);
  bias.set(weights.input_bias);
  bias.set(weights.recurrent_bias, 3 * hidden);
  const gru = [
    sequence,
    graph.constant(transposed(weights.input, inputs, 3 * hidden), [1, 3 * hidden, inputs], 'input_weights'),
    graph.constant(transposed(weights.recurrent, hidden, 3 * hidden), [1, 3 * hidden, hidden], 'recurrent_weights'),
    graph.constant(bias, [1, 6 * hidden], 'bias'),
  ];
  const [, last] = graph.nodes('GRU', gru, { hidden_size: hidden, linear_before_reset: 1 }, ['', 'last_state']);
  const state = graph.node('Squeeze', [last as string, graph.ints([0])]);
  const product = graph.node('MatMul', [state, graph.constant(weights.output, [hidden, labels], 'output_weights')]);
  const logits = graph.node('Add', [product, graph.constant(weights.output_bias, [labels], 'output_bias')]);
  graph.node('Softmax', [logits], { axis: 1 }, ['probabilities']);
  graph.output('probabilities', 'float32', ['batch', labels]);
  return graph.build({ labels: ACTION_LABELS.join(',') });
}

function transposed(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(matrix.length);
  for (let r = 0; r < rows; r += 1) for (let c = 0; c < columns; c += 1) result[c * rows + r] = matrix[r * columns + c] as number;
  return result;
}
