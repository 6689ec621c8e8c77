import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { AnalysisEvent } from '../../src/analysis/types.js';
import { loadConfig } from '../../src/config/load.js';
import { createDelivery } from '../../src/delivery/delivery.js';
import { localTimestamps } from '../../src/delivery/timestamps.js';
import { EventRecorder } from '../../src/evidence/recorder.js';
import type { FrameResult } from '../../src/inference/results.js';
import { raiseEvent, type RaiseOptions } from '../../src/raise_event.js';
import { openStore, type Store } from '../../src/store/store.js';

const AT = Date.UTC(2025, 10, 14, 14, 30, 0, 123);
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
const EVENT: AnalysisEvent = {
  kind: 'anomaly_alert', type: 'unusual_movement', category: 'anomaly', frame_timestamp: new Date(AT).toISOString(), seq: 9, confidence: 0.95, severity: 'HIGH', risk_score: 0.95, context: {}, indicators: ['unusual_movement'], duration_seconds: 0,
};
const FRAME: FrameResult = { camera: 3, generation: 1, seq: 9, pts_us: 0, packet_us: 60_000_000, wall_ms: AT, width: 640, height: 480, objects: [], missing: [], persons: [], faces: [] };
const camera = (staff_id: number | null) => ({ camera_id: 7, camera_name: 'Till', generation: 1, staff_id, location: null, outlet_id: null });

interface World { store: Store; options: RaiseOptions; recorder: EventRecorder; clips: number[] }

/** Nobody listens at the callback URL: what is raised waits. */
async function world(t: Test, file: string): Promise<World> {
  const store = await openStore({ file, log: quiet });
  const config = loadConfig({ env: { PHP_CALLBACK_URL: 'http://127.0.0.1:9/callback', CV_PIPELINE_TOKEN: 'x' }, cwd: '/' });
  const delivery = createDelivery({ store, settings: { php_system: config.php_system, delivery: config.delivery }, log: quiet });
  await delivery.start();
  const clips: number[] = [];
  const settings = { ...config.evidence, clip_after_s: 0.001 };
  const recorder = new EventRecorder({ db: store.db, settings, state_dir: t.testdir(), addon: { clip: async (handle) => { clips.push(handle); return null; } }, log: quiet });
  t.teardown(async () => {
    await recorder.stop();
    await delivery.stop(100);
    await store.close();
  });
  const body = { session_id: 's', timestamp: localTimestamps('UTC') };
  return { store, recorder, clips, options: { delivery, body, evidence: { recorder, jpeg: async () => Buffer.alloc(1), path_prefix: '' } } };
}

const kept = async ({ store }: World): Promise<unknown> => ({
  events: await store.db.selectFrom('events').select(['delivery', 'idempotency_key']).execute(),
  outbox: await store.db.selectFrom('outbox').select('idempotency_key').execute(),
  letters: await store.db.selectFrom('dead_letters').select('idempotency_key').execute(),
});

t.test('an event and its callback have one key, and come to the disk together', async (t) => {
  const all = await world(t, join(t.testdir(), 'a.db'));
  await raiseEvent(camera(41), EVENT, FRAME, undefined, all.options);
  const [posted] = await all.store.db.selectFrom('outbox').select('idempotency_key').execute();
  t.same(await kept(all), { events: [{ delivery: 'posted', ...posted }], outbox: [posted], letters: [] });
  await raiseEvent(camera(null), EVENT, FRAME, undefined, all.options);
  const [letter] = await all.store.db.selectFrom('dead_letters').select('idempotency_key').execute();
  t.same(await kept(all), { events: [{ delivery: 'posted', ...posted }, { delivery: 'local_only', ...letter }], outbox: [posted], letters: [letter] });
  t.equal(all.recorder.counts.events, 2);
});

t.test('where the event cannot be written, neither is the callback: both are tried again', async (t) => {
  const all = await world(t, join(t.testdir(), 'a.db'));
  const note = all.recorder.note.bind(all.recorder);
  let failures = 0;
  all.recorder.note = async (record, within) => {
    const id = await note(record, within);
    if (failures++ < 2) {
      t.same(await kept({ ...all, store: { ...all.store, db: within } }), { events: [{ delivery: 'posted', idempotency_key: record.idempotency_key }], outbox: [{ idempotency_key: record.idempotency_key }], letters: [] }, 'within: both');
      throw new Error('the process ends here');
    }
    return id;
  };
  await raiseEvent(camera(41), EVENT, FRAME, undefined, all.options);
  t.equal(failures, 3);
  const [posted] = await all.store.db.selectFrom('outbox').select('idempotency_key').execute();
  t.same(await kept(all), { events: [{ delivery: 'posted', ...posted }], outbox: [posted], letters: [] }, 'once each');
  t.equal(all.recorder.counts.events, 1);
});

t.test('an event whose callback is dropped is kept all the same', async (t) => {
  const all = await world(t, join(t.testdir(), 'a.db'));
  const delivery: RaiseOptions['delivery'] = { ...all.options.delivery, enqueue: async () => ({ stored: false, reason: 'outbox_full' }) };
  await raiseEvent(camera(41), EVENT, FRAME, undefined, { ...all.options, delivery });
  t.same(await kept(all), { events: [{ delivery: 'dropped', idempotency_key: null }], outbox: [], letters: [] });
  await all.recorder.stop();
});
