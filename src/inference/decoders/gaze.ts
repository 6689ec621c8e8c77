/**
 * Gaze networks. The result is in the axes of results.ts: x right in the image, y down, z away from the camera; yaw positive to the right in the
 * image, pitch positive upwards. `signs`, a list of 1 and −1, says where a model's own axes differ.
 */
import { SightlineError } from '../../errors.js';
import type { Gaze } from '../results.js';
import { itemOf, numberParam, output, softmax, stringParam } from './tensors.js';
import type { DecoderContext, GazeDecoder } from './types.js';

const DEGREES = 180 / Math.PI;

/** The unit vector along (x, y, z) with its angles; straight at the camera is (0, 0, −1), yaw 0, pitch 0. */
export function gazeOfVector(x: number, y: number, z: number): Gaze {
  const length = Math.hypot(x, y, z);
  if (!(length > 1e-9) || !Number.isFinite(length)) {
    throw new SightlineError('MODEL_OUTPUT_SHAPE', `gaze: expected a vector with a direction, got a length of ${length}`);
  }
  const vector: Gaze['vector'] = [x / length, y / length, z / length];
  return { vector, yaw_deg: Math.atan2(vector[0], -vector[2]) * DEGREES, pitch_deg: Math.asin(Math.min(1, Math.max(-1, -vector[1]))) * DEGREES };
}

/** From yaw and pitch in radians. */
export function gazeOfAngles(yaw: number, pitch: number): Gaze {
  return gazeOfVector(Math.sin(yaw) * Math.cos(pitch), -Math.sin(pitch), -Math.cos(yaw) * Math.cos(pitch));
}

function signs(context: DecoderContext, count: number): number[] {
  const { signs: given } = context.params;
  return Array.from({ length: count }, (_, at) => (Array.isArray(given) && Number(given[at]) < 0 ? -1 : 1));
}

/** Output [batch, 3]: a vector of any length. */
export const gazeVector: GazeDecoder = (outputs, item, context) => {
  const [x = NaN, y = NaN, z = NaN] = itemOf(output(outputs, context, 'output', 'gaze', [['batch', 3]]), item);
  const [sx = 1, sy = 1, sz = 1] = signs(context, 3);
  return gazeOfVector(x * sx, y * sy, z * sz);
};

/** Output [batch, 2]. Parameters `order` `yaw_pitch` or `pitch_yaw` (default, ETH-XGaze and MPIIFaceGaze), `unit` `radians` (default) or `degrees`. `signs` are of yaw, pitch. */
export const gazeAngles: GazeDecoder = (outputs, item, context) => {
  const [first = NaN, second = NaN] = itemOf(output(outputs, context, 'output', 'gaze', [['batch', 2]]), item);
  const unit = stringParam(context, 'unit', 'radians') === 'degrees' ? 1 / DEGREES : 1;
  const [yaw, pitch] = stringParam(context, 'order', 'pitch_yaw') === 'pitch_yaw' ? [second, first] : [first, second];
  const [sy = 1, sp = 1] = signs(context, 2);
  return gazeOfAngles(yaw * unit * sy, pitch * unit * sp);
};

/**
 * Two outputs [batch, bins] of logits over angle bins (L2CS-Net and its kin): angle = Σ softmax · index · bin_deg + offset_deg. Parameters `yaw` and `pitch` (names
 * of the outputs), `bin_deg` (4), `offset_deg` (−180), `signs` of yaw, pitch.
 */
export const gazeBins: GazeDecoder = (outputs, item, context) => {
  const names = Object.keys(outputs);
  const angle = (name: string, at: number): number => {
    const row = softmax(itemOf(output(outputs, context, name, names.find((other) => other.toLowerCase().includes(name)) ?? names[at] ?? name, [['batch', 'bins']]), item));
    const index = row.reduce((sum, probability, bin) => sum + probability * bin, 0);
    return (index * numberParam(context, 'bin_deg', 4) + numberParam(context, 'offset_deg', -180)) / DEGREES;
  };
  const [sy = 1, sp = 1] = signs(context, 2);
  return gazeOfAngles(angle('yaw', 0) * sy, angle('pitch', 1) * sp);
};
