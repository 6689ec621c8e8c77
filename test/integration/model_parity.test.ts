/**
 * Converted networks against the originals run in TensorFlow.js, on the photographs inside @vladmandic/human. Both sides get the same bytes; the original is
 * fed as @vladmandic/human feeds it, on the backend that sums in double precision (the wasm one has four times the rounding error). Every output has to agree within 1e-5 of its range over the photographs, and a batch has to equal its items.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as converter from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import * as ort from 'onnxruntime-node';
import t from 'tap';
import { buildDefaultModels, humanModels } from '../../models/build.js';

/** Photographs: file and region [x, y, width, height]. */
const PHOTOS = [
  { file: 'samples.jpg', region: [0, 197, 1280, 961] },
  { file: 'samples.jpg', region: [325, 0, 212, 158] },
  { file: 'samples.jpg', region: [165, 0, 153, 158] },
  { file: 'screenshot-facedetect.jpg', region: [306, 93, 200, 150] },
] as const;
const FACES = [[7, 346, 150, 150], [164, 346, 150, 150], [321, 346, 150, 150], [478, 346, 150, 150], [634, 346, 150, 150]].map((region) => ({ file: 'screenshot-facedetect.jpg', region }));
const EYES = [[55, 400, 40, 40], [210, 400, 40, 40], [365, 400, 40, 40], [415, 385, 40, 40], [520, 400, 40, 40]].map((region) => ({ file: 'screenshot-facedetect.jpg', region }));

type Photo = { file: string; region: readonly number[] };
const assets = join(humanModels(), '..', 'assets');

/** RGB bytes of a region, resized: the one picture both sides get. */
function pixels({ file, region: [x = 0, y = 0, w = 0, h = 0] }: Photo, width: number, height: number): Uint8Array {
  const filter = `crop=${w}:${h}:${x}:${y},scale=${width}:${height}`;
  const run = spawnSync('ffmpeg', ['-v', 'error', '-i', join(assets, file), '-vf', filter, '-frames:v', '1', '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'], { maxBuffer: 1 << 26 });
  if (run.stdout.length !== width * height * 3) throw new Error(`ffmpeg: ${run.stderr.toString().slice(0, 300)}`);
  return new Uint8Array(run.stdout);
}

interface Column {
  name: string;
  /** Of one picture. */
  expected: Float32Array;
  got: Float32Array;
}

interface Case {
  name: string;
  width: number;
  height: number;
  photos: Photo[];
  feed(image: tf.Tensor4D): tf.Tensor;
  /** What the original says, and where the same numbers are in the converted network's outputs. */
  columns(original: Record<string, tf.Tensor>, outputs: ort.InferenceSession.ReturnType): Column[];
}

const data = (tensor: tf.Tensor | undefined): Float32Array => Float32Array.from((tensor ?? tf.tensor([])).dataSync());
const of = (outputs: ort.InferenceSession.ReturnType, name: string): Float32Array => outputs[name]?.data as Float32Array;
const strided = (values: Float32Array, width: number, from: number, to: number): Float32Array => values.filter((_, at) => at % width >= from && at % width < to);
const joined = (...parts: Float32Array[]): Float32Array => Float32Array.from(parts.flatMap((part) => [...part]));

const CASES: Case[] = [
  {
    name: 'blazeface',
    width: 256,
    height: 256,
    photos: [...PHOTOS.slice(0, 3), ...FACES.slice(0, 2)],
    feed: (image) => tf.sub(tf.div(image, 127.5), 1),
    columns: (original, outputs) => [
      { name: 'logits', expected: joined(data(original['Identity']), data(original['Identity_1'])), got: of(outputs, 'logits') },
      { name: 'regressors', expected: joined(data(original['Identity_2']), data(original['Identity_3'])), got: of(outputs, 'regressors') },
    ],
  },
  {
    name: 'facemesh',
    width: 192,
    height: 192,
    // Something that is no face among them, so that the face flag has a range.
    photos: [...FACES, { file: 'samples.jpg', region: [700, 600, 150, 150] }],
    feed: (image) => tf.div(image, 255),
    columns: (original, outputs) => [
      { name: 'mesh', expected: data(original['Identity_2']), got: of(outputs, 'mesh') },
      { name: 'face', expected: data(original['Identity_1']), got: of(outputs, 'face') },
    ],
  },
  {
    name: 'iris',
    width: 64,
    height: 64,
    photos: EYES,
    feed: (image) => tf.div(image, 255),
    columns: (original, outputs) => [{ name: 'points', expected: data(original['Identity']), got: of(outputs, 'points') }],
  },
  {
    name: 'emotion',
    width: 64,
    height: 64,
    photos: FACES,
    feed: (image) => tf.mul(tf.sub(tf.sum(tf.mul(tf.div(image, 255), [0.2989, 0.587, 0.114]), 3, true), 0.5), 2),
    columns: (original, outputs) => [{ name: 'probabilities', expected: data(original['Identity']), got: of(outputs, 'probabilities') }],
  },
  {
    name: 'movenet-lightning',
    width: 192,
    height: 192,
    photos: [...PHOTOS, { file: 'samples.jpg', region: [0, 0, 158, 158] }],
    feed: (image) => tf.cast(image, 'int32'),
    columns: (original, outputs) => {
      const [expected, got] = [data(original['Identity']), of(outputs, 'keypoints')];
      return [
        { name: 'position', expected: strided(expected, 3, 0, 2), got: strided(got, 3, 0, 2) },
        { name: 'score', expected: strided(expected, 3, 2, 3), got: strided(got, 3, 2, 3) },
      ];
    },
  },
  {
    name: 'centernet',
    width: 512,
    height: 512,
    photos: PHOTOS.slice(0, 2),
    feed: (image) => image,
    columns: (original, outputs) => {
      const [expected, got] = [data(original['tower_0/detections']), of(outputs, 'detections')];
      return [
        { name: 'boxes', expected: strided(expected, 6, 0, 4), got: strided(got, 6, 0, 4) },
        { name: 'score', expected: strided(expected, 6, 4, 5), got: strided(got, 6, 4, 5) },
        { name: 'class', expected: strided(expected, 6, 5, 6), got: strided(got, 6, 5, 6) },
      ];
    },
  },
];

