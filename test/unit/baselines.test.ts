import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { seeded } from '../../models/action/random.js';
import { DEVIATION_FLOOR } from '../../src/analysis/baseline.js';
import { medianAndDeviation } from '../../src/analysis/window.js';
import { Baselines, type BaselinesOptions } from '../../src/baselines/baselines.js';
import { createDays } from '../../src/baselines/days.js';
import { BINS, Histogram } from '../../src/baselines/histogram.js';
import { Profile } from '../../src/baselines/profile.js';
import { createRepository } from '../../src/baselines/repository.js';
import type { BaselineSummary, Observation } from '../../src/baselines/types.js';
import { baselineBody } from '../../src/delivery/build.js';
import { createDelivery } from '../../src/delivery/delivery.js';
import { payloadCheck } from '../../src/delivery/payloads.js';
import { openStore, type StoreTransaction } from '../../src/store/store.js';
import { createVault } from '../../src/store/vault.js';
import { SETTINGS } from '../fixtures/delivery_world.js';

const quiet = { info: () => undefined, warn: () => undefined };
const DAY_MS = 86_400_000;
const START = Date.UTC(2025, 10, 14, 8);

const seen = (wall_ms: number, stress: number): Observation => ({ wall_ms, indicators: { stress }, signals: { fidgeting: 0.5 }, emotions: { happy: 0.25, sad: 0.5 } });

interface World {
  baselines: Baselines;
  updates: BaselineSummary[];
  unreadable: () => number;
  /** Samples of one a second. */
  feed: (subject: `staff:${number}` | `camera:${number}`, from_ms: number, count: number, value?: (n: number) => number) => void;
}

async function world(t: Test, file: string, more: Partial<BaselinesOptions> = {}, key = 1): Promise<World> {
  const store = await openStore({ file, log: quiet });
  t.teardown(() => store.close());
  let unreadable = 0;
  const updates: BaselineSummary[] = [];
  const repository = createRepository(store.db, createVault(Buffer.alloc(32, key)), () => { unreadable += 1; });
  const baselines = new Baselines({
    repository, days: 30, needed: 60, subjects_max: 8, bytes_max: 1e9, timezone: 'UTC', log: quiet, ...more,
    onUpdate: more.onUpdate ?? (async (summary, told) => {
      updates.push(summary);
      await store.db.transaction().execute(told);
      return 'stored';
    }),
  });
  return {
    baselines, updates, unreadable: () => unreadable,
    feed(subject, from_ms, count, value = () => 0.3) {
      for (let n = 0; n < count; n += 1) baselines.take(subject, seen(from_ms + n * 1000, value(n)));
    },
  };
}

t.test('a histogram’s median and deviation are those of the values, to a bin', async (t) => {
  const random = seeded(7);
  for (const shape of [() => random.next(), () => random.next() ** 3, () => random.between(0.4, 0.5), () => (random.chance(0.3) ? 0 : 0.9)]) {
    const values = Array.from({ length: 5_000 }, shape);
    const histogram = new Histogram();
    for (const value of values) histogram.add(value);
    const [own, exact] = [histogram.robust() as { median: number; deviation: number }, medianAndDeviation(values)];
    t.ok(Math.abs(own.median - exact.median) <= 1.01 / BINS, `median ${own.median} ≈ ${exact.median}`);
    t.ok(Math.abs(own.deviation - exact.deviation) <= 3 / BINS, `deviation ${own.deviation} ≈ ${exact.deviation}`);
    t.same(Histogram.from(JSON.parse(JSON.stringify(histogram)))?.robust(), histogram.robust());
  }
  t.equal(new Histogram().robust(), undefined);
  for (const bad of [null, [1], [0, 0], [64, 1], [0, 1.5], [-1, 1], ['0', 1], Array(200).fill(1)]) t.equal(Histogram.from(bad), undefined);
});

t.test('a profile merges, survives JSON, and takes no unknown names', async (t) => {
  const [a, b] = [new Profile(), new Profile()];
  a.sample({ ...seen(0, 0.2), emotions: { happy: 1, ['x'.repeat(99)]: 1, ...Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`label_${n}`, 0.5])) } });
  b.sample(seen(0, 0.2));
  b.sample({ wall_ms: 0, indicators: { stress: NaN }, signals: {} });
  a.merge(b);
  t.equal(a.samples, 3);
  t.equal(a.count('stress'), 2);
  t.ok(a.names.length <= 4 + 12 + 16, 'bounded');
  t.same(Profile.from(JSON.parse(JSON.stringify(a)))?.robust('fidgeting'), a.robust('fidgeting'));
  t.ok(Math.abs((a.robust('fidgeting')?.median ?? 0) - 0.5) < 3 / BINS, 'in its own unit');
  for (const bad of [null, {}, { version: 2 }, { version: 1, frames: 1, samples: 1, metrics: { stress: [1] } }, { version: 1, frames: -0.5, samples: 1, metrics: {} }]) t.equal(Profile.from(bad), undefined);
});

