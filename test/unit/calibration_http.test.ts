/** The calibration API from the first call to the files, as the existing clients call it. */
import { join } from 'node:path';
import t from 'tap';
import { createRecords, type StoredFiles } from '../../src/calibration/service/records.js';
import { Vault } from '../../src/calibration/service/vault.js';
import { readZip } from '../../src/calibration/zip.js';
import { openCalibrationStore } from '../../src/store/calibration/store.js';
import { begin, calibrate, framesOf, openWorld, PLACES, SCREEN, picture } from '../fixtures/calibration_world.js';

t.test('session, screen, start, frames, complete, verify, download', async (t) => {
  const world = await openWorld();
  t.teardown(() => world.close());
  const { call } = world;
  const candidate_id = 'kandidat 7';
  const created = await call('POST', '/api/calibration/session/create', { candidate_id, interview_id: 'i-1', metadata: { browser: 'x' }, timezone: 'Asia/Tokyo', client_time: new Date(Date.now() + 3_600_000).toISOString() });
  t.equal(created.status, 200);
  t.match(created.body, { session_id: /^[0-9a-f-]{36}$/, candidate_id, status: 'in_progress', created_at: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, interview_id: 'i-1', metadata: { browser: 'x' }, timezone: 'Asia/Tokyo' });
  t.ok(Math.abs(created.body.clock_offset_ms - 3_600_000) < 60_000, 'the client\'s clock is an hour ahead');
  const { session_id } = created.body;
  const early = await call('POST', '/api/calibration/start', { session_id, candidate_id });
  t.same([early.status, early.body.detail], [400, 'Screen information must be saved first']);
  const screen = await call('POST', '/api/screen/info', { candidate_id, ...SCREEN });
  t.match(screen.body, { success: true, message: 'Screen information saved successfully', candidate_id });
  t.match((await call('GET', `/api/screen/info/${encodeURIComponent(candidate_id)}`)).body, { ...SCREEN, distance_cm: '60', camera_position: 'top-center', monitor_name: 'Unknown' });
  const started = await call('POST', '/api/calibration/start', { session_id, candidate_id });
  t.match(started.body, { status: 'ready', calibration_config: { target_display_time: 2, max_frames_per_target: 60, targets: PLACES.map((position, index) => ({ index, position })) }, consent_recorded: true, recommended_fps: 30 });

  const [first, ...more] = framesOf(0, 12);
  const single = await call('POST', '/api/calibration/frame', { session_id, candidate_id, ...first });
  t.match(single.body, { success: true, frame_index: 0, target_index: 0, frame_shape: [480, 640], bbox: [240, 140, 160, 160], quality: { head_stability: 100, lighting: 100, detection: 95, guidance: 'Good positioning!' } });
  t.ok(single.body.gaze_vector[2] < 0, 'in the camera\'s axes, z negative');
  const nobody = await call('POST', '/api/calibration/frame', { session_id, candidate_id, ...first, frame_index: 900, frame_data: Buffer.from('nobody').toString('base64') });
  t.match([nobody.status, nobody.body], [200, { success: false, error: 'No face detected', frame_shape: [480, 640], frame_index: 900 }]);
  const batch = await call('POST', '/api/calibration/frames/batch', { candidate_id, frames: more });
  t.match(batch.body, { batch_size: 11, successful_frames: 11, session_id, guidance: 'Good positioning!' }, 'without session_id, as the plan\'s batches');
  const again = await call('POST', '/api/calibration/frames/batch', { session_id, candidate_id, frames: more });
  t.match(again.body, { successful_frames: 11, results: more.map(() => ({ duplicate: true })) }, 'a repeated batch is the same frames');
  const early_end = await call('POST', '/api/calibration/complete', { session_id, candidate_id });
  t.match([early_end.status, early_end.body.detail], [400, /^Invalid calibration: expected frames at 4 different targets/]);
  t.match((await call('GET', `/api/calibration/session/${session_id}`)).body, { exists: true, status: 'failed', error_message: /4 different targets/, frames: 12 });
  t.match((await call('POST', '/api/calibration/session/resume', { session_id })).body, { status: 'resumed', existing_frames: 12, candidate_id, next_frame_index: 12 });
  for (const target of [1, 2, 3]) await call('POST', '/api/calibration/frames/batch', { session_id, candidate_id, frames: framesOf(target, 20) });
  t.equal((await call('GET', `/api/calibration/verify/${encodeURIComponent(candidate_id)}`)).status, 404, 'nothing to download yet');
  const done = await call('POST', '/api/calibration/complete', { session_id, candidate_id });
  t.match([done.status, done.body], [200, {
    success: true, session_id, candidate_id, calibration_stats: { total_frames: 72, targets_used: 4, frames_per_target: { '0.1,0.1': 12, '0.9,0.9': 20 } },
    validation_metrics: { total_frames: 72, unique_targets: 4, min_frames_per_target: 12, face_detection_rate: 1 }, message: 'Calibration completed successfully',
    file_checksums: { screen_info: /^[0-9a-f]{8}$/, calibration_csv: /^[0-9a-f]{8}$/, transform_matrix: /^[0-9a-f]{8}$/ }, report: { verdict: /accept|repeat|refuse/ },
  }]);
  t.same((await call('POST', '/api/calibration/complete', { session_id, candidate_id })).body, done.body, 'asked again, the same answer');

  const verified = await call('GET', `/api/calibration/verify/${encodeURIComponent(candidate_id)}`);
  t.match([verified.status, verified.body], [200, { exists: true, candidate_id, has_screen_info: true, has_calibration_data: true }]);
  const files = (await call('GET', `/api/calibration/download/${encodeURIComponent(candidate_id)}`)).body;
  t.same(Object.keys(files), ['screen_info.json', 'calibration.csv', 'transform_matrix.npz'].map((name) => `${candidate_id}_${name}`));
  const csv = String(files[`${candidate_id}_calibration.csv`]).split('\n');
  t.equal(csv.length, 74, 'header, 72 rows, final newline');
  t.match(csv[1], /^0,\d{10}\.\d+,0\.0,/);
  t.match(csv[1], /,59\.0,33\.0,0\.0,0\.0,.*,kandidat 7$/, 'the target in whole millimetres');
  const zip = await call('GET', `/api/calibration/download/${encodeURIComponent(candidate_id)}?format=zip`);
  const members = readZip(zip.raw);
  t.same(members.map(({ name }) => name).sort(), Object.keys(files).sort());
  t.match(zip.raw.toString('latin1'), /screen_info/);
  t.match((await call('GET', `/api/calibration/${encodeURIComponent(candidate_id)}`)).body, { status: 'completed', exists: true, frames: 72, session_id });
  t.match((await call('POST', `/api/calibration/validate/${session_id}`)).body, { valid: true, problems: [], checks: { csv_matches_frames: true, matrix_matches_frames: true } });
  const replay = (await call('GET', `/api/calibration/replay/${session_id}`)).body;
  t.equal(replay.frames.length, 72);
  const [x, y] = replay.frames[0]?.on_screen_mm ?? [NaN, NaN];
  t.ok(Math.hypot(x - 59.7, y - 33.6) < 25, `the fit leads back to the target: ${x}, ${y}`);
  t.match((await call('GET', `/api/calibration/diagnostics/${session_id}`)).body, { frame_count: 72, session_info: { status: 'completed', timezone: 'Asia/Tokyo' }, frame_analysis: { face_detection_rate: 1 } });
  const late = await call('POST', '/api/calibration/frame', { session_id, candidate_id, ...first, frame_index: 77 });
  t.match([late.status, late.body.error.code], [400, 'CALIBRATION_SESSION_STATE']);
});

