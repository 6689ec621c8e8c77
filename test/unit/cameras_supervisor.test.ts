import t from 'tap';
import type { CameraState, CaptureOptions, CaptureStats } from '../../src/capture/types.js';
import { createCameras, type CameraAddon, type Cameras } from '../../src/cameras/supervisor.js';
import type { CameraSettings } from '../../src/cameras/plan.js';
import type { CameraRecord } from '../../src/cameras/types.js';
import { loadConfig } from '../../src/config/load.js';

const config = loadConfig({ env: {}, cwd: '/' });
const SETTINGS: CameraSettings = { max_concurrent: 120, priority_threshold: 1, fps: 5, capture: config.capture, hw_device: '' };
const NO_DROPS = { no_slot: 0, superseded: 0, decode_error: 0, waiting_key: 0, too_large: 0, unsupported: 0, withheld: 0 };

function record(camera_id: number, change: Partial<CameraRecord> = {}): CameraRecord {
  return {
    camera_id, camera_name: `Camera ${camera_id}`, url: `rtsp://user:geheim${camera_id}@cam${camera_id}/x`, transport: null, priority: 5, location: null, outlet_id: null, staff_id: null,
    analysis_fps: null, enabled: true, created_at: '2025-01-01T00:00:00.000Z', updated_at: '2025-01-01T00:00:00.000Z', ...change,
  };
}

/** Stands in for capture.node: remembers what was asked, lets a test hold back the end of a camera. */
class FakeAddon implements CameraAddon {
  readonly running = new Map<number, { options: CaptureOptions; stats: CaptureStats }>();
  readonly added: CaptureOptions[] = [];
  readonly calls: string[] = [];
  held: (() => void)[] = [];
  holdStops = false;
  refuse: Error | undefined;
  #next = 1;
  #onState: Parameters<CameraAddon['onState']>[0] = () => undefined;

  addCamera(options: CaptureOptions): number {
    if (this.refuse !== undefined) throw this.refuse;
    const handle = this.#next++;
    this.added.push(options);
    this.calls.push(`add ${options.label}`);
    this.running.set(handle, { options, stats: statsOf(handle, options.generation) });
    return handle;
  }
  async removeCamera(handle: number): Promise<void> {
    this.calls.push(`remove ${this.running.get(handle)?.options.label}`);
    if (this.holdStops) await new Promise<void>((resolve) => this.held.push(resolve));
    this.running.delete(handle);
  }
  setAnalysisRate(handle: number, fps: number, limit: number): boolean {
    this.calls.push(`rate ${this.running.get(handle)?.options.label} ${fps} ${limit}`);
    return this.running.has(handle);
  }
  cameraStats(): CaptureStats[] {
    return [...this.running.values()].map(({ stats }) => stats);
  }
  onState(callback: Parameters<CameraAddon['onState']>[0]): void {
    this.#onState = callback;
  }
  monotonicUs(): number {
    return 10_000_000;
  }
  async snapshot(handle: number) {
    return this.running.get(handle)?.stats.frames === 0 ? null : { jpeg: Buffer.from([0xff, 0xd8]), width: 1, height: 1 };
  }
  set(label: string, change: Partial<CaptureStats>): void {
    for (const camera of this.running.values()) if (camera.options.label === label) Object.assign(camera.stats, change);
  }
  state(handle: number, generation: number, state: CameraState, reason = ''): void {
    this.#onState({ handle, generation, state, reason });
  }
  labels(): string[] {
    return [...this.running.values()].map(({ options }) => options.label).sort();
  }
}

function statsOf(handle: number, generation: number): CaptureStats {
  return {
    handle, generation, state: 'connecting', reason: '', detail: '', decoder: '', codec: '', width: 0, height: 0, fps: 0, source_fps: 0, newest_frame_us: 0, newest_wall_ms: 0, packets: 0, bytes: 0,
    frames: 0, analysed: 0, corrupt: 0, reconnects: 0, hw_fallbacks: 0, drops: { ...NO_DROPS }, retry_at_us: 0,
  };
}

interface World {
  addon: FakeAddon;
  cameras: Cameras;
  records: CameraRecord[];
  logged: string[];
  changed(): void;
}

