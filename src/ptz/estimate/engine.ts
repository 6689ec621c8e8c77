/** Features → candidates → matches → joint estimate → verdict. docs/PTZ_ALGORITHM.md says why each step is as it is. */
import { SightlineError } from '../../errors.js';
import { loadGeometry } from '../../geometry/native.js';
import type { GeometryAddon } from '../../geometry/types.js';
import { createOpenCv, type OpenCvOptions } from '../../opencv/client.js';
import type { OpenCv } from '../../opencv/types.js';
import { candidatesFor, focalOf } from './candidates.js';
import { extract, featuresOf, type FailedView, type SeenView } from './features.js';
import { checkMargins, checkOptions, checkViews, VIEWS_MAX, type CheckedOptions } from './options.js';
import { findOverlays, without, type FoundView } from './overlays.js';
import type { ExtractFeatures, Features, FeatureMethod, OffsetEngine, OffsetOptions, OffsetResult, OffsetTimings, PtzView } from './types.js';
import { commonReason, judge, refusal, viewsOf, type QueryOutcome } from './verdict.js';

const RADIANS = Math.PI / 180;
/** Nearest over second nearest distance. */
const RATIO = 0.8;
/** What a feature's size is measured in, so that the smallest of each kind count alike. */
const SIZE_UNIT: Record<FeatureMethod, number> = { sift: 1, akaze: 2.4, orb: 16 };

export interface EngineOptions {
  /** Shared with others; otherwise the engine has a child of its own and ends it. */
  opencv?: OpenCv;
  opencv_options?: OpenCvOptions;
  geometry?: GeometryAddon;
}

/** Costs nothing until it is asked: the child process starts with the first picture, the addon is loaded by the first estimate. */
export function openOffsetEngine(options: EngineOptions = {}): OffsetEngine & { opencv: OpenCv } {
  const opencv = options.opencv ?? createOpenCv(options.opencv_options);
  let { geometry } = options;
  const extractFeatures: ExtractFeatures = async (picture, { method = 'sift', max_features = 2000, ignore, again = [], signal }) =>
    extract(opencv, picture, { method, max_features, ignore: checkMargins(ignore), again, signal });
  return {
    opencv,
    extractFeatures,
    estimateOffset: async (references, queries, offset) => estimate({ opencv, geometry: (geometry ??= loadGeometry()) }, references, queries, offset),
    close: async () => {
      if (options.opencv === undefined) await opencv.close();
    },
  };
}

interface Parts {
  opencv: OpenCv;
  geometry: GeometryAddon;
}

async function estimate(parts: Parts, references: readonly PtzView[], queries: readonly PtzView[], given: OffsetOptions): Promise<OffsetResult> {
  const options = checkOptions(given);
  checkViews('references', references);
  checkViews('queries', queries);
  if (queries.length > VIEWS_MAX) throw new SightlineError('PTZ_INPUT', `queries: expected at most ${VIEWS_MAX} views, received ${queries.length}`);
  const timings: OffsetTimings = { features_ms: 0, matching_ms: 0, estimation_ms: 0 };
  if (references.length === 0) return refusal('no_references', [], timings);
  if (queries.length === 0) return refusal('no_queries', [], timings);

  const chosen = queries.map((query) => candidatesFor(query, references, options));
  const wanted = [...new Set(chosen.flatMap((indexes) => (typeof indexes === 'string' ? [] : indexes)))].sort((a, b) => a - b);
  const features = await timed(timings, 'features_ms', async () => ({
    references: await featuresOf(parts.opencv, wanted.map((index) => references[index] as PtzView), options),
    queries: await featuresOf(parts.opencv, queries, options),
  }));
  const joined = await timed(timings, 'matching_ms', () => joinMatches(parts, { ...features, wanted, chosen }, options));
  const native = joined.used.length === 0 ? undefined : await timed(timings, 'estimation_ms', () =>
    parts.geometry.estimateOffset({
      ...options.camera,
      seed: options.seed,
      largest_offset_rad: options.max_offset_deg * RADIANS,
      references: poses(joined.references),
      queries: poses(joined.used),
      matches: Float64Array.from(joined.matches),
    }));
  options.signal?.throwIfAborted();
  const views = viewsOf(joined.outcomes, native);
  return native === undefined ? refusal(commonReason(views), views, timings) : judge(native, views, options.threshold_deg, timings);
}