t.test('what is wrong is a 4xx that names the field, and nothing is lost', async (t) => {
  const world = await openWorld();
  t.teardown(() => world.close());
  const session_id = await begin(world, 'a');
  const [frame] = framesOf(0, 1);
  const cases: [string, unknown, number, RegExp][] = [
    ['/api/calibration/session/create', {}, 422, /candidate_id/],
    ['/api/calibration/session/create', { candidate_id: 'a/b' }, 422, /candidate_id/],
    ['/api/calibration/session/create', { candidate_id: 'a', timezone: 'Mars/Olympus' }, 422, /timezone/],
    ['/api/screen/info', { candidate_id: 'a', screen_width_px: 0, screen_height_px: 9 }, 422, /screen_width_px/],
    ['/api/calibration/start', { session_id: '3b241101-e2bb-4255-8caf-4136c566a962', candidate_id: 'a' }, 404, /session_id/],
    ['/api/calibration/start', { session_id, candidate_id: 'b' }, 400, /candidate_id/],
    ['/api/calibration/frame', { ...frame, session_id, candidate_id: 'a', frame_index: -1 }, 422, /frame_index/],
    ['/api/calibration/frame', { ...frame, session_id, candidate_id: 'a', target_position: { x: 'a', y: 1 } }, 422, /target_position/],
    ['/api/calibration/frame', { ...frame, session_id, candidate_id: 'a', target_position: { x: 9_000, y: 1 } }, 422, /target_position/],
    ['/api/calibration/frame', { ...frame, session_id, candidate_id: 'a', frame_data: '*** no base64 ***' }, 422, /frame_data/],
    ['/api/calibration/frames/batch', { session_id, candidate_id: 'a', frames: [] }, 422, /frames/],
    ['/api/calibration/complete', { session_id, candidate_id: 'a' }, 400, /No calibration frames/],
    ['/api/calibration/session/nonsense/resume', {}, 422, /id/],
  ];
  for (const [url, body, status, words] of cases) {
    const answer = await world.call('POST', url, body);
    t.equal(answer.status, status, `${url} ${JSON.stringify(answer.body)}`);
    t.match(JSON.stringify(answer.body), words);
    t.equal(typeof answer.body.error.code, 'string');
    if (status === 422) t.ok(Array.isArray(answer.body.detail), 'a 422 lists its problems');
    else t.equal(typeof answer.body.detail, 'string');
  }
  const junk = await world.call('POST', '/api/calibration/frame', { ...frame, session_id, candidate_id: 'a', frame_data: Buffer.from('no picture').toString('base64') });
  t.match([junk.status, junk.body], [200, { success: false, error_code: 'not_a_picture' }]);
  const busy = await world.call('POST', '/api/calibration/frame', { ...frame, session_id, candidate_id: 'a', frame_data: Buffer.from('busy').toString('base64') });
  t.match([busy.status, busy.body.success, busy.body.error_code], [200, false, 'busy']);
  t.ok(busy.body.recommended_fps < 30, 'and the client is told to slow down');
  t.match(world.service.status(), { ready: true, people: 1, frames: { stored: 0, refused: { not_a_picture: 1, busy: 1 } }, sessions: { created: 1, started: 1, failed: 1, completed: 0 } });
  t.match((await world.call('GET', `/api/calibration/session/3b241101-e2bb-4255-8caf-4136c566a962`)).body, { exists: false, status: null });
  t.match((await world.call('GET', '/api/calibration/download/nobody')).body, { detail: 'Calibration not found', error: { code: 'CALIBRATION_NOT_FOUND' } });
  t.match((await world.call('GET', '/api/calibration/verify/nobody')).body, { exists: false, candidate_id: null, has_screen_info: false, detail: /not found/ });
});

