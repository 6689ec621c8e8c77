/** BlazeFace: anchors, logits and offsets → faces with six landmarks. */
import { nms } from './nms.js';
import { itemOf, numberParam, output, sigmoid } from './tensors.js';
import type { Detection, DetectionDecoder } from './types.js';

const LANDMARKS = 6;

const anchorCache = new Map<number, Float32Array>();

/** Anchor centres (x, y) in input pixels: a grid of stride size/16 with 2 anchors a cell, then of stride size/8 with 6. */
export function blazefaceAnchors(size: number): Float32Array {
  const known = anchorCache.get(size);
  if (known !== undefined) return known;
  const centres: number[] = [];
  for (const [stride, perCell] of [[size / 16, 2], [size / 8, 6]] as const) {
    const cells = Math.floor((size + stride - 1) / stride);
    for (let y = 0; y < cells; y++) {
      for (let x = 0; x < cells; x++) for (let n = 0; n < perCell; n++) centres.push(stride * (x + 0.5), stride * (y + 0.5));
    }
  }
  const anchors = Float32Array.from(centres);
  anchorCache.set(size, anchors);
  return anchors;
}

/**
 * Outputs `logits` [batch, A] and `regressors` [batch, A, 16]: offset of the box centre from the anchor, width, height, then six points as offsets,
 * all in input pixels. Parameters `min_score` (0.5), `iou` (0.3), `max`. Label `face`; landmarks in the order of types.ts.
 */
export const blazeface: DetectionDecoder = (outputs, item, context) => {
  const anchors = blazefaceAnchors(context.width);
  const count = anchors.length / 2;
  const logits = itemOf(output(outputs, context, 'logits', 'logits', [['batch', count], ['batch', count, 1]]), item);
  const regressors = itemOf(output(outputs, context, 'regressors', 'regressors', [['batch', count, 16]]), item);
  const min_score = numberParam(context, 'min_score', 0.5);
  const found: Detection[] = [];
  for (let at = 0; at < count; at++) {
    const score = sigmoid(logits[at] as number);
    if (!(score >= min_score)) continue;
    const ax = anchors[2 * at] as number;
    const ay = anchors[2 * at + 1] as number;
    const [dx = NaN, dy = NaN, width = NaN, height = NaN] = regressors.subarray(at * 16, at * 16 + 4);
    const landmarks = new Float32Array(2 * LANDMARKS);
    for (let n = 0; n < LANDMARKS; n++) {
      landmarks[2 * n] = ax + (regressors[at * 16 + 4 + 2 * n] as number);
      landmarks[2 * n + 1] = ay + (regressors[at * 16 + 5 + 2 * n] as number);
    }
    found.push({ label: 'face', score, box: [ax + dx - width / 2, ay + dy - height / 2, width, height], landmarks });
  }
  return nms(found, { iou: numberParam(context, 'iou', 0.3), max: numberParam(context, 'max', 16), per_label: false });
};
