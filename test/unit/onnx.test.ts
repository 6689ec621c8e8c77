import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { buildDefaultModels, humanModels, manifestChecksums } from '../../models/build.js';
import { readTfjsGraph } from '../../models/convert/tfjs_graph.js';
import { permute } from '../../models/convert/weights.js';
import { GraphBuilder, tensor } from '../../models/onnx/builder.js';
import { decodeModel, encodeModel, signature } from '../../models/onnx/codec.js';
import { fromHalf, toHalf } from '../../models/onnx/float16.js';
import type { Manifest } from '../../src/inference/manifest.js';

const folder = mkdtempSync(join(tmpdir(), 'sightline-onnx-'));
t.teardown(() => { rmSync(folder, { recursive: true, force: true }); });

t.test('every half survives the way to float and back', async (t) => {
  let wrong = 0;
  for (let half = 0; half < 65_536; half++) {
    const value = fromHalf(half);
    if (!Number.isNaN(value) && toHalf(value) !== half) wrong++;
  }
  t.equal(wrong, 0);
  t.equal(toHalf(1 / 6), 0x3155, 'nearest');
  t.equal(toHalf(65_519), 0x7bff);
  t.equal(toHalf(65_520), 0x7c00, 'beyond the largest is infinite');
  t.equal(toHalf(2 ** -25), 0, 'ties go to even');
  t.ok(Number.isNaN(fromHalf(toHalf(NaN))));
});

t.test('a graph is written and read again, the same bytes each time', async (t) => {
  const make = () => {
    const graph = new GraphBuilder('g');
    const x = graph.input('x', 'float32', ['batch', 4]);
    graph.node('Clip', [graph.node('Mul', [x, graph.half(Uint16Array.of(0x3c00, 0x4000, 0, 0, 0x3c00), [5])]), '', graph.scalar(6)], {}, ['y']);
    graph.node('Softmax', ['y'], { axis: -1 }, ['z']);
    graph.node('LeakyRelu', ['y'], { alpha: { float: 1 } }, ['w']);
    graph.output('z', 'float32', ['batch', 4]);
    return encodeModel(graph.build({ source: 'test' }));
  };
  const bytes = make();
  t.same(Buffer.from(make()), Buffer.from(bytes));
  const model = decodeModel(bytes);
  t.same(signature(model), { inputs: [{ name: 'x', type: 'float32', shape: ['batch', 4] }], outputs: [{ name: 'z', type: 'float32', shape: ['batch', 4] }], opset: 18 });
  t.same(Buffer.from(encodeModel(model)), Buffer.from(bytes), 'nothing is lost on the way');
  t.same(model.graph?.node?.map((node) => node.op_type), ['Cast', 'Mul', 'Clip', 'Softmax', 'LeakyRelu']);
});

t.test('equal small constants are one, wrong ones are refused', async (t) => {
  const graph = new GraphBuilder('g');
  t.equal(graph.scalar(6), graph.scalar(6));
  t.not(graph.scalar(0), graph.scalar(-0));
  t.not(graph.ints([1]), graph.floats([1]));
  t.throws(() => tensor('w', new Float32Array(3), [2, 2]), /3 values for shape \[2, 2\]/);
  t.throws(() => graph.node('A', [], { alpha: 0.5 }), /not an integer/);
});

t.test('what is no ONNX file is said to be none', async (t) => {
  t.throws(() => decodeModel(new Uint8Array([1, 2, 3, 4]), 'x.onnx'), { code: 'MODEL_FORMAT', message: /x\.onnx/ });
  t.throws(() => decodeModel(new Uint8Array(0), 'x.onnx'), { code: 'MODEL_FORMAT' });
  t.throws(() => decodeModel(Buffer.from('<html>not a model</html>'), 'x.onnx'), { code: 'MODEL_FORMAT' });
});

t.test('axes change places', async (t) => {
  t.same([...permute(Float32Array.of(0, 1, 2, 3, 4, 5), [2, 3], [1, 0])], [0, 3, 1, 4, 2, 5]);
  t.same([...permute(Float32Array.from({ length: 24 }, (_, at) => at), [2, 3, 4], [2, 0, 1])].slice(0, 7), [0, 4, 8, 12, 16, 20, 1]);
});

t.test('a broken TensorFlow.js model is refused', async (t) => {
  const file = join(folder, 'broken.json');
  const write = (value: unknown) => { writeFileSync(file, typeof value === 'string' ? value : JSON.stringify(value)); };
  write('{');
  t.throws(() => readTfjsGraph(file), { code: 'MODEL_CONVERT' });
  write({ modelTopology: { model_config: {} } });
  t.throws(() => readTfjsGraph(file), { code: 'MODEL_CONVERT', message: /graph model/ });
  writeFileSync(join(folder, 'w.bin'), new Uint8Array(7));
  write({ modelTopology: { node: [] }, weightsManifest: [{ paths: ['w.bin'], weights: [{ name: 'w', shape: [2], dtype: 'float32' }] }] });
  t.throws(() => readTfjsGraph(file), { code: 'MODEL_CONVERT', message: /end after 7 bytes, w needs 8/ });
});

const skip = existsSync(humanModels()) ? false : '@vladmandic/human is not installed';

await t.test('the default models are made once, and the same everywhere', { skip }, async (t) => {
  const manifest = JSON.parse(readFileSync('models/manifest.json', 'utf8')) as Manifest;
  const checksums = manifestChecksums(manifest);
  const out = join(folder, 'weights');
  const lines: string[] = [];
  const made = buildDefaultModels({ source: humanModels(), out, checksums, log: (line) => lines.push(line) });
  t.equal(made.length, 6);
  t.equal(lines.length, 6);
  for (const { name, file, sha256, made: fresh } of made) {
    t.equal(sha256, checksums[`${name}.onnx`], `${name} has the manifest's checksum`);
    t.equal(createHash('sha256').update(readFileSync(file)).digest('hex'), sha256);
    t.ok(fresh);
  }
  const before = made.map(({ file }) => statSync(file).mtimeMs);
  const [first] = made;
  writeFileSync(first?.file ?? '', 'damaged');
  const again = buildDefaultModels({ source: humanModels(), out, checksums });
  t.same(again.map((model) => model.made), [true, false, false, false, false, false], 'only the damaged one is made again');
  t.same(again.slice(1).map(({ file }) => statSync(file).mtimeMs), before.slice(1));
  t.throws(() => buildDefaultModels({ source: folder, out: join(folder, 'other'), checksums }), { code: 'MODEL_MISSING', message: /centernet\.json/ });
  t.throws(() => buildDefaultModels({ source: humanModels(), out: join(folder, 'other'), checksums: { 'centernet.onnx': '0'.repeat(64) } }), { code: 'MODEL_CHECKSUM' });
});
