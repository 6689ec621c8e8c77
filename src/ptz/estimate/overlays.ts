/**
 * Letters, logos and dirt on the lens stand still in the picture while the world moves. Between two views that look in different directions they are
 * found as matches without a shift; features near them are dropped from all views.
 */
import { apartDeg } from './candidates.js';
import type { Features, PtzView } from './types.js';

export interface FoundView {
  view: PtzView;
  features: Features;
}

/** Directions further apart than this move the world by far more than SAME_PLACE_PX. */
const APART_DEG = 3;
const SAME_PLACE_PX = 1.5;
/** Features this near to something that stands still belong to it. */
const REACH_PX = 24;
const LEAST = 3;
/** When so much of a picture stands still, the camera does: telemetry is wrong, and nothing may be hidden. */
const MOST_SHARE = 0.3;

type Match = (a: Features, b: Features) => Promise<Uint32Array>;

/** The places of what stands still, x and y of each; empty where nothing does or it can't be told. */
export async function findOverlays(views: readonly FoundView[], match: Match): Promise<Float32Array> {
  const pair = furthest(views);
  if (pair === undefined) return new Float32Array(0);
  const [a, b] = pair;
  const pairs = await match(a.features, b.features);
  const places: number[] = [];
  for (let i = 0; i < pairs.length; i += 2) {
    const [x, y] = place(a.features, pairs[i] ?? 0);
    const [u, v] = place(b.features, pairs[i + 1] ?? 0);
    if (Math.hypot(x - u, y - v) < SAME_PLACE_PX) places.push(x, y);
  }
  const count = places.length / 2;
  if (count < LEAST || count > MOST_SHARE * Math.min(a.features.count, b.features.count)) return new Float32Array(0);
  return Float32Array.from(places);
}

/** Without the features near those places. */
export function without(features: Features, places: Float32Array): Features {
  if (places.length === 0) return features;
  const kept: number[] = [];
  for (let i = 0; i < features.count; i++) {
    const [x, y] = place(features, i);
    let near = false;
    for (let k = 0; k < places.length && !near; k += 2) near = Math.hypot(x - (places[k] ?? 0), y - (places[k + 1] ?? 0)) < REACH_PX;
    if (!near) kept.push(i);
  }
  if (kept.length === features.count) return features;
  const each = features.descriptor_bytes;
  const descriptors = new Uint8Array(kept.length * each);
  for (const [to, from] of kept.entries()) descriptors.set(features.descriptors.subarray(from * each, (from + 1) * each), to * each);
  return {
    ...features,
    count: kept.length,
    xy: Float32Array.from(kept.flatMap((index) => place(features, index))),
    size: Float32Array.from(kept.map((index) => features.size[index] ?? 0)),
    descriptors,
  };
}

function place(features: Features, index: number): [number, number] {
  return [features.xy[2 * index] ?? 0, features.xy[2 * index + 1] ?? 0];
}

/** The two views whose directions are furthest apart; the world of them has least in common. */
function furthest(views: readonly FoundView[]): [FoundView, FoundView] | undefined {
  let found: [FoundView, FoundView] | undefined;
  let most = APART_DEG;
  for (const [index, a] of views.entries()) {
    for (const b of views.slice(index + 1)) {
      const apart = apartDeg(a.view, b.view);
      if (apart > most) [found, most] = [[a, b], apart];
    }
  }
  return found;
}
