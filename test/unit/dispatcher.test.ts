import t from 'tap';
import type { TakenBatch } from '../../src/capture/types.js';
import { Dispatcher, type DispatcherAddon } from '../../src/inference/dispatcher.js';
import type { FramesAnswer, WorkerAnswer, WorkerTask } from '../../src/inference/protocol.js';

/** A slot pool of numbers: batches become takeable when the test says so. */
class FakePool {
  ready: TakenBatch[] = [];
  released: number[] = [];
  signal: (() => void) | null = null;
  now = 1_000_000;
  readonly addon: DispatcherAddon = {
    onReady: (callback) => { this.signal = callback; },
    armReady: () => undefined,
    setTargetRows: () => undefined,
    monotonicUs: () => this.now,
    takeBatch: () => this.ready.shift() ?? null,
    releaseBatch: (batch) => { this.released.push(batch); },
    poolStats: () => ({
      claimed: 0, committed: 0, superseded: 0, no_slot: 0, aborted: 0, batches_taken: 0, rows_taken: 0, free: 0, filling: 0, ready: 0,
      in_use: 0, oldest_ready_us: 0, waiting_rows: 0, bytes: 0, forgotten: 0, rows_moved: 0, state_events_dropped: 0,
    }),
  };
  offer(batch: number): void {
    const row = { row: 0, camera: 1, generation: 1, seq: batch, pts_us: 0, packet_us: this.now - 5_000, wall_ms: 0, ready_us: this.now, width: 2, height: 2 };
    this.ready.push({ batch, rows: [row] });
    this.signal?.();
  }
}

class FakeWorkers {
  readonly tasks: { task: WorkerTask; resolve(answer: WorkerAnswer): void; reject(error: unknown): void }[] = [];
  constructor(readonly size: number) {}
  run = (task: WorkerTask): Promise<WorkerAnswer> =>
    new Promise((resolve, reject) => { this.tasks.push({ task, resolve, reject }); });
}

const frames = (): FramesAnswer => ({ kind: 'frames', frames: [], stage_us: {}, batches: {}, failures: [] });
const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setUp(size: number, onFrames: (a: FramesAnswer, b: TakenBatch) => Promise<void> = async () => undefined) {
  const pool = new FakePool();
  const workers = new FakeWorkers(size);
  const lost: number[] = [];
  const dispatcher = new Dispatcher({
    addon: pool.addon, workers, target_rows: 4, latency_budget_us: 270_000, slow_after_ms: 60_000, onSlow: () => undefined, onFrames,
    onLost: (batch) => lost.push(batch.batch),
  });
  dispatcher.start();
  return { pool, workers, dispatcher, lost };
}

t.test('no more batches are taken than there are free workers', async (t) => {
  const { pool, workers } = setUp(2);
  for (const n of [1, 2, 3]) pool.offer(n);
  t.equal(workers.tasks.length, 2);
  t.equal(pool.ready.length, 1, 'the third stays in the pool, where a newer frame may still replace its rows');
  workers.tasks[0]?.resolve(frames());
  await tick();
  t.equal(workers.tasks.length, 3);
});

t.test('a batch is released once, after its results were handled', async (t) => {
  let finish: () => void = () => undefined;
  const { pool, workers } = setUp(1, () => new Promise((resolve) => { finish = resolve; }));
  pool.offer(7);
  workers.tasks[0]?.resolve(frames());
  await tick();
  t.same(pool.released, [], 'evidence may still be cut');
  finish();
  await tick();
  t.same(pool.released, [7]);
});

t.test('a failing worker loses its batch loudly and only that', async (t) => {
  const { pool, workers, lost } = setUp(1);
  pool.offer(1);
  pool.offer(2);
  workers.tasks[0]?.reject(new Error('died'));
  await tick();
  t.same(lost, [1]);
  t.same(pool.released, [1]);
  workers.tasks[1]?.resolve(frames());
  await tick();
  t.same(pool.released, [1, 2]);
});

t.test('an exception in the handler releases the batch', async (t) => {
  const { pool, workers, lost } = setUp(1, () => Promise.reject(new Error('handler')));
  pool.offer(1);
  workers.tasks[0]?.resolve(frames());
  await tick();
  t.same(pool.released, [1]);
  t.same(lost, [1]);
});

t.test('sequence rows go before frames and come back under the keys of their askers', async (t) => {
  const { pool, workers, dispatcher } = setUp(1);
  pool.offer(1);
  const a = dispatcher.sequences([{ key: 41, kind: 'action', input: new Float32Array(1) }]);
  const b = dispatcher.sequences([{ key: 41, kind: 'anomaly', input: new Float32Array(1) }]);
  pool.offer(2);
  workers.tasks[0]?.resolve(frames());
  await tick();
  const task = workers.tasks[1]?.task;
  t.equal(task?.kind, 'sequences', 'before batch 2');
  t.same(task?.kind === 'sequences' && task.rows.map((row) => row.key), [0, 1], 'both askers in one run');
  workers.tasks[1]?.resolve({
    kind: 'sequences', stage_us: {}, batches: {}, failures: [],
    results: [{ key: 1, kind: 'anomaly', error: 0.5 }],
  });
  t.same(await a, [], 'no result for the first: absent, not invented');
  t.same(await b, [{ key: 41, kind: 'anomaly', error: 0.5 }]);
});

t.test('sequence rows beyond the bound are dropped and counted', async (t) => {
  const { dispatcher } = setUp(1);
  void dispatcher.sequences([{ key: 0, kind: 'action', input: new Float32Array(1) }]); // occupies the worker
  const rows = Array.from({ length: 1_100 }, (_, key) => ({ key, kind: 'action' as const, input: new Float32Array(1) }));
  void dispatcher.sequences(rows);
  t.equal(dispatcher.stats().sequence_dropped, 1_100 - 1_024);
  await dispatcher.stop(1);
});

t.test('stop takes nothing further, settles what waits and is bounded', async (t) => {
  const { pool, workers, dispatcher } = setUp(1);
  pool.offer(1);
  const waiting = dispatcher.sequences([{ key: 1, kind: 'action', input: new Float32Array(1) }]);
  const stopped = dispatcher.stop(60_000);
  t.same(await waiting, []);
  pool.offer(2);
  workers.tasks[0]?.resolve(frames());
  await stopped;
  t.equal(workers.tasks.length, 1, 'batch 2 was not taken');
  t.same(pool.released, [1]);
});
