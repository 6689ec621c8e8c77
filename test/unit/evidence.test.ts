import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { AnalysisEvent } from '../../src/analysis/types.js';
import { loadConfig } from '../../src/config/load.js';
import { evidencePath, isEvidencePath } from '../../src/evidence/paths.js';
import { EventRecorder, toldOf } from '../../src/evidence/recorder.js';
import type { NewEvent } from '../../src/evidence/types.js';
import { openStore } from '../../src/store/store.js';

const AT = Date.UTC(2025, 10, 14, 14, 30, 0, 123);
const DAY_MS = 86_400_000;
const EVENT: AnalysisEvent = {
  kind: 'anomaly_alert', type: 'unusual_movement', category: 'anomaly', frame_timestamp: new Date(AT).toISOString(), seq: 9, confidence: 0.95, severity: 'HIGH', risk_score: 0.95, context: {}, indicators: ['unusual_movement'], duration_seconds: 0,
};
const SOURCE = { camera_id: 7, handle: 3, packet_us: 60_000_000, wall_ms: AT };

function kept(change: Partial<NewEvent> = {}): NewEvent {
  return { ...toldOf(EVENT), camera_id: 7, camera_name: 'Till', staff_id: null, delivery: 'posted', idempotency_key: 'k', frame_path: null, ...change };
}

interface World { recorder: EventRecorder; root: string; asked: unknown[] }

async function world(t: Test, change: Partial<ReturnType<typeof loadConfig>['evidence']> = {}, clip: () => Promise<unknown> = async () => ({ data: Buffer.from('clip'), extension: 'mp4', packets: 4, from_us: 0, to_us: 1 })): Promise<World> {
  const state_dir = t.testdir();
  const store = await openStore({ file: join(state_dir, 'a.db'), log: { info: () => undefined } });
  t.teardown(() => store.close());
  const asked: unknown[] = [];
  const settings = { ...loadConfig({ env: {}, cwd: '/' }).evidence, clip_after_s: 0.02, ...change };
  const recorder = new EventRecorder({ db: store.db, settings, state_dir, addon: { clip: async (...call) => { asked.push(call); return (await clip()) as never; } }, log: { warn: () => undefined } });
  return { recorder, root: join(state_dir, 'evidence'), asked };
}