function world(records: CameraRecord[], settings: Partial<CameraSettings> = {}): World {
  const addon = new FakeAddon();
  const logged: string[] = [];
  const listeners = new Set<() => void>();
  const write = (fields: Record<string, unknown>, message: string) => void logged.push(`${message} ${JSON.stringify(fields)}`);
  const self: World = {
    addon, records, logged, changed: () => listeners.forEach((listener) => listener()),
    cameras: createCameras({
      addon,
      registry: {
        list: async () => self.records,
        watch(listener) {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
      },
      settings: { ...SETTINGS, ...settings },
      log: { info: write, warn: write, error: write },
      now: () => Date.UTC(2025, 0, 1),
    }),
  };
  return self;
}

t.test('start runs what the registry lists', async (t) => {
  const { addon, cameras } = world([record(1), record(2, { transport: 'udp', analysis_fps: 2 })]);
  await cameras.start();
  t.same(addon.labels(), ['cam1', 'cam2']);
  const [first, second] = addon.added;
  t.match(first, { generation: 1, kind: 'rtsp', url: 'rtsp://user:geheim1@cam1/x', transport: 'tcp', analysis_fps: 5, loop: true, realtime: true, open_timeout_ms: 10_000 });
  t.match(second, { transport: 'udp', analysis_fps: 2 });
  await cameras.stop();
  t.same(addon.labels(), []);
});

t.test('a change touches that camera only', async (t) => {
  const it = world([record(1), record(2), record(3)]);
  await it.cameras.start();
  it.addon.calls.length = 0;
  const operations: [string, CameraRecord[], string[]][] = [
    ['nothing', [record(1), record(2), record(3)], []],
    ['name, place, staff, priority: no restart', [record(1, { camera_name: 'New', location: 'Door', staff_id: 7, priority: 9 }), record(2), record(3)], []],
    ['url', [record(1), record(2, { url: 'rtsp://other/x' }), record(3)], ['add cam2', 'remove cam2']],
    ['transport and fps', [record(1), record(2, { url: 'rtsp://other/x', transport: 'udp' }), record(3, { analysis_fps: 1 })], ['add cam2', 'rate cam3 1 0', 'remove cam2']],
    ['remove and add', [record(1), record(3, { analysis_fps: 1 }), record(4)], ['add cam4', 'remove cam2']],
    ['disable', [record(1, { enabled: false }), record(3, { analysis_fps: 1 }), record(4)], ['remove cam1']],
    ['enable', [record(1), record(3, { analysis_fps: 1 }), record(4)], ['add cam1']],
    ['empty', [], ['remove cam1', 'remove cam3', 'remove cam4']],
  ];
  for (const [name, records, calls] of operations) {
    it.records = records;
    await it.cameras.refresh();
    t.same(it.addon.calls.splice(0).sort(), calls, name);
  }
  await it.cameras.stop();
});

t.test('a change by another process is followed', async (t) => {
  const it = world([record(1)]);
  await it.cameras.start();
  it.records = [record(1), record(2)];
  it.changed();
  await new Promise(setImmediate);
  t.same(it.addon.labels(), ['cam1', 'cam2']);
  await it.cameras.stop();
  it.records = [record(5)];
  it.changed();
  await new Promise(setImmediate);
  t.same(it.addon.labels(), [], 'after stop nothing starts');
});

t.test('results of an earlier generation belong to no camera', async (t) => {
  const it = world([record(1, { location: 'Till', staff_id: 7 })]);
  await it.cameras.start();
  t.match(it.cameras.cameraOf(1), { camera_id: 1, generation: 1, location: 'Till', staff_id: 7 });
  it.records = [record(1, { url: 'rtsp://other/x' })];
  it.addon.holdStops = true;
  const refreshed = it.cameras.refresh();
  await new Promise(setImmediate);
  t.equal(it.cameras.cameraOf(1), undefined, 'from the moment it is being stopped');
  t.same(it.addon.added.length, 1, 'the new one waits for the old thread to end: a device opens once');
  it.addon.holdStops = false;
  it.addon.held.forEach((resolve) => resolve());
  await refreshed;
  t.match(it.cameras.cameraOf(2), { camera_id: 1, generation: 2 });
  it.logged.length = 0;
  it.addon.state(1, 1, 'failed');
  it.addon.state(2, 1, 'failed');
  t.same(it.logged, [], 'late events are ignored');
  it.addon.state(2, 2, 'stalled', 'CAPTURE_TIMEOUT');
  t.match(it.logged, [/camera stalled .*CAPTURE_TIMEOUT/]);
  await it.cameras.stop();
});

t.test('a slow stop of one camera holds up no other', async (t) => {
  const it = world([record(1), record(2)]);
  await it.cameras.start();
  it.addon.holdStops = true;
  it.records = [record(2)];
  void it.cameras.refresh();
  await new Promise(setImmediate);
  it.addon.holdStops = false;
  it.records = [record(2), record(3)];
  void it.cameras.refresh();
  await new Promise(setImmediate);
  t.same(it.addon.labels(), ['cam1', 'cam2', 'cam3'], 'cam3 runs while cam1 is still being joined');
  t.same(it.cameras.statuses().map(({ camera_id }) => camera_id), [2, 3]);
  it.addon.held.forEach((resolve) => resolve());
  await it.cameras.stop();
  t.same(it.addon.labels(), []);
});

// Each operation while the camera is in each situation: in the end the registry's last word is what runs.
const OPERATIONS: Record<string, CameraRecord[]> = { keep: [record(1)], change: [record(1, { url: 'rtsp://b/x' })], remove: [], disable: [record(1, { enabled: false })] };
const SITUATIONS: Record<string, CameraRecord[][]> = {
  running: [[record(1)]],
  held: [[record(1, { enabled: false })]],
  changing: [[record(1)], [record(1, { url: 'rtsp://c/x' })]],
  'being removed': [[record(1)], []],
  'being disabled': [[record(1)], [record(1, { enabled: false })]],
};
for (const [situation, before] of Object.entries(SITUATIONS)) {
  for (const [operation, records] of Object.entries(OPERATIONS)) {
    t.test(`${operation} while ${situation}`, async (t) => {
      const it = world(before[0] ?? []);
      await it.cameras.start();
      it.addon.holdStops = true;
      for (const step of [...before.slice(1), records]) {
        it.records = step;
        void it.cameras.refresh();
        await new Promise(setImmediate);
      }
      it.addon.holdStops = false;
      it.addon.held.splice(0).forEach((resolve) => resolve());
      await it.cameras.refresh();
      const wanted = records.filter(({ enabled }) => enabled).map(({ url }) => url);
      t.same([...it.addon.running.values()].map(({ options }) => options.url), wanted);
      t.same(it.cameras.statuses().map(({ camera_id }) => camera_id), records.map(({ camera_id }) => camera_id));
      const generations = it.addon.added.map(({ generation }) => generation);
      t.same(generations, [...new Set(generations)].sort((a, b) => a - b), 'generations rise');
      await it.cameras.stop();
      await it.cameras.stop();
      t.equal(it.addon.running.size, 0);
    });
  }
}

t.test('the most important cameras run when there are too many', async (t) => {
  const it = world([record(1, { priority: 1 }), record(2, { priority: 9 }), record(3), record(4), record(5, { priority: 9, enabled: false })], { max_concurrent: 2, priority_threshold: 2 });
  await it.cameras.start();
  t.same(it.addon.labels(), ['cam2', 'cam3']);
  t.same(it.cameras.statuses().map(({ state, reason }) => [state, reason]), [
    ['disabled', 'priority_below_threshold'], ['connecting', ''], ['connecting', ''], ['disabled', 'CAMERA_LIMIT'], ['disabled', 'disabled_by_operator'],
  ]);
  it.records = it.records.map((camera) => (camera.camera_id === 4 ? { ...camera, priority: 10 } : camera));
  await it.cameras.refresh();
  t.same(it.addon.labels(), ['cam2', 'cam4'], 'a more important one takes the place');
  await it.cameras.stop();
});

t.test('a camera that cannot start fails alone and is tried again', async (t) => {
  const it = world([record(1, { url: 'gopher://x' }), record(2)]);
  it.addon.refuse = Object.assign(new Error('no'), { code: 'NATIVE_BAD_OPTIONS' });
  await it.cameras.start();
  t.same(it.cameras.statuses().map(({ state, reason }) => [state, reason]), [['failed', 'CAMERA_INVALID'], ['failed', 'NATIVE_BAD_OPTIONS']]);
  it.addon.refuse = undefined;
  await it.cameras.refresh();
  t.same(it.cameras.statuses().map(({ state }) => state), ['failed', 'connecting']);
  await it.cameras.stop();
});

t.test('states have what the API shows; counters run on over a change', async (t) => {
  const it = world([record(1, { location: 'Till', outlet_id: 3 })]);
  await it.cameras.start();
  t.match(it.cameras.status(1), { frame_age_ms: null, expected_fps: null, fps: 0, frames: 0 });
  t.equal(await it.cameras.snapshot(1, { quality: 80, max_width: 0 }), null);
  it.addon.set('cam1', { state: 'streaming', fps: 24.987, source_fps: 25, newest_frame_us: 9_960_000, frames: 100, analysed: 20, corrupt: 1, reconnects: 2, decoder: 'h264', codec: 'h264', width: 640, height: 360, drops: { ...NO_DROPS, no_slot: 5 } });
  t.match(it.cameras.status(1), {
    camera_id: 1, camera_name: 'Camera 1', state: 'streaming', reason: '', fps: 24.99, expected_fps: 25, frame_age_ms: 40, frames: 100, analysed_frames: 20, corrupt_frames: 1, reconnects: 2,
    decoder: 'h264', width: 640, height: 360, kind: 'rtsp', url: 'rtsp://***@cam1/x', location: 'Till', outlet_id: 3, priority: 5, drops: { no_slot: 5 },
  });
  t.equal(it.cameras.status(1)?.retry_at, null);
  it.addon.set('cam1', { state: 'backing_off', retry_at_us: 12_500_000 });
  t.equal(it.cameras.status(1)?.retry_at, '2025-01-01T00:00:02.500Z');
  t.same(await it.cameras.snapshot(1, { quality: 80, max_width: 0 }), Buffer.from([0xff, 0xd8]));
  it.records = [record(1, { transport: 'udp', location: 'Till', outlet_id: 3 })];
  await it.cameras.refresh();
  it.addon.set('cam1', { frames: 10, drops: { ...NO_DROPS, no_slot: 1 } });
  t.match(it.cameras.status(1), { frames: 110, drops: { no_slot: 6 }, reconnects: 2 });
  t.equal(it.cameras.status(9), undefined);
  await t.rejects(it.cameras.snapshot(9, { quality: 80, max_width: 0 }), { code: 'CAMERA_NOT_FOUND' });
  t.notMatch(JSON.stringify(it.cameras.statuses()) + it.logged.join(''), /geheim/);
  await it.cameras.stop();
  t.equal(await it.cameras.snapshot(1, { quality: 80, max_width: 0 }), null);
});

t.test('rates are reduced and cameras paused without touching the others; settings change while they run', async (t) => {
  const it = world([record(1), record(2, { priority: 1, analysis_fps: 2 })]);
  await it.cameras.start();
  t.same(it.cameras.wanted(), [{ camera_id: 1, priority: 5, fps: 5 }, { camera_id: 2, priority: 1, fps: 2 }].sort((a, b) => a.camera_id - b.camera_id));
  it.addon.calls.length = 0;
  it.cameras.allow(new Map([[1, 5], [2, 1]]));
  it.cameras.allow(new Map([[1, 5], [2, 1]]));
  t.same(it.addon.calls.splice(0), ['rate cam2 2 1'], 'told once, and only the one that gets less');
  t.equal(it.cameras.status(2)?.analysis_fps, 1);
  it.cameras.allow(new Map([[1, 5], [2, 0]]));
  await it.cameras.refresh();
  t.same(it.addon.calls.splice(0), ['remove cam2']);
  t.match(it.cameras.status(2), { state: 'disabled', reason: 'MACHINE_OVERLOADED', analysis_fps: 0 });
  t.equal(it.cameras.wanted().length, 2, 'a paused camera is still wanted');
  it.cameras.allow(new Map([[1, 5], [2, 2]]));
  await it.cameras.refresh();
  t.same(it.addon.calls.splice(0), ['add cam2']);
  await it.cameras.configure({ fps: 10 });
  t.same(it.addon.calls.splice(0), ['rate cam1 10 5'], 'another rate is no new start');
  await it.cameras.configure({ priority_threshold: 3 });
  t.same(it.addon.calls.splice(0), ['remove cam2']);
  await it.cameras.stop();
});

t.test('a removed camera is forgotten: one of the same id starts from zero', async (t) => {
  const it = world([record(1)]);
  await it.cameras.start();
  it.addon.set('cam1', { frames: 100 });
  it.records = [];
  await it.cameras.refresh();
  it.records = [record(1)];
  await it.cameras.refresh();
  t.match(it.cameras.status(1), { frames: 0 });
  t.match(it.addon.added.at(-1), { generation: 1 });
  await it.cameras.stop();
});

t.test('a registry that cannot be read is said, the cameras run on', async (t) => {
  const it = world([record(1)]);
  await it.cameras.start();
  Object.defineProperty(it, 'records', { get: () => { throw Object.assign(new Error('locked'), { code: 'STORE_WRITE_FAILED' }); } });
  it.changed();
  await new Promise(setImmediate);
  t.match(it.logged.at(-1), /registry could not be read.*STORE_WRITE_FAILED/);
  t.same(it.addon.labels(), ['cam1']);
  await it.cameras.stop();
});
