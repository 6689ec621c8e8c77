/** Who is seen at a camera at a time: the roster, else the camera's own staff_id. Pure. */
import { DateTime } from 'luxon';
import type { Config } from '../config/schema.js';

type Shift = Config['staff']['roster'][number];
const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
const DAY_MINUTES = 1_440;

export interface Roster {
  /** The staff_id on duty at the camera; null = the roster says nothing of this time. */
  staffAt(camera_id: number, wall_ms: number): number | null;
}

export function createRoster(shifts: readonly Shift[], timezone: string): Roster {
  const by_camera = new Map<number, ReturnType<typeof parse>[]>();
  for (const shift of shifts.map(parse)) by_camera.set(shift.camera_id, [...(by_camera.get(shift.camera_id) ?? []), shift]);
  let minute = { at: NaN, day: 0, minutes: 0 };
  return {
    staffAt(camera_id, wall_ms) {
      const own = by_camera.get(camera_id);
      if (own === undefined) return null;
      // Frames come by the hundred a second, and the answer changes with the minute.
      const at = Math.floor(wall_ms / 60_000);
      if (at !== minute.at) {
        const local = DateTime.fromMillis(wall_ms, { zone: timezone });
        minute = { at, day: local.weekday - 1, minutes: local.hour * 60 + local.minute };
      }
      return own.find((shift) => covers(shift, minute.day, minute.minutes))?.staff_id ?? null;
    },
  };
}

function parse({ camera_id, staff_id, days, from, to }: Shift): { camera_id: number; staff_id: number; days: ReadonlySet<number>; from: number; to: number } {
  const begin = minutesOf(from);
  const end = minutesOf(to);
  return { camera_id, staff_id, days: new Set((days ?? DAYS).map((day) => DAYS.indexOf(day))), from: begin, to: end > begin ? end : end + DAY_MINUTES };
}

function covers({ days, from, to }: ReturnType<typeof parse>, day: number, minutes: number): boolean {
  const today = days.has(day) && minutes >= from && minutes < to;
  return today || (days.has((day + 6) % 7) && minutes + DAY_MINUTES >= from && minutes + DAY_MINUTES < to);
}

function minutesOf(time: string): number {
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return hours * 60 + minutes;
}
