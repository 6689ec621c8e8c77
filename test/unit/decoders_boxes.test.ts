import t from 'tap';
import { blazefaceAnchors } from '../../src/inference/decoders/blazeface.js';
import { COCO_LABELS } from '../../src/inference/decoders/coco.js';
import { detectionDecoder } from '../../src/inference/decoders/index.js';
import { iou, nms } from '../../src/inference/decoders/nms.js';
import type { Detection, DecoderContext } from '../../src/inference/decoders/types.js';

const context = (params: Record<string, unknown> = {}, width = 640, height = 640): DecoderContext => ({ width, height, params });
const one = (data: ArrayLike<number>, ...dims: number[]) => ({ data: Float32Array.from(data), dims });
const round = (detections: Detection[]) => detections.map(({ label, score, box }) => ({ label, score: Math.round(score * 100) / 100, box: box.map((value) => Math.round(value * 10) / 10) }));
const detection = (label: string, score: number, ...box: number[]): Detection => ({ label, score, box: box as Detection['box'] });

t.test('overlap is shared area over joint area', async (t) => {
  t.equal(iou([0, 0, 10, 10], [0, 0, 10, 10]), 1);
  t.equal(iou([0, 0, 10, 10], [5, 0, 10, 10]), 50 / 150);
  t.equal(iou([0, 0, 10, 10], [10, 0, 10, 10]), 0, 'touching is no overlap');
  t.equal(iou([0, 0, 0, 10], [0, 0, 10, 10]), 0, 'no area');
  t.equal(iou([0, 0, NaN, 10], [0, 0, 10, 10]), 0);
});

t.test('the surest box stays, what it covers goes', async (t) => {
  const boxes = [detection('a', 0.5, 1, 1, 10, 10), detection('a', 0.9, 0, 0, 10, 10), detection('b', 0.7, 0, 1, 10, 10), detection('a', 0.4, 50, 50, 5, 5)];
  const options = { iou: 0.5, max: 10, per_label: false };
  t.same(nms(boxes, options).map(({ score }) => score), [0.9, 0.4]);
  t.same(nms(boxes, { ...options, per_label: true }).map(({ score }) => score), [0.9, 0.7, 0.4]);
  t.same(nms(boxes, { ...options, max: 1 }).map(({ score }) => score), [0.9]);
  t.same(nms([], options), []);
  const same = Array.from({ length: 3000 }, () => detection('a', 0.5, 0, 0, 10, 10));
  t.equal(nms(same, options).length, 1, 'all overlapping');
  t.same(nms([detection('a', NaN, 0, 0, 1, 1), detection('a', 1, 0, NaN, 1, 1), detection('a', 1, 0, 0, 0, 5), detection('a', 1, 0, 0, 1, Infinity)], options), [], 'unsound boxes are dropped');
});

t.test('rows of corners, score and class', async (t) => {
  const decode = detectionDecoder('centernet');
  const rows = one([10, 20, 110, 220, 0.9, 0, 12, 22, 112, 222, 0.8, 0, 300, 300, 340, 360, 0.5, 16, 0, 0, 9, 9, 0.1, 0, 0, 0, NaN, 9, 0.9, 0, 0, 0, 5, 5, 0.9, NaN], 1, 6, 6);
  t.same(round(decode({ detections: rows }, 0, context())), [
    { label: 'person', score: 0.9, box: [10, 20, 100, 200] },
    { label: 'dog', score: 0.5, box: [300, 300, 40, 60] },
  ]);
  t.same(decode({ detections: one([], 1, 0, 6) }, 0, context({ output: '' })).length, 0, 'no rows at all');
  t.throws(() => decode({ detections: one(new Float32Array(10), 1, 2, 5) }, 0, context()), { code: 'MODEL_OUTPUT_SHAPE', message: /expected shape \[batch, N, 6\], got \[1, 2, 5\]/ });
  t.throws(() => decode({ detections: rows }, 1, context()), { code: 'MODEL_OUTPUT_SHAPE', message: /at least 2 items/ });
  t.throws(() => decode({}, 0, context()), { code: 'MODEL_OUTPUT_SHAPE', message: /got outputs none/ });
});

t.test('every item of a batch is its own', async (t) => {
  const decode = detectionDecoder('rows');
  const rows = one([0, 0, 10, 10, 0.9, 0, 5, 5, 25, 25, 0.8, 2], 2, 1, 6);
  t.same(round(decode({ any: rows }, 0, context())), [{ label: 'person', score: 0.9, box: [0, 0, 10, 10] }]);
  t.same(round(decode({ any: rows }, 1, context())), [{ label: 'car', score: 0.8, box: [5, 5, 20, 20] }]);
});

t.test('YOLOv5: objectness times class', async (t) => {
  const labels = ['shelf', 'bag'];
  const rows = [100, 100, 40, 20, 0.9, 0.1, 0.8, 102, 100, 40, 20, 0.8, 0.1, 0.8, 300, 50, 10, 10, 0.2, 1, 1, 400, 400, 30, 30, 0.9, 0.2, 0.1, 9, 9, 3, 3, NaN, 1, 1];
  const decode = detectionDecoder('yolov5');
  t.same(round(decode({ output0: one(rows, 1, 5, 7) }, 0, context({ labels }))), [{ label: 'bag', score: 0.72, box: [80, 90, 40, 20] }]);
  t.same(round(decode({ output0: one([0.5, 0.25, 0.1, 0.1, 1, 1, 0], 1, 1, 7) }, 0, context({ labels, normalised: true }, 640, 320))), [{ label: 'shelf', score: 1, box: [288, 64, 64, 32] }]);
  t.throws(() => decode({ output0: one([1, 2, 3, 4, 5], 1, 1, 5) }, 0, context()), { code: 'MODEL_OUTPUT_SHAPE' });
});

