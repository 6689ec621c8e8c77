import t from 'tap';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { batchSizes, candidates, cheapestBatch, choose, frameCost, loadLayout, measureCandidates, saveLayout } from '../../src/inference/layout.js';
import type { Candidate, RunTimes } from '../../src/inference/layout.js';

const times = (entries: Record<number, number>): RunTimes => new Map(Object.entries(entries).map(([k, v]) => [Number(k), v]));

t.test('workers × threads never exceed the cores', async (t) => {
  for (const cores of [1, 2, 3, 4, 6, 8, 16, 64]) {
    const list = candidates('cpu', cores);
    t.ok(list.length >= 1);
    for (const { workers, threads } of list) t.ok(workers * threads <= cores, `${workers}×${threads} of ${cores}`);
  }
  t.same(candidates('cpu', 2), [{ workers: 2, threads: 1 }, { workers: 1, threads: 2 }]);
  t.same(candidates('cuda', 1), [{ workers: 1, threads: 1 }]);
});

t.test('a batch must pay for its latency', async (t) => {
  t.equal(cheapestBatch(times({ 1: 1000, 2: 2000, 4: 4000 })), 1, 'no gain: single frames');
  t.equal(cheapestBatch(times({ 1: 1000, 2: 1990, 4: 3960 })), 1, 'a gain below 3 % does not count');
  t.equal(cheapestBatch(times({ 1: 1000, 2: 1200, 4: 1600, 16: 9000 })), 4);
  t.same(batchSizes(16), [1, 2, 4, 8, 16]);
  t.same(batchSizes(6), [1, 2, 4, 6]);
});

t.test('the cheapest frame wins over candidates and batch sizes', async (t) => {
  const networks = [
    { id: 'object', items_per_frame: 1, max_batch: 16 },
    { id: 'iris', items_per_frame: 2, max_batch: 16 },
  ];
  const slow = { candidate: { workers: 1, threads: 2 }, times: new Map([['object', times({ 1: 18_000 })], ['iris', times({ 1: 600, 2: 900 })]]) };
  const fast = { candidate: { workers: 2, threads: 1 }, times: new Map([['object', times({ 1: 25_000, 2: 60_000 })], ['iris', times({ 1: 700, 2: 800 })]]) };
  const chosen = choose(networks, [slow, fast], 16);
  t.same(chosen.candidate, { workers: 2, threads: 1 });
  t.same(chosen.networks, { object: { batch: 1, threads: 1 }, iris: { batch: 2, threads: 1 } });
  t.equal(chosen.target_rows, 1, 'two irises of one frame already fill their batch');
  t.equal(chosen.frame_us, (25_000 + 800) / 2);
  t.equal(frameCost(networks, fast.times, new Map([['object', 1], ['iris', 1]]), 1), 25_000 + 2 * 700);
});

t.test('a network that gains from batches raises the target', async (t) => {
  const gpu = { candidate: { workers: 1, threads: 1 }, times: new Map([['object', times({ 1: 4000, 2: 4200, 4: 4600, 8: 5600, 16: 8000 })]]) };
  t.equal(choose([{ id: 'object', items_per_frame: 1, max_batch: 16 }], [gpu], 16).target_rows, 16);
});

t.test('measuring stops early when a batch size gets worse and when its time is up', async (t) => {
  let now = 0;
  const asked: string[] = [];
  const deps = {
    now_ms: () => now,
    limit_ms: 1000,
    open: async (c: Candidate) => ({
      measure: async (network: string, batch: number): Promise<number> => {
        asked.push(`${c.workers}:${network}:${batch}`);
        now += 300;
        return network === 'a' ? batch * batch * 100 : batch * 100;
      },
      close: async () => undefined,
    }),
  };
  const out = await measureCandidates(
    [{ id: 'a', items_per_frame: 1, max_batch: 16 }, { id: 'b', items_per_frame: 1, max_batch: 1 }],
    [{ workers: 2, threads: 1 }, { workers: 1, threads: 2 }], 16, deps,
  );
  t.same(asked.slice(0, 3), ['2:a:1', '2:a:2', '2:b:1'], 'a gets worse at 2; b has a fixed batch');
  t.equal(out.length, 2);
  t.ok(out.every((entry) => entry.times.get('a')?.has(1) && entry.times.get('b')?.has(1)), 'batch 1 is measured for each, whatever the limit');
});

t.test('a layout is kept for its key only', async (t) => {
  const dir = await mkdtemp(path.join(tmpdir(), 'layout-'));
  t.teardown(() => rm(dir, { recursive: true }));
  const file = path.join(dir, 'sub', 'layout.json');
  const layout = { key: 'k1', workers: 2, target_rows: 4, networks: { object: { batch: 1, threads: 1 } }, frame_us: 1, measured_at: '2026-01-01T00:00:00.000Z' };
  t.equal(await loadLayout(file, 'k1'), null);
  await saveLayout(file, layout);
  t.same(await loadLayout(file, 'k1'), layout);
  t.equal(await loadLayout(file, 'k2'), null);
  await writeFile(file, '{"key":"k1","workers":0');
  t.equal(await loadLayout(file, 'k1'), null, 'a damaged file is measured again');
});
