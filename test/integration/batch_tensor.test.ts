/** The facts that the hand-over rests on: ONNX Runtime reads the pool's memory in a worker without a copy, and refuses shared memory. */
import { once } from 'node:events';
import t from 'tap';
import { Worker } from 'node:worker_threads';

import { loadCapture } from '../../src/capture/native.js';
import { nextBatch, pattern, smallPool } from '../fixtures/capture.js';

const addon = loadCapture();
const mean = (bytes: Uint8Array): number => bytes.reduce((sum, byte) => sum + byte, 0) / bytes.length;

t.test('tensors over the pool, made inside a worker', async (t) => {
  addon.openPool(smallPool);
  t.teardown(() => addon.close());
  for (let i = 0; i < 3; i++) addon.addCamera(pattern());
  const worker = new Worker(new URL('../fixtures/tensor_worker.js', import.meta.url));
  t.teardown(() => worker.terminate());
  await once(worker, 'message');
  const ask = async (task: { over: 'pool' | 'shared'; batch: number; rows: number }): Promise<{ means?: number[]; error?: string }> => {
    worker.postMessage(task);
    const [answer] = (await once(worker, 'message')) as [{ means?: number[]; error?: string }];
    return answer;
  };
  const { batch, rows } = await nextBatch(addon);
  const view = addon.batchTensor(batch, 0);
  const row_bytes = view.length / smallPool.rows;
  const expected = (): number[] => rows.map(({ row }) => mean(view.subarray(row * row_bytes, (row + 1) * row_bytes)));

  await t.test('the model sees what the camera wrote', async (t) => {
    const { means, error } = await ask({ over: 'pool', batch, rows: rows.length });
    t.equal(error, undefined);
    t.equal(means?.length, rows.length);
    for (const [i, value] of expected().entries()) t.ok(Math.abs((means?.[i] ?? 0) - value) < 0.01, `${means?.[i]} ~ ${value}`);
    t.ok(expected().every((value) => value > 10), 'and that is a picture');
  });

  await t.test('it is the same memory: a change here is seen there in the next run', async (t) => {
    view.fill(77, 0, row_bytes * rows.length);
    const { means } = await ask({ over: 'pool', batch, rows: rows.length });
    t.same(means, rows.map(() => 77));
  });

  await t.test('a tensor over a SharedArrayBuffer is refused', async (t) => {
    const { means, error } = await ask({ over: 'shared', batch, rows: 1 });
    t.equal(means, undefined);
    t.match(error, /invalid argument/i);
  });
  addon.releaseBatch(batch);
});