t.test('who is not seen is told why: quality and guidance come without a gaze too', async (t) => {
  const world = await openWorld();
  t.teardown(() => world.close());
  const session_id = await begin(world, 'unseen');
  const nobody = { ...framesOf(0, 1)[0], frame_data: Buffer.from('nobody').toString('base64') };
  const guidance = 'Please move closer to camera';
  t.match((await world.call('POST', '/api/calibration/frame', { session_id, candidate_id: 'unseen', ...nobody })).body, { success: false, error: 'No face detected', frame_shape: [480, 640], quality: { detection: 0, lighting: 100 }, guidance });
  t.match((await world.call('POST', '/api/calibration/frames/batch', { session_id, candidate_id: 'unseen', frames: [nobody] })).body, { successful_frames: 0, guidance });
});

t.test('a page that was loaded anew resumes by the candidate alone', async (t) => {
  const world = await openWorld();
  t.teardown(() => world.close());
  const resume = (body: object, headers: Record<string, string> = {}) => world.call('POST', '/api/calibration/session/resume', body, headers);
  await calibrate(world, 'back');
  t.match(await resume({ candidate_id: 'back' }), { status: 404, body: { error: { code: 'CALIBRATION_SESSION_NOT_FOUND' } } }, 'a completed one is not taken up');
  const session_id = await begin(world, 'back');
  await world.call('POST', '/api/calibration/frames/batch', { session_id, candidate_id: 'back', frames: framesOf(0, 5) });
  t.match(await resume({ candidate_id: 'back' }), { status: 200, body: { session_id, existing_frames: 5, next_frame_index: 5, frames_per_target_index: { 0: 5 } } });
  t.match(await resume({}), { status: 422, body: { detail: [{ loc: ['body', 'session_id'] }] } });
  t.equal((await resume({ candidate_id: 'back' }, { authorization: `Bearer ${await world.token('candidate', 'other')}` })).status, 403);
  t.equal((await resume({ candidate_id: 'nobody' }, { authorization: `Bearer ${await world.token('candidate', 'other')}` })).status, 403, 'nor does it tell whether somebody has one');
});

