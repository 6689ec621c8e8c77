import t from 'tap';
import { angleOf, apply, boxCrop, clipBox, compose, eyeCrop, faceCrop, invert, mapBox, mapPoints, scaleOf, squareCrop, unplace } from '../../src/inference/decoders/crops.js';

const near = (a: readonly number[], b: readonly number[], eps = 1e-6): boolean => a.length === b.length && a.every((v, i) => Math.abs(v - (b[i] ?? NaN)) <= eps);

t.test('a square crop maps its corners and centre to the frame', async (t) => {
  const m = squareCrop(100, 50, 40, 0, 20);
  t.ok(near(apply(m, 10, 10), [100, 50]));
  t.ok(near(apply(m, 0, 0), [80, 30]));
  t.ok(near(apply(m, 20, 0), [120, 30]));
  t.ok(near(boxCrop([90, 40, 20, 20], 2, 20), m));
});

t.test('a turned crop has level eyes', async (t) => {
  const landmarks = Float32Array.from([10, 10, 30, 30]); // eyes at 45°
  const m = faceCrop([0, 0, 40, 40], landmarks, 1.5, true, 60);
  t.ok(Math.abs(angleOf(m) - Math.PI / 4) < 1e-6);
  const back = invert(m);
  t.ok(Math.abs(apply(back, 10, 10)[1] - apply(back, 30, 30)[1]) < 1e-4, 'same row in the crop');
  t.ok(apply(back, 10, 10)[0] < apply(back, 30, 30)[0], 'the right eye stays on the left');
  t.ok(near([angleOf(faceCrop([0, 0, 40, 40], landmarks, 1.5, false, 60))], [0]));
});

t.test('the crop of a left eye is mirrored, that of a right eye is not', async (t) => {
  const mesh = new Float32Array(468 * 3);
  mesh.set([120, 80, 0], 263 * 3); // left eye outer, right in the picture
  mesh.set([100, 80, 0], 362 * 3);
  mesh.set([40, 80, 0], 33 * 3); // right eye outer
  mesh.set([60, 80, 0], 133 * 3);
  const face = squareCrop(96, 96, 192, 0, 192);
  const left = invert(eyeCrop(mesh, face, 'left', 2.3, 64));
  const right = invert(eyeCrop(mesh, face, 'right', 2.3, 64));
  t.ok(near(apply(left, 110, 80), [32, 32], 1e-4) && near(apply(right, 50, 80), [32, 32], 1e-4), 'centred');
  t.ok(apply(left, 120, 80)[0] < 32, 'outer corner on the left after mirroring');
  t.ok(apply(right, 40, 80)[0] < 32, 'outer corner on the left as it is');
  t.ok(Math.abs(scaleOf(eyeCrop(mesh, face, 'right', 2.3, 64)) - 46 / 64) < 1e-6);
});

t.test('compose, invert and letterbox undo each other', async (t) => {
  const m = squareCrop(31, 17, 55, 0.7, 96, true);
  t.ok(near(compose(m, invert(m)), [1, 0, 0, 0, 1, 0]));
  t.throws(() => invert([0, 0, 5, 0, 0, 5]), RangeError);
  const u = unplace({ scale_x: 0.4, scale_y: 0.4, x: 0, y: 112 });
  t.ok(near(apply(u, 512, 112 + 144), [1280, 360]));
  t.ok(near(mapBox(u, [0, 112, 512, 288]), [0, 0, 1280, 720]));
});

t.test('points keep what is not a coordinate', async (t) => {
  const m = squareCrop(10, 10, 20, 0, 10);
  t.same([...mapPoints(m, Float32Array.from([5, 5, 0.5]), 3, false)], [10, 10, 0.5], 'a score stays');
  t.same([...mapPoints(m, Float32Array.from([5, 5, 3]), 3, true)], [10, 10, 6], 'a depth is scaled');
});

t.test('a box is clipped to the frame or gone', async (t) => {
  t.same(clipBox([-10, -10, 20, 20], 100, 50), [0, 0, 10, 10]);
  t.equal(clipBox([100, 0, 5, 5], 100, 50), null);
  t.equal(clipBox([5, 5, 0, 3], 100, 50), null);
});
