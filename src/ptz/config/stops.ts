/** Lists of PTZ stops as people write them: `[pan, tilt, zoom]` or `{pan, tilt, zoom}`, as in the published scanner. */
import type { PtzStop } from '../types.js';

/** Tilt that cameras take; beyond it they stop at their end. */
export const TILT_RANGE_DEG = { min: -88, max: 38 } as const;
const MAX_STOPS = 500;

/** Pan is wrapped to −180..180. Problems name the stop and the member. */
export function parseStops(value: unknown, where: string): { stops: PtzStop[]; problems: string[] } {
  if (!Array.isArray(value)) return { stops: [], problems: [`${where}: expected a list of [pan, tilt, zoom], received ${kind(value)}`] };
  if (value.length > MAX_STOPS) return { stops: [], problems: [`${where}: expected at most ${MAX_STOPS} stops, received ${value.length}`] };
  const problems: string[] = [];
  const stops = value.flatMap((item: unknown, index) => {
    const at = `${where}[${index}]`;
    const members = membersOf(item);
    if (members === undefined) {
      problems.push(`${at}: expected [pan, tilt, zoom] or {pan, tilt, zoom}, received ${kind(item)}`);
      return [];
    }
    const [pan, tilt, zoom] = members;
    const before = problems.length;
    if (!inRange(pan, -360, 360)) problems.push(`${at}.pan: expected degrees from -360 to 360, received ${kind(pan)}`);
    if (!inRange(tilt, TILT_RANGE_DEG.min, TILT_RANGE_DEG.max)) {
      problems.push(`${at}.tilt: expected degrees from ${TILT_RANGE_DEG.min} to ${TILT_RANGE_DEG.max}, received ${kind(tilt)}`);
    }
    if (zoom !== undefined && zoom !== null && !inRange(zoom, 0, 1)) problems.push(`${at}.zoom: expected 0 to 1, received ${kind(zoom)}`);
    if (problems.length > before) return [];
    return [{ pan_deg: wrap180(pan as number), tilt_deg: tilt as number, zoom: (zoom as number | null | undefined) ?? null }];
  });
  return { stops, problems };
}

/** Degrees in −180 (exclusive) to 180. */
export function wrap180(deg: number): number {
  const turned = ((deg % 360) + 360) % 360;
  return turned > 180 ? turned - 360 : turned;
}

/** `yaws` directions around at `pitches` tilts from −70 to +10, all directions of one tilt first: the grid of the published scanner. */
export function gridStops(yaws: number, pitches: number): PtzStop[] {
  const tilt = (row: number): number => (pitches === 1 ? -30 : -70 + (80 * row) / (pitches - 1));
  return Array.from({ length: pitches }, (_, row) => Array.from({ length: yaws }, (_, step) => ({ pan_deg: wrap180((step * 360) / yaws), tilt_deg: tilt(row), zoom: null }))).flat();
}

function membersOf(item: unknown): [unknown, unknown, unknown] | undefined {
  if (Array.isArray(item)) return item.length === 2 || item.length === 3 ? [item[0], item[1], item[2]] : undefined;
  if (typeof item !== 'object' || item === null) return undefined;
  const { pan, tilt, zoom, ...rest } = item as Record<string, unknown>;
  return Object.keys(rest).length === 0 ? [pan, tilt, zoom] : undefined;
}

function inRange(value: unknown, min: number, max: number): boolean {
  return typeof value === 'number' && value >= min && value <= max;
}

function kind(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === 'number' || typeof value === 'string' ? JSON.stringify(value).slice(0, 40) : value === null ? 'null' : `a ${typeof value}`;
}
