/** Things that move: what differs between pictures of one pointing is left out of the estimate; noise, light and a shaking mast move nothing. */
import t from 'tap';
import type { OffsetResult, PtzView } from '../../src/ptz/estimate/types.js';
import { offsetEngine } from '../fixtures/ptz_engine.js';
import { cameraAt, develop, makePanorama, Random, render, type Matrix } from '../fixtures/ptz_scene.js';
import { CAMERA, FOCAL, HEIGHT, WIDTH } from '../fixtures/ptz_trials.js';

t.setTimeout(400_000);

const engine = offsetEngine(t);
const panorama = makePanorama(7);

/** 30 % of the picture, full of corners. */
const BUS = { width: 640, height: 432, top: 200 };
const BUS_SIDE = paintBus(new Random(3));

function paintBus(random: Random): Uint8Array {
  const side = new Uint8Array(BUS.width * BUS.height).fill(128);
  for (let i = 0; i < 9_000; i++) {
    const [x, y, size, level] = [Math.floor(random.next() * BUS.width), Math.floor(random.next() * BUS.height), Math.floor(random.between(4, 18)), Math.floor(random.between(10, 245))];
    for (let v = y; v < Math.min(BUS.height, y + size); v++) side.fill(level, v * BUS.width + x, v * BUS.width + Math.min(BUS.width, x + size));
  }
  return side;
}
interface Look {
  rotation?: Matrix;
  /** Left edge of the bus, pixels; undefined = there is none. */
  bus?: number;
  /** Of the world, not of the bus: a dull scene. */
  blur?: number;
  gain?: number;
  seed: number;
}

/** A picture of pan 0, tilt -5, with a bus in it where one is wanted. */
async function picture({ rotation = cameraAt(0, -5, 0), bus, blur = 0, gain = 1, seed }: Look): Promise<Uint8Array> {
  const random = new Random(seed);
  const world = render(panorama, { width: WIDTH, height: HEIGHT, focal: FOCAL, k1: 0, rotation });
  const seen = Float32Array.from(develop(world, WIDTH, HEIGHT, { blur, gain: 1, noise: 0 }, random));
  if (bus !== undefined) {
    for (let y = 0; y < BUS.height; y++) for (let x = Math.max(0, -bus); x < Math.min(BUS.width, WIDTH - bus); x++) seen[(BUS.top + y) * WIDTH + bus + x] = BUS_SIDE[y * BUS.width + x] ?? 0;
  }
  return engine.opencv.ask({ op: 'write', grey: develop(seen, WIDTH, HEIGHT, { blur: 0, gain, noise: 3 }, random), width: WIDTH, height: HEIGHT, quality: 90 });
}

const view = (name: string, pictures: Uint8Array[]): PtzView => {
  const [first = new Uint8Array(0), ...again] = pictures;
  return { name, picture: first, pan_deg: 0, tilt_deg: -5, again };
};
const say = ({ status, reason, yaw_deg, ci95_deg, inliers, views }: OffsetResult): string => `${status} ${reason} yaw ${String(yaw_deg)} ± ${String(ci95_deg?.yaw)}, ${inliers} inliers, moving ${String(views[0]?.moving_share)}`;
const movingIn = async (pictures: Uint8Array[]): Promise<number> => {
  const [first = new Uint8Array(0), ...again] = pictures;
  const { moving_share } = await engine.opencv.ask({ op: 'features', picture: first, method: 'orb', max_features: 50, ignore: [], again });
  return moving_share ?? -1;
};

t.test('a bus that fills 30 % of a dull scene and drives on: with one picture the answer is its way, with three it is the camera’s', async (t) => {
  const dull = { blur: 3 };
  const references = await Promise.all([100, 260, 420].map((bus, index) => picture({ ...dull, bus, seed: 10 + index })));
  const queries = await Promise.all([140, 300, 460].map((bus, index) => picture({ ...dull, bus, seed: 20 + index })));
  const one = await engine.estimateOffset([view('r', references.slice(0, 1))], [view('q', queries.slice(0, 1))], { camera: CAMERA });
  t.comment(`one picture: ${say(one)}`);
  t.not(one.status, 'ok', 'without others nothing tells the bus from the world');
  t.equal(one.views[0]?.moving_share, null);
  const three = await engine.estimateOffset([view('r', references)], [view('q', queries)], { camera: CAMERA });
  t.comment(`three pictures: ${say(three)}`);
  t.match(three, { status: 'ok', reason: '' });
  t.ok(Math.abs(three.yaw_deg ?? 9) < 0.03 && Math.abs(three.pitch_deg ?? 9) < 0.03);
  t.ok((three.views[0]?.moving_share ?? 0) > 0.3 && (three.views[0]?.moving_share ?? 1) < 0.5);
});

t.test('noise, light, night and a shake of a pixel move nothing; a bus is found by night as well', async (t) => {
  const still = async (...looks: Look[]): Promise<number> => movingIn(await Promise.all(looks.map((look) => picture(look))));
  const looks: Record<string, Look[]> = {
    noise: [{ seed: 1 }, { seed: 2 }, { seed: 3 }],
    flicker: [{ seed: 1 }, { seed: 2, gain: 0.75 }, { seed: 3, gain: 1.15 }],
    night: [{ seed: 1, gain: 0.18 }, { seed: 2, gain: 0.18 }, { seed: 3, gain: 0.15 }],
    shake: [{ seed: 1 }, { seed: 2, rotation: cameraAt(0.05, -5, 0) }, { seed: 3, rotation: cameraAt(0, -4.95, 0) }],
    'bus by day': [{ seed: 1, bus: 100 }, { seed: 2, bus: 700 }, { seed: 3, bus: 1279 }],
    'bus by night': [{ seed: 1, bus: 100, gain: 0.18 }, { seed: 2, bus: 700, gain: 0.18 }, { seed: 3, bus: 1279, gain: 0.18 }],
  };
  const shares: Record<string, number> = {};
  for (const [what, these] of Object.entries(looks)) shares[what] = await still(...these);
  t.comment(JSON.stringify(shares));
  for (const what of ['noise', 'flicker', 'night', 'shake']) t.equal(shares[what], 0, what);
  for (const what of ['bus by day', 'bus by night']) t.ok((shares[what] ?? 0) >= 0.3 && (shares[what] ?? 1) <= 0.42, `${what}: the bus and a margin`);
});

t.test('views of one pointing tell it of each other; where more than half changes nothing is left out, and the share says so', async (t) => {
  const references = [view('r', [await picture({ seed: 30 })])];
  const queries = await Promise.all([0, 300, 600].map(async (bus, index) => view(`q${index}`, [await picture({ bus, seed: 40 + index })])));
  const several = await engine.estimateOffset(references, queries, { camera: CAMERA });
  t.match(several, { status: 'ok', views: { length: 3 } });
  for (const { moving_share } of several.views) t.ok((moving_share ?? 0) > 0.25 && (moving_share ?? 1) < 0.6, `${String(moving_share)}`);
  const elsewhere = await picture({ seed: 50, rotation: cameraAt(90, -5, 0) });
  const turned = await engine.estimateOffset(references, [view('q', [await picture({ seed: 51 }), elsewhere])], { camera: CAMERA });
  t.match(turned, { status: 'ok' }, 'the picture itself is used as it is');
  t.ok((turned.views[0]?.moving_share ?? 0) > 0.5);
  const unusable = await engine.estimateOffset(references, [view('q', [await picture({ seed: 52 }), new Uint8Array([1, 2, 3])])], { camera: CAMERA });
  t.match(unusable, { status: 'ok', views: [{ moving_share: null }] }, 'what cannot be read tells nothing');
});
