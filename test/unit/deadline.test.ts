import t from 'tap';
import { batchWaitUs, MIN_WAIT_US, Percentiles, RateMeter, targetRows } from '../../src/inference/deadline.js';

const base = { target_rows: 16, arrival_rate: 600, utilisation: 1, service_p95_us: 20_000, budget_us: 270_000 };

t.test('the wait follows the time a batch needs to fill, scaled by utilisation', async (t) => {
  t.equal(batchWaitUs(base), Math.round((16 / 600) * 1e6));
  t.equal(batchWaitUs({ ...base, utilisation: 0.5 }), Math.round((8 / 600) * 1e6));
  t.equal(batchWaitUs({ ...base, utilisation: 0 }), MIN_WAIT_US, 'idle workers gain nothing from waiting');
});

t.test('the wait never eats the latency budget', async (t) => {
  t.equal(batchWaitUs({ ...base, arrival_rate: 1 }), (270_000 - 40_000) / 2, 'half of what two services leave');
  t.equal(batchWaitUs({ ...base, arrival_rate: 1, service_p95_us: 500_000 }), MIN_WAIT_US);
  t.equal(batchWaitUs({ ...base, arrival_rate: 0 }), MIN_WAIT_US);
});

t.test('the wait shrinks as more cameras come', async (t) => {
  let last = Infinity;
  for (const arrival_rate of [5, 50, 100, 300, 600, 1200]) {
    const wait = batchWaitUs({ ...base, arrival_rate });
    t.ok(wait <= last && wait >= MIN_WAIT_US && wait <= 115_000, `${arrival_rate}/s: ${wait} µs`);
    last = wait;
  }
});

t.test('a rate meter forgets what left its window', async (t) => {
  const meter = new RateMeter(4_000_000, 16);
  for (let us = 0; us < 8_000_000; us += 10_000) meter.add(us);
  t.ok(Math.abs(meter.perSecond(8_000_000) - 100) < 3, `100/s, not ${meter.perSecond(8_000_000)}`);
  t.equal(meter.perSecond(60_000_000), 0);
});

t.test('percentiles by nearest rank over the newest values', async (t) => {
  const p = new Percentiles(100);
  t.equal(p.read(0.5), null);
  for (let i = 1; i <= 1000; i++) p.add(i);
  t.same(p.read(0.01, 0.5, 0.95, 1), [901, 950, 995, 1000]);
});

t.test('a batch takes at most a third of the latency budget', async (t) => {
  t.equal(targetRows({ layout_rows: 16, row_us: 0, budget_us: 270_000 }), 16, 'nothing measured yet');
  t.equal(targetRows({ layout_rows: 16, row_us: 2_000, budget_us: 270_000 }), 16);
  t.equal(targetRows({ layout_rows: 16, row_us: 20_000, budget_us: 270_000 }), 4);
  t.equal(targetRows({ layout_rows: 16, row_us: 500_000, budget_us: 270_000 }), 1, 'never below one');
});
