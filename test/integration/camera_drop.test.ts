/** Camera stream errors of the contract: a camera that drops, with the real capture, the supervisor of the cameras and the writer of their states. */
import { join } from 'node:path';
import t from 'tap';
import { startHealthWriter } from '../../src/cameras/health_writer.js';
import type { CameraHealth } from '../../src/cameras/mysql_registry.js';
import { createRegistry } from '../../src/cameras/registry.js';
import { createCameras } from '../../src/cameras/supervisor.js';
import { loadCapture } from '../../src/capture/native.js';
import { loadConfig } from '../../src/config/load.js';
import { encodeTestClip } from '../../src/demo/encode.js';
import { openStore } from '../../src/store/store.js';
import { smallPool, until } from '../fixtures/capture.js';
import { accessUnits } from '../fixtures/rtp.js';
import { CREDENTIALS, goodScript, openRtspCamera } from '../fixtures/rtsp_camera.js';

const FPS = 10;
const LIMIT_MS = 60_000;
/** Of the contract: "Retry connection after 30 seconds". */
const RETRY_MAX_US = 30_000_000;

t.test('a camera that drops: said, written into its table, tried again within 30 seconds; the other goes on', { timeout: 180_000 }, async (t) => {
  const folder = t.testdir();
  const units = await accessUnits(await encodeTestClip({ width: 160, height: 96, fps: FPS, seconds: 1, codec: 'h264', file: join(folder, 'small.mkv') }), FPS);
  const server = await openRtspCamera(units);
  const addon = loadCapture();
  addon.openPool(smallPool);
  const said: string[] = [];
  const note = (fields: Record<string, unknown>, message: string): void => void said.push(`${JSON.stringify(fields)} ${message}`);
  const log = { info: note, warn: note, error: note };
  const store = await openStore({ file: join(folder, 'a.db'), log });
  const registry = createRegistry({ db: store.db, now: Date.now, poll_ms: 50 });
  await registry.add({ camera_id: 1, camera_name: 'Drops', url: server.serve(goodScript(units, FPS, { turns: 2, end: 'close' })) });
  await registry.add({ camera_id: 2, camera_name: 'Stays', url: server.serve(goodScript(units, FPS)) });
  const { capture } = loadConfig({ env: {}, cwd: '/' });
  t.ok(capture.backoff_max_ms * 1_000 <= RETRY_MAX_US, 'however often it drops');
  // Longer than the writer takes to look again.
  const cameras = createCameras({ addon, registry, log, settings: { max_concurrent: 2, priority_threshold: 1, fps: 5, capture: { ...capture, backoff_min_ms: 6_000 }, hw_device: '' } });
  const written: CameraHealth[] = [];
  const table = { settings: { write_status: true, status_interval_s: 300 }, writeHealth: async (all: readonly CameraHealth[]) => void written.push(...all) };
  const stopWriter = startHealthWriter({ table: () => table, statuses: () => cameras.statuses(), log, now: () => performance.now() });
  t.teardown(async () => {
    stopWriter();
    await cameras.stop();
    await addon.close();
    await store.close();
    await server.close();
  });
  await cameras.start();
  const has = (camera_id: number, state: string): CameraHealth | undefined => written.find((one) => one.camera_id === camera_id && one.state === state);

  const dropped = await until('the drop is written', () => has(1, 'backing_off'), LIMIT_MS);
  t.match(dropped, { reason: 'CAPTURE_EOF', fresh: false });
  const stats = addon.cameraStats().find(({ state }) => state === 'backing_off');
  const wait_us = (stats?.retry_at_us ?? 0) - addon.monotonicUs();
  t.ok(wait_us <= RETRY_MAX_US, 'the next attempt is near');
  t.ok(said.some((line) => line.includes('"camera_id":1') && line.includes('camera backing_off')), 'the log names it');
  const before = cameras.statuses().find(({ camera_id }) => camera_id === 2)?.frames ?? 0;
  written.length = 0;
  await until('it is back, and that is written', () => has(1, 'streaming'), LIMIT_MS);
  const after = cameras.statuses();
  t.ok((after.find(({ camera_id }) => camera_id === 1)?.reconnects ?? 0) >= 1);
  t.match(after.find(({ camera_id }) => camera_id === 2), { state: 'streaming', reconnects: 0, corrupt_frames: 0 });
  t.ok((after.find(({ camera_id }) => camera_id === 2)?.frames ?? 0) > before, 'the other went on meanwhile');
  t.notOk(has(2, 'backing_off'));
  t.notMatch(said.join('\n') + JSON.stringify(written), CREDENTIALS.password);
});
