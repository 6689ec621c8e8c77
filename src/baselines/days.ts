/** Calendar days of a zone, as YYYY-MM-DD; the newest day is remembered, so that asking for each frame costs nothing. */
import { DateTime } from 'luxon';

export function createDays(timezone: string): { of(wall_ms: number): string; before(day: string, days: number): string } {
  let known = { from_ms: Infinity, to_ms: -Infinity, day: '' };
  return {
    of(wall_ms) {
      if (wall_ms >= known.from_ms && wall_ms < known.to_ms) return known.day;
      const start = DateTime.fromMillis(wall_ms, { zone: timezone }).startOf('day');
      known = { from_ms: start.toMillis(), to_ms: start.plus({ days: 1 }).startOf('day').toMillis(), day: start.toFormat('yyyy-LL-dd') };
      return known.day;
    },
    before: (day, days) => DateTime.fromISO(day, { zone: 'UTC' }).minus({ days }).toFormat('yyyy-LL-dd'),
  };
}
