/**
 * RTSP cameras that send anything: streams and answers with faults of every kind, from a server of the test's, into the real capture. Each ends for
 * a reason that has a code, nothing of it is left, and the good camera beside it never notices. A failure names the seed and the faults.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { badAnswers, misanswered } from '../fixtures/answer_faults.js';
import { longer, tried } from '../fixtures/fuzz.js';
import { accessUnits } from '../fixtures/rtp.js';
import { goodScript, openRtspCamera, type RtspScript } from '../fixtures/rtsp_camera.js';
import { badStream, damaged } from '../fixtures/stream_faults.js';
import { judge, watchTurns } from '../fixtures/turns.js';
import { timed } from '../soak/soak.js';
import { openStreamsProcess, type RoundReport } from '../fixtures/streams_process.js';

const CLIP = path.resolve('build/demo/office.mkv');
const FPS = 12;
/** Two groups of the clip and a little. */
const FRAMES = 30;
const AT_ONCE = 6;
const absent = existsSync(CLIP) ? false : 'the demo clips are not encoded: npm run setup';

t.test('RTSP cameras that send anything', { skip: absent, timeout: longer(840_000) }, async (t) => {
  const units = await accessUnits(CLIP, FRAMES);
  const server = await openRtspCamera(units);
  const child = openStreamsProcess(server.serve(goodScript(units, FPS)));
  t.teardown(async () => {
    await child.close();
    await server.close();
  });
  const clean = (): RtspScript => damaged(units, FPS, { faults: [], bytes: Number.MAX_SAFE_INTEGER, end: 'close' });
  const show = (scripts: RtspScript[]): Promise<RoundReport> => child.round(scripts.map((script) => server.serve(script)), true);
  const plain = (): Promise<RoundReport> => show(Array.from({ length: AT_ONCE }, clean));

  await t.test('without a fault each frame is shown', async (t) => {
    const turns = watchTurns();
    const whole = JSON.stringify(Array.from({ length: 2 }, () => ({ reason: 'CAPTURE_EOF', frames: FRAMES, width: 640, height: 360 })));
    // The cameras of these rounds have little patience: a busy machine may need another go.
    let seen_whole = '';
    for (let turn = 0; turn < 5 && seen_whole !== whole; turn++) seen_whole = JSON.stringify((await show([clean(), clean()])).cameras);
    judge(t, [timed('two cameras', whole, seen_whole, seen_whole === whole)], await turns());
  });

  const seen = new Map<string, number>();
  let most_kib = 0;
  const count = ({ cameras, rss_kib }: RoundReport): void => {
    most_kib = Math.max(most_kib, rss_kib);
    for (const { reason } of cameras) seen.set(reason, (seen.get(reason) ?? 0) + 1);
  };

  await t.test('streams with faults', async (t) => {
    const done = await tried(t, {
      values: fc.array(badStream, { minLength: 1, maxLength: AT_ONCE, size: 'max' }), runs: 100, limit_ms: 9_000, plain,
      async holds(streams) { count(await show(streams.map((stream) => damaged(units, FPS, stream)))); },
    });
    if (done !== undefined) t.ok(seen.size >= (done.whole ? 2 : 1), said(seen, most_kib));
  });

  await t.test('answers with faults', async (t) => {
    seen.clear();
    const done = await tried(t, {
      values: fc.array(badAnswers, { minLength: 1, maxLength: AT_ONCE, size: 'max' }), runs: 100, limit_ms: 9_000, plain,
      async holds(answers) { count(await show(answers.map((one) => misanswered(clean(), one)))); },
    });
    if (done !== undefined) t.ok(seen.size >= (done.whole ? 3 : 1), said(seen, most_kib));
  });
});

function said(seen: ReadonlyMap<string, number>, most_kib: number): string {
  return `${[...seen].map(([reason, times]) => `${reason} ${times}`).join(', ')}; at most ${Math.round(most_kib / 1024)} MiB`;
}
