/** Face mesh and iris networks: points in pixels of their crops. */
import { itemOf, output } from './tensors.js';
import type { IrisDecoder, MeshDecoder } from './types.js';

/** Outputs `mesh` [batch, 468, 3] (or 478 points, or flat) and `face` [batch, 1], a probability. A mesh with NaN has score 0. */
export const facemesh: MeshDecoder = (outputs, item, context) => {
  const patterns = [468, 478].flatMap((count) => [['batch', count, 3], ['batch', count * 3]] as const);
  const points = itemOf(output(outputs, context, 'mesh', 'mesh', patterns), item);
  const score = itemOf(output(outputs, context, 'face', 'face', [['batch', 1], ['batch', 1, 1, 1]]), item)[0] as number;
  return { score: Number.isFinite(score) && points.every(Number.isFinite) ? score : 0, points: Float32Array.from(points) };
};

/** Output `points` [batch, 76, 3] (or flat): 71 points around the eye, then centre, right, top, left, bottom of the iris. */
export const iris: IrisDecoder = (outputs, item, context) => {
  const found = output(outputs, context, 'output', 'points', [['batch', 76, 3], ['batch', 228], ['batch', 1, 1, 228]]);
  return { points: Float32Array.from(itemOf(found, item)) };
};
