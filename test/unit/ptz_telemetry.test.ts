import t from 'tap';
import { TelemetryFeed, telemetryTopic } from '../../src/ptz/telemetry/feed.js';
import { parseTelemetry } from '../../src/ptz/telemetry/sample.js';
import { judgeStability } from '../../src/ptz/telemetry/stability.js';
import type { TelemetrySample } from '../../src/ptz/types.js';

const message = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const at = (mono_ms: number, yaw: number, pitch = 0, zoom_factor: number | null = 1): TelemetrySample => ({
  attitude: { yaw, pitch, roll: 0 }, field_of_view_h: null, field_of_view_v: null, zoom_factor, zoom: null, mono_ms, wall_ms: mono_ms,
});
const every = (from: number, to: number, step: number, yaw: (ms: number) => number): TelemetrySample[] =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, index) => at(from + index * step, yaw(from + index * step)));
const OPTIONS = { duration_ms: 3_000, tolerance_deg: 0.1, max_age_ms: 1_000 };

t.test('flat and in data; what is missing is refused or stays missing', async (t) => {
  t.equal(telemetryTopic('onvifcam-1', 'main'), '/device/onvifcam/onvifcam-1/payloads/cameras/main/telemetry');
  const attitude = { yaw: 10, pitch: -5, roll: 0 };
  const expected = { attitude, field_of_view_h: 60, field_of_view_v: null, zoom_factor: 2, zoom: null };
  t.same(parseTelemetry(message({ attitude, field_of_view_h: 60, zoom_factor: 2 })).sample, expected);
  t.same(parseTelemetry(message({ data: { attitude, field_of_view_h: 60, zoom_factor: 2 } })).sample, expected);
  t.equal(parseTelemetry(message({ attitude, field_of_view_h: 0 })).sample?.field_of_view_h, null, '0 is what a service sends that does not know');
  const bad: [unknown, RegExp][] = [
    [{ zoom: 1 }, /received none/], [{ data: {} }, /received none/], [[], /JSON object/], [{ attitude: { yaw: '1', pitch: 0, roll: 0 } }, /finite numbers/], [{ attitude: { yaw: 1, pitch: 0 } }, /finite numbers/],
    [{ attitude, data: { attitude: { ...attitude, yaw: 12 } } }, /contradict/], [{ attitude, zoom_factor: -1 }, /zoom_factor/], [{ attitude, zoom: 3 }, /zoom/],
  ];
  for (const [value, problem] of bad) t.match(parseTelemetry(message(value)), { sample: null, problem }, JSON.stringify(value));
  t.match(parseTelemetry(Buffer.from('{')), { problem: /JSON/ });
  t.match(parseTelemetry(Buffer.alloc(70_000, 32)), { problem: /65536 bytes/ });
});

t.test('still only after the whole time, and only while telemetry comes', async (t) => {
  t.equal(judgeStability([], 0, OPTIONS).state, 'none');
  const still = every(0, 5_000, 100, () => 12);
  t.equal(judgeStability(still, 5_000, OPTIONS).state, 'stable');
  t.equal(judgeStability(still.slice(0, 20), 1_900, OPTIONS).state, 'settling');
  t.equal(judgeStability(still, 6_500, OPTIONS).state, 'stale', 'silence is not stability');
  t.equal(judgeStability([...still, at(9_000, 12)], 9_000, OPTIONS).state, 'settling', 'a gap starts the clock again');
  t.equal(judgeStability([...every(0, 3_000, 100, () => 12), ...every(3_100, 4_000, 100, () => 13)], 4_000, OPTIONS).state, 'moving');
  t.equal(judgeStability(every(0, 9_000, 100, (ms) => ms * 0.00005), 9_000, OPTIONS).state, 'moving', '0.05°/s is slow, but no rest');
  t.equal(judgeStability(every(0, 5_000, 100, (ms) => (ms % 200 === 0 ? 179.98 : -179.98)), 5_000, OPTIONS).state, 'stable', 'around the circle');
  t.equal(judgeStability(every(0, 5_000, 100, (ms) => (ms % 200 === 0 ? 10 : 170)), 5_000, OPTIONS).state, 'contradicting', 'two publishers');
  t.equal(judgeStability([...still, at(5_100, 12, 0, 3)], 5_100, OPTIONS).state, 'moving', 'zooming is movement');
  t.equal(judgeStability([at(10, 1)], 10, { ...OPTIONS, duration_ms: 0 }).state, 'stable');
});

t.test('a feed waits, and its deadline holds whatever the camera does', async (t) => {
  const rejects = async (name: string, code: string, push: (feed: TelemetryFeed, turn: number) => void) => {
    const feed = new TelemetryFeed(60_000);
    let turn = 0;
    const timer = setInterval(() => { push(feed, turn++); }, 5);
    await t.rejects(feed.untilStable({ duration_ms: 10_000, tolerance_deg: 0.1, max_age_ms: 40 }, 150), { code }, name);
    clearInterval(timer);
  };
  const attitude = (yaw: number) => message({ attitude: { yaw, pitch: 0, roll: 0 } });
  await rejects('nothing', 'PTZ_TELEMETRY_MISSING', () => undefined);
  await rejects('no attitude', 'PTZ_TELEMETRY_INVALID', (feed) => { feed.push(message({ zoom: 0.1 })); });
  await rejects('ends', 'PTZ_TELEMETRY_STALE', (feed, turn) => { if (turn === 0) feed.push(attitude(1)); });
  await rejects('keeps moving', 'PTZ_NOT_STABLE', (feed, turn) => { feed.push(attitude(turn)); });
  await rejects('two sources', 'PTZ_TELEMETRY_CONTRADICTS', (feed, turn) => { feed.push(attitude(turn % 2 === 0 ? 0 : 90)); });
  const stop = new AbortController();
  const waits = new TelemetryFeed(1_000).untilStable(OPTIONS, 60_000, stop.signal);
  stop.abort();
  await t.rejects(waits, { name: 'AbortError' });
});

t.test('a frame gets the sample of its time, and none when the camera moved or was silent', async (t) => {
  let now = 1_000;
  const feed = new TelemetryFeed(60_000, () => now, () => now);
  for (const yaw of [10, 10.01, 10.02, 10.03]) {
    feed.push(message({ attitude: { yaw, pitch: 0, roll: 0 } }));
    now += 100;
  }
  const options = { tolerance_deg: 0.1, max_age_ms: 500 };
  const matched = await feed.matching({ from_mono_ms: 1_120, to_mono_ms: 1_120 }, options);
  t.equal(matched.attitude.yaw, 10.01);
  feed.push(message({ attitude: { yaw: 12, pitch: 0, roll: 0 } }));
  await t.rejects(feed.matching({ from_mono_ms: 1_300, to_mono_ms: 1_300 }, options), { code: 'PTZ_NOT_STABLE' });
  await t.rejects(feed.matching({ from_mono_ms: 100, to_mono_ms: 100 }, options), { code: 'PTZ_TELEMETRY_STALE' });
});

t.test('what is kept is bounded', async (t) => {
  let now = 0;
  const feed = new TelemetryFeed(1_000, () => now, () => now);
  for (; now < 100_000; now += 10) feed.push(message({ attitude: { yaw: 1, pitch: 0, roll: 0 } }));
  t.ok(feed.kept().length <= 201, `${feed.kept().length} samples`);
});
