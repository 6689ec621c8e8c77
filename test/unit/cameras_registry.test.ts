import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createRegistry, type Registry } from '../../src/cameras/registry.js';
import type { NewCamera } from '../../src/cameras/types.js';
import { openStore } from '../../src/store/store.js';

const log = { info: () => undefined };
const CAMERA: NewCamera = { camera_id: 1, camera_name: 'Till', url: 'rtsp://user:geheim@cam/x' };

async function registryOn(t: Test, file: string): Promise<Registry> {
  const store = await openStore({ file, log });
  t.teardown(() => store.close());
  return createRegistry({ db: store.db, now: () => Date.UTC(2025, 10, 14, 14, 30), poll_ms: 20 });
}

t.test('what is added is listed with its defaults', async (t) => {
  const registry = await registryOn(t, join(t.testdir(), 'a.db'));
  const added = await registry.add(CAMERA);
  const stored = {
    ...CAMERA, transport: null, priority: 5, location: null, outlet_id: null, staff_id: null, analysis_fps: null, enabled: true, created_at: '2025-11-14T14:30:00.000Z', updated_at: '2025-11-14T14:30:00.000Z',
  };
  t.same(added, stored);
  await registry.add({ camera_id: 2147483647, camera_name: ' Door ', url: ' /dev/video0\n', transport: 'udp', priority: 10, location: 'Out', outlet_id: 3, staff_id: 4, analysis_fps: 0.5, enabled: false });
  t.same(await registry.get(1), stored);
  t.match((await registry.list())[1], { camera_name: 'Door', url: '/dev/video0', transport: 'udp', priority: 10, location: 'Out', outlet_id: 3, staff_id: 4, analysis_fps: 0.5, enabled: false });
});

t.test('each field is checked, and what is refused changes nothing', async (t) => {
  const registry = await registryOn(t, join(t.testdir(), 'a.db'));
  await registry.add(CAMERA);
  const bad: [string, unknown][] = [
    ['camera_id', 0], ['camera_id', -1], ['camera_id', 1.5], ['camera_id', 2147483648], ['camera_id', '7'], ['camera_id', undefined], ['camera_name', ''], ['camera_name', '   '], ['camera_name', 'x'.repeat(256)],
    ['camera_name', 7], ['camera_name', 'a\nb'], ['url', ''], ['url', 'gopher://user:geheim@x'], ['url', 7], ['url', `rtsp://user:geheim@x/${'x'.repeat(5000)}`], ['transport', 'sctp'], ['priority', 0],
    ['priority', 11], ['priority', '5'], ['priority', null], ['location', ''], ['location', 'a\u0000'], ['outlet_id', 0], ['staff_id', 1.5], ['analysis_fps', 0], ['analysis_fps', 61], ['enabled', 1], ['colour', 'red'],
  ];
  for (const [field, value] of bad) {
    const change = { [field]: value };
    for (const attempt of [() => registry.add({ ...CAMERA, camera_id: 2, ...change }), ...(field === 'camera_id' ? [] : [() => registry.update(1, change)])]) {
      const error = await attempt().then(() => undefined, (refused: unknown) => refused as Error & { code: string });
      t.equal(error?.code, 'CAMERA_INVALID', `${field}=${JSON.stringify(value)?.slice(0, 40)}`);
      t.match(error?.message, new RegExp(`^${field}: `));
      t.notMatch(error?.message, /geheim/);
    }
  }
  await t.rejects(registry.update(1, {}), { code: 'CAMERA_INVALID' });
  t.same((await registry.list()).map(({ camera_id }) => camera_id), [1]);
});

t.test('ids are taken once, and unknown ones are said', async (t) => {
  const registry = await registryOn(t, join(t.testdir(), 'a.db'));
  await registry.add(CAMERA);
  await t.rejects(registry.add({ ...CAMERA, camera_name: 'Other' }), { code: 'CAMERA_EXISTS' });
  t.equal((await registry.get(1))?.camera_name, 'Till');
  t.match(await registry.update(1, { camera_name: 'Other', location: 'In', enabled: false }), { camera_name: 'Other', location: 'In', enabled: false, url: CAMERA.url });
  t.match(await registry.update(1, { location: null }), { location: null, camera_name: 'Other' });
  await registry.remove(1);
  t.equal(await registry.get(1), undefined);
  await t.rejects(registry.remove(1), { code: 'CAMERA_NOT_FOUND' });
  await t.rejects(registry.update(1, { priority: 1 }), { code: 'CAMERA_NOT_FOUND' });
  await t.rejects(registry.remove(NaN), { code: 'CAMERA_NOT_FOUND' });
});

t.test('watchers hear of changes by this process and by others', async (t) => {
  const file = join(t.testdir(), 'a.db');
  const [mine, other] = [await registryOn(t, file), await registryOn(t, file)];
  let heard = 0;
  const unwatch = mine.watch(() => void heard++);
  await mine.add(CAMERA);
  t.equal(heard, 1);
  const hears = async () => {
    for (let i = 0; i < 3_000 && heard === 1; i++) await new Promise((resolve) => setTimeout(resolve, 10));
    return heard;
  };
  await mine.get(1); // one connection, one after the other: the first look has been taken
  await other.update(1, { priority: 7 });
  t.equal(await hears(), 2);
  t.equal((await mine.get(1))?.priority, 7);
  unwatch();
  await other.remove(1);
  await new Promise((resolve) => setTimeout(resolve, 80));
  t.equal(heard, 2, 'after unwatch nothing is heard');
});
