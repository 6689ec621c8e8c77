/** Work on thousands of frames: on a thread of its own, with the same results, while the main thread goes on. */
import { join } from 'node:path';
import t from 'tap';
import { createRecords } from '../../src/calibration/service/records.js';
import { Vault } from '../../src/calibration/service/vault.js';
import { FRAMES_HERE_MAX, Workplace } from '../../src/calibration/service/workplace.js';
import { sealingKeys } from '../../src/config/rules.js';
import { openCalibrationStore, type CalibrationStoreOptions } from '../../src/store/calibration/store.js';
import { begin, calibrate, framesOf, openWorld, type CalibrationWorld } from '../fixtures/calibration_world.js';

t.setTimeout(120_000);
const MANY = 3_000;
const KEYS = `k=${Buffer.alloc(32, 7).toString('base64')}`;

/** A session with this many frames at each target, numbered without gaps. */
async function record(world: CalibrationWorld, candidate_id: string, each: number): Promise<string> {
  const session_id = await begin(world, candidate_id);
  for (let target = 0; target < 4; target++) {
    for (let first = 0; first < each; first += 60) {
      const frames = framesOf(target, Math.min(60, each - first), first).map((frame, n) => ({ ...frame, frame_index: target * each + first + n }));
      t.equal((await world.call('POST', '/api/calibration/frames/batch', { session_id, candidate_id, frames })).status, 200);
    }
  }
  return session_id;
}

t.test('thousands of frames are read, fitted and written while the event loop goes round', async (t) => {
  const world = await openWorld();
  t.teardown(() => world.close());
  const session_id = await record(world, 'many', MANY / 4);
  const other = await begin(world, 'other');
  let turns = 0;
  let turning = true;
  const turn = (): void => {
    turns++;
    if (turning) setImmediate(turn);
  };
  turn();
  t.teardown(() => { turning = false; });
  const frame = (n: number) => world.call('POST', '/api/calibration/frame', { session_id: other, candidate_id: 'other', ...framesOf(0, 1, n)[0] });
  const asked: Record<string, () => Promise<unknown>> = {
    look: () => world.call('POST', '/api/calibration/look', { session_id, candidate_id: 'many', frames: framesOf(3, 1, 9_000) }),
    resume: () => world.call('POST', `/api/calibration/session/${session_id}/resume`),
    complete: () => world.call('POST', '/api/calibration/complete', { session_id, candidate_id: 'many' }),
    replay: () => world.call('GET', `/api/calibration/replay/${session_id}`),
    validate: () => world.call('POST', `/api/calibration/validate/${session_id}`),
    diagnostics: () => world.call('GET', `/api/calibration/diagnostics/${session_id}`),
    export: () => world.call('GET', '/api/calibration/export/many'),
  };
  for (const [at, [name, ask]] of Object.entries(asked).entries()) {
    const before = turns;
    const [answer, small] = await Promise.all([ask(), frame(at)]);
    t.match([answer, small], [{ status: 200 }, { status: 200, body: { success: true } }], name);
    t.ok(turns - before > 100, `the loop went round ${turns - before} times during "${name}"`);
  }
  t.match((await world.call('POST', `/api/calibration/validate/${session_id}`)).body, { valid: true, checks: { csv_matches_frames: true, matrix_matches_frames: true } });
  t.match(world.service.status().work, { refused: 0 });
  t.ok(world.service.status().work.thread >= 8);
  t.match((await world.call('DELETE', '/api/calibration/many')).body, { deleted: { frames: MANY, sessions: 1, calibrations: 1 } });
  t.equal((await frame(20)).status, 200, 'this thread still writes too');
});

t.test('a usual calibration needs no other thread', async (t) => {
  const world = await openWorld();
  t.teardown(() => world.close());
  t.equal((await calibrate(world, 'usual')).completed.status, 200);
  t.match(world.service.status().work, { thread: 0 });
});

