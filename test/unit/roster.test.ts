import t from 'tap';
import { createRoster } from '../../src/cameras/roster.js';
import { loadConfig } from '../../src/config/load.js';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** 2025-11-14 is a Friday. */
const at = (day: number, hour: number, minute = 0): number => Date.UTC(2025, 10, day, hour, minute);

t.test('the first shift that fits says who is there', async (t) => {
  const roster = createRoster([
    { camera_id: 5, staff_id: 42, days: ['fri'], from: '08:00', to: '16:00' },
    { camera_id: 5, staff_id: 43, from: '15:00', to: '22:00' },
    { camera_id: 5, staff_id: 44, days: ['fri'], from: '22:00', to: '06:00' },
    { camera_id: 6, staff_id: 45, from: '0:00', to: '00:00' },
  ], 'UTC');
  for (const [day, hour, minute, staff] of [[14, 7, 59, null], [14, 8, 0, 42], [14, 15, 30, 42], [14, 16, 0, 43], [14, 22, 0, 44], [15, 5, 59, 44], [15, 6, 0, null], [15, 8, 0, null], [15, 15, 0, 43], [15, 23, 0, null], [16, 3, 0, null]] as const) {
    t.equal(roster.staffAt(5, at(day, hour, minute)), staff, `${day} ${hour}:${minute}`);
  }
  t.equal(roster.staffAt(6, at(14, 12)), 45, 'round the clock');
  t.equal(roster.staffAt(7, at(14, 12)), null);
});

t.test('times are those of the receiver’s zone', async (t) => {
  const roster = createRoster([{ camera_id: 5, staff_id: 42, days: ['sat'], from: '08:00', to: '09:00' }], 'Pacific/Auckland');
  t.equal(roster.staffAt(5, at(14, 19, 30)), 42, 'Saturday morning there');
  t.equal(roster.staffAt(5, at(15, 8, 30)), null);
});

t.test('the configuration checks it', async (t) => {
  const file = join(t.testdir(), 'c.json');
  const load = (roster: unknown) => {
    writeFileSync(file, JSON.stringify({ staff: { roster } }));
    return loadConfig({ file, env: {}, cwd: '/' });
  };
  t.equal(load([{ camera_id: 5, staff_id: 42, from: '8:00', to: '16:00' }]).staff.roster.length, 1);
  for (const [bad, expected] of [
    [[{ camera_id: 5, staff_id: 42, from: '25:00', to: '16:00' }], /roster.*from: expected a time of day/], [[{ camera_id: 5, staff_id: 42, from: '08:00' }], /to: expected/], [[{ camera_id: 0, staff_id: 42, from: '08:00', to: '09:00' }], /camera_id: expected an integer from 1/],
    [[{ camera_id: 5, staff_id: 42, from: '08:00', to: '09:00', days: ['monday'] }], /days/], ['x', /roster: expected/], [[{ camera_id: 5, staff_id: 42, from: '08:00', to: '09:00', who: 1 }], /no such key/],
  ] as const) t.throws(() => load(bad), { code: 'CONFIG_INVALID', message: expected }, JSON.stringify(bad));
});
