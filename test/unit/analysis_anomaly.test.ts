import * as ort from 'onnxruntime-node';
import t from 'tap';
import { anomalyModel } from '../../models/anomaly/build.js';
import { seeded, type Random } from '../../models/action/random.js';
import { encodeModel } from '../../models/onnx/codec.js';
import { anomalyRow, anomalyScore, COMPONENTS, fitAnomaly, fromSnapshot, LEAST_SAMPLES, reconstructionError, toSnapshot, unusualGroups, type AnomalyParameters } from '../../src/analysis/anomaly.js';
import { Baseline, DEVIATION_LEAST } from '../../src/analysis/baseline.js';
import { symmetricEigen } from '../../src/analysis/eigen.js';
import { FEATURE_COUNT, FEATURE_NAMES, FEATURES } from '../../src/analysis/features.js';
import type { BaselineSnapshot } from '../../src/analysis/types.js';

/** A camera's usual: `hidden` causes behind correlated features of their own scales and centres. */
function usual(random: Random, hidden = 4): () => Float32Array {
  const mixing = FEATURES.map(() => Array.from({ length: hidden }, () => random.normal()));
  const centre = FEATURES.map(({ least_scale }) => least_scale * random.between(-5, 20));
  return () => {
    const causes = Array.from({ length: hidden }, () => random.normal());
    return Float32Array.from(FEATURES, ({ least_scale }, f) => (centre[f] as number) + 2 * least_scale * ((mixing[f] as number[]).reduce((sum, weight, k) => sum + weight * (causes[k] as number), 0) + 0.5 * random.normal()));
  };
}

const many = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);
const scoreOf = (parameters: AnomalyParameters, vector: Float32Array): number => anomalyScore(parameters, reconstructionError(parameters, vector).error);
const part = (values: number[], holds: (value: number) => boolean): number => values.filter(holds).length / values.length;

t.test('eigenvectors of a matrix', async (t) => {
  const known = symmetricEigen(Float64Array.from([2, 1, 1, 2]), 2);
  t.ok(Math.abs((known.values[0] as number) - 3) < 1e-12 && Math.abs((known.values[1] as number) - 1) < 1e-12);
  const random = seeded(3);
  const n = 24;
  const matrix = new Float64Array(n * n);
  for (let i = 0; i < n; i += 1) for (let j = 0; j <= i; j += 1) matrix[i * n + j] = matrix[j * n + i] = random.normal();
  const { values, vectors } = symmetricEigen(matrix.slice(), n);
  let worst = 0;
  for (let k = 0; k < n; k += 1) {
    for (let i = 0; i < n; i += 1) {
      let product = 0;
      for (let j = 0; j < n; j += 1) product += (matrix[i * n + j] as number) * (vectors[j * n + k] as number);
      worst = Math.max(worst, Math.abs(product - (values[k] as number) * (vectors[i * n + k] as number)));
    }
    if (k > 0) t.ok((values[k] as number) <= (values[k - 1] as number));
  }
  t.ok(worst < 1e-10, `A v = λ v to ${worst}`);
  t.strictSame([...symmetricEigen(new Float64Array(9), 3).values], [0, 0, 0], 'a zero matrix');
});

t.test('usual samples stay low, shifted ones come high, over many cameras', async (t) => {
  for (let camera = 0; camera < 12; camera += 1) {
    const sample = usual(seeded(100 + camera), 2 + (camera % 6));
    const parameters = fitAnomaly(many(300, sample));
    const normal = many(1000, sample).map((vector) => scoreOf(parameters, vector));
    t.ok(part(normal, (score) => score > 0.5) < 0.05, `camera ${camera}: ${part(normal, (score) => score > 0.5)} of the usual above 0.5`);
    t.ok(part(normal, (score) => score >= 0.9) < 0.005, `${part(normal, (score) => score >= 0.9)} of it alerts`);
    const shifted = many(200, () => scoreOf(parameters, sample().map((value, f) => value + (f % 3 === 0 ? 1 : -1) * 8 * (parameters.scale[f] as number))));
    t.ok(part(shifted, (score) => score > 0.9) > 0.98, `${part(shifted, (score) => score > 0.9)} of the shifted above 0.9`);
  }
});

t.test('a single feature far out is enough, and is named', async (t) => {
  const sample = usual(seeded(7));
  const parameters = fitAnomaly(many(400, sample));
  for (const name of ['persons_mean', 'limb_speed_max', 'lean_mean', 'gaze_spread']) {
    const f = FEATURE_NAMES.indexOf(name);
    const vector = sample();
    vector[f] = (vector[f] as number) + 40 * (parameters.scale[f] as number);
    t.ok(scoreOf(parameters, vector) > 0.9, name);
    const groups = unusualGroups(reconstructionError(parameters, vector).parts);
    t.equal(groups[0]?.type, (FEATURES[f] as (typeof FEATURES)[number]).group);
    t.ok(Math.abs(groups.reduce((sum, group) => sum + group.part, 0) - 1) < 1e-9, 'parts sum to 1');
  }
});

