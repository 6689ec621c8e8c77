import t from 'tap';
import { Cadence } from '../../src/delivery/cadence.js';

/** Posts of cameras 1..n in the given time, frames every `frame_ms`, without those of the first two intervals. */
function posts(n: number, interval_ms: number, frame_ms: number, until_ms: number): { camera: number; at_ms: number }[] {
  const cadence = new Cadence({ interval_ms, stagger_ms: 200 });
  const all: { camera: number; at_ms: number }[] = [];
  for (let now = 0; now < until_ms; now += frame_ms) {
    for (let camera = 1; camera <= n; camera++) if (cadence.due(camera, now) && now >= 2 * interval_ms) all.push({ camera, at_ms: now });
  }
  return all;
}

t.test('a few cameras post 200 ms apart, each once an interval', async (t) => {
  const all = posts(8, 2_000, 10, 20_000);
  for (let camera = 1; camera <= 8; camera++) {
    const times = all.filter((post) => post.camera === camera).map(({ at_ms }) => at_ms);
    t.equal(times.length, 8);
    t.ok(times.every((at) => at % 2_000 === (camera - 1) * 200));
  }
});

t.test('120 cameras are spread evenly over the interval, neighbours still about 200 ms apart', async (t) => {
  const all = posts(120, 2_000, 5, 12_000);
  t.equal(all.length, 120 * 4);
  const phases = all.filter(({ at_ms }) => at_ms < 6_000).sort((a, b) => a.camera - b.camera).map(({ at_ms }) => at_ms % 2_000);
  for (let window = 0; window < 2_000; window += 50) {
    const count = phases.filter((phase) => phase >= window && phase < window + 50).length;
    t.ok(count >= 2 && count <= 4, `${count} posts in ${window}..${window + 50} ms`);
  }
  const gaps = phases.slice(1).map((phase, index) => (phase - (phases[index] as number) + 2_000) % 2_000);
  t.ok(gaps.every((gap) => gap >= 195 && gap <= 225), `between ${Math.min(...gaps)} and ${Math.max(...gaps)} ms`);
});

t.test('cameras that come and go never make a camera post twice within half an interval, nor fall silent', async (t) => {
  const cadence = new Cadence({ interval_ms: 2_000, stagger_ms: 200 });
  const times: number[] = [];
  for (let now = 0; now < 60_000; now += 40) {
    if (now % 800 === 0) cadence.due(100 + now / 800, now);
    if (now % 1_600 === 0 && now > 0) cadence.forget(100 + now / 1_600);
    if (cadence.due(1, now)) times.push(now);
  }
  const gaps = times.slice(1).map((at, index) => at - (times[index] as number));
  t.ok(Math.min(...gaps) >= 1_000 && Math.max(...gaps) <= 4_000, `${Math.min(...gaps)} to ${Math.max(...gaps)} ms`);
});

t.test('a clock that is set back does not silence a camera', async (t) => {
  const cadence = new Cadence({ interval_ms: 2_000, stagger_ms: 200 });
  for (let now = 3_600_000; now < 3_610_000; now += 100) cadence.due(1, now);
  const times: number[] = [];
  for (let now = 0; now < 10_000; now += 100) if (cadence.due(1, now)) times.push(now);
  t.ok(times.length >= 5 && (times[0] as number) === 0, times.join(' '));
});
