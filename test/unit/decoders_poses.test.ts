import t from 'tap';
import { irisDecoder, labelDecoder, meshDecoder, poseDecoder } from '../../src/inference/decoders/index.js';
import { sigmoid, softmax } from '../../src/inference/decoders/tensors.js';
import type { DecoderContext } from '../../src/inference/decoders/types.js';

const context = (params: Record<string, unknown> = {}, width = 192, height = 192): DecoderContext => ({ width, height, params });
const one = (data: ArrayLike<number>, ...dims: number[]) => ({ data: Float32Array.from(data), dims });
const near = (a: number | undefined, b: number, eps = 1e-5) => Math.abs((a ?? NaN) - b) <= eps;

t.test('sigmoid and softmax at the ends of the range', async (t) => {
  t.equal(sigmoid(-1e4), 0);
  t.equal(sigmoid(1e4), 1);
  t.equal(sigmoid(0), 0.5);
  t.ok(Number.isNaN(sigmoid(NaN)));
  t.same(softmax([1000, 1000]), [0.5, 0.5]);
  t.ok(near(softmax([0, Math.log(3)])[1], 0.75));
});

t.test('MoveNet: y, x, score of 17 points', async (t) => {
  const rows = new Float32Array(51);
  rows.set([0.25, 0.5, 0.9], 0);
  for (let n = 1; n < 17; n++) rows.set([0.5, 0.5, n < 5 ? 0.5 : 0.05], 3 * n);
  const decode = poseDecoder('movenet');
  const [pose] = decode({ keypoints: one(rows, 1, 17, 3) }, 0, context());
  t.same([...(pose?.keypoints.slice(0, 2) ?? [])], [96, 48]);
  t.ok(near(pose?.score, (0.9 + 4 * 0.5) / 5), 'mean over the points that are seen');
  t.equal(decode({ any: one(rows, 1, 1, 17, 3) }, 0, context()).length, 1, 'with the axis of the original too');
  t.same(decode({ keypoints: one(new Float32Array(51), 1, 17, 3) }, 0, context()), [], 'nobody');
  t.same(decode({ keypoints: one(new Float32Array(51).fill(NaN), 1, 17, 3) }, 0, context()), [], 'NaN is nobody');
  t.throws(() => decode({ keypoints: one(new Float32Array(48), 1, 16, 3) }, 0, context()), { code: 'MODEL_OUTPUT_SHAPE', message: /\[batch, 17, 3\] or \[batch, 1, 17, 3\], got \[1, 16, 3\]/ });
});

t.test('MoveNet multi pose: the sure ones, the surest first', async (t) => {
  const row = (score: number, x: number) => [...Array.from({ length: 17 }, () => [0.5, x, 0.8]).flat(), 0, 0, 1, 1, score];
  const poses = poseDecoder('movenet_multipose')({ output_0: one([...row(0.3, 0.25), ...row(0.9, 0.5), ...row(0.1, 0.75)], 1, 3, 56) }, 0, context());
  t.same(poses.map(({ score, keypoints }) => [Math.round(score * 10) / 10, keypoints[0]]), [[0.9, 96], [0.3, 48]]);
});

t.test('heat maps: peak, a quarter towards the larger neighbour', async (t) => {
  const [width, height] = [8, 6];
  const maps = new Float32Array(17 * width * height);
  const put = (n: number, x: number, y: number, value: number) => { maps[(n * height + y) * width + x] = value; };
  for (let n = 0; n < 17; n++) put(n, 3, 2, 0.9);
  put(0, 4, 2, 0.5);
  put(0, 2, 2, 0.2);
  put(0, 3, 1, 0.4);
  const decode = poseDecoder('coco_heatmaps');
  const [pose] = decode({ heatmaps: one(maps, 1, 17, height, width) }, 0, context({}, 64, 48));
  t.ok(near(pose?.keypoints[0], (3 + 0.5 + 0.25) * 8) && near(pose?.keypoints[1], (2 + 0.5 - 0.25) * 8));
  t.ok(near(pose?.keypoints[3], 3.5 * 8) && near(pose?.score, 0.9));
  const last = new Float32Array(maps.length);
  for (let n = 0; n < 17; n++) for (let cell = 0; cell < width * height; cell++) last[cell * 17 + n] = maps[n * width * height + cell] as number;
  const [other] = decode({ heatmaps: one(last, 1, height, width, 17) }, 0, context({ channels_last: true }, 64, 48));
  t.same([...(other?.keypoints ?? [])], [...(pose?.keypoints ?? [])]);
  t.same(decode({ heatmaps: one(new Float32Array(maps.length), 1, 17, height, width) }, 0, context()), [], 'flat maps are nobody');
  t.throws(() => decode({ heatmaps: one(maps, 1, 17, height, width) }, 0, context({ channels_last: true })), { code: 'MODEL_OUTPUT_SHAPE' });
});

