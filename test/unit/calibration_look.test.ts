/** What the calibration page asks beyond the plan: looks that keep nothing, targets recorded anew, sessions without their people. */
import { randomUUID } from 'node:crypto';
import t, { type Test } from 'tap';
import { begin, calibrate, framesOf, openWorld, PLACES, SCREEN, type CalibrationWorld } from '../fixtures/calibration_world.js';

interface Seen { success: boolean; error_code?: string; quality?: { detection: number }; on_screen_mm: [number, number] | null }

async function open(t: Test): Promise<CalibrationWorld> {
  const world = await openWorld();
  t.teardown(() => world.close());
  return world;
}
const look = async (world: CalibrationWorld, session_id: string, candidate_id: string, frames: unknown[], headers: Record<string, string> = {}) => {
  const answer = await world.call('POST', '/api/calibration/look', { session_id, candidate_id, frames }, headers);
  return { ...answer, results: answer.body.results as Seen[] };
};

t.test('a look rates pictures and keeps nothing; with a fit it says where the gaze lies', async (t) => {
  const world = await open(t);
  const session_id = await begin(world, 'looker');
  const nobody = { ...framesOf(0, 1)[0], frame_data: Buffer.from('nobody').toString('base64'), frame_index: 7 };
  const before = await look(world, session_id, 'looker', [...framesOf(0, 1), nobody, { ...nobody, frame_data: Buffer.from('no picture').toString('base64') }]);
  t.match(before, { status: 200, results: [{ success: true, quality: { detection: 95 }, on_screen_mm: null }, { success: false, error_code: 'no_face', frame_index: 7 }, { success: false, error_code: 'not_a_picture' }] });
  t.equal((await world.call('GET', `/api/calibration/session/${session_id}`)).body.frames, 0, 'nothing was stored');
  for (let target = 0; target < 4; target++) await world.call('POST', '/api/calibration/frames/batch', { session_id, candidate_id: 'looker', frames: framesOf(target, 30) });
  const after = await look(world, session_id, 'looker', framesOf(3, 5, 100));
  for (const { on_screen_mm } of after.results) {
    const [x = 0, y = 0] = on_screen_mm ?? [];
    const place = PLACES[3] as { x: number; y: number };
    t.ok(Math.hypot(x - place.x * SCREEN.screen_width_mm, y - place.y * SCREEN.screen_height_mm) < 25, `near the target: ${x}, ${y}`);
  }
  t.equal((await world.call('GET', `/api/calibration/session/${session_id}`)).body.frames, 120);
  const entries = (await world.call('GET', '/api/calibration/admin/audit?candidate_id=looker')).body.entries.filter((entry) => JSON.stringify(entry).includes('not kept'));
  t.equal(entries.length, 1, 'noted once, not once a look');
});

t.test('a look goes by the frames that there are now: more of them, as many others, another screen', async (t) => {
  const world = await open(t);
  const candidate_id = 'newest';
  const session_id = await begin(world, candidate_id);
  const where = async () => (await look(world, session_id, candidate_id, framesOf(3, 1, 500))).results[0]?.on_screen_mm;
  const record = (target: number, first: number, gaze_of = target) => world.call('POST', '/api/calibration/frames/batch', {
    session_id, candidate_id, frames: framesOf(gaze_of, 20, first).map((frame, n) => ({ ...frame, frame_index: target * 1000 + first + n, target_index: target, target_position: PLACES[target] })),
  });
  for (let target = 0; target < 4; target++) await record(target, 0);
  const first = await where();
  t.same(await where(), first);
  await record(3, 20, 2);
  const more = await where();
  t.notSame(more, first, 'twenty more');
  await world.call('POST', `/api/calibration/session/${session_id}/redo`, { target_index: 3 });
  t.equal(await where(), null, 'a target is missing');
  for (const at of [40, 60]) await record(3, at);
  t.notSame(await where(), more, 'as many frames, others');
  const before = await where();
  await world.call('POST', '/api/screen/info', { candidate_id, ...SCREEN, screen_width_mm: 500 });
  t.notSame((await world.call('GET', `/api/screen/info/${candidate_id}`)).body.screen_width_mm, SCREEN.screen_width_mm);
  t.ok(Array.isArray(before) && Array.isArray(await where()));
});

