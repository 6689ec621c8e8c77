/**
 * MoveNet (single pose): the model is signed for one picture, its tail gathers with a constant batch of 1. The body is converted as
 * it is and the tail written again for any batch, with the numbers of the original graph:
 *
 *   centre   = argmax of sigmoid(centre map) · weight map
 *   guess_k  = centre + regression_k at the centre
 *   cell_k   = argmax of sigmoid(heat map_k) / (distance to guess_k + c)
 *   result_k = [(cell_k + offset_k at cell_k) · 1/48 as y, x; sigmoid(heat map_k) at cell_k]
 */
import { DataType } from '../onnx/types.js';
import type { Constant } from './tfjs_graph.js';
import type { Lowering } from './lowering.js';
import { picture } from './picture.js';
import { emit, permuted } from './weights.js';

const P = 'StatefulPartitionedCall/';
const CELLS = 48;
const KEYPOINTS = 17;

/** The model's own (x − mean)·scale − 1 of its first nodes, as one offset and one scale. */
function normalisation(lowering: Lowering): { offset: number[]; scale: number[] } {
  const mean = Array.from(lowering.constant(lowering.node(`${P}sub`), 1).values);
  const scale = Array.from(lowering.constant(lowering.node(`${P}truediv_1`), 1).values);
  const shift = lowering.number(lowering.node(`${P}sub_1`), 1);
  return { offset: mean.map((value, channel) => value + shift / (scale[channel] ?? 1)), scale };
}

/** A [48, 48, 1] table of row (axis 0) or column numbers: checked, then kept as one row or column. */
function gridAxis(lowering: Lowering, node: string, axis: 0 | 1): string {
  const { values } = lowering.constant(lowering.node(node), 0);
  const grid = Array.from(values);
  const line = Array.from({ length: CELLS }, (_, at) => grid[axis === 0 ? at * CELLS : at] as number);
  const same = grid.every((value, at) => value === line[axis === 0 ? Math.floor(at / CELLS) : at % CELLS]);
  if (!same || grid.length !== CELLS * CELLS) lowering.fail(node, 'expected a table of rows or columns');
  return lowering.builder.floats(line, axis === 0 ? [1, 1, CELLS, 1] : [1, 1, 1, CELLS]);
}

/** Emits the whole network. Output `keypoints` [batch, 17, 3]: y, x in 0..1 of the input, score. */
export function movenetTail(lowering: Lowering): void {
  const { builder } = lowering;
  lowering.set(`${P}sub_1`, picture(lowering, 192, 192, normalisation(lowering)));
  const map = (name: string): string => lowering.nchw(lowering.value(`${P}${name}`), lowering.node(`${P}${name}`));
  const reshape = (name: string, dims: number[]): string => builder.node('Reshape', [name, builder.ints(dims)]);
  const toFloat = (name: string): string => builder.node('Cast', [name], { to: DataType.float32 });

  // Centre
  const weight: Constant = lowering.constant(lowering.node(`${P}truediv_2`), 1);
  const weightMap = emit(builder, permuted({ ...weight, shape: [1, CELLS, CELLS, 1] }, [0, 3, 1, 2]));
  const centre = builder.node('Mul', [map('Sigmoid_1'), weightMap]);
  const at = builder.node('ArgMax', [reshape(centre, [-1, CELLS * CELLS])], { axis: 1, keepdims: 1 });
  const side = builder.ints([CELLS], []);
  const centreY = toFloat(builder.node('Div', [at, side]));
  const centreX = toFloat(builder.node('Mod', [at, side]));

  // Regression at the centre: [batch, 34] = 17 × (y, x)
  const index = builder.node('Expand', [reshape(at, [-1, 1, 1]), builder.ints([1, 2 * KEYPOINTS, 1])]);
  const regression = builder.node('GatherElements', [reshape(map('kpt_regress_0/conv2d_6/BiasAdd'), [-1, 2 * KEYPOINTS, CELLS * CELLS]), index], { axis: 2 });
  const [regressY, regressX] = builder.nodes('Split', [reshape(regression, [-1, KEYPOINTS, 2])], { axis: 2, num_outputs: 2 }, 2) as [string, string];
  const guess = (cell: string, offset: string): string => reshape(builder.node('Add', [reshape(cell, [-1, 1, 1]), offset]), [-1, KEYPOINTS, 1, 1]);
  const squared = (grid: string, point: string): string => {
    const difference = builder.node('Sub', [grid, point]);
    return builder.node('Mul', [difference, difference]);
  };

  // Heat maps weighted by the distance to the guess
  const dy = squared(gridAxis(lowering, `${P}sub_5`, 0), guess(centreY, regressY));
  const dx = squared(gridAxis(lowering, `${P}sub_6`, 1), guess(centreX, regressX));
  const distance = builder.node('Sqrt', [builder.node('Add', [dy, dx])]);
  const softened = builder.node('Add', [distance, builder.scalar(lowering.number(lowering.node(`${P}add_5`), 1))]);
  const heat = map('Sigmoid');
  const weighted = reshape(builder.node('Div', [heat, softened]), [-1, KEYPOINTS, CELLS * CELLS]);
  const cell = builder.node('ArgMax', [weighted], { axis: 2, keepdims: 1 });
  const score = builder.node('GatherElements', [reshape(heat, [-1, KEYPOINTS, CELLS * CELLS]), cell], { axis: 2 });

  // Offsets: channel 2k is y, 2k + 1 is x
  const pair = builder.node('Expand', [reshape(cell, [-1, KEYPOINTS, 1, 1]), builder.ints([1, 1, 2, 1])]);
  const offsets = builder.node('GatherElements', [reshape(map('kpt_offset_0/conv2d_7/BiasAdd'), [-1, KEYPOINTS, 2, CELLS * CELLS]), pair], { axis: 3 });
  const cells = builder.node('Concat', [toFloat(builder.node('Div', [cell, side])), toFloat(builder.node('Mod', [cell, side]))], { axis: 2 });
  const points = builder.node('Add', [cells, reshape(offsets, [-1, KEYPOINTS, 2])]);
  const unit = lowering.constant(lowering.node(`${P}mul_2`), 1);
  const scaled = builder.node('Mul', [points, builder.floats(Array.from(unit.values), [1, 1, 2])]);
  builder.node('Concat', [scaled, score], { axis: 2 }, ['keypoints']);
  builder.output('keypoints', 'float32', ['batch', KEYPOINTS, 3]);
}
