/** Cameras for soaks, served over real RTSP on loopback: good ones, and one of each kind of bad ones. */
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeTestClip } from '../../src/demo/encode.js';
import { rtspServerBinary, startRtspServer, type RtspServer } from '../../src/demo/rtsp_server.js';

export interface SoakCamera {
  camera_id: number;
  camera_name: string;
  url: string;
  /** What is wrong with it; 'good' = nothing. */
  fault: 'good' | 'black_hole' | 'garbage' | 'resolution' | 'password' | 'stall';
}

export interface CameraWorld {
  cameras: SoakCamera[];
  /** Frames a second of the good ones. */
  fps: number;
  server: RtspServer;
  close(): Promise<void>;
}

const SIZE = { width: 640, height: 360, fps: 6, seconds: 5 };
/** Resolution changes, and the stalling camera is looked at, so often. */
const SWAP_MS = 15_000;
const LOOK_MS = 50;
const PASSWORD = 'right-Password7';

/** `good` cameras that behave; with `faults` one more of each kind of fault. */
export async function openCameras({ root, folder, good, faults }: { root: string; folder: string; good: number; faults: boolean }): Promise<CameraWorld> {
  const clip = path.join(folder, 'good.mkv');
  await encodeTestClip({ ...SIZE, codec: 'h264', file: clip });
  const server = await startRtspServer({ binary: rtspServerBinary(root) });
  const ends: (() => Promise<void> | void)[] = [() => server.close()];
  const cameras: SoakCamera[] = [];
  const add = (fault: SoakCamera['fault'], url: string): void => {
    const camera_id = cameras.length + 1;
    cameras.push({ camera_id, camera_name: `${fault} ${camera_id}`, url, fault });
  };
  for (let i = 0; i < good; i++) {
    await server.mount(`/good${i}`, clip, { phase_ms: (i * 11) % 160 });
    add('good', server.url(`/good${i}`));
  }
  if (faults) {
    const hole = await listen(() => undefined);
    const garbage = await listen(pourGarbage);
    ends.push(hole.close, garbage.close);
    add('black_hole', `rtsp://127.0.0.1:${hole.port}/silence`);
    add('garbage', `rtsp://127.0.0.1:${garbage.port}/noise`);
    const larger = path.join(folder, 'larger.mkv');
    await encodeTestClip({ ...SIZE, width: 960, height: 540, codec: 'h264', file: larger });
    await server.mount('/resolution', clip);
    ends.push(alternate(server, '/resolution', [larger, clip]));
    add('resolution', server.url('/resolution'));
    await server.mount('/password', clip, { credentials: { user: 'viewer', password: PASSWORD } });
    add('password', server.url('/password', { user: 'viewer', password: 'wrong-Password7' }));
    await server.mount('/stall', clip);
    ends.push(stallAfterFirst(server, '/stall'));
    add('stall', server.url('/stall'));
  }
  return {
    cameras, fps: SIZE.fps, server,
    async close() {
      for (const end of ends.reverse()) await end();
    },
  };
}

async function listen(onSocket: (socket: Socket) => void): Promise<{ port: number; close: () => void }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { port: (server.address() as AddressInfo).port, close };
}

/** An answer that starts like RTSP and goes on as noise, the same in every run. */
function pourGarbage(socket: Socket): void {
  let state = 1;
  const noise = (): Buffer => {
    const bytes = Buffer.alloc(4_096);
    for (let i = 0; i < bytes.length; i++) {
      state = (state * 1_103_515_245 + 12_345) & 0x7fff_ffff;
      bytes[i] = state >> 16;
    }
    return bytes;
  };
  socket.once('data', () => {
    socket.write('RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Type: application/sdp\r\n');
    const timer = setInterval(() => socket.write(noise()), 20);
    socket.once('close', () => { clearInterval(timer); });
  });
}

function alternate(server: RtspServer, mount: string, files: readonly string[]): () => void {
  let turn = 0;
  const timer = setInterval(() => {
    server.swap(mount, files[turn++ % files.length] ?? '').catch(() => undefined);
  }, SWAP_MS);
  return () => { clearInterval(timer); };
}

/** Frames that the stalling camera serves to each new client: its first key frame, and as many as a demuxer wants to see before it believes it. */
const SERVED_FRAMES = 10;

/** Serves the first key frame to each new client and soon nothing more. */
function stallAfterFirst(server: RtspServer, mount: string): () => Promise<void> {
  let ended = false;
  let stalled = false;
  const run = (async () => {
    let sent = 0;
    while (!ended) {
      const stats = (await server.stats()).find((one) => one.path === mount);
      if (stats === undefined) return;
      if (stats.clients === 0) {
        if (stalled) await server.resume(mount);
        stalled = false;
        sent = stats.frames;
      } else if (!stalled && stats.frames >= sent + SERVED_FRAMES) {
        await server.stall(mount);
        stalled = true;
      }
      await sleep(LOOK_MS);
    }
  })().catch(() => undefined);
  return async () => {
    ended = true;
    await run;
  };
}
