import t from 'tap';
import { Cadence } from '../../src/delivery/cadence.js';

t.test('each camera posts once an interval, in its own slot', async (t) => {
  const cadence = new Cadence({ interval_ms: 1000, stagger_ms: 200 });
  const posts = new Map<number, number[]>();
  for (let now = 100_000; now < 105_000; now += 40) {
    for (const camera of [7, 8, 9]) {
      if (cadence.due(camera, now)) posts.set(camera, [...(posts.get(camera) ?? []), now % 1000]);
    }
  }
  for (const [index, camera] of [7, 8, 9].entries()) {
    const [first, ...later] = posts.get(camera) ?? [];
    t.equal(first, 0, 'the first frame is due at once');
    t.ok(later.length >= 4 && later.every((at) => at === index * 200), `camera ${camera} at ${index * 200}: ${later.join(' ')}`);
  }
});

t.test('a slow camera posts with every frame, never twice in an interval', async (t) => {
  const cadence = new Cadence({ interval_ms: 1000, stagger_ms: 200 });
  t.same([0, 3500, 3600, 4000, 9000].map((now) => cadence.due(1, 50_000 + now)), [true, true, false, true, true]);
});

t.test('the slot of a camera that is gone is given to the next', async (t) => {
  const cadence = new Cadence({ interval_ms: 1000, stagger_ms: 200 });
  for (const camera of [1, 2]) cadence.due(camera, 10_000);
  cadence.forget(1);
  cadence.forget(99);
  cadence.due(3, 10_010);
  t.notOk(cadence.due(3, 10_900));
  t.ok(cadence.due(3, 11_000), 'slot 0');
});
