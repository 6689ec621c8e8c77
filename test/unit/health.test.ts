import t from 'tap';
import { FIRST_FRAME_GRACE_MS, liveness, readiness, STUCK_MS, type ReadyInput } from '../../src/health.js';
import { Progress } from '../../src/progress.js';

const camera = (camera_id: number, state: ReadyInput['cameras'][number]['state'], frame_age_ms: number | null = 10) => ({ camera_id, state, reason: '', frame_age_ms });
const base: ReadyInput = { cameras: [camera(1, 'streaming')], networks_missing: [], results: 5, up_ms: 60_000, stopping: false };

t.test('ready with results and a streaming camera', async (t) => {
  t.same(readiness(base), { ok: true, reasons: [] });
  t.same(readiness({ ...base, cameras: [] }), { ok: true, reasons: [] }, 'no cameras registered: nothing to wait for');
});

t.test('at the start every camera is waited for, for a while', async (t) => {
  const cameras = [camera(1, 'streaming'), camera(2, 'connecting', null), camera(3, 'disabled', null)];
  t.same(readiness({ ...base, cameras, up_ms: 2_000 }).reasons, ['camera_starting:2']);
  t.ok(readiness({ ...base, cameras, up_ms: FIRST_FRAME_GRACE_MS }).ok, 'one dead camera does not keep the others from being ready');
});

t.test('unready without any camera, model or result, and while stopping', async (t) => {
  t.same(readiness({ ...base, cameras: [camera(1, 'backing_off')] }).reasons, ['no_camera_streaming']);
  t.same(readiness({ ...base, networks_missing: ['mesh'] }).reasons, ['model_missing:mesh']);
  t.same(readiness({ ...base, results: 0 }).reasons, ['no_result_yet']);
  t.same(readiness({ ...base, stopping: true }).reasons, ['stopping']);
  t.same(readiness({ ...base, cameras: [], registry_down: true }).reasons, ['registry_down'], 'no cameras because nobody could say which');
  t.ok(readiness({ ...base, registry_down: true }).ok, 'known from before');
});

const part = (name: string, done: number, waiting: boolean) => ({ name, done, waiting, limit_ms: STUCK_MS });

t.test('alive while work advances or there is none', async (t) => {
  const progress = new Progress();
  const look = (done: number, waiting: boolean, now_ms: number) => liveness(progress.look([part('inference', done, waiting)], now_ms));
  t.ok(look(0, false, 0).ok, 'idle');
  t.ok(look(0, false, 2 * STUCK_MS).ok, 'idle for long');
  t.ok(look(0, true, 3 * STUCK_MS).ok, 'the clock starts with the work');
  t.same(look(0, true, 3 * STUCK_MS + 1), { ok: false, reasons: ['inference_stuck'] });
  t.ok(look(1, true, 4 * STUCK_MS).ok, 'it advances again');
});

t.test('progress: moved means that some part advanced, or that nobody waits', async (t) => {
  const progress = new Progress();
  const look = (inference: number, capture: number, waiting: boolean) => progress.look([part('inference', inference, waiting), part('capture', capture, waiting)], 0).moved;
  t.ok(look(0, 0, true), 'the first look');
  t.notOk(look(0, 0, true), 'nothing has moved');
  t.ok(look(0, 1, true));
  t.ok(look(0, 1, false), 'idle');
});