const files = (root: string): string[] => (existsSync(root) ? readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => entry.name) : []);

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 60_000; !(await condition()); ) {
    if (Date.now() > end) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

t.test('names are made of what cannot leave the folder', async (t) => {
  for (const type of ['unusual_movement', '../../etc/passwd', '..', '', 'a/b', 'a\0b', 'Ünusual', 'x'.repeat(500), 'C:\\x', '.hidden']) {
    const path = evidencePath({ camera_id: 7, kind: 'anomaly_alert', type, wall_ms: AT, mark: '1a2b3c4d' }, 'jpg');
    t.ok(isEvidencePath(path), path);
    t.match(path, /^2025-11-14\/cam7\/143000-123-anomaly_alert-[a-z0-9_]+-1a2b3c4d\.jpg$/);
  }
  for (const bad of ['', '/etc/passwd', '../x.jpg', '2025-11-14/cam7/../../x.jpg', '2025-11-14/cam7/a/b.jpg', '2025-11-14/cam7/.jpg', '2025-11-14/cam7/a.jpg\n']) t.notOk(isEvidencePath(bad), bad);
});

t.test('an event with its picture and, when its time is over, its clip', async (t) => {
  const { recorder, root, asked } = await world(t);
  const path = (await recorder.picture(EVENT, SOURCE, async () => Buffer.from('jpeg'))) as string;
  t.equal(statSync(join(root, path)).mode & 0o777, 0o600);
  await recorder.keep(kept({ frame_path: path }), EVENT, SOURCE);
  await until(async () => (await recorder.get(1))?.clip_path !== null);
  t.same(asked, [[3, { from_us: 50_000_000, to_us: 60_020_000 }]]);
  const event = await recorder.get(1);
  t.match(event, { id: 1, camera_id: 7, frame_path: path, indicators: ['unusual_movement'], frame_timestamp: EVENT.frame_timestamp });
  t.equal((await recorder.read(event?.clip_path ?? ''))?.toString(), 'clip');
  t.equal((await recorder.read(path))?.toString(), 'jpeg');
  t.equal(await recorder.read('../a.db'), undefined);
  await recorder.keep(kept({ kind: 'behavioral_detection', camera_id: 8, staff_id: 42, severity: 'LOW' }), { ...EVENT, kind: 'behavioral_detection' }, SOURCE);
  t.match((await recorder.list({ limit: 10 })).map(({ id }) => id), [2, 1]);
  for (const [query, ids] of [[{ camera_id: 8 }, [2]], [{ staff_id: 42 }, [2]], [{ kind: 'anomaly_alert' }, [1]], [{ severity: 'LOW' }, [2]], [{ before: 2 }, [1]], [{ limit: 1 }, [2]], [{ camera_id: 9 }, []]] as const) {
    t.same((await recorder.list({ limit: 10, ...query })).map(({ id }) => id), ids, JSON.stringify(query));
  }
  await recorder.stop();
  t.same(recorder.counts, { events: 2, frames: 1, clips: 1, missed: {} });
});

t.test('an alert does not wait for a picture that fails or is late', async (t) => {
  const { recorder, root } = await world(t);
  t.equal(await recorder.picture(EVENT, SOURCE, async () => { throw new Error('no'); }), undefined);
  t.equal(await recorder.picture(EVENT, SOURCE, () => new Promise((resolve) => { setTimeout(() => { resolve(Buffer.from('x')); }, 600); })), undefined);
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.same(files(root), [], 'nor is it written later');
  t.same(recorder.counts.missed, { failed: 1, late: 1 });
  const off = await world(t, { frames: false, clips: false });
  t.equal(await off.recorder.picture(EVENT, SOURCE, async () => Buffer.from('x')), undefined);
  await off.recorder.keep(kept(), EVENT, SOURCE);
  await off.recorder.stop();
  t.same(off.asked, []);
});

t.test('a clip that can’t be had leaves the event as it is', async (t) => {
  for (const [clip, reason] of [[async () => null, 'none'], [async () => { throw new Error('gone'); }, 'failed']] as const) {
    const { recorder } = await world(t, {}, clip);
    await recorder.keep(kept(), EVENT, SOURCE);
    await until(() => recorder.counts.missed[reason] === 1);
    t.match(await recorder.get(1), { clip_path: null });
    await recorder.stop();
  }
  const { recorder, asked } = await world(t, { clip_after_s: 50 });
  await recorder.keep(kept(), EVENT, SOURCE);
  await recorder.stop();
  t.same([asked, recorder.counts.missed], [[], { stopped: 1 }]);
});

t.test('age and size are bounded, the oldest go first, with their folders', async (t) => {
  const { recorder, root } = await world(t, { keep_days: 3, max_mib: 1, max_events: 4 });
  const half = Buffer.alloc(400 * 1024);
  for (let day = 0; day < 6; day += 1) {
    const wall_ms = AT + day * DAY_MS;
    const frame_path = (await recorder.picture(EVENT, { ...SOURCE, wall_ms }, async () => half)) as string;
    await recorder.keep(kept({ frame_path, frame_timestamp: new Date(wall_ms).toISOString() }), { ...EVENT, kind: 'behavioral_detection' }, { ...SOURCE, wall_ms });
  }
  await recorder.prune(AT + 5 * DAY_MS);
  t.same((await recorder.list({ limit: 10 })).map(({ id, frame_path }) => [id, frame_path === null]), [[6, false], [5, false], [4, true], [3, true]], 'two of 400 KiB fit a MiB');
  t.equal(files(root).length, 2);
  t.same(readdirSync(root).sort(), ['2025-11-18', '2025-11-19']);
  t.same(await recorder.size(), { count: 2, bytes: 2 * half.length });
  await recorder.prune(AT + 30 * DAY_MS);
  t.same([await recorder.list({ limit: 10 }), files(root), readdirSync(root)], [[], [], []]);
});
