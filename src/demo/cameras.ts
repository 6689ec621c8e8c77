/** The demo cameras: clips that set-up encoded, served over real RTSP on loopback, one of them dropping out and coming back. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { SightlineError } from '../errors.js';
import { rtspServerBinary, startRtspServer, type RtspServer } from './rtsp_server.js';
import { DEMO_CAMERAS, type DemoCamera } from './scenes.js';

/** A camera as the registry and the PHP contract name its fields. `stream_url` may hold credentials. */
export interface DemoCameraDefinition {
  camera_id: number;
  camera_name: string;
  location: string;
  stream_url: string;
  priority: number;
  staff_id: number | null;
  outlet_id: number | null;
  transport: 'tcp' | 'udp';
}

export interface DemoLog {
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
}

export interface Demo {
  cameras: DemoCameraDefinition[];
  /** Ends the schedule and the server. Idempotent, at most 3 s. */
  close(): Promise<void>;
}

/** Clips lie here, from the root of the repository. */
export const DEMO_CLIPS = 'build/demo';

/**
 * Starts the RTSP server, mounts every demo camera and runs their drop-outs. Throws DEMO_MISSING when set-up has not built the server
 * or encoded the clips, DEMO_SERVER when the server refuses.
 */
export async function startDemo({ root, log, demoCameras = DEMO_CAMERAS }: { root: string; log: DemoLog; demoCameras?: readonly DemoCamera[] }): Promise<Demo> {
  const missing = demoCameras.filter(({ clip }) => !existsSync(path.join(root, DEMO_CLIPS, clip.file)));
  if (missing.length > 0) {
    throw new SightlineError('DEMO_MISSING', `expected ${missing.map(({ clip }) => clip.file).join(', ')} in ${DEMO_CLIPS}, found nothing; "npm run setup" makes them`);
  }
  const server = await startRtspServer({ binary: rtspServerBinary(root) });
  let closed = false;
  const stops: (() => void)[] = [];
  const close = async (): Promise<void> => {
    closed = true;
    for (const stop of stops.splice(0)) stop();
    await server.close();
  };
  try {
    for (const [index, camera] of demoCameras.entries()) {
      const options = { phase_ms: index * PHASE_STEP_MS, ...(camera.credentials === undefined ? {} : { credentials: camera.credentials }) };
      await server.mount(camera.path, path.join(root, DEMO_CLIPS, camera.clip.file), options);
      if (camera.drops !== undefined) stops.push(scheduleDrops(server, camera, camera.drops, log));
    }
  } catch (error) {
    await close();
    throw error;
  }
  void server.ended.then(({ code, signal }) => {
    if (!closed) log.warn({ code, signal }, 'the RTSP server of the demo cameras ended');
  });
  return { cameras: demoCameras.map((camera) => definition(camera, server.port)), close };
}

/** Frames of the cameras are spread over their frame interval, as those of real cameras are. */
const PHASE_STEP_MS = 17;

function definition(camera: DemoCamera, port: number): DemoCameraDefinition {
  // As an operator types it: the password is not escaped.
  const login = camera.credentials === undefined ? '' : `${camera.credentials.user}:${camera.credentials.password}@`;
  return {
    camera_id: camera.camera_id,
    camera_name: camera.camera_name,
    location: camera.location,
    stream_url: `rtsp://${login}127.0.0.1:${port}${camera.path}`,
    priority: camera.priority,
    staff_id: camera.staff_id,
    outlet_id: camera.outlet_id,
    transport: camera.transport,
  };
}

/** Cuts the camera for `away_s` once every `every_s`; returns what ends that. */
function scheduleDrops(server: RtspServer, camera: DemoCamera, { every_s, away_s }: { every_s: number; away_s: number }, log: DemoLog): () => void {
  let timer: NodeJS.Timeout;
  const turn = (order: (mountPath: string) => Promise<void>, wait_s: number, next: () => void): void => {
    timer = setTimeout(() => {
      order(camera.path).then(next, (error: unknown) => log.warn({ camera_id: camera.camera_id, err: error }, 'demo camera: drop-outs end'));
    }, wait_s * 1000);
    timer.unref();
  };
  const drop = (): void => turn((mountPath) => server.cut(mountPath), every_s - away_s, back);
  const back = (): void => turn((mountPath) => server.resume(mountPath), away_s, drop);
  drop();
  return () => clearTimeout(timer);
}
