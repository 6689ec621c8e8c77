/**
 * Object detectors. Parameters they share: `labels` (list of names, or absent for COCO's 80), `min_score` 0..1, `iou` 0..1, `max`,
 * `per_label` (whether only boxes of the same label suppress each other), `normalised` (coordinates are 0..1 of the input instead of pixels).
 */
import { COCO_LABELS } from './coco.js';
import { nms } from './nms.js';
import { flagParam, itemOf, numberParam, output, shapeError, stringParam } from './tensors.js';
import type { Detection, DetectionDecoder, DecoderContext } from './types.js';

function labelsOf(context: DecoderContext): readonly string[] {
  const { labels } = context.params;
  return Array.isArray(labels) ? labels.map(String) : COCO_LABELS;
}

/** Name of a class; one the list doesn't have is called by its number. */
const labelOf = (labels: readonly string[], index: number): string => labels[index] ?? `class ${index}`;

interface Collector {
  add(index: number, score: number, x: number, y: number, width: number, height: number): void;
  result(): Detection[];
}

function collector(context: DecoderContext, defaults: { min_score: number; iou: number; per_label: boolean }): Collector & { min_score: number } {
  const labels = labelsOf(context);
  const min_score = numberParam(context, 'min_score', defaults.min_score);
  const normalised = flagParam(context, 'normalised', false);
  const sx = normalised ? context.width : 1;
  const sy = normalised ? context.height : 1;
  const found: Detection[] = [];
  return {
    min_score,
    add(index, score, x, y, width, height) {
      found.push({ label: labelOf(labels, index), score, box: [x * sx, y * sy, width * sx, height * sy] });
    },
    result: () =>
      nms(found, {
        iou: numberParam(context, 'iou', defaults.iou),
        max: numberParam(context, 'max', 50),
        per_label: flagParam(context, 'per_label', defaults.per_label),
      }),
  };
}

/**
 * Rows [x1, y1, x2, y2, score, class]: CenterNet of @vladmandic/human (100 rows, still to be suppressed), and detectors exported with their
 * own suppression (YOLOv10, "end to end"). Output `detections` [batch, N, 6].
 */
export const detectionRows: DetectionDecoder = (outputs, item, context) => {
  const found = output(outputs, context, 'output', 'detections', [['batch', 'N', 6]]);
  const rows = itemOf(found, item);
  const boxes = collector(context, { min_score: 0.25, iou: 0.4, per_label: false });
  for (let at = 0; at + 5 < rows.length; at += 6) {
    const [x1 = NaN, y1 = NaN, x2 = NaN, y2 = NaN, score = NaN, label = NaN] = rows.subarray(at, at + 6);
    if (score >= boxes.min_score && Number.isFinite(label)) boxes.add(Math.round(label), score, x1, y1, x2 - x1, y2 - y1);
  }
  return boxes.result();
};

/** YOLOv5: [batch, N, 5 + classes] of centre x, y, width, height, objectness, class scores; score = objectness · class. */
export const yolov5: DetectionDecoder = (outputs, item, context) => {
  const found = output(outputs, context, 'output', 'output0', [['batch', 'N', '5+classes']]);
  const width = found.dims[2] ?? 0;
  if (width < 6) throw shapeError(found.name, [['batch', 'N', '5+classes']], found.dims);
  const data = itemOf(found, item);
  const boxes = collector(context, { min_score: 0.25, iou: 0.45, per_label: true });
  for (let at = 0; at + width <= data.length; at += width) {
    const objectness = data[at + 4] as number;
    if (!(objectness >= boxes.min_score)) continue;
    let best = 0;
    for (let index = 1; index < width - 5; index++) if ((data[at + 5 + index] as number) > (data[at + 5 + best] as number)) best = index;
    const score = objectness * (data[at + 5 + best] as number);
    if (!(score >= boxes.min_score)) continue;
    const [cx = NaN, cy = NaN, w = NaN, h = NaN] = data.subarray(at, at + 4);
    boxes.add(best, score, cx - w / 2, cy - h / 2, w, h);
  }
  return boxes.result();
};

