/** The user's own models: made here with the graph builder, wrapped, and run, against the same arithmetic in plain code. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import t from 'tap';
import { GraphBuilder } from '../../models/onnx/builder.js';
import { encodeModel } from '../../models/onnx/codec.js';
import { DataType, type ModelProto } from '../../models/onnx/types.js';
import { poseDecoder } from '../../src/inference/decoders/index.js';
import { loadManifest } from '../../src/inference/manifest.js';
import { loadModels } from '../../src/inference/models.js';
import { check, convert, list } from '../../src/inference/models_command.js';
import { withUserModels, wrapUserModel } from '../../src/inference/user_models.js';
import { checkUserEntry } from '../../src/inference/user_entry.js';

const folder = mkdtempSync(join(tmpdir(), 'sightline-user-'));
t.teardown(() => { rmSync(folder, { recursive: true, force: true }); });
const standard = await loadManifest('models/manifest.json', 'models');
const log = { info: () => undefined };

function save(name: string, model: ModelProto): string {
  const file = join(folder, name);
  writeFileSync(file, encodeModel(model));
  return file;
}

/** A model whose output is its input's mean over the picture, a number a channel. */
function means(layout: 'nhwc' | 'nchw', type: 'uint8' | 'float32' | 'float16' | 'int32', batch: number | string, channels = 3, [height, width] = [6, 8]): ModelProto {
  const graph = new GraphBuilder('means');
  const x = graph.input('pixels', type, layout === 'nhwc' ? [batch, height, width, channels] : [batch, channels, height, width]);
  const values = type === 'float32' ? x : graph.node('Cast', [x], { to: DataType.float32 });
  graph.node('ReduceMean', [values, graph.ints(layout === 'nhwc' ? [1, 2] : [2, 3])], { keepdims: 0 }, ['out32']);
  if (type !== 'float16') {
    graph.output('out32', 'float32', [batch, channels]);
    return graph.build();
  }
  graph.node('Cast', ['out32'], { to: DataType.float16 }, ['out']);
  graph.output('out', 'float16', [batch, channels]);
  return graph.build();
}

const [WIDTH, HEIGHT] = [8, 6];
const bytes = (items: number) => Uint8Array.from({ length: items * WIDTH * HEIGHT * 3 }, (_, at) => (at * 37 + 11) % 256);
const meanOf = (data: Uint8Array, item: number, channel: number) => {
  let sum = 0;
  for (let at = 0; at < WIDTH * HEIGHT; at++) sum += data[(item * WIDTH * HEIGHT + at) * 3 + channel] ?? 0;
  return sum / (WIDTH * HEIGHT);
};

async function run(model: ModelProto, data: Uint8Array, dims: number[]): Promise<Record<string, ort.Tensor>> {
  const session = await ort.InferenceSession.create(encodeModel(model));
  return session.run({ sightline_image: new ort.Tensor('uint8', data, dims) });
}

t.test('every kind of input is fed from uint8 NHWC RGB', async (t) => {
  const data = bytes(2);
  for (const layout of ['nhwc', 'nchw'] as const) {
    for (const type of ['uint8', 'float32', 'float16', 'int32'] as const) {
      for (const colour of ['rgb', 'bgr'] as const) {
        const file = save('m.onnx', means(layout, type, 'batch'));
        const scaled = type === 'float32' || type === 'float16';
        const entry = { layout, colour, range: [-1, 1] as [number, number], mean: [0, 0.1, 0.2], std: [1, 2, 0.5], decoder: { name: 'softmax', labels: ['a', 'b', 'c'] }, source: 'frame' as const };
        const { model, network, guessed } = wrapUserModel('emotion', file, entry, standard);
        t.same(guessed, [], 'nothing was left to guess');
        t.same([network.produces, network.input.width, network.input.height, network.max_batch], ['emotions', WIDTH, HEIGHT, 16]);
        const [output] = Object.values(await run(model, data, [2, HEIGHT, WIDTH, 3]));
        const got = Array.from(output?.data as Float32Array);
        const want = [0, 1].flatMap((item) => [0, 1, 2].map((channel) => {
          const mean = meanOf(data, item, colour === 'bgr' ? 2 - channel : channel);
          return scaled ? (mean / 127.5 - 1 - (entry.mean[channel] ?? 0)) / (entry.std[channel] ?? 1) : mean;
        }));
        t.ok(got.length === 6 && got.every((value, at) => Math.abs(value - (want[at] ?? NaN)) < (type === 'float16' ? 5e-3 : 1e-3)), `${layout} ${type} ${colour}`);
        t.equal(output?.type, 'float32');
      }
    }
  }
});

