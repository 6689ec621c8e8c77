import t from 'tap';
import { RIGID_POINTS } from '../../src/inference/decoders/face_template.js';
import { faceGeometry } from '../../src/inference/decoders/gaze_geometry.js';
import { gazeOfAngles, gazeOfVector } from '../../src/inference/decoders/gaze.js';
import { gazeDecoder } from '../../src/inference/decoders/index.js';
import { fitSimilarity, rotate, type Rotation, type Vector } from '../../src/inference/decoders/rigid_fit.js';
import type { DecoderContext } from '../../src/inference/decoders/types.js';

const context = (params: Record<string, unknown> = {}): DecoderContext => ({ width: 224, height: 224, params });
const one = (data: ArrayLike<number>, ...dims: number[]) => ({ data: Float32Array.from(data), dims });
const near = (a: number | undefined, b: number, eps = 1e-4) => Math.abs((a ?? NaN) - b) <= eps;
const RAD = Math.PI / 180;

/** Head turned by yaw (right in the image), then pitch (up), then roll (clockwise in the image). */
function turn(yaw: number, pitch: number, roll: number): Rotation {
  const product = (a: Rotation, b: Rotation): Rotation => [0, 1, 2].flatMap((r) => [0, 1, 2].map((c) => [0, 1, 2].reduce((sum, k) => sum + (a[3 * r + k] as number) * (b[3 * k + c] as number), 0))) as unknown as Rotation;
  const [y, p, r] = [yaw * RAD, pitch * RAD, roll * RAD];
  const aboutY: Rotation = [Math.cos(y), 0, -Math.sin(y), 0, 1, 0, Math.sin(y), 0, Math.cos(y)];
  const aboutX: Rotation = [1, 0, 0, 0, Math.cos(p), Math.sin(p), 0, -Math.sin(p), Math.cos(p)];
  const aboutZ: Rotation = [Math.cos(r), -Math.sin(r), 0, Math.sin(r), Math.cos(r), 0, 0, 0, 1];
  return product(aboutY, product(aboutX, aboutZ));
}

const EYE = { left: [31.5, 7.25, 28.65], right: [-31.5, 7.25, 28.65] } as const;

/** Mesh and iris points of the template's head at (x, y) px, `scale` px a millimetre, eyes looking along `gaze` with lids `open`. */
function face(rotation: Rotation, at: [number, number], scale: number, gaze: Vector, open = 0.3) {
  const place = (point: Vector): [number, number, number] => {
    const [x, y, z] = rotate(rotation, point);
    return [x * scale + at[0], y * scale + at[1], z * scale];
  };
  const mesh = new Float32Array(468 * 3);
  for (const [index, x, y, z] of RIGID_POINTS) mesh.set(place([x, y, z]), 3 * index);
  const iris = (eye: 'left' | 'right') => {
    const points = new Float32Array(76 * 3);
    const [cx, cy, cz] = place(EYE[eye]);
    points.set([cx - 14 * scale, cy, cz], 0);
    points.set([cx + 14 * scale, cy, cz], 24);
    for (const [lower, upper] of [[3, 11], [4, 12], [5, 13]] as const) {
      points.set([cx, cy + 14 * scale * open, cz], 3 * lower);
      points.set([cx, cy - 14 * scale * open, cz], 3 * upper);
    }
    points.set([cx + 10.5 * scale * gaze[0], cy + 10.5 * scale * gaze[1], cz], 3 * 71);
    return points;
  };
  return { mesh, iris: { left: iris('left'), right: iris('right') }, width: 1280, height: 720 };
}

t.test('a similarity is found again', async (t) => {
  const rotation = turn(20, -10, 30);
  const source = RIGID_POINTS.map(([, x, y, z]) => [x, y, z] as Vector);
  const target = source.map((point) => rotate(rotation, point).map((value, axis) => value * 2.5 + ([7, -3, 11][axis] ?? 0)) as unknown as Vector);
  const fit = fitSimilarity(source, target);
  t.ok(fit !== null && near(fit.scale, 2.5) && fit.rotation.every((value, at) => near(value, rotation[at] ?? NaN)) && near(fit.shift[0], 7) && near(fit.shift[2], 11));
  t.equal(fitSimilarity(source, source.map(() => [1, 2, 3])), null, 'one place');
  t.equal(fitSimilarity(source, source.map(() => [NaN, 0, 0])), null);
});

t.test('head pose signs: yaw right, pitch up, roll clockwise in the image', async (t) => {
  for (const [yaw, pitch, roll] of [[0, 0, 0], [25, 0, 0], [0, 15, 0], [0, 0, -20], [-30, 10, 12]] as const) {
    const geometry = faceGeometry(face(turn(yaw, pitch, roll), [640, 360], 1, [0, 0, -1]));
    t.ok(near(geometry?.head.yaw_deg, yaw, 0.01) && near(geometry?.head.pitch_deg, pitch, 0.01) && near(geometry?.head.roll_deg, roll, 0.01), `${yaw} ${pitch} ${roll}: ${JSON.stringify(geometry?.head)}`);
  }
});