t.test('far out along the direction that varies is unusual too', async (t) => {
  const random = seeded(9);
  const direction = FEATURES.map(({ least_scale }) => least_scale * random.normal());
  const at = (size: number): Float32Array => Float32Array.from(direction, (d, f) => size * d + 0.1 * (FEATURES[f] as (typeof FEATURES)[number]).least_scale * random.normal());
  const parameters = fitAnomaly(many(300, () => at(random.normal())));
  t.ok(scoreOf(parameters, at(2)) < 0.6);
  t.ok(scoreOf(parameters, at(15)) > 0.9, 'a straight line has an end');
});

t.test('a constant camera: trifles are usual, a change is not', async (t) => {
  const still = new Float32Array(FEATURE_COUNT).fill(0.5);
  const parameters = fitAnomaly(many(LEAST_SAMPLES, () => still.slice()));
  t.equal(scoreOf(parameters, still), 0);
  t.ok(parameters.components.every((value) => value === 0), 'no variance, no component');
  const random = seeded(6);
  const humming = fitAnomaly(many(200, () => still.map((value, f) => value + 0.02 * (FEATURES[f] as (typeof FEATURES)[number]).least_scale * random.normal())));
  t.ok(humming.components.every((value) => value === 0), 'nor is a hum far below the least scale');
  const trifle = still.map((value, f) => value + 0.05 * (FEATURES[f] as (typeof FEATURES)[number]).least_scale);
  t.ok(scoreOf(parameters, trifle) < 0.2, `${scoreOf(parameters, trifle)}`);
  for (let f = 0; f < FEATURE_COUNT; f += 1) {
    const changed = still.slice();
    changed[f] = 0.5 + 8 * (FEATURES[f] as (typeof FEATURES)[number]).least_scale;
    t.ok(scoreOf(parameters, changed) > 0.9, `${FEATURE_NAMES[f]}`);
  }
});

t.test('what was not seen counts as usual', async (t) => {
  const sample = usual(seeded(5));
  const holes = many(300, () => sample().map((value, f) => (f === 4 ? NaN : f % 5 === 0 && value > 0 ? NaN : value)));
  const parameters = fitAnomaly(holes);
  t.ok([...parameters.centre, ...parameters.scale, ...parameters.components].every(Number.isFinite));
  const nothing = new Float32Array(FEATURE_COUNT).fill(NaN);
  t.equal(scoreOf(parameters, nothing), 0);
  t.strictSame(anomalyRow(parameters, nothing), parameters.centre);
});

t.test('score: 0 at the median, 0.5 at the 99th percentile, 0.9 three times as far', async (t) => {
  const quantiles = { error_median: 1, error_p99: 2 };
  const at = (e: number): number => anomalyScore(quantiles, e * e);
  t.strictSame([0.5, 1, 2, 4].map(at), [0, 0, 0.5, 0.9]);
  t.equal(anomalyScore({ error_median: 0, error_p99: 0 }, 0.15 ** 2).toFixed(12), '0.500000000000', 'the spread has a floor');
});

t.test('too few samples', async (t) => {
  t.throws(() => fitAnomaly(many(LEAST_SAMPLES - 1, usual(seeded(1)))), { code: 'REQUEST_INVALID' });
});

t.test('a snapshot through JSON scores the same; a damaged one is refused', async (t) => {
  const sample = usual(seeded(2));
  const parameters = fitAnomaly(many(200, sample));
  const again = fromSnapshot(JSON.parse(JSON.stringify(toSnapshot(parameters))) as BaselineSnapshot);
  const vector = sample();
  t.equal(scoreOf(again, vector), scoreOf(parameters, vector));
  const good = toSnapshot(parameters);
  const damage: Partial<BaselineSnapshot>[] = [
    { version: 2 as 1 }, { features: good.features.slice(1) }, { components_per_feature: 3 }, { centre: good.centre.slice(1) }, { scale: good.scale.map(() => 0) },
    { components: good.components.map(() => NaN) }, { error_p99: -1 }, { error_median: NaN },
  ];
  for (const wrong of damage) t.throws(() => fromSnapshot({ ...good, ...wrong }), { code: 'REQUEST_INVALID' }, Object.keys(wrong)[0] as string);
});

