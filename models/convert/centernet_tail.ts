/**
 * CenterNet: the body as it is, the tail written again for any batch. A peak is a cell whose class score is the largest of its 3×3
 * neighbourhood; the best 100 over all cells and classes become rows [x1, y1, x2, y2, score, class] in input pixels.
 *
 * The sigmoid is monotone, so peaks are found on the logits and only the 100 winners go through it: a pass over 1.3 million numbers less.
 */
import { DataType } from '../onnx/types.js';
import type { Lowering } from './lowering.js';
import { picture } from './picture.js';

const P = 'tower_0/';
const SIDE = 128;
const CLASSES = 80;
/** Below every logit; its sigmoid is 0, as that of a suppressed cell in the original. */
const SUPPRESSED = -1e4;

/** Emits the whole network. Output `detections` [batch, 100, 6]. */
export function centernetTail(lowering: Lowering): void {
  const { builder } = lowering;
  lowering.set(`${P}images`, picture(lowering, 512, 512, { offset: [0], scale: [1] }));
  const reshape = (name: string, dims: number[]): string => builder.node('Reshape', [name, builder.ints(dims)]);
  const toFloat = (name: string): string => builder.node('Cast', [name], { to: DataType.float32 });
  const numberOf = (name: string): number => lowering.number(lowering.node(`${P}${name}`), 1);

  const sigmoid = lowering.node(`${P}Sigmoid`);
  const logits = lowering.nchw(lowering.input(sigmoid, 0), sigmoid);
  const highest = builder.node('MaxPool', [logits], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [1, 1] });
  const peaks = builder.node('Where', [builder.node('Equal', [logits, highest]), logits, builder.scalar(SUPPRESSED)]);
  const count = numberOf('TopKV2');
  const [best, index] = builder.nodes('TopK', [reshape(peaks, [-1, CLASSES * SIDE * SIDE]), builder.ints([count])], { axis: 1 }, 2) as [string, string];

  // NCHW order: index = class · 128² + y · 128 + x
  const area = builder.ints([SIDE * SIDE], []);
  const side = builder.ints([SIDE], []);
  const label = builder.node('Div', [index, area]);
  const cell = builder.node('Mod', [index, area]);
  const column = (name: string): string => reshape(name, [-1, count, 1]);
  const x = column(toFloat(builder.node('Mod', [cell, side])));
  const y = column(toFloat(builder.node('Div', [cell, side])));

  // Distances from the cell to left, top, right, bottom
  const scale = lowering.node(`${P}mul`);
  const sizes = lowering.nchw(lowering.input(scale, 0), scale);
  const where = builder.node('Expand', [reshape(cell, [-1, 1, count]), builder.ints([1, 4, 1])]);
  const gathered = builder.node('GatherElements', [reshape(sizes, [-1, 4, SIDE * SIDE]), where], { axis: 2 });
  const scaled = builder.node('Mul', [gathered, builder.scalar(lowering.number(scale, 1))]);
  const [left, top, right, bottom] = builder.nodes('Split', [builder.node('Transpose', [scaled], { perm: [0, 2, 1] })], { axis: 2, num_outputs: 4 }, 4) as [string, string, string, string];
  const edge = (op: 'Sub' | 'Add', position: string, factor: string, size: string): string => builder.node(op, [builder.node('Mul', [position, builder.scalar(numberOf(factor))]), size]);
  const rows = [
    edge('Sub', x, 'mul_3', left),
    edge('Sub', y, 'mul_4', top),
    edge('Add', x, 'mul_5', right),
    edge('Add', y, 'mul_6', bottom),
    column(builder.node('Sigmoid', [best])),
    column(toFloat(label)),
  ];
  builder.node('Concat', rows, { axis: 2 }, ['detections']);
  builder.output('detections', 'float32', ['batch', count, 6]);
}
