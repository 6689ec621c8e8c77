import t from 'tap';
import type { CaptureAddon, TakenBatch } from '../../src/capture/types.js';
import { Dispatcher } from '../../src/inference/dispatcher.js';
import type { WorkerAnswer, WorkerTask } from '../../src/inference/protocol.js';
import type { StillResult } from '../../src/inference/results.js';
import { StillLane, STILLS_A_TASK, STILLS_WAITING_MAX } from '../../src/inference/still_lane.js';

const FILE = new Uint8Array([1]);
const SEEN: StillResult = { ok: true, width: 1, height: 1, faces: [], nearest: -1, light: { mean: 0, spread: 0, lost: 0 } };
const codeOf = (result: StillResult) => (result.ok ? 'ok' : result.code);

t.test('the lane is bounded in number and in time, and says so', async (t) => {
  let now = 0;
  const lane = new StillLane(() => now);
  const waiting = Array.from({ length: STILLS_WAITING_MAX }, () => lane.push(FILE));
  t.equal(codeOf(await lane.push(FILE)), 'busy', 'one too many');
  const first = lane.take();
  t.equal(first.length, STILLS_A_TASK);
  lane.answer(first, [SEEN, SEEN, SEEN]);
  t.same((await Promise.all(waiting.slice(0, STILLS_A_TASK))).map(codeOf), ['ok', 'ok', 'ok', 'unavailable'], 'a picture without a result is not left waiting');
  now = 5_000_000;
  t.same(lane.take(), [], 'those that waited too long are not worth a worker');
  t.equal(codeOf(await (waiting.at(-1) as Promise<StillResult>)), 'busy');
  lane.stop();
  t.equal(codeOf(await lane.push(FILE)), 'unavailable');
  t.same(lane.stats().dropped, { full: 1, late: STILLS_WAITING_MAX - STILLS_A_TASK, failed: 1, stopped: 1 });
});

t.test('a pipeline that always has a batch leaves every other turn to pictures', async (t) => {
  const order: string[] = [];
  const batch: TakenBatch = { batch: 0, rows: [] };
  const addon = {
    takeBatch: () => batch, releaseBatch: () => undefined, armReady: () => undefined, onReady: () => undefined, setTargetRows: () => undefined,
    poolStats: () => ({ oldest_ready_us: 0 }), monotonicUs: () => performance.now() * 1000,
  } as unknown as Pick<CaptureAddon, 'takeBatch' | 'releaseBatch' | 'armReady' | 'onReady' | 'poolStats' | 'setTargetRows' | 'monotonicUs'>;
  const run = async (task: WorkerTask): Promise<WorkerAnswer> => {
    order.push(task.kind);
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (task.kind === 'stills') return { kind: 'stills', results: task.files.map(() => SEEN), stage_us: {}, batches: {}, failures: [] };
    return { kind: 'frames', frames: [], stage_us: {}, batches: {}, failures: [] };
  };
  const dispatcher = new Dispatcher({
    addon, workers: { run, size: 1 }, target_rows: 1, latency_budget_us: 1e6, slow_after_ms: 1e6, onSlow: () => undefined, onFrames: async () => undefined, onLost: () => undefined,
  });
  dispatcher.start();
  const results = await Promise.all(Array.from({ length: 5 * STILLS_A_TASK }, () => dispatcher.still(FILE)));
  await dispatcher.stop(1000);
  t.ok(results.every((result) => result.ok));
  const upToLast = order.slice(order.indexOf('stills'), order.lastIndexOf('stills') + 1);
  t.same(upToLast, upToLast.map((_, index) => (index % 2 === 0 ? 'stills' : 'frames')), 'in turns');
});
