/** What one eye tracker costs: a camera with a face, ten readings a second, with and without a client that tracks, in turns. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { rtspServerBinary, startRtspServer } from '../../src/demo/rtsp_server.js';
import { eyeClient } from '../../test/fixtures/eye_client.js';
import { sleep, until, type SoakDaemon } from '../../test/soak/daemon.js';
import type { Area } from '../area.js';
import { cpuSeconds, spread } from '../measure.js';
import { openDaemon, TOKEN } from './pages.js';

/** The demo's clip of one person after the other, 640×360. */
const CLIP = 'build/demo/office.mkv';

export const eyesArea: Area = {
  name: 'eyes',
  about: 'CPU of one eye tracker',
  async run(context) {
    const clip = path.join(context.root, CLIP);
    if (!existsSync(clip)) throw new Error(`${CLIP} is missing: npm run setup`);
    const [rounds, seconds] = context.quick ? [2, 10] : [5, 20];
    const closers: (() => Promise<unknown>)[] = [];
    try {
      const server = await startRtspServer({ binary: rtspServerBinary(context.root) });
      closers.unshift(() => server.close());
      await server.mount('/desk', clip);
      const daemon = await openDaemon(context.root, path.join(context.scratch, 'eyes-state'));
      closers.unshift(() => daemon.kill('SIGTERM'));
      await daemon.ask('/api/cameras', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ camera_id: 1, camera_name: 'Desk', url: server.url('/desk') }) });
      await until('the camera streams', 60, async () => (await daemon.json<{ cameras: { state: string }[] }>('/api/cameras')).cameras[0]?.state === 'streaming');
      const client = await eyeClient(`${daemon.url.replace('http', 'ws')}/?token=${TOKEN}`);
      closers.unshift(() => client.close());
      const pairs: { alone: number; tracked: number; readings_per_s: number; seen: number }[] = [];
      for (let round = 0; round < rounds; round++) {
        const alone = await cores(daemon, seconds);
        client.send({ type: 'start_tracking', source: 'camera:1' });
        await client.next('eye_data', undefined, 60_000);
        await sleep(3);
        const from = client.messages.length;
        const tracked = await cores(daemon, seconds);
        const readings = client.messages.slice(from).filter(({ type }) => type === 'eye_data');
        client.send({ type: 'stop_tracking' });
        await sleep(2);
        pairs.push({ alone, tracked, readings_per_s: readings.length / seconds, seen: readings.filter(({ eye_count }) => eye_count === 2).length / Math.max(1, readings.length) });
        context.log(`  ${(100 * alone).toFixed(1)} % without, ${(100 * tracked).toFixed(1)} % with a tracker: ${(readings.length / seconds).toFixed(1)} readings/s`);
      }
      const own = spread(pairs.map(({ alone, tracked }) => tracked - alone));
      return [
        {
          area: 'eyes', machine: context.machine, unit: 'cores', contenders: [],
          task: `one RTSP camera (the demo's office clip, 640×360, 12 fps) served by the same machine, 0.2 frames/s of it analysed; one WebSocket client tracks it at the default 10 readings/s; CPU of the daemon and its OpenCV process; ${rounds} rounds of ${seconds} s without and ${seconds} s with it, the difference of each round, its median`,
          figures: { own_min: own.min, own_median: own.median, own_max: own.max, readings_per_s: spread(pairs.map(({ readings_per_s }) => readings_per_s)).median, both_eyes_share: spread(pairs.map(({ seen }) => seen)).median },
          claims: [{ what: 'one eye tracker, 640×360, 10 readings/s, OpenCV process included', target: 'as little as it takes', measured: `${(100 * own.median).toFixed(0)} % of a core`, holds: true }],
        },
      ];
    } finally {
      for (const close of closers) await close();
    }
  },
};

async function cores(daemon: SoakDaemon, seconds: number): Promise<number> {
  const [cpu_s, at_ms] = [await cpuSeconds(daemon.pid), performance.now()];
  await sleep(seconds);
  return ((await cpuSeconds(daemon.pid)) - cpu_s) / ((performance.now() - at_ms) / 1000);
}
