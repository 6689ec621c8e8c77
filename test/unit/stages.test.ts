import t from 'tap';
import type { BatchRow, PoolInput } from '../../src/capture/types.js';
import type { Outputs } from '../../src/inference/decoders/types.js';
import { gazeOf } from '../../src/inference/frame_work.js';
import type { Network } from '../../src/inference/manifest.js';
import { StageGraph, type StageAddon } from '../../src/inference/stages.js';

const square = (size: number): Network['input'] => ({ tensor: 'image', width: size, height: size, fit: 'letterbox', pad: 0 });
const base = { file: 'x.onnx', items_per_frame: 1, max_batch: 16 };
const objects: Network = { ...base, id: 'objects', produces: 'objects', slot: 'object', source: { kind: 'frame' }, input: square(100), max_per_frame: 10, decoder: { name: 'yolov8', labels: ['person', 'dog'], min_score: 0.5, iou: 0.5, max: 10 } };
const persons: Network = { ...base, id: 'persons', produces: 'persons', slot: 'pose', source: { kind: 'crop', of: 'objects', scale: 1, rotate: false }, input: square(64), max_per_frame: 2, decoder: { name: 'movenet', min_keypoint_score: 0.2, min_keypoints: 4 } };
const INPUTS: PoolInput[] = [{ name: 'objects', width: 100, height: 100, fit: 'letterbox', pad: 0 }];

const row = (index: number): BatchRow => ({ row: index, camera: index + 1, generation: 1, seq: 1, pts_us: 0, packet_us: 0, wall_ms: 0, ready_us: 0, width: 200, height: 100 });

interface Cropped { rows: number[]; matrices: number[][]; bytes: number }

function setUp(options: { networks: Network[]; batch: Record<string, number>; fail?: string; boxes: number[][][] }) {
  const cropped: Cropped[] = [];
  const runs: [string, number][] = [];
  const addon: StageAddon = {
    batchTensor: () => new Uint8Array(4 * 100 * 100 * 3),
    // A 200×100 frame in a 100×100 tensor: half size, 25 rows of padding above.
    placement: () => ({ scale_x: 0.5, scale_y: 0.5, x: 0, y: 25 }),
    cropRows: (_batch, rows, matrices, dest) => {
      cropped.push({ rows: [...rows], matrices: [...rows].map((_, i) => [...matrices.subarray(i * 6, i * 6 + 6)]), bytes: dest.length });
    },
  };
  let next_frame = 0;
  const graph = new StageGraph({
    networks: options.networks, inputs: INPUTS, batch: options.batch, addon, now_us: () => 0,
    available: (id) => id !== 'absent',
    async run(network, data, items): Promise<Outputs> {
      runs.push([network.id, items]);
      if (network.id === options.fail) throw new Error('device lost');
      if (network.id !== 'objects') return { out: { data: Float32Array.from({ length: items * 51 }, (_, i) => (i % 3 === 2 ? 0.9 : 0.5)), dims: [items, 1, 17, 3] } };
      t.equal(data.length, items * 100 * 100 * 3);
      const n = 3;
      const out = new Float32Array(items * 6 * n);
      for (let item = 0; item < items; item++) {
        for (const [k, [x = 0, y = 0, w = 0, h = 0, person = 0, dog = 0]] of (options.boxes[next_frame++] ?? []).entries()) {
          for (const [channel, value] of [x, y, w, h, person, dog].entries()) out[(item * 6 + channel) * n + k] = value;
        }
      }
      return { out: { data: out, dims: [items, 6, n] } };
    },
  });
  return { graph, cropped, runs };
}

t.test('frame-level boxes are mapped through the letterbox to frame pixels and clipped', async (t) => {
  const { graph } = setUp({ networks: [objects], batch: { objects: 4 }, boxes: [[[50, 50, 20, 10, 0.9, 0]], [[2, 50, 20, 10, 0, 0.8]]] });
  const answer = await graph.frames(0, [row(0), row(1)]);
  t.match(answer.frames[0]?.objects, [{ label: 'person', box: [80, 40, 40, 20] }]);
  t.match(answer.frames[1]?.objects, [{ label: 'dog', box: [0, 40, 24, 20] }], 'clipped at the left edge');
  t.same(answer.batches, { objects: [2] });
});

t.test('crops of several frames share runs of the network’s batch size', async (t) => {
  const person = [50, 50, 20, 20, 0.9, 0];
  const { graph, cropped, runs } = setUp({
    networks: [objects, persons], batch: { objects: 1, persons: 2 },
    boxes: [[person, [20, 50, 10, 20, 0.8, 0]], [[70, 50, 10, 10, 0, 0.9]], [person]],
  });
  const answer = await graph.frames(0, [row(0), row(1), row(2)]);
  t.same(runs, [['objects', 1], ['objects', 1], ['objects', 1], ['persons', 2], ['persons', 1]]);
  t.same(cropped.map((crop) => crop.rows), [[0, 0], [2]], 'a dog is not cropped');
  t.equal(cropped[0]?.bytes, 2 * 64 * 64 * 3);
  t.same(answer.frames.map((frame) => frame.persons.length), [2, 0, 1]);
  const [nose] = answer.frames[0]?.persons[0]?.keypoints ?? [];
  t.ok(nose && Math.abs(nose.x - 100) < 1e-3 && Math.abs(nose.y - 50) < 1e-3, 'the middle of the crop is the middle of the box, in frame pixels');
});

t.test('a failing network leaves its field absent, and persons are then looked for on the whole frame', async (t) => {
  const { graph, cropped } = setUp({ networks: [objects, persons], batch: {}, fail: 'objects', boxes: [] });
  const answer = await graph.frames(0, [row(0)]);
  t.same(answer.failures, [{ network: 'objects', message: 'device lost' }]);
  t.same(answer.frames[0]?.missing, ['object']);
  t.equal(answer.frames[0]?.persons.length, 1);
  t.same(cropped[0]?.matrices[0]?.map((value) => Math.round(value * 1000) / 1000), [3.125, -0, 0, 0, 3.125, -50].map((v) => v + 0), 'a square around the frame');
});

t.test('a network that could not be opened is missing, not an error', async (t) => {
  const { graph } = setUp({ networks: [{ ...objects, id: 'absent' }], batch: {}, boxes: [] });
  const answer = await graph.frames(0, [row(0)]);
  t.same(answer.frames[0]?.missing, ['object']);
  t.same(answer.failures, [{ network: 'absent', message: 'not loaded', skipped: true }]);
});

t.test('gaze angles follow the signs of the API', async (t) => {
  t.match(gazeOf([0, 0, -2]), { vector: [0, 0, -1], yaw_deg: 0 });
  t.ok(gazeOf([0.5, 0, -1]).yaw_deg > 0, 'to the right in the image');
  t.ok(gazeOf([0, -0.5, -1]).pitch_deg > 0, 'upwards');
});
