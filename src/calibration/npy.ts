/** Arrays in numpy's `.npy` form, version 1.0. */
import { SightlineError } from '../errors.js';

export interface NpyArray {
  shape: number[];
  /** C order. */
  values: Float64Array;
}

const MAGIC = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]);
const ALIGNMENT = 64;
const ELEMENTS_MAX = 1_000_000;
/** Element types that calibrations come in, with their sizes. */
const TYPES: Record<string, { bytes: number; read: (from: Buffer, at: number) => number }> = {
  '<f8': { bytes: 8, read: (from, at) => from.readDoubleLE(at) },
  '>f8': { bytes: 8, read: (from, at) => from.readDoubleBE(at) },
  '<f4': { bytes: 4, read: (from, at) => from.readFloatLE(at) },
  '<i8': { bytes: 8, read: (from, at) => Number(from.readBigInt64LE(at)) },
  '<i4': { bytes: 4, read: (from, at) => from.readInt32LE(at) },
};

/** The bytes that `numpy.save` writes for an array of doubles. */
export function npyBytes({ shape, values }: NpyArray): Buffer {
  const tuple = shape.length === 1 ? `(${shape.join()},)` : `(${shape.join(', ')})`;
  const text = `{'descr': '<f8', 'fortran_order': False, 'shape': ${tuple}, }`;
  const length = Math.ceil((MAGIC.length + 4 + text.length + 1) / ALIGNMENT) * ALIGNMENT - MAGIC.length - 4;
  const start = Buffer.from([1, 0, length & 0xff, length >> 8]);
  const data = Buffer.alloc(values.length * 8);
  for (const [index, value] of values.entries()) data.writeDoubleLE(value, index * 8);
  return Buffer.concat([MAGIC, start, Buffer.from(text.padEnd(length - 1) + '\n', 'latin1'), data]);
}

/** @throws CALIBRATION_NPZ_INVALID naming `name`. */
export function readNpy(bytes: Buffer, name: string): NpyArray {
  const { descr, fortran, shape, data } = headerOf(bytes, name);
  const type = TYPES[descr];
  if (type === undefined) throw invalid(name, `expected doubles, received the type ${JSON.stringify(descr.slice(0, 20))}`);
  const count = shape.reduce((product, side) => product * side, 1);
  if (count > ELEMENTS_MAX) throw invalid(name, `expected at most ${ELEMENTS_MAX} numbers, received ${count}`);
  if (data.length !== count * type.bytes) throw invalid(name, `expected ${count * type.bytes} bytes of numbers, received ${data.length}`);
  const values = new Float64Array(count);
  for (let index = 0; index < count; index += 1) values[fortran ? inCOrder(index, shape) : index] = type.read(data, index * type.bytes);
  return { shape, values };
}

function headerOf(bytes: Buffer, name: string): { descr: string; fortran: boolean; shape: number[]; data: Buffer } {
  if (bytes.length < 12 || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw invalid(name, 'expected an array of numpy');
  const wide = (bytes[6] ?? 1) > 1;
  const from = wide ? 12 : 10;
  const to = from + (wide ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8));
  if (to > bytes.length) throw invalid(name, 'the header is cut off');
  const text = bytes.toString('latin1', from, to);
  const descr = /'descr'\s*:\s*'([^']*)'/.exec(text)?.[1];
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text)?.[1];
  const shape = /'shape'\s*:\s*\(([\d\s,]*)\)/.exec(text)?.[1];
  if (descr === undefined || order === undefined || shape === undefined) throw invalid(name, 'expected descr, fortran_order and shape in its header, as Python writes them');
  const sides = shape.split(',').map((side) => side.trim()).filter((side) => side !== '').map(Number);
  return { descr, fortran: order === 'True', shape: sides, data: bytes.subarray(to) };
}

/** Where the element that is at `index` in Fortran order is in C order. */
function inCOrder(index: number, shape: readonly number[]): number {
  let rest = index;
  const places = shape.map((side) => {
    const place = rest % side;
    rest = Math.floor(rest / side);
    return place;
  });
  return places.reduce((at, place, axis) => at * (shape[axis] ?? 1) + place, 0);
}

function invalid(name: string, message: string): SightlineError {
  return new SightlineError('CALIBRATION_NPZ_INVALID', `transform_matrix.npz: ${name}: ${message}`);
}
