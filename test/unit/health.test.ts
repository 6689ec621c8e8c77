import t from 'tap';
import { FIRST_FRAME_GRACE_MS, liveness, readiness, STUCK_MS, type ReadyInput } from '../../src/health.js';

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
});

t.test('alive while work advances or there is none', async (t) => {
  t.ok(liveness({ now_ms: STUCK_MS * 2, progress_at_ms: 0, waiting_frames: 0 }).ok, 'idle');
  t.ok(liveness({ now_ms: STUCK_MS, progress_at_ms: 0, waiting_frames: 3 }).ok);
  t.same(liveness({ now_ms: STUCK_MS + 1, progress_at_ms: 0, waiting_frames: 3 }), { ok: false, reasons: ['inference_stuck'] });
});
