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
  const waiting = Array.from({ length: STILLS_WAITING_MAX }, () => lane.push(FILE, 'one'));
  t.equal(codeOf(await lane.push(FILE, 'one')), 'busy', 'one too many');
  const first = lane.take();
  t.equal(first.length, STILLS_A_TASK);
  lane.answer(first, [SEEN, SEEN, SEEN]);
  t.same((await Promise.all(waiting.slice(0, STILLS_A_TASK))).map(codeOf), ['ok', 'ok', 'ok', 'unavailable'], 'a picture without a result is not left waiting');
  now = 5_000_000;
  t.same(lane.take(), [], 'those that waited too long are not worth a worker');
  t.equal(codeOf(await (waiting.at(-1) as Promise<StillResult>)), 'busy');
  lane.stop();
  t.equal(codeOf(await lane.push(FILE, 'one')), 'unavailable');
  t.same(lane.stats().dropped, { full: 1, late: STILLS_WAITING_MAX - STILLS_A_TASK, failed: 1, stopped: 1 });
});

t.test('people share the lane: who fills it is turned away for those who come later', async (t) => {
  const lane = new StillLane(() => 0);
  const answers: Record<string, string[]> = {};
  const push = (person: string, count: number): void => {
    for (let n = 0; n < count; n++) void lane.push(FILE, person).then((result) => { (answers[person] ??= []).push(codeOf(result)); });
  };
  const settled = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });
  push('greedy', 3 * STILLS_WAITING_MAX);
  push('modest', 5);
  push('second', 5);
  await settled();
  t.equal(lane.waiting, STILLS_WAITING_MAX, 'as many as ever');
  t.same([answers.greedy?.length, answers.modest, answers.second], [2 * STILLS_WAITING_MAX + 10, undefined, undefined], 'only the greedy one is turned away');
  push('greedy', 1);
  await settled();
  t.equal(answers.greedy?.length, 2 * STILLS_WAITING_MAX + 11, 'who has the most makes no room for themselves');
  const tasks = [lane.take(), lane.take()];
  for (const task of tasks) lane.answer(task, task.map(() => SEEN));
  await settled();
  t.same([answers.modest, answers.second], [['ok', 'ok', 'ok'], ['ok', 'ok']], 'in turns: two tasks of four are three, three and two of each');
  t.equal(answers.greedy?.filter((code) => code === 'ok').length, 3);
  // Everybody greedy: equal shares, whoever came first.
  const people = Array.from({ length: 8 }, (_, n) => `p${n}`);
  const crowd = new StillLane(() => 0);
  const files = new Map(people.map((person, n) => [person, new Uint8Array([n])]));
  for (const [person, file] of files) for (let n = 0; n < STILLS_WAITING_MAX; n++) void crowd.push(file, person);
  const served = new Map<Uint8Array, number>();
  while (crowd.waiting > 0) for (const { file } of crowd.take()) served.set(file, (served.get(file) ?? 0) + 1);
  const shares = [...served.values()];
  t.equal(shares.reduce((sum, share) => sum + share, 0), STILLS_WAITING_MAX);
  t.ok(shares.length === 8 && Math.max(...shares) - Math.min(...shares) <= 2, `shares: ${shares.join(', ')}`);
  lane.stop();
  await settled();
  t.equal(lane.waiting, 0);
  t.equal(answers.modest?.length, 5, 'nobody is left without an answer');
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
  const results = await Promise.all(Array.from({ length: 5 * STILLS_A_TASK }, () => dispatcher.still(FILE, 'one')));
  await dispatcher.stop(1000);
  t.ok(results.every((result) => result.ok));
  const upToLast = order.slice(order.indexOf('stills'), order.lastIndexOf('stills') + 1);
  t.same(upToLast, upToLast.map((_, index) => (index % 2 === 0 ? 'stills' : 'frames')), 'in turns');
});