t.test('validate is about the files: those of the last completed session, or imported ones', async (t) => {
  const world = await openWorld();
  t.teardown(() => world.close());
  const { session_id } = await calibrate(world, 'kept');
  const begun = await begin(world, 'kept');
  t.match((await world.call('POST', '/api/calibration/validate/kept')).body, { valid: true, session_id, checks: { csv_matches_frames: true } }, 'another calibration was begun since');
  t.match((await world.call('POST', `/api/calibration/validate/${begun}`)).body, { valid: false, session_id: begun });
  // As `sightline calibrations import` leaves them: files and no session.
  const store = await openCalibrationStore({ kind: 'sqlite', file: join(world.folder, 'calibration.db') });
  const records = createRecords(store, new Vault(new Map()));
  const stored = (await records.files('kept')) as StoredFiles;
  const csvOf = (candidate_id: string) => stored.csv.replaceAll(',kept\n', `,${candidate_id}\n`);
  await records.saveScreen('imported', stored.screen.replace('"kept"', '"imported"'));
  await records.saveFiles('imported', csvOf('imported'), stored.npz);
  t.match(await world.call('POST', '/api/calibration/validate/imported'), { status: 200, body: { valid: true, session_id: null, problems: [], checks: { transform: true, csv_bytes: true }, report: { verdict: 'accept' } } });
  // Every gaze a little to the side: the matrix is of other rows.
  await records.saveFiles('imported', csvOf('imported').replaceAll(/^(\d+,[\d.]+,[\d.]+,)(-?)0\.3/gm, '$1$20.4'), stored.npz);
  t.match((await world.call('POST', '/api/calibration/validate/imported')).body, { valid: false, problems: [/^transform: the rows give another transform/] });
  await records.saveFiles('other', csvOf('other'), stored.npz);
  t.match((await world.call('POST', '/api/calibration/validate/other')).body, { valid: false, problems: ['no screen information is stored'] });
  t.match(await world.call('POST', '/api/calibration/validate/nobody'), { status: 404 });
  await store.close();
});

t.test('one bad frame of a batch does not take the others with it', async (t) => {
  const world = await openWorld();
  t.teardown(() => world.close());
  const session_id = await begin(world, 'mixed');
  const [good, text, place, time, last] = framesOf(0, 5) as [object, object, object, object, object];
  const frames = [good, { ...text, frame_data: '*** no base64 ***' }, { ...place, target_position: { x: 9_000, y: 1 } }, { ...time, timestamp: 'yesterday at noon' }, last];
  const { status, body } = await world.call('POST', '/api/calibration/frames/batch', { session_id, candidate_id: 'mixed', frames });
  t.match({ status, body }, {
    status: 200,
    body: {
      batch_size: 5, successful_frames: 2,
      results: [
        { success: true, frame_index: 0 }, { success: false, frame_index: 1, error_code: 'not_a_picture', error: /^frame_data: expected base64/ },
        { success: false, frame_index: 2, error_code: 'invalid', error: /^target_position: / }, { success: false, frame_index: 3, error_code: 'invalid', error: /^timestamp: / }, { success: true, frame_index: 4 },
      ],
    },
  });
  t.equal((await world.call('GET', `/api/calibration/session/${session_id}`)).body.frames, 2);
});

t.test('a number that another target has used is refused, not taken for a repeat', async (t) => {
  const world = await openWorld();
  t.teardown(() => world.close());
  const session_id = await begin(world, 'numbered');
  const send = (target: number) => world.call('POST', '/api/calibration/frames/batch', { session_id, candidate_id: 'numbered', frames: framesOf(target, 3).map((frame, frame_index) => ({ ...frame, frame_index })) });
  t.match((await send(0)).body, { successful_frames: 3 });
  t.match((await send(0)).body, { successful_frames: 3, results: [{ duplicate: true }, { duplicate: true }, { duplicate: true }] }, 'a repeat');
  t.match((await send(1)).body, { successful_frames: 0, results: [{ success: false, error_code: 'index_taken', error: /^frame_index: .* 0 is a frame of target 0/ }, { success: false }, { success: false }] });
  t.match(world.service.status().frames, { stored: 3, repeated: 3, refused: { index_taken: 3 } });
  const twice = [framesOf(0, 1), framesOf(0, 1), framesOf(1, 1)].map(([frame]) => ({ ...frame, frame_index: 50 }));
  t.match((await world.call('POST', '/api/calibration/frames/batch', { session_id, candidate_id: 'numbered', frames: twice })).body, { successful_frames: 2, results: [{ success: true }, { duplicate: true }, { error_code: 'index_taken' }] }, 'in one batch too');
  const beside = await Promise.all([0, 1].map((target) => world.call('POST', '/api/calibration/frame', { session_id, candidate_id: 'numbered', ...framesOf(target, 1)[0], frame_index: 60 })));
  t.same(beside.map(({ body }) => body.error_code ?? 'stored').sort(), ['index_taken', 'stored'], 'and in requests beside each other');
  t.equal((await world.call('GET', `/api/calibration/session/${session_id}`)).body.frames, 5);
});