t.test('YOLOv8 pose in both orders', async (t) => {
  const row = (score: number, x: number) => [x, 50, 20, 40, score, ...Array.from({ length: 17 }, (_, n) => [x + n, 50, 0.7]).flat()];
  const rows = [row(0.9, 60), row(0.8, 61), row(0.5, 120)];
  const fields = Array.from({ length: 56 }, (_, field) => rows.map((values) => values[field] as number)).flat();
  for (const output of [one(fields, 1, 56, 3), one(rows.flat(), 1, 3, 56)]) {
    const poses = poseDecoder('yolov8_pose')({ output0: output }, 0, context());
    t.same(poses.map(({ score, keypoints }) => [Math.round(score * 10) / 10, keypoints[3]]), [[0.9, 61], [0.5, 121]]);
  }
});

t.test('labels: probabilities as they are, logits through a softmax', async (t) => {
  const decode = labelDecoder('softmax');
  const labels = ['a', 'b', 'c'];
  t.same(decode({ probabilities: one([0.25, 0.5, 0.25], 1, 3) }, 0, context({ labels })), { a: 0.25, b: 0.5, c: 0.25 });
  const logits = decode({ any: one([0, Math.log(2), 0], 1, 3) }, 0, context({ labels }));
  t.ok(near(logits['b'], 0.5) && near(Object.values(logits).reduce((sum, p) => sum + p, 0), 1));
  t.ok(near(decode({ any: one([0.25, 0.5, 0.25], 1, 3) }, 0, context({ labels, values: 'logits' }))['b'], 0.3910, 1e-3), 'when the manifest says so');
  t.same(decode({ any: one([0, NaN, 0], 1, 3) }, 0, context({ labels })), {}, 'NaN says nothing');
  t.same(decode({ any: one([0, 0, 0], 1, 3) }, 0, context({ labels, values: 'probabilities' })), {}, 'no mass says nothing');
  t.throws(() => decode({ any: one([1, 2], 1, 2) }, 0, context({ labels })), { code: 'MODEL_OUTPUT_SHAPE', message: /\[batch, 3\].*got/ });
  t.throws(() => decode({ any: one([1, 2], 1, 2) }, 0, context()), { code: 'MODEL_MANIFEST' });
});

t.test('mesh and iris points', async (t) => {
  const points = Float32Array.from({ length: 1404 }, (_, at) => at);
  const mesh = meshDecoder('facemesh')({ mesh: one(points, 1, 468, 3), face: one([0.75], 1, 1) }, 0, context());
  t.equal(mesh.score, 0.75);
  t.equal(mesh.points[1403], 1403);
  points[7] = NaN;
  t.equal(meshDecoder('facemesh')({ mesh: one(points, 1, 1404), face: one([0.75], 1, 1) }, 0, context()).score, 0, 'a broken mesh is no face');
  t.equal(irisDecoder('iris')({ points: one(new Float32Array(456), 2, 76, 3) }, 1, context()).points.length, 228);
  t.throws(() => irisDecoder('iris')({ points: one(new Float32Array(10), 1, 10) }, 0, context()), { code: 'MODEL_OUTPUT_SHAPE' });
});