t.test('warm-up says nothing, then deviations in robust terms', async (t) => {
  const { baselines, feed } = await world(t, join(t.testdir(), 'a.db'));
  feed('staff:42', START, 59, (n) => 0.3 + 0.02 * (n % 3));
  await baselines.tick(START);
  t.equal(baselines.deviation('staff:42', 'stress', 0.9), undefined);
  t.match(baselines.state('staff:42'), { state: 'learning', samples: 59, needed: 60, days: 1 });
  feed('staff:42', START + 59_000, 61);
  t.match(baselines.state('staff:42'), { state: 'ready' });
  const deviation = baselines.deviation('staff:42', 'stress', 0.3 + 4 * DEVIATION_FLOOR + 0.01) as number;
  t.ok(Math.abs(deviation - 0.5) < 0.1, `four deviations above: ${deviation}`);
  t.equal(baselines.deviation('staff:42', 'stress', 0.1), 0, 'below the median');
  t.equal(baselines.deviation('staff:42', 'anxiety', 0.9), undefined, 'never measured');
  t.equal(baselines.deviation('staff:43', 'stress', 0.9), undefined, 'somebody else');
});

t.test('days roll over, are kept so long as they count, and are told once', async (t) => {
  const { baselines, feed, updates } = await world(t, join(t.testdir(), 'a.db'), { days: 3 });
  for (let day = 0; day < 6; day += 1) {
    for (let hour = 0; hour < 4; hour += 1) {
      feed('staff:42', START + day * DAY_MS + hour * 3_600_000, 30, () => 0.1 * (day + 1));
      feed('camera:7', START + day * DAY_MS + hour * 3_600_000, 30);
      for (let tick = 0; tick < 6; tick += 1) await baselines.tick(START + day * DAY_MS + hour * 3_600_000 + tick * 600_000);
    }
  }
  t.same(updates.map(({ staff_id, period_start, period_end }) => [staff_id, period_start, period_end]), [[42, '2025-11-14', '2025-11-14'], [42, '2025-11-14', '2025-11-15'], [42, '2025-11-14', '2025-11-16'], [42, '2025-11-15', '2025-11-17'], [42, '2025-11-16', '2025-11-18']], 'once a day, of the days before, persons only');
  t.match(baselines.state('staff:42'), { days: 3, samples: 360 });
  await baselines.stop(START + 6 * DAY_MS);
  t.match(await baselines.status(), { subjects: 2, days: 8, updates: 5, last_day: '2025-11-19' });
  const [first] = updates as [BaselineSummary];
  const body = baselineBody(first);
  t.same(payloadCheck()(body), { result_type: 'baseline_update' });
  t.ok(Math.abs((body.baseline_data.emotions?.['stress_median'] ?? 0) - 0.1) < 0.02);
  t.match(body, { staff_id: 42, period_start: '2025-11-14', baseline_data: { total_frames: 120, movement: { fidgeting_median: Number }, emotions: { emotion_sad_median: Number } } });
});

t.test('a restart loses nothing that was kept, and tells nothing twice', async (t) => {
  const file = join(t.testdir(), 'a.db');
  const first = await world(t, file);
  first.feed('staff:42', START, 50);
  await first.baselines.tick(START);
  await first.baselines.stop(START + 60_000);
  const second = await world(t, file);
  second.feed('staff:42', START + 120_000, 50);
  await second.baselines.tick(START + 200_000);
  t.match(second.baselines.state('staff:42'), { samples: 100, state: 'ready' }, 'the same day goes on');
  await second.baselines.stop(START + 200_000);
  const third = await world(t, file);
  third.feed('staff:42', START + DAY_MS, 10);
  await third.baselines.tick(START + DAY_MS);
  t.match(third.updates, [{ staff_id: 42, samples: 100, frames: 100 }], 'missed at midnight, told at the start');
  const fourth = await world(t, file);
  await fourth.baselines.tick(START + DAY_MS + 3_600_000);
  t.same(fourth.updates, []);
  third.feed('staff:42', START + DAY_MS + 10_000, 10);
  await third.baselines.stop(START + DAY_MS);
  for (const name of readdirSync(dirname(file))) t.notMatch(readFileSync(join(dirname(file), name), 'latin1'), /fidgeting|emotion_sad/, `${name} is encrypted`);
  const stranger = await world(t, file, {}, 2);
  stranger.feed('staff:42', START + DAY_MS, 5);
  await stranger.baselines.tick(START + DAY_MS + 7_200_000);
  t.ok(stranger.unreadable() >= 1, 'another key');
  t.match(stranger.baselines.state('staff:42'), { state: 'learning', samples: 5 });
});