t.test('grey models get the luma, fixed batches stay one', async (t) => {
  const data = bytes(1);
  const entry = checkUserEntry({ range: [0, 255], decoder: { name: 'softmax', labels: ['a'] }, source: 'frame' }, 'x');
  const { model, network } = wrapUserModel('emotion', save('grey.onnx', means('nhwc', 'float32', 1, 1)), entry, standard);
  t.equal(network.max_batch, 1);
  const [output] = Object.values(await run(model, data, [1, HEIGHT, WIDTH, 3]));
  t.ok(Math.abs((output?.data[0] as number) - (0.2989 * meanOf(data, 0, 0) + 0.587 * meanOf(data, 0, 1) + 0.114 * meanOf(data, 0, 2))) < 1e-2);
  t.throws(() => wrapUserModel('emotion', save('four.onnx', means('nhwc', 'float32', 4)), entry, standard), { code: 'MODEL_FORMAT', message: /dynamic batch or a batch of 1, got 4/ });
});

t.test('heat maps of a narrow model on square crops', async (t) => {
  // 16x32 in, 4x8 maps out, with a peak where the picture is brightest.
  const graph = new GraphBuilder('heat');
  const x = graph.input('x', 'float32', ['batch', 3, 32, 16]);
  const small = graph.node('AveragePool', [x], { kernel_shape: [4, 4], strides: [4, 4] });
  const grey = graph.node('ReduceMean', [small, graph.ints([1])], { keepdims: 1 });
  graph.node('Expand', [grey, graph.ints([1, 17, 1, 1])], {}, ['maps']);
  graph.output('maps', 'float32', ['batch', 17, 8, 4]);
  const { model, network } = wrapUserModel('pose', save('heat.onnx', graph.build()), { range: [0, 1], mean: 0, std: 1 }, standard);
  t.same([network.input.width, network.input.height, network.source.kind], [32, 32, 'crop']);
  const picture = new Uint8Array(32 * 32 * 3);
  for (let y = 20; y < 24; y++) for (let px = 12; px < 16; px++) picture.fill(255, (y * 32 + px) * 3, (y * 32 + px) * 3 + 3);
  const outputs = await run(model, picture, [1, 32, 32, 3]);
  const [pose] = poseDecoder(network.decoder.name)(outputs, 0, { width: 32, height: 32, params: network.decoder });
  t.same([...(pose?.keypoints.slice(0, 2) ?? [])], [14, 22], 'the point is in pixels of the square crop');
});

t.test('what a shape suggests is guessed and said', async (t) => {
  const graph = new GraphBuilder('yolo');
  graph.node('Identity', [graph.input('images', 'float32', ['batch', 3, 320, 320])], {}, ['same']);
  graph.output('output0', 'float32', ['batch', 84, 2100]);
  const { network, guessed } = wrapUserModel('object', save('yolo.onnx', graph.build()), {}, standard);
  t.equal(network.decoder.name, 'yolov8');
  t.same([network.input.width, network.input.fit, network.input.pad, network.source.kind], [320, 'letterbox', 114, 'frame']);
  t.same(guessed, ['range [0,1]', 'decoder {"name":"yolov8"}']);
});