interface Inputs {
  references: (SeenView | FailedView)[];
  queries: (SeenView | FailedView)[];
  /** Which of all references `references` are. */
  wanted: number[];
  chosen: (number[] | 'no_candidate' | 'no_zoom_band')[];
}

interface Joined {
  references: PtzView[];
  /** Queries that got as far as having matches counted. */
  used: PtzView[];
  matches: number[];
  outcomes: QueryOutcome[];
}

/** Matches each query with its candidates, overlays taken out. */
async function joinMatches({ geometry }: Parts, inputs: Inputs, options: CheckedOptions): Promise<Joined> {
  const match = (a: Features, b: Features): Promise<Uint32Array> => geometry.matchFeatures(a.descriptors, b.descriptors, a.descriptor_bytes, a.method !== 'sift', RATIO);
  const found = [...inputs.references, ...inputs.queries].filter((view) => 'features' in view);
  const overlays = await findOverlays(found, match);
  const references = inputs.references.map((one) => ('features' in one ? { ...one, features: without(one.features, overlays) } : one));
  const joined: Joined = { references: references.map(({ view }) => view), used: [], matches: [], outcomes: [] };
  for (const [index, query] of inputs.queries.entries()) {
    options.signal?.throwIfAborted();
    const chosen = inputs.chosen[index] ?? 'no_candidate';
    const outcome: QueryOutcome = { image: query.view.name, at: undefined, reason: '', references: [], matches: 0, features: 0, moving_share: 'features' in query ? query.moving_share : null };
    joined.outcomes.push(outcome);
    if (typeof chosen === 'string') outcome.reason = chosen;
    else if (!('features' in query)) outcome.reason = query.reason;
    if (typeof chosen === 'string' || !('features' in query)) continue;
    const own = without(query.features, overlays);
    const usable = chosen.map((one) => inputs.wanted.indexOf(one)).filter((at) => 'features' in (references[at] ?? {}));
    if (usable.length === 0) {
      const failed = references[inputs.wanted.indexOf(chosen[0] ?? -1)];
      outcome.reason = failed !== undefined && 'reason' in failed ? failed.reason : 'no_references';
      continue;
    }
    outcome.at = joined.used.length;
    for (const at of usable) {
      const reference = references[at] as FoundView;
      const pairs = await match(own, reference.features);
      addMatches(joined.matches, [at, outcome.at], [reference, { view: query.view, features: own }], pairs);
      outcome.matches += pairs.length / 2;
      outcome.features = Math.max(outcome.features, Math.min(own.count, reference.features.count));
      if (pairs.length / 2 > 0) outcome.references.push(reference.view.name);
    }
    joined.used.push(query.view);
  }
  return joined;
}

function addMatches(to: number[], [at, query_at]: [number, number], [reference, query]: [FoundView, FoundView], pairs: Uint32Array): void {
  const [f, g] = [query.features, reference.features];
  const unit = SIZE_UNIT[f.method];
  const shrink = focalOf(query.view) / focalOf(reference.view);
  for (let i = 0; i < pairs.length; i += 2) {
    const [a, b] = [pairs[i] ?? 0, pairs[i + 1] ?? 0];
    const size = Math.max(f.size[a] ?? 0, (g.size[b] ?? 0) * shrink) / unit;
    to.push(at, query_at, g.xy[2 * b] ?? 0, g.xy[2 * b + 1] ?? 0, f.xy[2 * a] ?? 0, f.xy[2 * a + 1] ?? 0, size);
  }
}

function poses(views: readonly PtzView[]): Float64Array {
  return Float64Array.from(views.flatMap((view) => [view.pan_deg * RADIANS, view.tilt_deg * RADIANS, (view.roll_deg ?? 0) * RADIANS, focalOf(view)]));
}

async function timed<T>(timings: OffsetTimings, part: keyof OffsetTimings, work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  try {
    return await work();
  } finally {
    timings[part] = Math.round((timings[part] + performance.now() - began) * 1000) / 1000;
  }
}
