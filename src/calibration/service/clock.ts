/** The client's clock and ours. All stored times are ours, UTC; the client's zone and how far its clock is off are kept beside them. */
import { SightlineError } from '../../errors.js';
import type { ClientClock } from './types.js';

/** A clock further off is a wrong clock, not an offset: frames then count from when they arrived. */
const OFFSET_MAX_MS = 366 * 86_400_000;
/** A frame may not be older than this by its own time, nor come from the future. */
const FRAME_AGE_MAX_MS = 3_600_000;
const FRAME_AHEAD_MAX_MS = 5_000;

export interface KnownClock {
  timezone: string | null;
  clock_offset_ms: number | null;
}

/** ISO 8601, UTC, milliseconds. */
export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** @throws REQUEST_INVALID for a zone or a time that is none */
export function clockOf({ timezone, client_time, clock_offset_ms }: ClientClock, now_ms: number): KnownClock {
  if (timezone !== undefined && !isZone(timezone)) throw new SightlineError('REQUEST_INVALID', 'timezone: expected an IANA name such as Europe/Berlin, received another text');
  const offset = clock_offset_ms ?? (client_time === undefined ? null : timeOf(client_time, 'client_time') - now_ms);
  return { timezone: timezone ?? null, clock_offset_ms: offset !== null && Math.abs(offset) <= OFFSET_MAX_MS ? offset : null };
}

/** When a frame was captured, on our clock, in seconds since 1970: by the client's time where that can be, else when it arrived. */
export function captureTime(timestamp: string | number | undefined, clock_offset_ms: number | null, now_ms: number): number {
  if (timestamp === undefined) return now_ms / 1000;
  const own_ms = timeOf(timestamp, 'timestamp') - (clock_offset_ms ?? 0);
  const plausible = own_ms > now_ms - FRAME_AGE_MAX_MS && own_ms < now_ms + FRAME_AHEAD_MAX_MS;
  return (plausible ? own_ms : now_ms) / 1000;
}

/** Milliseconds since 1970 of ISO 8601 (without a zone: UTC) or of a number: milliseconds, or seconds below 10^11. */
function timeOf(value: string | number, field: string): number {
  const ms = typeof value === 'number' ? (Math.abs(value) < 1e11 ? value * 1000 : value) : Date.parse(/[zZ]|[+-]\d\d:?\d\d$/.test(value) ? value : `${value}Z`);
  if (!Number.isFinite(ms) || Math.abs(ms) > 8.64e15) throw new SightlineError('REQUEST_INVALID', `${field}: expected ISO 8601 or milliseconds since 1970, received something else`);
  return ms;
}

function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