t.test('a look wants consent, the right candidate, and a token that may', async (t) => {
  const world = await open(t);
  const session_id = await begin(world, 'one');
  t.match(await look(world, session_id, 'other', framesOf(0, 1)), { body: { error: { code: 'CALIBRATION_CANDIDATE_MISMATCH' } } });
  t.match(await look(world, '00000000-0000-4000-8000-000000000000', 'one', framesOf(0, 1)), { status: 404 });
  const authorization = `Bearer ${await world.token('candidate', 'other')}`;
  t.match(await look(world, session_id, 'one', framesOf(0, 1), { authorization }), { status: 403, body: { error: { code: 'FORBIDDEN' } } });
  await world.call('POST', '/api/calibration/consent', { candidate_id: 'one', given: false });
  t.match(await look(world, session_id, 'one', framesOf(0, 1)), { body: { error: { code: 'CALIBRATION_CONSENT_REQUIRED' } } });
  t.match(await look(world, session_id, 'one', []), { status: 422 });
});

t.test('a target is recorded anew: its old frames are gone, the others stay; a completed session is closed', async (t) => {
  const world = await open(t);
  const session_id = await begin(world, 'again');
  for (let target = 0; target < 4; target++) await world.call('POST', '/api/calibration/frames/batch', { session_id, candidate_id: 'again', frames: framesOf(target, 20) });
  const redone = await world.call('POST', `/api/calibration/session/${session_id}/redo`, { target_index: 1 });
  t.match(redone, { status: 200, body: { removed_frames: 20, target_index: 1, next_frame_index: 110 } });
  const refused = await world.call('POST', '/api/calibration/complete', { session_id, candidate_id: 'again' });
  t.match(refused.body, { error: { code: 'CALIBRATION_INVALID' } });
  await world.call('POST', '/api/calibration/frames/batch', { session_id, candidate_id: 'again', frames: framesOf(1, 20, 200) });
  t.equal((await world.call('POST', '/api/calibration/complete', { session_id, candidate_id: 'again' })).status, 200);
  t.match((await world.call('POST', `/api/calibration/validate/${session_id}`)).body, { valid: true });
  t.match(await world.call('POST', `/api/calibration/session/${session_id}/redo`, { target_index: 1 }), { status: 400, body: { error: { code: 'CALIBRATION_SESSION_STATE' } } });
  t.match(await world.call('POST', `/api/calibration/session/${session_id}/redo`, { target_index: 13 }), { status: 422 });
});

t.test('the newest sessions are listed without their people, for admins only', async (t) => {
  const world = await open(t);
  await calibrate(world, 'somebody-secret');
  await begin(world, 'another-secret');
  const { status, body } = await world.call('GET', '/api/calibration/admin/sessions');
  t.equal(status, 200);
  t.match(body.sessions, [{ status: 'in_progress', frames: 0, verdict: null }, { status: 'completed', frames: 120, verdict: /accept|repeat|refuse/ }]);
  t.notMatch(JSON.stringify(body), /secret/);
  t.equal((await world.call('GET', '/api/calibration/admin/sessions', undefined, { authorization: `Bearer ${await world.token('candidate', 'x')}` })).status, 403);
});

t.test('looks are forgotten with the person: deleted, anonymised, past the retention', async (t) => {
  let now_ms = Date.now();
  const session_id = randomUUID();
  let next: string | undefined;
  const uuid = () => {
    const given = next ?? randomUUID();
    next = undefined;
    return given;
  };
  const world = await openWorld({ service: { now_ms: () => now_ms, uuid } });
  t.teardown(() => world.close());
  const lookAt = async (candidate_id: string) => t.match(await look(world, session_id, candidate_id, framesOf(0, 2)), { status: 200 }, candidate_id);
  // What is remembered of a session says that its looks were noted: only where it was forgotten does the audit log get another entry.
  const noted = async (candidate_id: string) =>
    (await world.call('GET', `/api/calibration/admin/audit?candidate_id=${candidate_id}&limit=1000`)).body.entries.filter((entry) => JSON.stringify(entry).includes('not kept')).length;
  const ways: Record<string, (candidate_id: string) => Promise<unknown>> = {
    deleted: (candidate_id) => world.call('DELETE', `/api/calibration/${candidate_id}`),
    expired: async () => {
      now_ms += 91 * 86_400_000;
      await world.call('POST', '/api/calibration/admin/retention');
    },
  };
  for (const [candidate_id, way] of Object.entries(ways)) {
    for (const turn of ['first', 'again, under the same session id']) {
      next = session_id;
      t.equal(await begin(world, candidate_id), session_id);
      await lookAt(candidate_id);
      await lookAt(candidate_id);
      t.equal(await noted(candidate_id), 1, `${candidate_id}, ${turn}`);
      await way(candidate_id);
    }
  }
  next = session_id;
  await begin(world, 'anonymised');
  await lookAt('anonymised');
  const alias = String((await world.call('POST', '/api/calibration/anonymise/anonymised')).body.anonymised_as);
  const before = await noted(alias);
  await world.call('POST', '/api/calibration/consent', { candidate_id: alias, given: true });
  await lookAt(alias);
  t.equal(await noted(alias), before + 1, 'whoever has the new id is not taken for the person before');
});