t.test('what is wrong is told where it is: in the body, the path or the query', async (t) => {
  const world = await openWorld();
  t.teardown(() => world.close());
  const session_id = await begin(world, 'told');
  const problem = async (...asked: Parameters<typeof world.call>) => {
    const { status, body } = await world.call(...asked);
    return { status, ...(body.detail as { loc: string[]; msg: string }[])[0] };
  };
  t.match(await problem('GET', '/api/calibration/session/xyz'), { status: 422, loc: ['path', 'id'], msg: 'expected a UUID, as session/create answers it, received "xyz"' });
  t.match(await problem('GET', '/api/calibration/verify/a%2Fb'), { status: 422, loc: ['path', 'candidate_id'], msg: /without slash/ });
  t.match(await problem('POST', `/api/calibration/session/${session_id}/link`), { status: 422, loc: ['query', 'interview_id'], msg: /received nothing/ });
  t.match(await problem('POST', '/api/calibration/frames/batch', { session_id, candidate_id: 'told', frames: [] }), { status: 422, loc: ['body', 'frames'], msg: /a list of 1 to 60 objects .*received a list of 0$/ });
  t.match(await problem('POST', '/api/calibration/session/create', 'candidate_id=x', { 'content-type': 'application/x-www-form-urlencoded' }), { status: 422, msg: /^expected application\/json/ });
  t.match(await problem('POST', '/api/calibration/session/create', '{', { 'content-type': 'application/json' }), { status: 422, loc: ['body'], msg: /^expected JSON/ });
  t.match((await world.call('GET', '/api/calibration/validate/x')).body, { detail: /^there is no GET/, error: { code: 'NOT_FOUND' } }, 'existing clients read detail');
});

t.test('a frame as a form', async (t) => {
  const world = await openWorld();
  t.teardown(() => world.close());
  const session_id = await begin(world, 'form');
  const form = (fields: Record<string, string>, file?: Buffer) => {
    const lines = Object.entries(fields).map(([name, value]) => `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`);
    const part = file === undefined ? '' : `--b\r\ncontent-disposition: form-data; name="frame"; filename="f.jpg"\r\ncontent-type: image/jpeg\r\n\r\n`;
    return Buffer.concat([Buffer.from(lines.join('') + part), file ?? Buffer.alloc(0), Buffer.from('\r\n--b--\r\n')]);
  };
  const fields = { session_id, candidate_id: 'form', frame_index: '3', target_index: '1', target_x: '0.9', target_y: '0.1' };
  const headers = { 'content-type': 'multipart/form-data; boundary=b' };
  const good = await world.call('POST', '/api/calibration/frame/upload', form(fields, picture({ x: 0.9, y: 0.1 }, 1)), headers);
  t.match([good.status, good.body], [200, { success: true, frame_index: 3, target_position: { x: 0.9, y: 0.1 } }]);
  const bad = await world.call('POST', '/api/calibration/frame/upload', form({ ...fields, target_index: 'x' }), headers);
  t.match([bad.status, JSON.stringify(bad.body)], [422, /target_index.*frame: expected a picture/]);
});

t.test('two calibrations of a candidate: the newer one is the one that is downloaded', async (t) => {
  const world = await openWorld();
  t.teardown(() => world.close());
  const one = await calibrate(world, 'c');
  const two = await calibrate(world, 'c');
  t.not(one.session_id, two.session_id);
  t.equal(one.completed.status, 200);
  t.equal(two.completed.status, 200);
  const { body } = await world.call('GET', '/api/calibration/c');
  t.equal(body.session_id, two.session_id);
});