t.test('an update that could not be stored is offered again', async (t) => {
  let refuse = true;
  let offers = 0;
  const { baselines, feed } = await world(t, join(t.testdir(), 'a.db'), {
    onUpdate: async () => { offers += 1; return refuse ? 'later' : 'unwanted'; },
  });
  feed('staff:1', START, 5);
  await baselines.tick(START);
  await baselines.tick(START + DAY_MS);
  await baselines.tick(START + DAY_MS + 10_000);
  t.equal(offers, 2);
  refuse = false;
  await baselines.tick(START + DAY_MS + 20_000);
  await baselines.tick(START + DAY_MS + 30_000);
  t.equal(offers, 3);
});

t.test('a death between the outbox and what comes after it tells no day twice', async (t) => {
  const file = join(t.testdir(), 'a.db');
  const outbox = await openStore({ file, log: quiet });
  t.teardown(() => outbox.close());
  const rows = () => outbox.db.selectFrom('outbox').select(['idempotency_key', 'result_type']).execute();
  const marks = () => outbox.db.selectFrom('baseline_subjects').selectAll().execute();
  // What `end` throws stands for the death of the process at that point.
  const life = async (at_ms: number, end: 'before the commit' | 'after the commit' | 'never'): Promise<void> => {
    const store = await openStore({ file, log: quiet });
    const delivery = createDelivery({ store, settings: { ...SETTINGS, php_system: { ...SETTINGS.php_system, callback_url: 'http://127.0.0.1:9/' } }, log: { ...quiet, error: () => undefined } });
    await delivery.start();
    const { baselines, feed } = await world(t, file, {
      onUpdate: async (summary, told) => {
        const companion = end !== 'before the commit' ? told : async (within: StoreTransaction) => {
          await told(within);
          throw new Error('died');
        };
        const result = await delivery.enqueue(baselineBody(summary), { camera_id: null, kind: 'baseline_update', companion });
        if (end !== 'never') throw new Error('died');
        return result.stored ? 'stored' : 'later';
      },
    });
    if (at_ms === START) feed('staff:42', START, 5);
    await baselines.tick(at_ms).catch((error: Error) => t.equal(error.message, 'died'));
    await baselines.stop(at_ms).catch(() => undefined);
    await delivery.stop(100);
    await store.close();
  };
  await life(START, 'never');
  t.same(await rows(), [], 'the first day is not over');
  await life(START + DAY_MS, 'before the commit');
  t.same([await rows(), await marks()], [[], []], 'neither of the two');
  await life(START + DAY_MS, 'after the commit');
  t.match([await rows(), await marks()], [[{ result_type: 'baseline_update' }], [{ subject: 'staff:42', sent_day: '2025-11-14' }]], 'both');
  const [{ idempotency_key } = { idempotency_key: '' }] = await rows();
  for (let again = 1; again <= 3; again += 1) await life(START + DAY_MS + again, 'never');
  t.same((await rows()).map((row) => row.idempotency_key), [idempotency_key], 'one row, one key');
});

t.test('memory and disk are bounded', async (t) => {
  const { baselines, feed } = await world(t, join(t.testdir(), 'a.db'), { bytes_max: 3_000 });
  for (let id = 1; id <= 20; id += 1) feed(`camera:${id}`, START, 20);
  t.equal((await baselines.status()).in_memory, 8);
  t.equal((await baselines.status()).dropped, 12 * 20);
  await baselines.tick(START + 1_000);
  t.ok((await baselines.status()).in_memory < 8, 'room was made');
  for (let day = 1; day < 12; day += 1) {
    feed('camera:99', START + day * DAY_MS, 20, (n) => n / 20);
    await baselines.tick(START + day * DAY_MS);
  }
  t.ok((await baselines.status()).bytes <= 3_000 + 1_000, 'the oldest days went');
});

t.test('a day is a day of the receiver’s zone, also with a clock change or a clock set back', async (t) => {
  const days = createDays('Pacific/Auckland');
  t.equal(days.of(Date.UTC(2025, 10, 14, 10, 59)), '2025-11-14');
  t.equal(days.of(Date.UTC(2025, 10, 14, 11, 0)), '2025-11-15');
  t.equal(days.of(Date.UTC(2025, 3, 5, 11, 30)), '2025-04-06', 'the day of 25 hours');
  t.equal(days.of(Date.UTC(2025, 3, 6, 11, 30)), '2025-04-06');
  t.equal(days.of(Date.UTC(2025, 3, 6, 12, 0)), '2025-04-07');
  t.equal(days.before('2025-03-01', 1), '2025-02-28');
  const { baselines, feed } = await world(t, join(t.testdir(), 'a.db'));
  feed('staff:1', START, 10);
  await baselines.tick(START);
  feed('staff:1', START - DAY_MS, 10);
  await baselines.tick(START - DAY_MS);
  feed('staff:1', START + 20_000, 10);
  await baselines.tick(START + 30_000);
  await baselines.tick(START + 40_000);
  t.match(baselines.state('staff:1'), { samples: 30, days: 2 });
});
