/** What an estimate was asked for, checked and completed. */
import { SightlineError } from '../../errors.js';
import type { FeatureMethod, OffsetOptions, PtzCamera, PtzView, RoiMargins } from './types.js';

export interface CheckedOptions {
  camera: PtzCamera;
  threshold_deg: number;
  method: FeatureMethod;
  max_features: number;
  ignore: RoiMargins;
  max_references: number;
  zoom_band: number;
  max_offset_deg: number;
  seed: number;
  signal: AbortSignal | undefined;
}

/** As many as the estimate takes at once. */
export const VIEWS_MAX = 64;
/** Further pictures of a pointing that are looked at. */
export const AGAIN_MAX = 4;
const METHODS: readonly string[] = ['sift', 'akaze', 'orb'] satisfies FeatureMethod[];

export function checkOptions(options: OffsetOptions): CheckedOptions {
  const { camera } = options;
  for (const field of ['width', 'height', 'fx', 'fy'] as const) number(`camera.${field}`, camera[field], 1, 1e6);
  for (const field of ['cx', 'cy'] as const) number(`camera.${field}`, camera[field], -1e5, 1e5);
  number('camera.k1', camera.k1, -2, 2);
  const method = options.method ?? 'sift';
  if (!METHODS.includes(method)) throw new SightlineError('PTZ_INPUT', `method: expected one of ${METHODS.join(', ')}, received another`);
  return {
    camera,
    method,
    threshold_deg: number('threshold_deg', options.threshold_deg ?? 0.5, 0, 90),
    max_features: number('max_features', options.max_features ?? 2000, 50, 20_000),
    ignore: checkMargins(options.ignore),
    max_references: number('max_references', options.max_references ?? 8, 1, VIEWS_MAX),
    zoom_band: number('zoom_band', options.zoom_band ?? 1.25, 1, 3),
    max_offset_deg: number('max_offset_deg', options.max_offset_deg ?? 20, 0, 90),
    seed: number('seed', options.seed ?? 1, 0, Number.MAX_SAFE_INTEGER),
    signal: options.signal,
  };
}

/** Shares from each edge that leave something of the picture. */
export function checkMargins(given: Partial<RoiMargins> | undefined): RoiMargins {
  const margins = { top: 0, bottom: 0, left: 0, right: 0, ...given };
  for (const edge of ['top', 'bottom', 'left', 'right'] as const) number(`ignore.${edge}`, margins[edge], 0, 0.95);
  if (margins.top + margins.bottom > 0.95 || margins.left + margins.right > 0.95) {
    throw new SightlineError('PTZ_INPUT', 'ignore: expected shares from each edge that leave at least 5 % of the picture, received more; [0.1, 0.1, 0.9, 0.9] is a box, not margins');
  }
  return margins;
}

/** Refuses telemetry that is no number: an offset would be as wrong as it. */
export function checkViews(what: string, views: readonly PtzView[]): void {
  for (const [index, view] of views.entries()) {
    const where = `${what}[${index}]`;
    number(`${where}.pan_deg`, view.pan_deg, -720, 720);
    number(`${where}.tilt_deg`, view.tilt_deg, -180, 180);
    if (view.roll_deg !== undefined) number(`${where}.roll_deg`, view.roll_deg, -360, 360);
    if (view.zoom !== undefined) number(`${where}.zoom`, view.zoom, 0, 100);
  }
}

function number(field: string, value: unknown, least: number, most: number): number {
  if (typeof value !== 'number' || !(value >= least && value <= most)) {
    throw new SightlineError('PTZ_INPUT', `${field}: expected a number from ${least} to ${most}, received ${typeof value === 'number' ? String(value) : typeof value}`);
  }
  return value;
}
