/** `..._transform_matrix.npz`. */
import { SightlineError } from '../errors.js';
import { npyBytes, readNpy, type NpyArray } from './npy.js';
import type { TransformMatrix } from './types.js';
import { readZip, zipArchive } from './zip.js';

/** The file, byte for byte what `numpy.savez_compressed(file, STransG=..., StG=..., SetValues=...)` writes. */
export function transformMatrixNpz({ STransG, StG, SetValues }: TransformMatrix): Buffer {
  const member = (name: string, shape: number[], values: number[]) => ({ name: `${name}.npy`, bytes: npyBytes({ shape, values: Float64Array.from(values) }) });
  return zipArchive([
    member('STransG', [4, 4], STransG.flat()),
    member('StG', [StG.length, 3, 1], StG.flat(2)),
    member('SetValues', [SetValues.length, 3, 1], SetValues.flat(2)),
  ]);
}

/**
 * Reads such a file, stored or compressed. StG and SetValues, which some writers leave out, come back empty.
 * @throws CALIBRATION_NPZ_INVALID naming the array and what was expected.
 */
export function readTransformMatrix(bytes: Buffer): TransformMatrix {
  const arrays = new Map(readZip(bytes).filter(({ name }) => /^(STransG|StG|SetValues)\.npy$/.test(name)).map(({ name, bytes: member }): [string, NpyArray] => [name.slice(0, -4), readNpy(member, name.slice(0, -4))]));
  const global = arrays.get('STransG');
  if (global === undefined) throw invalid('STransG: expected this array, found none');
  if (global.shape.join() !== '4,4') throw invalid(`STransG: expected the shape (4, 4), received (${global.shape.join(', ')})`);
  const StG = columns(arrays.get('StG'), 'StG');
  const SetValues = columns(arrays.get('SetValues'), 'SetValues');
  if (StG.length > 0 && SetValues.length > 0 && StG.length !== SetValues.length) throw invalid(`SetValues: expected as many targets as StG (${StG.length}), received ${SetValues.length}`);
  for (const [name, { values }] of arrays) if (!values.every(Number.isFinite)) throw invalid(`${name}: expected finite numbers`);
  return { STransG: matrixRows(global.values), StG, SetValues };
}

function columns(array: NpyArray | undefined, name: string): number[][][] {
  if (array === undefined || array.values.length === 0) return [];
  const { shape, values } = array;
  if (shape[1] !== 3 || (shape.length !== 2 && !(shape.length === 3 && shape[2] === 1))) throw invalid(`${name}: expected the shape (targets, 3, 1), received (${shape.join(', ')})`);
  return targetColumns(values);
}

/** Sixteen numbers as four rows. */
export function matrixRows(values: ArrayLike<number>): number[][] {
  return [0, 1, 2, 3].map((row) => [0, 1, 2, 3].map((column) => values[row * 4 + column] ?? NaN));
}

/** Three numbers a target as columns. */
export function targetColumns(values: ArrayLike<number>): number[][][] {
  const targets: number[][][] = [];
  for (let at = 0; at + 2 < values.length; at += 3) targets.push([[values[at] ?? NaN], [values[at + 1] ?? NaN], [values[at + 2] ?? NaN]]);
  return targets;
}

function invalid(message: string): SightlineError {
  return new SightlineError('CALIBRATION_NPZ_INVALID', `transform_matrix.npz: ${message}`);
}
