/** Which references a query is compared with: those that telemetry lets expect the same part of the world, at about the same zoom. */
import type { CheckedOptions } from './options.js';
import type { PtzCamera, PtzView } from './types.js';

const RADIANS = Math.PI / 180;
/** Views whose axes are further apart than this share of the field of view have too little in common. */
const LARGEST_SHARE = 0.8;
/** Values of the 0..1 scale that count as the same. */
const SAME_SCALE = 0.05;
/** Views nearer than this by telemetry look at the same: a fraction of a pixel. */
const SAME_DEG = 0.02;

/** Focal length as a multiple of the camera's; values below 1 are not a magnification. */
export function focalOf(view: PtzView): number {
  const zoom = view.zoom ?? 1;
  return zoom >= 1 ? zoom : 1;
}

export function sameZoom(a: PtzView, b: PtzView, band: number): boolean {
  const [one, other] = [a.zoom ?? 1, b.zoom ?? 1];
  if (one < 1 || other < 1) return Math.abs(one - other) <= SAME_SCALE;
  return Math.max(one, other) <= band * Math.min(one, other);
}

/** Is it one pointing by telemetry? */
export function samePointing(a: PtzView, b: PtzView): boolean {
  return apartDeg(a, b) < SAME_DEG && Math.abs((a.roll_deg ?? 0) - (b.roll_deg ?? 0)) < SAME_DEG && (a.zoom ?? 1) === (b.zoom ?? 1);
}

/** Angle between the directions in which telemetry says that two views look, in degrees. */
export function apartDeg(a: PtzView, b: PtzView): number {
  const [p, q] = [a.tilt_deg * RADIANS, b.tilt_deg * RADIANS];
  const pan = (a.pan_deg - b.pan_deg) * RADIANS;
  // Haversine: exact for small angles, too.
  const h = Math.sin((p - q) / 2) ** 2 + Math.cos(p) * Math.cos(q) * Math.sin(pan / 2) ** 2;
  return (2 * Math.asin(Math.min(1, Math.sqrt(h)))) / RADIANS;
}

export function fieldOfViewDeg(camera: PtzCamera, zoom: number): number {
  return (2 * Math.atan(camera.width / 2 / (camera.fx * zoom))) / RADIANS;
}

/** Indexes of the references for a query, the nearest first; or why there is none. */
export function candidatesFor(query: PtzView, references: readonly PtzView[], options: CheckedOptions): number[] | 'no_candidate' | 'no_zoom_band' {
  const near = references
    .map((view, index) => ({ view, index, apart: apartDeg(query, view) }))
    .filter(({ view, apart }) => apart <= LARGEST_SHARE * fieldOfViewDeg(options.camera, Math.min(focalOf(query), focalOf(view))));
  if (near.length === 0) return 'no_candidate';
  const zoomed = near.filter(({ view }) => sameZoom(query, view, options.zoom_band));
  if (zoomed.length === 0) return 'no_zoom_band';
  return zoomed.sort((a, b) => a.apart - b.apart || a.index - b.index).slice(0, options.max_references).map(({ index }) => index);
}
