/** `npm run soak -- faults`: bad cameras must not cost good ones their frames. */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CameraStatus } from '../../src/cameras/types.js';
import { rtspServerBinary } from '../../src/demo/rtsp_server.js';
import { openCameras, type SoakCamera } from './faulty_cameras.js';
import { processFigures } from './process_figures.js';
import { claim, timed, type Soak, type SoakClaim, type SoakContext, type SoakReport } from './soak.js';
import { startCapture, startDaemon, until, type Watched } from './watched.js';

/** Rates are taken over windows of this length, so that a single late frame is no verdict. */
const WINDOW_MS = 10_000;
const LOOK_MS = 1_000;
const LEAST = 0.95;

interface Look {
  at_ms: number;
  statuses: Map<number, CameraStatus>;
}

export const faults: Soak = {
  name: 'faults',
  about: 'ten minutes with 20 cameras, five of them bad: the others keep 95 % of their frame rate (--set minutes=10, cameras=20, analysis_fps=0.5)',
  unavailable: (root) => (existsSync(rtspServerBinary(root)) ? undefined : 'the RTSP server is not built (npm run setup)'),
  async run(context: SoakContext): Promise<SoakReport> {
    const { root, scratch, short, settings, log } = context;
    const total = settings.cameras ?? (short ? 9 : 20);
    const length_ms = (settings.minutes ?? (short ? 0.2 : 10)) * 60_000;
    const world = await openCameras({ root, folder: scratch, good: total - 5, faults: true });
    let watched: Watched | undefined;
    try {
      // Alone, capture starts at once: the short form of a test has no time for models.
      watched = short ? await startCapture(world.cameras) : await startDaemon({ root, folder: scratch, cameras: world.cameras, analysis_fps: settings.analysis_fps ?? 0.5, start_limit_s: 180 });
      const good = world.cameras.filter((camera) => camera.fault === 'good');
      const { statuses } = watched;
      await until('every good camera streams', 60, async () => (await statuses()).filter((status) => status.state === 'streaming' && status.frames > 0).length >= good.length);
      const looks = await observe(watched, length_ms, short, log);
      const figures = processFigures(watched.pid);
      return { claims: claims(looks, world.cameras, world.fps, short ? 5_000 : WINDOW_MS), figures: { ...figures, cameras: total, seconds: length_ms / 1000, ...faultFigures(looks, world.cameras) } };
    } finally {
      await watched?.close();
      await world.close();
    }
  },
};

async function observe(watched: Watched, length_ms: number, short: boolean, log: SoakContext['log']): Promise<Look[]> {
  await sleep(short ? 1_000 : 10_000);
  const looks: Look[] = [];
  const end = performance.now() + length_ms;
  for (let minute = 0; performance.now() < end; ) {
    looks.push({ at_ms: performance.now(), statuses: new Map((await watched.statuses()).map((status) => [status.camera_id, status])) });
    if (length_ms - (end - performance.now()) > (minute + 1) * 60_000) log(`${++minute} min`);
    await sleep(LOOK_MS);
  }
  return looks;
}

function claims(looks: readonly Look[], cameras: readonly SoakCamera[], fps: number, window_ms: number): SoakClaim[] {
  const newest = looks.at(-1)?.statuses;
  const of = (fault: SoakCamera['fault']): CameraStatus | undefined => newest?.get(cameras.find((camera) => camera.fault === fault)?.camera_id ?? 0);
  const seen = (fault: SoakCamera['fault'], read: (status: CameraStatus) => string): string => {
    const id = cameras.find((camera) => camera.fault === fault)?.camera_id ?? 0;
    return [...new Set(looks.map((look) => look.statuses.get(id)).flatMap((status) => (status === undefined ? [] : [read(status)])))].filter((text) => text !== '').join(' ');
  };
  const rates = cameras.filter((camera) => camera.fault === 'good').map((camera) => least(looks, camera.camera_id, fps, window_ms));
  const worst = Math.min(...rates);
  const reconnects = newest === undefined ? -1 : cameras.filter((camera) => camera.fault === 'good').reduce((sum, camera) => sum + (newest.get(camera.camera_id)?.reconnects ?? 0), 0);
  return [
    timed('lowest rate of a good camera in any window', `at least ${LEAST * 100} % of ${fps} frames/s`, `${(worst * 100).toFixed(1)} %`, worst >= LEAST),
    timed('reconnects of good cameras', 'none', reconnects, reconnects === 0),
    claim('black hole', 'CAPTURE_TIMEOUT', seen('black_hole', (status) => status.reason), seen('black_hole', (status) => status.reason).includes('CAPTURE_TIMEOUT') && of('black_hole')?.frames === 0),
    claim('garbage', 'a reason, no frames', seen('garbage', (status) => status.reason), seen('garbage', (status) => status.reason).includes('CAPTURE_') && of('garbage')?.frames === 0),
    claim('refused password', 'CAPTURE_AUTH', seen('password', (status) => status.reason), of('password')?.reason === 'CAPTURE_AUTH'),
    claim('stall after the first key frame', 'stalled, opened again', `${seen('stall', (status) => status.state)}, ${of('stall')?.reconnects ?? 0} reconnects`, seen('stall', (status) => status.state).includes('stalled') && (of('stall')?.reconnects ?? 0) > 0),
    claim('changing resolution', 'streams on in both sizes', `${seen('resolution', (status) => (status.width === 0 ? '' : `${status.width}x${status.height}`))}, ${of('resolution')?.reconnects ?? -1} reconnects`, of('resolution')?.state === 'streaming' && (looksLong(looks) ? seen('resolution', (status) => (status.width === 0 ? '' : String(status.width))).includes(' ') : true)),
  ];
}

/** Long enough for the resolution to have changed there and back. */
const looksLong = (looks: readonly Look[]): boolean => (looks.at(-1)?.at_ms ?? 0) - (looks[0]?.at_ms ?? 0) > 30_000;

/** The lowest rate of any window, as a share of `fps`. */
function least(looks: readonly Look[], camera_id: number, fps: number, window_ms: number): number {
  let worst = Infinity;
  for (const [index, start] of looks.entries()) {
    const end = looks.slice(index).find((look) => look.at_ms - start.at_ms >= window_ms);
    const [from, to] = [start.statuses.get(camera_id), end?.statuses.get(camera_id)];
    if (end === undefined || from === undefined || to === undefined) continue;
    // One frame more or less is where the window lies between frames.
    worst = Math.min(worst, (to.frames - from.frames + 1) / (((end.at_ms - start.at_ms) / 1000) * fps));
  }
  return worst;
}

function faultFigures(looks: readonly Look[], cameras: readonly SoakCamera[]): Record<string, number> {
  const newest = looks.at(-1)?.statuses;
  return Object.fromEntries(cameras.filter((camera) => camera.fault !== 'good').map((camera) => [`${camera.fault}_reconnects`, newest?.get(camera.camera_id)?.reconnects ?? 0]));
}