/**
 * YOLOv8 and its kin: [batch, 4 + classes, N] as exported, or transposed [batch, N, 4 + classes]. The number of classes is that of `labels`; where
 * neither axis fits it, the shorter one is the box.
 */
export const yolov8: DetectionDecoder = (outputs, item, context) => {
  const patterns = [['batch', '4+classes', 'N'], ['batch', 'N', '4+classes']] as const;
  const found = output(outputs, context, 'output', 'output0', patterns);
  const [, first = 0, second = 0] = found.dims;
  const expected = 4 + labelsOf(context).length;
  const rows = first === expected ? true : second === expected ? false : first < second;
  const width = rows ? first : second;
  const count = rows ? second : first;
  if (width < 5) throw shapeError(found.name, patterns, found.dims);
  const data = itemOf(found, item);
  const [alongField, alongBox] = rows ? [count, 1] : [1, width];
  const boxes = collector(context, { min_score: 0.25, iou: 0.45, per_label: true });
  const best = new Float32Array(count).fill(-Infinity);
  const label = new Int32Array(count);
  // Field by field, because that is the order in memory of the exported layout.
  for (let field = 4; field < width; field++) {
    for (let at = 0, from = field * alongField; at < count; at++, from += alongBox) {
      const score = data[from] as number;
      if (score > (best[at] as number)) {
        best[at] = score;
        label[at] = field - 4;
      }
    }
  }
  for (let at = 0; at < count; at++) {
    if (!((best[at] as number) >= boxes.min_score)) continue;
    const field = (index: number): number => data[index * alongField + at * alongBox] as number;
    boxes.add(label[at] as number, best[at] as number, field(0) - field(2) / 2, field(1) - field(3) / 2, field(2), field(3));
  }
  return boxes.result();
};

/**
 * SSD with its own suppression (TensorFlow's detection API, OpenVINO-like splits): outputs boxes [batch, N, 4], scores [batch, N], classes [batch, N] and
 * optionally num [batch]. Parameters: `boxes`, `scores`, `classes`, `num` (names of the outputs), `box_order` `yxyx` (default, TensorFlow) or `xyxy`, `normalised`
 * (default true here), `first_class` (what the model calls the first label: 1 for TensorFlow's COCO models, 0 by default).
 */
export const ssd: DetectionDecoder = (outputs, item, context) => {
  const located = output(outputs, context, 'boxes', nameLike(outputs, 'box'), [['batch', 'N', 4]]);
  const count = located.dims[1] ?? 0;
  const flat = [['batch', count]] as const;
  const scores = itemOf(output(outputs, context, 'scores', nameLike(outputs, 'score'), flat), item);
  const classes = itemOf(output(outputs, context, 'classes', nameLike(outputs, 'class'), flat), item);
  const numName = stringParam(context, 'num', nameLike(outputs, 'num'));
  const found = numName in outputs ? Math.round(itemOf(output(outputs, context, 'num', numName, [['batch'], ['batch', 1]]), item)[0] ?? 0) : count;
  const data = itemOf(located, item);
  const yx = stringParam(context, 'box_order', 'yxyx') === 'yxyx';
  const first = numberParam(context, 'first_class', 0);
  const scaled: DecoderContext = { ...context, params: { normalised: true, ...context.params } };
  const boxes = collector(scaled, { min_score: 0.4, iou: 0.6, per_label: true });
  for (let at = 0; at < Math.min(count, Math.max(0, found)); at++) {
    const score = scores[at] as number;
    const label = classes[at] as number;
    if (!(score >= boxes.min_score) || !Number.isFinite(label)) continue;
    const [a = NaN, b = NaN, c = NaN, d = NaN] = data.subarray(at * 4, at * 4 + 4);
    const [x1, y1, x2, y2] = yx ? [b, a, d, c] : [a, b, c, d];
    boxes.add(Math.round(label) - first, score, x1, y1, x2 - x1, y2 - y1);
  }
  return boxes.result();
};

const nameLike = (outputs: Record<string, unknown>, part: string): string => Object.keys(outputs).find((name) => name.toLowerCase().includes(part)) ?? part;