t.test('a model that cannot be used is refused with the way out', async (t) => {
  const cases: [string, RegExp][] = [
    ['emotion_recognition_v2.h5', /got "emotion_recognition_v2\.h5".*Keras.*tf2onnx\.convert --keras emotion_recognition_v2\.h5 --output emotion_recognition_v2\.onnx/],
    ['yolov5_retail.pt', /PyTorch.*export\.py --weights yolov5_retail\.pt.*yolo export model=yolov5_retail\.pt/],
    ['a.pth', /torch\.onnx\.export/],
    ['b.tflite', /--tflite b\.tflite/],
    ['c.pb', /--saved-model/],
    ['d.zip', /export it as ONNX/],
  ];
  for (const [name, message] of cases) t.throws(() => wrapUserModel('object', join(folder, name), {}, standard), { code: 'MODEL_FORMAT', message });
  t.throws(() => wrapUserModel('object', join(folder, 'absent.onnx'), {}, standard), { code: 'MODEL_MISSING', message: /"absent\.onnx"/ });
  t.throws(() => wrapUserModel('pose', save('odd.onnx', means('nhwc', 'float32', 'batch')), {}, standard), { code: 'MODEL_MANIFEST', message: /decoder: it can't be told from the outputs "out32"/ });
  t.throws(() => checkUserEntry({ layout: 'hwc', wide: 3 }, 'm.json'), { code: 'MODEL_MANIFEST', message: /m\.json: .*\/wide.*\/layout|m\.json: .*\/layout.*\/wide/s });
});

t.test('an autoencoder of one\'s own gives an error in units of the baseline', async (t) => {
  const anomaly = standard.networks.find((network) => network.produces === 'anomaly');
  const width = anomaly?.input.width ?? 0;
  const graph = new GraphBuilder('half');
  graph.node('Mul', [graph.input('x', 'float32', ['batch', width]), graph.scalar(0.5)], {}, ['y']);
  graph.output('y', 'float32', ['batch', width]);
  const { model, network } = wrapUserModel('anomaly', save('half.onnx', graph.build()), {}, standard);
  t.same(network.extra_inputs, anomaly?.extra_inputs);
  const session = await ort.InferenceSession.create(encodeModel(model));
  const feeds: Record<string, ort.Tensor> = { x: new ort.Tensor('float32', new Float32Array(2 * width).fill(3).fill(5, width), [2, width]) };
  for (const { tensor, shape } of anomaly?.extra_inputs ?? []) feeds[tensor] = new ort.Tensor('float32', new Float32Array(2 * shape.reduce((a, b) => a * b, 1)).fill(tensor === 'scale' ? 2 : 1), [2, ...shape]);
  t.same(Array.from((await session.run(feeds))['error']?.data as Float32Array), [0.25, 1], '((3−1)/2 · 0.5)² and ((5−1)/2 · 0.5)²');
  t.throws(() => wrapUserModel('anomaly', save('m.onnx', means('nhwc', 'float32', 'batch')), {}, standard), { code: 'MODEL_FORMAT', message: new RegExp(`\\[batch, ${width}\\]`) });
});

t.test('own models take the place of the default ones', async (t) => {
  const dir = join(folder, 'own');
  const cache_dir = join(folder, 'cache');
  mkdirSync(dir);
  writeFileSync(join(dir, 'faces.onnx'), encodeModel(means('nchw', 'float32', 'batch', 3, [64, 64])));
  writeFileSync(join(dir, 'faces.json'), JSON.stringify({ decoder: { name: 'softmax', labels: ['calm', 'cross', 'tired'] } }));
  const graph = new GraphBuilder('gaze');
  graph.node('Identity', [graph.input('face', 'float32', ['batch', 3, 224, 224])], {}, ['same']);
  graph.node('ReduceMean', ['same', graph.ints([2, 3])], { keepdims: 0 }, ['gaze']);
  graph.output('gaze', 'float32', ['batch', 3]);
  writeFileSync(join(dir, 'gaze.onnx'), encodeModel(graph.build()));
  const manifest = withUserModels(standard, { dir, files: { emotion: 'faces.onnx', gaze: 'gaze.onnx', pose: undefined }, cache_dir, log });
  const made = manifest.networks.map(({ id }) => id);
  t.ok(made.includes('user-emotion') && !made.includes('emotions') && made.indexOf('user-gaze') > made.indexOf('mesh'), made.join(' '));
  const own = { version: 1 as const, networks: manifest.networks.filter(({ id }) => id.startsWith('user-')) };
  t.same(check(own).map(({ id, problems }) => [id, problems]), [['user-emotion', []], ['user-gaze', []]]);
  t.ok(list(own).every(({ checksum_ok, bytes: size }) => checksum_ok === true && (size ?? 0) > 100));
  t.same(withUserModels(standard, { dir, files: { emotion: 'faces.onnx', gaze: 'gaze.onnx' }, cache_dir, log }), manifest, 'the second time finds them made');
  t.same((await loadModels({ root: '.', models: { dir, emotion: 'faces.onnx' }, cache_dir })).networks.find(({ slot, produces }) => slot === 'emotion' && produces === 'emotions')?.id, 'user-emotion');
  writeFileSync(own.networks[0]?.file ?? '', 'x');
  t.match(check(own)[0]?.problems.join(), /MODEL_CHECKSUM.*MODEL_FORMAT/);
});

t.test('convert writes what it says', async (t) => {
  const out = join(folder, 'converted.onnx');
  const source = save('c.onnx', means('nchw', 'float32', 'batch'));
  const done = convert({ source, out, slot: 'emotion', entry: { decoder: { name: 'softmax', labels: ['a', 'b', 'c'] } }, standard });
  t.same(done.inputs, [{ name: 'sightline_image', type: 'uint8', shape: ['batch', WIDTH, WIDTH, 3] }], 'crops are square, a narrow model gets the middle');
  t.equal(done.bytes, readFileSync(out).length);
  t.ok(done.guessed.some((guess) => guess.startsWith('mean')), 'ImageNet normalisation was a guess');
  t.throws(() => convert({ source, out }), { code: 'REQUEST_INVALID' });
  t.throws(() => convert({ source: join(folder, 'no.json'), out }), { code: 'MODEL_MISSING' });
});