t.test('both places make the same bytes, sealed or not, and say the same of what is wrong', async (t) => {
  for (const keys of [undefined, KEYS]) {
    const folder = t.testdir();
    const file = join(folder, `${keys === undefined ? 'plain' : 'sealed'}.db`);
    const where: CalibrationStoreOptions = { kind: 'sqlite', file };
    const world = await openWorld({ folder, store: where, ...(keys === undefined ? {} : { env: { CALIBRATION_ENCRYPTION_KEYS: keys } }) });
    const session_id = await record(world, 'same', 110);
    const few = await begin(world, 'few');
    await world.close();
    const store = await openCalibrationStore(where);
    const vault = new Vault(keys === undefined ? new Map() : (sealingKeys(keys) as Map<string, Buffer>));
    const counts = { here: 0, thread: 0, refused: 0 };
    const workplace = new Workplace({ records: createRecords(store, vault), vault, store, setup: { store: where, encryption_keys: keys }, counts });
    const both = async <T>(run: (frames: number) => Promise<T>): Promise<void> => {
      const [here, there] = await Promise.all([FRAMES_HERE_MAX, FRAMES_HERE_MAX + 1].map((frames) => run(frames).catch((error: unknown) => error)));
      t.same(there, here);
    };
    await both(async (frames) => {
      const { csv, npz, ...rest } = await workplace.run('make', frames, { session_id, candidate_id: 'same', now_ms: 1 });
      return { ...rest, csv: Buffer.from(csv).toString(), npz: Buffer.from(npz).toString('hex') };
    });
    await both((frames) => workplace.run('diagnose', frames, { session_id }));
    await both((frames) => workplace.run('tally', frames, { session_id }));
    await both((frames) => workplace.run('fit', frames, { session_id, candidate_id: 'same' }));
    for (const frames of [FRAMES_HERE_MAX, FRAMES_HERE_MAX + 1]) {
      await t.rejects(workplace.run('make', frames, { session_id: few, candidate_id: 'few', now_ms: 1 }), { name: 'SightlineError', code: 'CALIBRATION_INVALID', message: 'No calibration frames found', status: 400 });
    }
    t.match(counts, { thread: 5, refused: 0 });
    await workplace.close();
    await t.rejects(workplace.run('tally', FRAMES_HERE_MAX + 1, { session_id }), { code: 'CALIBRATION_STORE_FAILED' });
    await store.close();
  }
});

t.test('files are kept only if they are still those of the frames, and once', async (t) => {
  const folder = t.testdir();
  const file = join(folder, 'calibration.db');
  const world = await openWorld({ folder });
  t.teardown(() => world.close());
  const session_id = await record(world, 'between', 20);
  const store = await openCalibrationStore({ kind: 'sqlite', file });
  const vault = new Vault(new Map());
  const records = createRecords(store, vault);
  const workplace = new Workplace({ records, vault, store, setup: { store: { kind: 'sqlite', file }, encryption_keys: undefined }, counts: { here: 0, thread: 0, refused: 0 } });
  const input = { session_id, candidate_id: 'between', now_ms: Date.now() };
  for (const frames of [1, FRAMES_HERE_MAX + 1]) {
    const made = await workplace.run('make', frames, input);
    await world.call('POST', '/api/calibration/frame', { session_id, candidate_id: 'between', ...framesOf(3, 1, 500 + frames)[0] });
    t.same(await workplace.run('keep', frames, { ...input, ...made }), { outcome: 'changed' });
    t.match(await records.presence('between'), { has_calibration_data: false });
  }
  const made = await workplace.run('make', 1, input);
  t.same(await workplace.run('keep', 1, { ...input, ...made }), { outcome: 'kept' });
  t.match(await workplace.run('keep', 1, { ...input, ...made }), { outcome: 'completed', answer: { session_id } }, 'who comes second gets the answer of the first');
  await world.call('DELETE', '/api/calibration/between');
  await t.rejects(workplace.run('keep', 1, { ...input, ...made }), { code: 'CALIBRATION_SESSION_NOT_FOUND' });
  t.match(await records.presence('between'), { has_calibration_data: false }, 'nothing comes back of who was deleted meanwhile');
  await workplace.close();
  await store.close();
});

t.test('too much at once is turned away, counted, and no fault of the session', async (t) => {
  const world = await openWorld();
  t.teardown(() => world.close());
  const session_id = await record(world, 'crowd', 110);
  const answers = await Promise.all(Array.from({ length: 30 }, () => world.call('POST', '/api/calibration/complete', { session_id, candidate_id: 'crowd' })));
  const codes = answers.map(({ status }) => status);
  t.ok(codes.filter((status) => status === 200).length >= 1 && codes.every((status) => [200, 429].includes(status)), codes.join());
  const refused = answers.find(({ status }) => status === 429);
  t.match(refused?.body, { error: { code: 'RATE_LIMITED' } });
  t.equal(world.service.status().work.refused, codes.filter((status) => status === 429).length);
  t.match((await world.call('GET', `/api/calibration/session/${session_id}`)).body, { status: 'completed' });
  t.match(world.service.status().sessions, { completed: 1, failed: 0 });
});
