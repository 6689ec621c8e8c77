/** Non-maximum suppression, the one place of it. */
import type { Detection } from './types.js';

/** Candidates looked at, the surest first; a model that is sure of more than this is broken, and the time stays bounded. */
const CANDIDATES_MAX = 1000;

/** Intersection over union of two `[x, y, width, height]` boxes; 0 for boxes without area. */
export function iou(a: readonly number[], b: readonly number[]): number {
  const [ax = 0, ay = 0, aw = 0, ah = 0] = a;
  const [bx = 0, by = 0, bw = 0, bh = 0] = b;
  const width = Math.min(ax + aw, bx + bw) - Math.max(ax, bx);
  const height = Math.min(ay + ah, by + bh) - Math.max(ay, by);
  if (!(width > 0 && height > 0)) return 0;
  const shared = width * height;
  return shared / (aw * ah + bw * bh - shared);
}

export interface NmsOptions {
  /** Boxes that overlap a surer one by more than this are dropped, 0..1. */
  iou: number;
  /** Most boxes kept. */
  max: number;
  /** Only boxes of the same label suppress each other. */
  per_label: boolean;
}

/** A box is sound when its numbers are finite and it has an area. */
const sound = ({ score, box }: Detection): boolean => Number.isFinite(score) && box.every(Number.isFinite) && box[2] > 0 && box[3] > 0;

/** The surest boxes that don't overlap, the surest first; equal scores keep their order. Boxes with NaN or without area are dropped. */
export function nms(detections: readonly Detection[], options: NmsOptions): Detection[] {
  const candidates = detections.filter(sound).sort((a, b) => b.score - a.score).slice(0, CANDIDATES_MAX);
  const kept: Detection[] = [];
  for (const candidate of candidates) {
    if (kept.length >= options.max) break;
    const covered = kept.some((other) => (!options.per_label || other.label === candidate.label) && iou(other.box, candidate.box) > options.iou);
    if (!covered) kept.push(candidate);
  }
  return kept;
}