t.test('YOLOv8 in both orders, by the number of labels', async (t) => {
  const labels = ['a', 'b', 'c'];
  const count = 9;
  const rows = Array.from({ length: count }, () => [0, 0, 0, 0, 0, 0, 0]);
  rows[4] = [100, 80, 20, 40, 0.1, 0.2, 0.7];
  rows[7] = [101, 80, 20, 40, 0.1, 0.6, 0.2];
  rows[8] = [101, 81, 20, 40, 0.1, 0.1, 0.3];
  const expected = [{ label: 'c', score: 0.7, box: [90, 60, 20, 40] }, { label: 'b', score: 0.6, box: [91, 60, 20, 40] }];
  const fields = Array.from({ length: 7 }, (_, field) => rows.map((row) => row[field] as number)).flat();
  const decode = detectionDecoder('yolov8');
  t.same(round(decode({ output0: one(fields, 1, 7, count) }, 0, context({ labels }))), expected);
  t.same(round(decode({ output0: one(rows.flat(), 1, count, 7) }, 0, context({ labels }))), expected, 'transposed');
  t.same(round(decode({ output0: one(rows.flat(), 1, count, 7) }, 0, context({ labels, per_label: false }))), expected.slice(0, 1));
  t.equal(decode({ output0: one(new Float32Array(84 * 8400), 1, 84, 8400) }, 0, context()).length, 0, 'nothing seen');
  t.equal(decode({ output0: one(new Float32Array(84 * 8400).fill(NaN), 1, 84, 8400) }, 0, context()).length, 0, 'NaN is nothing');
});

t.test('SSD: four outputs, both orders of the box', async (t) => {
  const outputs = {
    'detection_boxes:0': one([0.1, 0.2, 0.5, 0.6, 0.1, 0.2, 0.5, 0.61, 0, 0, 1, 1], 1, 3, 4),
    'detection_scores:0': one([0.9, 0.8, 0.7], 1, 3),
    'detection_classes:0': one([1, 1, 3], 1, 3),
    num_detections: one([2], 1),
  };
  const decode = detectionDecoder('ssd');
  t.same(round(decode(outputs, 0, context({ first_class: 1 }, 100, 200))), [{ label: 'person', score: 0.9, box: [20, 20, 40, 80] }], 'the third is beyond the count');
  t.same(round(decode(outputs, 0, context({ first_class: 1, box_order: 'xyxy', max: 1 }, 100, 200))), [{ label: 'person', score: 0.9, box: [10, 40, 40, 80] }]);
  t.throws(() => decode({ ...outputs, 'detection_scores:0': one([1, 1], 1, 2) }, 0, context()), { code: 'MODEL_OUTPUT_SHAPE', message: /expected shape \[batch, 3\], got \[1, 2\]/ });
  const classes = { data: BigInt64Array.of(1n, 1n, 3n), dims: [1, 3] };
  t.equal(decode({ ...outputs, 'detection_classes:0': classes }, 0, context({ first_class: 1 })).length, 1, 'int64 classes are read');
});

t.test('BlazeFace: anchors, offsets, a sigmoid that does not overflow', async (t) => {
  const anchors = blazefaceAnchors(256);
  t.equal(anchors.length / 2, 896);
  t.same([...anchors.slice(0, 6)], [8, 8, 8, 8, 24, 8], 'stride 16, two a cell');
  t.same([...anchors.slice(1024, 1026)], [16, 16], 'then stride 32, six a cell');
  const logits = new Float32Array(896).fill(-1e4);
  const regressors = new Float32Array(896 * 16);
  logits[3] = 2;
  logits[2] = 1;
  for (const at of [2, 3]) regressors.set([1, 2, 20, 30, -5, -4, 5, -4, 0, 0, 0, 6, -9, -3, 9, -3], at * 16);
  const [face, ...more] = detectionDecoder('blazeface')({ logits: one(logits, 1, 896), regressors: one(regressors, 1, 896, 16) }, 0, context({}, 256, 256));
  t.same(more, [], 'the twin is suppressed');
  t.same(face?.box, [15, -5, 20, 30]);
  t.equal(face?.score, 1 / (1 + Math.exp(-2)));
  t.same([...(face?.landmarks ?? [])], [19, 4, 29, 4, 24, 8, 24, 14, 15, 5, 33, 5]);
  t.equal(detectionDecoder('blazeface')({ logits: one(new Float32Array(896).fill(NaN), 1, 896), regressors: one(regressors, 1, 896, 16) }, 0, context({}, 256, 256)).length, 0);
  t.throws(() => detectionDecoder('blazeface')({ logits: one([1], 1, 1), regressors: one(regressors, 1, 896, 16) }, 0, context({}, 256, 256)), { code: 'MODEL_OUTPUT_SHAPE' });
});

t.test('unknown decoders name the known ones', async (t) => {
  t.throws(() => detectionDecoder('yolo'), { code: 'MODEL_DECODER', message: /expected one of .*yolov8.*got "yolo"/ });
  t.throws(() => detectionDecoder('toString'), { code: 'MODEL_DECODER' });
  t.equal(COCO_LABELS.length, 80);
  t.equal(COCO_LABELS[79], 'toothbrush');
});
