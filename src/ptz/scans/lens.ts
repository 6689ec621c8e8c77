/** Lens data of a device: what the files say, else what telemetry says of the field of view. */
import { SightlineError } from '../../errors.js';
import { lensOf, type PtzDevice } from '../config/devices.js';
import type { PtzCamera } from '../estimate/types.js';
import type { TelemetrySample } from '../types.js';

/** Fields of view of one camera, brought to zoom 1, agree within this. */
const AGREEMENT = 0.02;

/** @throws PTZ_TELEMETRY_CONTRADICTS when the fields of view don't fit the zoom factors; PTZ_TELEMETRY_INVALID when there are none */
export function lensFor(device: Pick<PtzDevice, 'lens' | 'width' | 'height'>, samples: readonly TelemetrySample[]): PtzCamera {
  if (device.lens !== null) return device.lens;
  const halves = samples.flatMap(({ field_of_view_h, zoom_factor }) => (field_of_view_h === null ? [] : [Math.tan((field_of_view_h * Math.PI) / 360) * Math.max(1, zoom_factor ?? 1)]));
  const sorted = [...halves].sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (middle === undefined) {
    throw new SightlineError('PTZ_TELEMETRY_INVALID', 'lens: expected hfov_deg or fx in devices.yaml or [camera], or field_of_view_h in the telemetry, received none of them');
  }
  const apart = Math.max(...sorted) / Math.min(...sorted) - 1;
  if (apart > AGREEMENT) throw new SightlineError('PTZ_TELEMETRY_CONTRADICTS', `telemetry: field_of_view_h does not fit zoom_factor: brought to zoom 1 it differs by ${(100 * apart).toFixed(1)} % between frames`);
  const lens = lensOf({ width: device.width, height: device.height, hfov_deg: (Math.atan(middle) * 360) / Math.PI });
  if (lens === null) throw new RangeError('a field of view gives a lens');
  return lens;
}
