/** capture.node, still pictures: files of people who calibrate, which are as hostile as anything that comes over HTTP. */
import t from 'tap';
import { loadCapture } from '../../src/capture/native.js';
import { png } from '../fixtures/png.js';

const addon = loadCapture();
const code = (run: () => unknown): string | undefined => {
  try {
    run();
  } catch (error) {
    return (error as { code?: string }).code;
  }
  return undefined;
};

t.test('a PNG becomes a tensor and crops with its own pixels', async (t) => {
  const file = png(64, 32, (x) => (x < 32 ? [255, 0, 0] : [0, 0, 255]));
  const { still, width, height } = addon.decodeStill(file);
  t.same([width, height], [64, 32]);
  const dest = new Uint8Array(16 * 16 * 3);
  addon.stillTensor(still, { name: 'x', width: 16, height: 16, fit: 'letterbox', pad: 7 }, dest);
  const at = (x: number, y: number) => [...dest.subarray((y * 16 + x) * 3, (y * 16 + x) * 3 + 3)];
  t.same([at(2, 8), at(13, 8), at(2, 0)], [[255, 0, 0], [0, 0, 255], [7, 7, 7]], 'left red, right blue, padding above');
  const crop = new Uint8Array(2 * 4 * 4 * 3);
  addon.cropStill(still, Float32Array.from([1, 0, 4, 0, 1, 4, 1, 0, 44, 0, 1, 4]), crop, 4, 4, 0);
  t.same([[...crop.subarray(0, 3)], [...crop.subarray(48, 51)]], [[255, 0, 0], [0, 0, 255]]);
  addon.releaseStill(still);
  t.equal(code(() => { addon.stillTensor(still, { name: 'x', width: 16, height: 16, fit: 'stretch', pad: 0 }, dest); }), 'NATIVE_BATCH_STATE', 'not after its release');
});

t.test('what is no picture, cut, damaged or too large is refused', async (t) => {
  const good = png(64, 64, (x, y) => [x * 4, y * 4, 0]);
  const damaged = Buffer.from(good);
  damaged.writeUInt8(damaged.readUInt8(60) ^ 0xff, 60);
  const cases: [string, Uint8Array][] = [
    ['text', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>')],
    ['half a file', good.subarray(0, good.length / 2)],
    ['a magic alone', Buffer.from([0xff, 0xd8, 0xff])],
    ['a flipped bit', damaged],
    ['too small', png(8, 8, () => [0, 0, 0])],
    ['too wide', png(4100, 16, () => [0, 0, 0])],
  ];
  for (const [name, file] of cases) t.equal(code(() => addon.decodeStill(file)), 'CAPTURE_STILL_INVALID', name);
});

t.test('random bytes behind a magic never do more than be refused', async (t) => {
  let seed = 1;
  const random = () => (seed = (seed * 1_103_515_245 + 12_345) & 0x7fff_ffff) >> 16;
  const good = png(48, 48, (x, y) => [x, y, 9]);
  for (let round = 0; round < 300; round++) {
    const file = Buffer.from(good);
    for (let flip = 0; flip < 1 + (round % 6); flip++) file.writeUInt8(random() & 255, 8 + (random() % (file.length - 8)));
    const answer = code(() => { addon.releaseStill(addon.decodeStill(file).still); });
    if (answer !== undefined && answer !== 'CAPTURE_STILL_INVALID') t.fail(`round ${round}: ${answer}`);
  }
});

t.test('wrong arguments are named', async (t) => {
  const loose = addon as unknown as Record<string, (...all: unknown[]) => unknown>;
  const { still } = addon.decodeStill(png(32, 32, () => [1, 2, 3]));
  t.equal(code(() => loose.decodeStill?.('x')), 'NATIVE_ARGUMENT');
  t.equal(code(() => loose.releaseStill?.({})), 'NATIVE_ARGUMENT');
  t.equal(code(() => loose.cropStill?.(still, new Float32Array(5), new Uint8Array(99), 4, 4, 0)), 'NATIVE_ARGUMENT');
  t.equal(code(() => loose.cropStill?.(still, new Float32Array(6), new Uint8Array(3), 4, 4, 0)), 'NATIVE_ARGUMENT');
  t.equal(code(() => loose.cropStill?.(still, Float32Array.from([NaN, 0, 0, 0, 1, 0]), new Uint8Array(48), 4, 4, 0)), 'NATIVE_ARGUMENT');
});