/** A TFJS graph model from disk: tfjs-converter has no file system handler of its own. */
async function loadOriginal(name: string): Promise<converter.GraphModel> {
  const json = JSON.parse(readFileSync(join(humanModels(), `${name}.json`), 'utf8')) as { modelTopology: object; signature?: object; userDefinedMetadata?: { signature?: object }; weightsManifest: { weights: tf.io.WeightsManifestEntry[] }[] };
  const bytes = readFileSync(join(humanModels(), `${name}.bin`));
  return converter.loadGraphModel({
    load: async () => ({
      modelTopology: json.modelTopology,
      weightSpecs: json.weightsManifest.flatMap((group) => group.weights),
      weightData: new Uint8Array(bytes).buffer,
      ...(json.signature === undefined ? {} : { signature: json.signature }),
      ...(json.userDefinedMetadata === undefined ? {} : { userDefinedMetadata: json.userDefinedMetadata }),
    }),
  });
}

interface Agreement {
  worst: number;
  low: number;
  high: number;
}

async function compare(one: Case, session: ort.InferenceSession): Promise<Map<string, Agreement>> {
  const original = await loadOriginal(one.name);
  const found = new Map<string, Agreement>();
  for (const photo of one.photos) {
    const bytes = pixels(photo, one.width, one.height);
    const outputs = await session.run({ image: new ort.Tensor('uint8', bytes, [1, one.height, one.width, 3]) });
    tf.engine().startScope();
    const image = tf.tensor4d(Float32Array.from(bytes), [1, one.height, one.width, 3]);
    const names = one.name === 'centernet' ? ['tower_0/detections'] : original.outputs.map((output) => output.name);
    const results = original.execute(one.feed(image), names);
    const list = Array.isArray(results) ? results : [results];
    for (const column of one.columns(Object.fromEntries(names.map((name, at) => [name.replace(/:0$/, ''), list[at] as tf.Tensor])), outputs)) {
      const agreement = found.get(column.name) ?? { worst: 0, low: Infinity, high: -Infinity };
      if (column.expected.length !== column.got.length || column.got.length === 0) agreement.worst = Infinity;
      column.expected.forEach((value, at) => {
        const difference = Math.abs(value - (column.got[at] ?? NaN));
        agreement.worst = Math.max(agreement.worst, Number.isFinite(difference) ? difference : Infinity);
        agreement.low = Math.min(agreement.low, value);
        agreement.high = Math.max(agreement.high, value);
      });
      found.set(column.name, agreement);
    }
    tf.engine().endScope();
  }
  original.dispose();
  return found;
}

/** Names of outputs in which a batch differs from its items by as much as a bit. */
async function batchDifferences(one: Case, session: ort.InferenceSession, size: number): Promise<string[]> {
  const bytes = one.width * one.height * 3;
  const sources = one.photos.map((photo) => pixels(photo, one.width, one.height));
  const batch = new Uint8Array(size * bytes);
  for (let item = 0; item < size; item++) {
    const source = sources[item % sources.length] as Uint8Array;
    // Every item another picture: the later rounds are brighter.
    batch.set(source.map((value) => Math.min(255, value + 3 * Math.floor(item / sources.length))), item * bytes);
  }
  const together = await session.run({ image: new ort.Tensor('uint8', batch, [size, one.height, one.width, 3]) });
  const different = new Set<string>();
  for (let item = 0; item < size; item++) {
    const alone = await session.run({ image: new ort.Tensor('uint8', batch.slice(item * bytes, (item + 1) * bytes), [1, one.height, one.width, 3]) });
    for (const [name, tensor] of Object.entries(alone)) {
      const single = tensor.data as Float32Array;
      const row = of(together, name).subarray(item * single.length, (item + 1) * single.length);
      if (!Buffer.from(single.buffer, single.byteOffset, single.byteLength).equals(Buffer.from(row.buffer, row.byteOffset, row.byteLength))) different.add(name);
    }
  }
  return [...different];
}

t.setTimeout(600_000);
const ffmpeg = spawnSync('ffmpeg', ['-version']).status === 0;
const skip = !ffmpeg ? 'ffmpeg is not installed' : !existsSync(assets) ? '@vladmandic/human is not installed' : false;

await t.test('converted networks agree with TensorFlow.js on photographs', { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sightline-models-'));
  t.teardown(() => { rmSync(folder, { recursive: true, force: true }); });
  buildDefaultModels({ source: humanModels(), out: folder, checksums: {} });
  t.ok(await tf.setBackend('cpu'), 'TensorFlow.js runs');
  for (const one of CASES) {
    const session = await ort.InferenceSession.create(join(folder, `${one.name}.onnx`), { graphOptimizationLevel: 'all', intraOpNumThreads: 1 });
    for (const [name, { worst, low, high }] of await compare(one, session)) {
      const range = high - low;
      t.comment(`${one.name}.${name}: range ${range.toPrecision(4)}, worst ${worst.toExponential(2)}, ${(worst / range).toExponential(2)} of the range`);
      t.ok(range > 0 && worst <= 1e-5 * range, `${one.name}.${name} within 1e-5 of its range`);
    }
    t.same(await batchDifferences(one, session, 16), [], `${one.name}: a batch of 16 equals its items bit for bit`);
    await session.release();
  }
});
