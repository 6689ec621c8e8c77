/** `npm run soak -- reconnects`: cameras that come and go leave nothing behind. */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { rtspServerBinary } from '../../src/demo/rtsp_server.js';
import { openCameras } from './faulty_cameras.js';
import { processFigures, type ProcessFigures } from './process_figures.js';
import { claim, slope, type Soak, type SoakContext, type SoakReport } from './soak.js';
import { startCapture, startDaemon, until } from './watched.js';

/** Memory may waver by this much over the whole run: garbage is collected when it pleases. */
const MEMORY_KIB = 16 * 1024;

export const reconnects: Soak = {
  name: 'reconnects',
  about: '1,000 reconnects leave threads, descriptors and memory flat (--set reconnects=1000, warm_up=500, cameras=20)',
  unavailable: (root) => (existsSync(rtspServerBinary(root)) ? undefined : 'the RTSP server is not built (npm run setup)'),
  async run(context: SoakContext): Promise<SoakReport> {
    const { root, scratch, short, settings, log } = context;
    const cameras = settings.cameras ?? (short ? 10 : 20);
    const warm_up = settings.warm_up ?? (short ? 20 : 500);
    const wanted = warm_up + (settings.reconnects ?? (short ? 60 : 1_000));
    const world = await openCameras({ root, folder: scratch, good: cameras, faults: false });
    const watched = short
      ? await startCapture(world.cameras, { backoff_min_ms: 50, backoff_max_ms: 200 })
      : await startDaemon({ root, folder: scratch, cameras: world.cameras, analysis_fps: 0.5, start_limit_s: 180 });
    try {
      const streaming = async (): Promise<number> => (await watched.statuses()).filter((status) => status.state === 'streaming').length;
      const count = async (): Promise<number> => (await watched.statuses()).reduce((sum, status) => sum + status.reconnects, 0);
      await until('every camera streams', 60, async () => (await streaming()) === cameras);
      const points: [number, ProcessFigures][] = [];
      const started = await count();
      let done = 0;
      for (let turn = 0; done < wanted; turn++) {
        for (const { url } of world.cameras) await world.server.cut(new URL(url).pathname);
        await until('every camera is gone', 30, async () => (await streaming()) === 0);
        for (const { url } of world.cameras) await world.server.resume(new URL(url).pathname);
        await until('every camera is back', 60, async () => (await streaming()) === cameras);
        await sleep(200);
        done = (await count()) - started;
        // The first turns fill what is kept: buffers, codecs, heaps.
        if (done >= warm_up) points.push([done, processFigures(watched.pid)]);
        if (turn % 10 === 0) log(`${done} reconnects`);
      }
      return report(points, done - warm_up, cameras);
    } finally {
      await watched.close();
      await world.close();
    }
  },
};

function report(points: readonly [number, ProcessFigures][], done: number, cameras: number): SoakReport {
  const over = (read: (figures: ProcessFigures) => number): number => slope(points.map(([x, figures]) => [x, read(figures)] as const)) * done;
  const [threads, descriptors, memory] = [over((one) => one.threads), over((one) => one.descriptors), over((one) => one.rss_kib)];
  return {
    claims: [
      claim('threads over the run, by least squares', 'less than 2', threads.toFixed(2), Math.abs(threads) < 2),
      claim('descriptors over the run, by least squares', 'less than 4', descriptors.toFixed(2), descriptors < 4),
      claim('resident memory over the run, by least squares', `less than ${MEMORY_KIB / 1024} MiB`, `${(memory / 1024).toFixed(2)} MiB`, memory < MEMORY_KIB),
    ],
    figures: {
      reconnects: done, cameras, points: points.length,
      first_threads: points[0]?.[1].threads ?? 0, last_threads: points.at(-1)?.[1].threads ?? 0,
      first_descriptors: points[0]?.[1].descriptors ?? 0, last_descriptors: points.at(-1)?.[1].descriptors ?? 0,
      first_rss_mib: (points[0]?.[1].rss_kib ?? 0) / 1024, last_rss_mib: (points.at(-1)?.[1].rss_kib ?? 0) / 1024,
    },
  };
}