t.test('gaze follows the iris, not the head', async (t) => {
  for (const [yaw, pitch] of [[0, 0], [15, 0], [0, -12], [-20, 8]] as const) {
    const want = gazeOfAngles(yaw * RAD, pitch * RAD);
    for (const head of [turn(0, 0, 0), turn(12, -5, 10)]) {
      const geometry = faceGeometry(face(head, [640, 360], 1.3, want.vector));
      t.ok(near(geometry?.gaze?.yaw_deg, yaw, 0.3) && near(geometry?.gaze?.pitch_deg, pitch, 0.3), `${yaw} ${pitch}: ${JSON.stringify(geometry?.gaze)}`);
    }
  }
});

t.test('who looks at the camera from the side of the picture looks towards its middle', async (t) => {
  const geometry = faceGeometry(face(turn(0, 0, 0), [1280, 360], 1, [0, 0, -1]));
  t.ok(near(geometry?.gaze?.yaw_deg, -Math.atan2(640, 1280) / RAD, 0.3), 'focal length = longer side');
  t.ok(near(geometry?.head.yaw_deg, -Math.atan2(640, 1280) / RAD, 0.3));
});

t.test('what was not read is absent', async (t) => {
  const straight = face(turn(0, 0, 0), [640, 360], 1, [0, 0, -1]);
  t.ok(near(faceGeometry(straight)?.eye_openness?.[0], 0.3 * 14 * 2 / 28, 1e-4));
  const shut = faceGeometry(face(turn(0, 0, 0), [640, 360], 1, [0, 0, -1], 0.05));
  t.equal(shut?.gaze, undefined, 'shut eyes look nowhere');
  t.ok(shut?.eye_openness);
  const none = faceGeometry({ ...straight, iris: {} });
  t.ok(none?.head && none.gaze === undefined && none.eye_openness === undefined);
  const single = faceGeometry({ ...straight, iris: { left: straight.iris.left } });
  t.ok(single?.gaze && single.eye_openness === undefined);
  t.equal(faceGeometry({ ...straight, mesh: new Float32Array(1404) }), null);
  t.equal(faceGeometry({ ...straight, mesh: new Float32Array(1404).fill(NaN) }), null);
});

t.test('gaze networks: vector, angles, bins', async (t) => {
  t.same(gazeOfVector(0, 0, -2), { vector: [0, 0, -1], yaw_deg: 0, pitch_deg: 0 });
  t.ok(gazeOfVector(1, 0, -1).yaw_deg > 0 && gazeOfVector(0, -1, -1).pitch_deg > 0, 'right and up are positive');
  const vector = gazeDecoder('gaze_vector')({ gaze: one([0.5, 0, -0.5, 0, 0, -1], 2, 3) }, 0, context());
  t.ok(near(vector.yaw_deg, 45) && near(Math.hypot(...vector.vector), 1));
  t.ok(near(gazeDecoder('gaze_vector')({ gaze: one([0.5, 0, 0.5], 1, 3) }, 0, context({ signs: [-1, 1, -1] })).yaw_deg, -45));
  t.throws(() => gazeDecoder('gaze_vector')({ gaze: one([0, 0, 0], 1, 3) }, 0, context()), { code: 'MODEL_OUTPUT_SHAPE', message: /direction/ });
  t.throws(() => gazeDecoder('gaze_vector')({ gaze: one([NaN, 0, 0], 1, 3) }, 0, context()), { code: 'MODEL_OUTPUT_SHAPE' });
  const angles = gazeDecoder('gaze_angles')({ any: one([0.1, 0.2], 1, 2) }, 0, context());
  t.ok(near(angles.pitch_deg, 0.1 / RAD) && near(angles.yaw_deg, 0.2 / RAD));
  const degrees = gazeDecoder('gaze_angles')({ any: one([10, -20], 1, 2) }, 0, context({ order: 'yaw_pitch', unit: 'degrees', signs: [1, -1] }));
  t.ok(near(degrees.yaw_deg, 10) && near(degrees.pitch_deg, 20));
  const bins = (at: number) => one(Float32Array.from({ length: 90 }, (_, bin) => (bin === at ? 50 : 0)), 1, 90);
  const binned = gazeDecoder('gaze_bins')({ pitch: bins(40), yaw: bins(50) }, 0, context());
  t.ok(near(binned.yaw_deg, 20, 1e-3) && near(binned.pitch_deg, -20, 1e-3));
});
