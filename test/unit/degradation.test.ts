/** What is given up when the machine can't keep up: analysis rate before cameras, low priority before high, counted and visible, and given back. */
import t from 'tap';
import { allowance, Descent, Pace, rungs, type LadderCamera, type Load } from '../../src/cameras/ladder.js';
import type { CameraStatus } from '../../src/cameras/types.js';
import type { PoolStats } from '../../src/capture/types.js';
import { Degradation } from '../../src/degradation.js';

const CAMERAS: LadderCamera[] = [
  { camera_id: 1, priority: 9, fps: 6 },
  { camera_id: 2, priority: 5, fps: 6 },
  { camera_id: 3, priority: 5, fps: 0.5 },
  { camera_id: 4, priority: 2, fps: 6 },
];
const FULL = { min_fps: 1, pause_cameras: true };
const on = (rung: number, options = FULL): number[] => [...allowance(CAMERAS, rung, options).values()];

t.test('the ladder: rates of the least important first, then cameras, never the last one', async (t) => {
  t.equal(rungs(CAMERAS, FULL), 3 * 3 + 3);
  t.same([0, 1, 2, 3].map((rung) => on(rung)), [[6, 6, 0.5, 6], [6, 6, 0.5, 3], [6, 6, 0.5, 1.5], [6, 6, 0.5, 1]], 'priority 2');
  t.same(on(4), [6, 3, 0.5, 1], 'then priority 5; a camera that wants less than the least keeps what it wants');
  t.same(on(6), [6, 1, 0.5, 1]);
  t.same(on(9), [1, 1, 0.5, 1], 'the most important last');
  t.same([10, 11, 12].map((rung) => on(rung)), [[1, 1, 0.5, 0], [1, 1, 0, 0], [1, 0, 0, 0]], 'then cameras, the least important first');
  t.same(on(99), [1, 0, 0, 0], 'one always runs');
  t.same(on(99, { min_fps: 1, pause_cameras: false }), [1, 1, 0.5, 1]);
  t.equal(rungs([], FULL), 0);
  for (let rung = 1; rung <= 12; rung++) t.ok(on(rung).every((fps, camera) => fps <= (on(rung - 1)[camera] ?? 0)), `rung ${rung} gives nobody more`);
});

/** Looks with this share of 100 frames lost each; the rung after each. */
function descend(descent: Descent, shares: number[], top = 12, totals = { offered: 0, lost: 0 }): number[] {
  return shares.map((share) => {
    totals.offered += 100;
    totals.lost += Math.round(share * 100);
    return descent.look({ totals: { ...totals }, streaming: 4, behind: 0 }, top);
  });
}
const times = (n: number, share: number): number[] => Array.from({ length: n }, () => share);

t.test('a rung is taken when the load lasts, not for a moment', async (t) => {
  const totals = { offered: 0, lost: 0 };
  const descent = new Descent();
  t.same(descend(descent, [0, 0.3, 0.3, 0, 0.3, 0.3, 0.3], 12, totals), [0, 0, 0, 0, 0, 0, 1]);
  t.same(descend(descent, times(3, 0.9), 12, totals).at(-1), 3, 'two at a time when most is lost');
  t.same(descend(descent, times(300, 0.9), 5, totals).at(-1), 5, 'not beyond the last');
});

t.test('what was given up comes back, slower each time it was too early', async (t) => {
  const totals = { offered: 0, lost: 0 };
  const descent = new Descent();
  descend(descent, [0, ...times(6, 0.3)], 12, totals);
  t.equal(descent.rung, 2);
  const calm = descend(descent, times(40, 0), 12, totals);
  t.equal(calm.indexOf(1), 14, 'after half a minute of calm');
  t.equal(calm.at(-1), 0);
  const back = descend(descent, times(3, 0.3), 12, totals);
  t.equal(back.at(-1), 1, 'it was too early');
  t.equal(descend(descent, times(29, 0), 12, totals).at(-1), 1, 'so it waits twice as long');
  t.equal(descend(descent, times(2, 0), 12, totals).at(-1), 0);
  t.equal(descend(new Descent(), times(50, 0.05)).at(-1), 0, 'a few frames lost are no reason');
});

t.test('cameras that decode too little count as load only when it is many of them', async (t) => {
  const load = (behind: number): Load => ({ totals: { offered: 0, lost: 0 }, streaming: 4, behind });
  const one = new Descent();
  for (let i = 0; i < 20; i++) one.look(load(1), 12);
  t.equal(one.rung, 0);
  const half = new Descent();
  for (let i = 0; i < 3; i++) half.look(load(2), 12);
  t.equal(half.rung, 1);
  const pace = new Pace();
  t.equal(pace.behind([{ camera_id: 1, fps: 25 }, { camera_id: 2, fps: 6 }]), 0);
  t.equal(pace.behind([{ camera_id: 1, fps: 12 }, { camera_id: 2, fps: 6 }]), 1);
  for (let i = 0; i < 200; i++) pace.behind([{ camera_id: 1, fps: 12 }]);
  t.equal(pace.behind([{ camera_id: 1, fps: 12 }]), 0, 'a camera that was set to a lower rate is the measure after a while');
});

t.test('cameras are paused only when decoding is behind: where only inference is, the newest frames win', async (t) => {
  const totals = { offered: 0, lost: 0 };
  const look = (descent: Descent, behind: number): number => {
    totals.offered += 100;
    totals.lost += 90;
    return descent.look({ totals: { ...totals }, streaming: 4, behind }, 12, 9);
  };
  const descent = new Descent();
  for (let i = 0; i < 100; i++) look(descent, 0);
  t.equal(descent.rung, 9, 'every rate at its least');
  for (let i = 0; i < 4; i++) t.equal(look(descent, 4), 9);
  for (let i = 0; i < 4; i++) look(descent, 4);
  t.ok(descent.rung > 9);
});

t.test('it is said once a step, shown, and undone', async (t) => {
  const said: string[] = [];
  let allowed: number[] = [];
  const pool = { claimed: 0, no_slot: 0, superseded: 0 };
  const degradation = new Degradation({
    cameras: { statuses: () => [] as CameraStatus[], wanted: () => CAMERAS, allow: (given) => { allowed = [...given.values()]; } },
    poolStats: () => pool as PoolStats,
    ladder: () => ({ ...FULL, enabled: true }),
    log: { warn: (_fields, message) => said.push(`warn ${message}`), info: (_fields, message) => said.push(`info ${message}`) },
  });
  const look = (lost: number): void => {
    pool.claimed += 100;
    pool.superseded += lost;
    degradation.look();
  };
  look(0);
  for (let i = 0; i < 3; i++) look(30);
  t.same(allowed, [6, 6, 0.5, 3]);
  t.same(said, ["warn the machine can't keep up: 1 cameras are analysed less often, 0 are paused"]);
  t.same(degradation.snapshot(), { rung: 1, rungs: 12, lost_share: 0.3, slowed: [{ camera_id: 4, fps: 3, wanted_fps: 6 }], paused: [] });
  for (let i = 0; i < 15; i++) look(0);
  t.same(allowed, [6, 6, 0.5, 6]);
  t.equal(said.at(-1), 'info the machine keeps up: every camera has its rate again');
});
