/**
 * `ptz_sightline.js LIST [REFERENCES [stored]]`: our way over the pairs of LIST; with REFERENCES each query against that many references, `stored` with their
 * features known, as the monitor has them. Prints one JSON object.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { openOffsetEngine } from '../../src/ptz/estimate/engine.js';
import type { PtzCamera, PtzView } from '../../src/ptz/estimate/types.js';
import { outcomeOf, type Truth } from '../../test/fixtures/ptz_trials.js';

interface Pair extends Truth {
  reference: string;
  query: string;
}

const [list = '', references = '1', stored = ''] = process.argv.slice(2);
const { camera, pairs } = JSON.parse(readFileSync(list, 'utf8')) as { camera: PtzCamera; pairs: Pair[] };
const engine = openOffsetEngine();
const view = (file: string, { pan_deg, tilt_deg }: Pair): PtzView => ({ name: file, picture: new Uint8Array(readFileSync(path.join(path.dirname(list), file))), pan_deg, tilt_deg });
const times: number[][] = [];
const totals: number[] = [];
const errors: number[] = [];
let refused = 0;
// The child is started, and everything compiled, before the clock runs.
for (const [index, pair] of [pairs[0], ...pairs].entries()) {
  if (pair === undefined) continue;
  const reference = view(pair.reference, pair);
  if (stored === 'stored' && reference.picture instanceof Uint8Array) reference.picture = await engine.extractFeatures(reference.picture, {});
  const began = performance.now();
  const result = await engine.estimateOffset(Array.from({ length: Number(references) }, () => reference), [view(pair.query, pair)], { camera });
  const total = performance.now() - began;
  if (index === 0) continue;
  totals.push(total);
  times.push([result.timings.features_ms, result.timings.matching_ms, result.timings.estimation_ms]);
  const { error_deg } = outcomeOf(pair, result);
  if (error_deg === undefined) refused++;
  else errors.push(error_deg);
}
await engine.close();
const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? NaN;
const of = (part: number): number => median(times.map((one) => one[part] ?? NaN));
console.log(JSON.stringify({ features_ms: of(0), matching_ms: of(1), estimation_ms: of(2), total_ms: median(totals), errors_deg: errors, refused }));
