/** Registry, supervisor and the real capture addon: cameras come, change and go while the others run on. Sources are libav's own generators. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { createRegistry } from '../../src/cameras/registry.js';
import { createCameras } from '../../src/cameras/supervisor.js';
import type { CameraStatus } from '../../src/cameras/types.js';
import { loadCapture } from '../../src/capture/native.js';
import { loadConfig } from '../../src/config/load.js';
import { openStore } from '../../src/store/store.js';

const ADDON = fileURLToPath(new URL('../../../build/native/bin/capture.node', import.meta.url));
const LIMIT_MS = 60_000;
t.setTimeout(180_000);

const lavfi = (size: string) => `lavfi:testsrc=size=${size}:rate=5`;

t.test('cameras of the registry run, whoever changes it', { skip: existsSync(ADDON) ? false : 'the native addon is not built' }, async (t) => {
  const file = join(t.testdir(), 'sightline.db');
  const log = { info: () => undefined, warn: () => undefined, error: (fields: unknown, message: string) => t.fail(message, { fields }) };
  const addon = loadCapture();
  const [store, other] = [await openStore({ file, log }), await openStore({ file, log })];
  const registry = createRegistry({ db: store.db, now: Date.now, poll_ms: 50 });
  const elsewhere = createRegistry({ db: other.db, now: Date.now, poll_ms: 50 });
  const config = loadConfig({ env: {}, cwd: '/' });
  addon.openPool({ batches: 4, rows: 4, inputs: [{ name: 'frames', width: 64, height: 64, fit: 'letterbox', pad: 0 }] });
  const cameras = createCameras({ addon, registry, log, settings: { max_concurrent: 3, priority_threshold: 1, fps: 5, capture: config.capture, hw_device: '' } });
  t.teardown(async () => {
    await cameras.stop();
    await addon.close();
    await Promise.all([store.close(), other.close()]);
  });
  const until = async (what: string, found: (all: Map<number, CameraStatus>) => boolean): Promise<Map<number, CameraStatus>> => {
    const end = Date.now() + LIMIT_MS;
    for (;;) {
      const all = new Map(cameras.statuses().map((status) => [status.camera_id, status]));
      if (found(all)) return all;
      if (Date.now() > end) throw new Error(`${what}: ${JSON.stringify([...all.values()])}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const streams = (all: Map<number, CameraStatus>, id: number) => all.get(id)?.state === 'streaming' && (all.get(id)?.frames ?? 0) > 0;

  await registry.add({ camera_id: 1, camera_name: 'One', url: lavfi('320x180') });
  await registry.add({ camera_id: 2, camera_name: 'Two', url: lavfi('64x48') });
  await cameras.start();
  const first = await until('both stream', (all) => streams(all, 1) && streams(all, 2));
  t.match(first.get(1), { width: 320, height: 180, kind: 'lavfi', url: lavfi('320x180') });
  t.same([...(await cameras.snapshot(1, { quality: 80, max_width: 160 }) ?? [])].slice(0, 2), [0xff, 0xd8], 'a JPEG');
  t.ok((first.get(1)?.frame_age_ms ?? -1) >= 0);

  await elsewhere.add({ camera_id: 3, camera_name: 'Three', url: lavfi('96x64') });
  await until('a camera added by another process streams', (all) => streams(all, 3));

  const handles = new Map(addon.cameraStats().map((stats) => [stats.width, stats.handle]));
  await elsewhere.update(2, { url: lavfi('128x96') });
  await until('the change is followed', (all) => all.get(2)?.width === 128);
  const after = new Map(addon.cameraStats().map((stats) => [stats.width, stats.handle]));
  t.same([after.get(320), after.get(96)], [handles.get(320), handles.get(96)], 'the others have not been touched');
  t.equal(cameras.cameraOf(handles.get(64) ?? -1), undefined);
  t.match(cameras.cameraOf(after.get(128) ?? -1), { camera_id: 2, generation: 2 });

  await registry.add({ camera_id: 4, camera_name: 'Four', url: lavfi('48x48'), priority: 9 });
  const crowded = await until('the more important camera takes a place', (all) => streams(all, 4));
  t.match(crowded.get(3), { state: 'disabled', reason: 'CAMERA_LIMIT' });

  await elsewhere.remove(1);
  await until('the removed one is gone and its place is taken', (all) => !all.has(1) && streams(all, 3));
  await cameras.stop();
  t.same(addon.cameraStats(), []);
});
