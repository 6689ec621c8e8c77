/** Inference worker of the hand-over bench: the smallest ONNX model over the first input tensor of the batch, nothing else. */
import * as ort from 'onnxruntime-node';
import { workerData } from 'node:worker_threads';
import { loadCapture } from '../../src/capture/native.js';
import type { WorkerAnswer, WorkerTask } from '../../src/inference/protocol.js';

const { file, input, width, height } = workerData as { file: string; input: number; width: number; height: number };
const addon = loadCapture();
const session = await ort.InferenceSession.create(file, { intraOpNumThreads: 1, extra: { session: { intra_op: { allow_spinning: '0' } } } });

export default async function answer(task: WorkerTask): Promise<WorkerAnswer> {
  if (task.kind !== 'frames') throw new Error(`expected frames, received ${task.kind}`);
  const items = task.rows.length;
  const tensor = addon.batchTensor(task.batch, input).subarray(0, items * width * height * 3);
  const { mean } = await session.run({ image: new ort.Tensor('uint8', tensor, [items, height, width, 3]) });
  const values = mean?.data as Float32Array;
  if (values.length !== items || !values.every((value) => value > 0 && value < 255)) throw new Error(`means of the frames: ${String(values)}`);
  return { kind: 'frames', frames: [], stage_us: {}, batches: {}, failures: [] };
}