t.test('the ONNX model says the same, for a batch of cameras at once', async (t) => {
  const session = await ort.InferenceSession.create(encodeModel(anomalyModel()), { executionProviders: ['cpu'] });
  t.strictSame([[...session.inputNames], [...session.outputNames]], [['x', 'centre', 'scale', 'components'], ['error']]);
  const rows = many(37, () => 0).map((_, i) => {
    const random = seeded(50 + i);
    const sample = usual(random, 1 + (i % 7));
    // One camera has not moved at all: zero columns.
    const parameters = fitAnomaly(i === 5 ? many(80, () => new Float32Array(FEATURE_COUNT)) : many(120, sample));
    const vector = sample().map((value) => (i % 3 === 0 ? value * 3 : value));
    return { parameters, x: anomalyRow(parameters, vector) };
  });
  const batch = (arrays: Float32Array[], ...dims: number[]): ort.Tensor => new ort.Tensor('float32', Float32Array.from(arrays.flatMap((array) => [...array])), [arrays.length, ...dims]);
  const output = await session.run({
    x: batch(rows.map(({ x }) => x), FEATURE_COUNT), centre: batch(rows.map(({ parameters }) => parameters.centre), FEATURE_COUNT),
    scale: batch(rows.map(({ parameters }) => parameters.scale), FEATURE_COUNT), components: batch(rows.map(({ parameters }) => parameters.components), FEATURE_COUNT, COMPONENTS),
  });
  const errors = output['error']?.data as Float32Array;
  t.strictSame(output['error']?.dims, [37]);
  rows.forEach(({ parameters, x }, i) => {
    const wanted = reconstructionError(parameters, x).error;
    const found = errors[i] as number;
    t.ok(Math.abs(found - wanted) <= 1e-4 * Math.max(1e-3, wanted), `row ${i}: ${found} is ${wanted}`);
  });
  await session.release();
});

t.test('the baseline learns what is usual, refits, and stays bounded', async (t) => {
  const sample = usual(seeded(21));
  const baseline = new Baseline({ enabled: true, min_samples: 100, sample_us: 1_000_000 });
  let t_us = 0;
  const feed = (frames: number, unusual = false): void => {
    for (let i = 0; i < frames; i += 1) {
      t_us += 200_000;
      baseline.take(t_us, sample(), { stress: 0.2 }, unusual);
    }
  };
  feed(5 * 99);
  t.strictSame(baseline.state(), { state: 'learning', samples: 99, needed: 100 });
  t.equal(baseline.parameters, undefined);
  feed(5);
  t.strictSame([baseline.state().state, baseline.fits], ['ready', 1]);
  const first = baseline.parameters;
  feed(5 * 299);
  t.equal(baseline.parameters, first, 'no new fit before 300 more');
  feed(5);
  t.strictSame([baseline.fits, baseline.state().samples], [2, 400]);
  feed(5 * 60, true);
  t.equal(baseline.state().samples, 400, 'what is unusual is not learnt');
  feed(5 * 60 * 15, true);
  t.ok(baseline.state().samples > 400, 'unless it lasts');
  feed(5 * 2500);
  t.equal(baseline.state().samples, 1800);
});

t.test('deviation from the baseline', async (t) => {
  const baseline = new Baseline({ enabled: true, min_samples: 64, sample_us: 1_000_000 });
  for (let i = 0; i < DEVIATION_LEAST; i += 1) {
    t.equal(baseline.deviation('stress', 0.9), undefined, 'absent in warm-up');
    baseline.take(i * 1_000_000, undefined, { stress: 0.3 + (i % 2 === 0 ? 0.1 : -0.1) }, false);
  }
  t.equal(baseline.deviation('stress', 0.3), 0, 'at the median');
  t.equal(baseline.deviation('stress', 0.1), 0, 'below it');
  const z = 4 * 1.4826 * 0.1;
  t.ok(Math.abs((baseline.deviation('stress', 0.3 + z) as number) - 0.5) < 1e-9, 'half at four robust deviations');
  t.equal(baseline.deviation('anxiety', 0.9), undefined, 'of each indicator by itself');
});

t.test('switched off it learns nothing; a baseline brought along is used at once', async (t) => {
  const sample = usual(seeded(31));
  const snapshot = toSnapshot(fitAnomaly(many(200, sample)));
  const off = new Baseline({ enabled: false, min_samples: 64, sample_us: 1_000_000, snapshot });
  for (let i = 0; i < 200; i += 1) off.take(i * 1_000_000, sample(), { stress: 0.1 }, false);
  t.strictSame([off.parameters, off.deviation('stress', 1), off.state().state, off.state().samples], [undefined, undefined, 'off', 0]);
  const on = new Baseline({ enabled: true, min_samples: 64, sample_us: 1_000_000, snapshot });
  t.equal(on.state().state, 'ready');
  for (let i = 0; i < 199; i += 1) on.take(i * 1_000_000, sample(), {}, false);
  t.equal(on.fits, 0, 'and kept until there are as many new samples');
  on.take(199_000_000, sample(), {}, false);
  t.equal(on.fits, 1);
});
