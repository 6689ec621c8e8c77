/** What many viewers share: the history of the pipeline and the pictures of the cameras. */
import { existsSync, readFileSync } from 'node:fs';
import { brotliCompressSync } from 'node:zlib';
import t from 'tap';
import { PAGES_DIR } from '../../src/http/routes/pages.js';
import { shareSnapshots } from '../../src/http/thumbnails.js';
import { HistoryRing, startHistory, type Reading } from '../../src/observability/history.js';

const reading = (given: Partial<Reading> = {}): Reading => ({ frames_per_s: 10, latency_ms: { p50: 1, p95: 2, p99: 3 }, batches: {}, drops: {}, backlog: 0, ...given });

t.test('history: fill and drops are those between two samples, the ring is bounded', async (t) => {
  const ring = new HistoryRing(3);
  ring.take(reading({ batches: { a: { count: 10, mean_size: 4, target_size: 8 } }, drops: { x: 5, y: 1 } }), 1000);
  ring.take(reading({ batches: { a: { count: 12, mean_size: (40 + 16) / 12, target_size: 8 }, b: { count: 1, mean_size: 2, target_size: 4 }, c: { count: 3, mean_size: 1 } }, drops: { x: 6, y: 2 }, backlog: 7 }), 2000);
  ring.take(reading({ batches: { a: { count: 12, mean_size: (40 + 16) / 12, target_size: 8 } }, drops: { x: 0 } }), 3000);
  t.match(ring.since(0), [{ at_ms: 1000, fill: {}, dropped: 0 }, { at_ms: 2000, fill: { a: 1, b: 0.5 }, dropped: 2, backlog: 7 }, { at_ms: 3000, dropped: 0 }]);
  t.same(ring.since(0)[2]?.fill, {}, 'a network that did not run has no fill');
  ring.take(reading(), 4000);
  t.same(ring.since(0).map(({ at_ms }) => at_ms), [2000, 3000, 4000]);
  t.same(ring.since(3000).map(({ at_ms }) => at_ms), [4000]);
});

t.test('history: the first sample is there at once, and stopping ends it', async (t) => {
  const history = startHistory(() => reading({ backlog: 3 }), () => 5);
  t.match(history.since(0), [{ at_ms: 5, backlog: 3 }]);
  history.stop();
});

t.test('snapshots: one encoding for all who ask at once and shortly after; sizes apart; failures and absent pictures are not kept', async (t) => {
  let now = 0;
  let made = 0;
  let answer: () => Promise<Buffer | null> = async () => Buffer.from([made]);
  const snapshot = shareSnapshots(async () => { made++; return answer(); }, () => now);
  const small = { max_width: 320, quality: 70 };
  const [a, b] = await Promise.all([snapshot(1, small), snapshot(1, small)]);
  t.equal(a, b);
  now = 800;
  t.equal(await snapshot(1, small), a);
  t.equal(made, 1);
  await snapshot(1, { ...small, max_width: 640 });
  await snapshot(2, small);
  t.equal(made, 3);
  now = 2000;
  await snapshot(1, small);
  t.equal(made, 4, 'an old picture is made anew');
  answer = async () => { throw new Error('busy'); };
  await t.rejects(snapshot(3, small), { message: 'busy' });
  answer = async () => null;
  t.equal(await snapshot(3, small), null);
  answer = async () => Buffer.from([9]);
  t.same(await snapshot(3, small), Buffer.from([9]));
  for (let id = 10; id < 600; id++) await snapshot(id, small);
  const before = made;
  await snapshot(10, small);
  t.equal(made, before + 1, 'the oldest are forgotten: the memory is bounded');
});

t.test('the first load of the calibration page stays under 200 kB compressed', { skip: existsSync(`${PAGES_DIR}calibrate.html`) ? false : 'the pages are not built: npm run setup' }, async (t) => {
  const compressed = (file: string): number => brotliCompressSync(readFileSync(file)).length;
  const page = readFileSync(`${PAGES_DIR}calibrate.html`, 'utf8');
  const assets = [...page.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, asset = '']) => PAGES_DIR + asset.slice(1));
  const bytes = compressed(`${PAGES_DIR}calibrate.html`) + assets.reduce((sum, file) => sum + compressed(file), 0);
  t.ok(assets.length >= 3 && bytes < 200_000, `${assets.length} files, ${bytes} bytes`);
});
