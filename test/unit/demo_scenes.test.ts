/** The demo's scenes fit their photographs and their codecs, and are drawn as they say. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import t from 'tap';
import { frameCount, paintFrame, picturesOf, viewAt, type Plane, type Planes, type PreparedPicture } from '../../src/demo/compose.js';
import { DEMO_CAMERAS, PICTURES, type Clip } from '../../src/demo/scenes.js';

const plane = (width: number, height: number, stride: number, value: (x: number, y: number) => number): Plane => {
  const data = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) data[y * stride + x] = value(x, y);
  return { data, width, height, stride };
};
const planes = (width: number, height: number, value: (x: number, y: number) => number, padding = 0): Planes => [
  plane(width, height, width + padding, value),
  plane(width / 2, height / 2, width / 2 + padding, () => 100),
  plane(width / 2, height / 2, width / 2 + padding, () => 150),
];
const picture = (value: (x: number, y: number) => number): PreparedPicture => ({ planes: planes(32, 16, value), crop: [10, 20, 32, 16], enlarge: 1 });
const clip = (fields: Partial<Clip>): Clip => ({ file: 'x.mkv', codec: 'h264', width: 32, height: 16, fps: 4, gop: 4, bit_rate: 1, shake_px: 0, shots: [], ...fields });
const whole = [0, 0, 1, 1] as const;

t.test('a view of the whole picture at its own size is the picture, whatever the stride', async (t) => {
  const value = (x: number, y: number): number => (x * 7 + y * 13) % 256;
  const screen = planes(32, 16, () => 0, 5);
  paintFrame(clip({ shots: [{ seconds: 1, layers: [{ picture: 'man', tile: whole, views: [[10, 20, 32]] }] }] }), 0, { man: picture(value) }, screen);
  t.strictSame(screen[0], plane(32, 16, 37, value));
  t.equal(screen[1].data[0], 100);
  t.equal(screen[2].data[0], 150);
});

t.test('enlarging keeps a ramp a ramp; outside the picture its edge goes on', async (t) => {
  const ramp = picture((x) => x * 8);
  const screen = planes(32, 16, () => 0);
  paintFrame(clip({ shots: [{ seconds: 1, layers: [{ picture: 'man', tile: whole, views: [[18, 24, 16]] }] }] }), 0, { man: ramp }, screen);
  for (let x = 0; x < 32; x++) t.ok(Math.abs((screen[0].data[x] ?? 0) - (8 + (x + 0.5) / 2 - 0.5) * 8) <= 1, `column ${x}`);
  paintFrame(clip({ shots: [{ seconds: 1, layers: [{ picture: 'man', tile: whole, views: [[-100, 24, 16]] }] }] }), 0, { man: ramp }, screen);
  t.ok(screen[0].data.every((value) => value === 0));
});

t.test('a layer that comes and leaves fades, and covers its tile only', async (t) => {
  const flat = (value: number): PreparedPicture => picture(() => value);
  const shots = [{ seconds: 4, layers: [
    { picture: 'room', tile: whole, views: [[10, 20, 32]] },
    { picture: 'man', tile: [0.5, 0, 0.5, 1], views: [[10, 20, 32]], comes_s: 1, leaves_s: 3 },
  ] }] as const;
  const at = (index: number): [number, number] => {
    const screen = planes(32, 16, () => 0);
    paintFrame(clip({ shots }), index, { room: flat(40), man: flat(200) }, screen);
    return [screen[0].data[0] ?? -1, screen[0].data[31] ?? -1];
  };
  t.strictSame(at(0), [40, 40]);
  t.strictSame(at(5), [40, 120], 'half way in');
  t.strictSame(at(8), [40, 200]);
  t.strictSame(at(12), [40, 40]);
});

t.test('a view moves from the first to the last and stays in between', async (t) => {
  const views = [[0, 0, 10], [10, 20, 30]] as const;
  t.strictSame(viewAt(views, 0), [0, 0, 10]);
  t.strictSame(viewAt(views, 0.5), [5, 10, 20]);
  t.strictSame(viewAt(views, 1), [10, 20, 30]);
  t.strictSame(viewAt(views, 7), [10, 20, 30]);
  t.strictSame(viewAt([[1, 2, 3]], 0.3), [1, 2, 3]);
});

t.test('a frame outside the clip and a picture that was not prepared are refused', async (t) => {
  const one = clip({ shots: [{ seconds: 1, layers: [{ picture: 'man', tile: whole, views: [[10, 20, 32]] }] }] });
  t.equal(frameCount(one), 4);
  t.strictSame(picturesOf(one), ['man']);
  t.throws(() => paintFrame(one, 4, { man: picture(() => 0) }, planes(32, 16, () => 0)), { message: /below 4, received 4/ });
  t.throws(() => paintFrame(one, 0, {}, planes(32, 16, () => 0)), { message: /prepared picture man/ });
});

t.test('the demo has what it promises: codecs, both transports, one that drops, one with a password that is hard to write', async (t) => {
  t.ok(DEMO_CAMERAS.length >= 5);
  for (const codec of ['h264', 'hevc', 'mjpeg']) t.ok(DEMO_CAMERAS.some(({ clip }) => clip.codec === codec), codec);
  for (const transport of ['tcp', 'udp']) t.ok(DEMO_CAMERAS.some((camera) => camera.transport === transport), transport);
  t.ok(DEMO_CAMERAS.some(({ drops }) => drops !== undefined && drops.away_s < drops.every_s));
  t.ok(DEMO_CAMERAS.some(({ credentials }) => /@/.test(credentials?.password ?? '') && /:/.test(credentials?.password ?? '')));
  for (const key of ['camera_id', 'camera_name', 'path'] as const) t.equal(new Set(DEMO_CAMERAS.map((camera) => camera[key])).size, DEMO_CAMERAS.length, key);
  t.equal(new Set(DEMO_CAMERAS.map(({ clip }) => clip.file)).size, DEMO_CAMERAS.length, 'files');
});

for (const { clip: one } of DEMO_CAMERAS) {
  t.test(`${one.file}: views lie in their pictures, the first layer of a shot covers the screen, sizes suit the codec`, async (t) => {
    for (const { layers, seconds } of one.shots) {
      t.strictSame(layers[0]?.tile, whole);
      for (const { picture: name, tile, views, comes_s = 0, leaves_s = seconds } of layers) {
        const [x, y, width, height] = PICTURES[name].crop;
        t.ok(tile[0] >= 0 && tile[1] >= 0 && tile[0] + tile[2] <= 1 && tile[1] + tile[3] <= 1, `${name} on the screen`);
        t.ok(comes_s < leaves_s && leaves_s <= seconds, `${name} comes before it leaves`);
        for (const [left, top, across] of views) {
          const down = (across * tile[3] * one.height) / (tile[2] * one.width);
          t.ok(left >= x && top >= y && left + across <= x + width && top + down <= y + height + 1, `${name}: ${left},${top} ${across}x${down.toFixed(1)} in ${[x, y, width, height].join(',')}`);
        }
      }
    }
    const unit = one.codec === 'mjpeg' ? 8 : 2;
    t.ok(one.width % unit === 0 && one.height % unit === 0);
    t.ok(one.gop <= 2 * one.fps, 'a key frame at least every two seconds');
    t.ok(frameCount(one) >= 20 * one.fps && frameCount(one) <= 40 * one.fps, '20 to 40 s');
  });
}

const assets = path.join(process.cwd(), 'node_modules/@vladmandic/human/assets');
t.test('pictures lie in their photographs', { skip: existsSync(assets) ? false : 'the photographs are not installed' }, async (t) => {
  for (const [name, { photo, crop }] of Object.entries(PICTURES)) {
    const { width, height } = jpegSize(readFileSync(path.join(assets, photo)));
    t.ok(crop[0] + crop[2] <= width && crop[1] + crop[3] <= height, `${name} in ${width}x${height}`);
  }
});

/** From the frame header of a JPEG. */
function jpegSize(bytes: Buffer): { width: number; height: number } {
  for (let at = 2; at < bytes.length; at += 2 + bytes.readUInt16BE(at + 2)) {
    const marker = bytes[at + 1] ?? 0;
    if (marker >= 0xc0 && marker <= 0xc2) return { height: bytes.readUInt16BE(at + 5), width: bytes.readUInt16BE(at + 7) };
  }
  throw new Error('no frame header');
}
