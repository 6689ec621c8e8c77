/**
 * Poses of 17 COCO keypoints in input pixels. A pose's score is the mean over its keypoints that reach `min_keypoint_score` (0.2); a pose with fewer than
 * `min_keypoints` (4) of those is not given. A keypoint with NaN gets score 0.
 */
import { nms } from './nms.js';
import { flagParam, itemOf, numberParam, output, shapeError, sigmoid } from './tensors.js';
import type { DecoderContext, Pose, PoseDecoder } from './types.js';

const COUNT = 17;

function poseOf(keypoints: Float32Array, context: DecoderContext): Pose | undefined {
  const least = numberParam(context, 'min_keypoint_score', 0.2);
  let sum = 0;
  let sure = 0;
  for (let at = 0; at < keypoints.length; at += 3) {
    if (!keypoints.subarray(at, at + 3).every(Number.isFinite)) keypoints.fill(0, at, at + 3);
    const score = keypoints[at + 2] as number;
    if (score >= least) {
      sum += score;
      sure++;
    }
  }
  return sure >= Math.max(1, numberParam(context, 'min_keypoints', 4)) ? { score: sum / sure, keypoints } : undefined;
}

/** 17 rows of y, x, score in 0..1 → x, y, score in pixels. */
function fromRows(rows: Float32Array, context: DecoderContext): Float32Array {
  const keypoints = new Float32Array(COUNT * 3);
  for (let n = 0; n < COUNT; n++) {
    keypoints[3 * n] = (rows[3 * n + 1] as number) * context.width;
    keypoints[3 * n + 1] = (rows[3 * n] as number) * context.height;
    keypoints[3 * n + 2] = rows[3 * n + 2] as number;
  }
  return keypoints;
}

/** MoveNet single pose: `keypoints` [batch, 17, 3] or [batch, 1, 17, 3] of y, x, score. */
export const movenet: PoseDecoder = (outputs, item, context) => {
  const found = output(outputs, context, 'output', 'keypoints', [['batch', COUNT, 3], ['batch', 1, COUNT, 3]]);
  const pose = poseOf(fromRows(itemOf(found, item), context), context);
  return pose === undefined ? [] : [pose];
};

/** MoveNet multi pose: [batch, N, 56], 17 × (y, x, score) then ymin, xmin, ymax, xmax, score. Parameters `min_score` (0.25), `max` (6). */
export const movenetMultipose: PoseDecoder = (outputs, item, context) => {
  const rows = itemOf(output(outputs, context, 'output', 'output_0', [['batch', 'N', 56]]), item);
  const poses: Pose[] = [];
  for (let at = 0; at + 56 <= rows.length; at += 56) {
    const score = rows[at + 55] as number;
    if (!(score >= numberParam(context, 'min_score', 0.25))) continue;
    const pose = poseOf(fromRows(rows.subarray(at, at + 51), context), context);
    if (pose !== undefined) poses.push({ ...pose, score });
  }
  return poses.sort((a, b) => b.score - a.score).slice(0, numberParam(context, 'max', 6));
};

/**
 * Heat maps of COCO keypoints: [batch, 17, h, w] or, with `channels_last: true`, [batch, h, w, 17]. The peak, moved a quarter cell towards its larger
 * neighbour in each axis, at the cell's centre; `logits: true` puts the score through a sigmoid.
 */
export const cocoHeatmaps: PoseDecoder = (outputs, item, context) => {
  const last = flagParam(context, 'channels_last', false);
  const pattern = last ? (['batch', 'h', 'w', COUNT] as const) : (['batch', COUNT, 'h', 'w'] as const);
  const found = output(outputs, context, 'output', 'heatmaps', [pattern]);
  const [height = 0, width = 0] = last ? found.dims.slice(1, 3) : found.dims.slice(2, 4);
  const maps = itemOf(found, item);
  const [cell, plane] = last ? [COUNT, 1] : [1, width * height];
  const keypoints = new Float32Array(COUNT * 3);
  for (let n = 0; n < COUNT; n++) {
    const at = (x: number, y: number): number => maps[n * plane + (y * width + x) * cell] as number;
    let peak = 0;
    for (let index = 1; index < width * height; index++) if ((maps[n * plane + index * cell] as number) > (maps[n * plane + peak * cell] as number)) peak = index;
    const x = peak % width;
    const y = Math.floor(peak / width);
    const dx = x > 0 && x < width - 1 ? 0.25 * Math.sign(at(x + 1, y) - at(x - 1, y)) : 0;
    const dy = y > 0 && y < height - 1 ? 0.25 * Math.sign(at(x, y + 1) - at(x, y - 1)) : 0;
    const score = at(x, y);
    keypoints[3 * n] = ((x + 0.5 + dx) * context.width) / width;
    keypoints[3 * n + 1] = ((y + 0.5 + dy) * context.height) / height;
    keypoints[3 * n + 2] = flagParam(context, 'logits', false) ? sigmoid(score) : Math.min(1, Math.max(0, score));
  }
  const pose = poseOf(keypoints, context);
  return pose === undefined ? [] : [pose];
};

/** YOLOv8-pose: [batch, 56, N] or [batch, N, 56]: centre x, y, width, height, score, 17 × (x, y, score), in pixels. Parameters `min_score` (0.25), `iou` (0.5), `max` (10). */
export const yolov8Pose: PoseDecoder = (outputs, item, context) => {
  const patterns = [['batch', 56, 'N'], ['batch', 'N', 56]] as const;
  const found = output(outputs, context, 'output', 'output0', patterns);
  const [, first = 0, second = 0] = found.dims;
  if (first !== 56 && second !== 56) throw shapeError(found.name, patterns, found.dims);
  const rows = first === 56;
  const count = rows ? second : first;
  const data = itemOf(found, item);
  const field = (index: number, at: number): number => data[rows ? index * count + at : at * 56 + index] as number;
  const candidates = [];
  for (let at = 0; at < count; at++) {
    const score = field(4, at);
    if (!(score >= numberParam(context, 'min_score', 0.25))) continue;
    const [w, h] = [field(2, at), field(3, at)];
    candidates.push({ label: String(at), score, box: [field(0, at) - w / 2, field(1, at) - h / 2, w, h] as [number, number, number, number] });
  }
  const kept = nms(candidates, { iou: numberParam(context, 'iou', 0.5), max: numberParam(context, 'max', 10), per_label: false });
  return kept.flatMap(({ label, score }) => {
    const keypoints = Float32Array.from({ length: COUNT * 3 }, (_, index) => field(5 + index, Number(label)));
    const pose = poseOf(keypoints, context);
    return pose === undefined ? [] : [{ ...pose, score }];
  });
};
