/** The PTZ routes over the real server, the real estimate, and sets that the monitor has stored: what is asked wrongly, what is not there, who may ask, and a dying OpenCV process. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { runCli } from '../../src/cli/main.js';
import { loadConfig } from '../../src/config/load.js';
import type { HttpDeps } from '../../src/http/deps.js';
import { createServer } from '../../src/http/server.js';
import type { OffsetEngine, OffsetResult } from '../../src/ptz/estimate/types.js';
import { offsetChecks } from '../../src/ptz/offset_daemon.js';
import { createOffsetChecks, type OffsetChecks } from '../../src/ptz/offset_request.js';
import { createPtzRecords } from '../../src/ptz/records.js';
import type { ResultDocument } from '../../src/ptz/results/document.js';
import { createJournal } from '../../src/ptz/results/journal.js';
import type { StoredSets } from '../../src/ptz/stored_sets.js';
import { openStore } from '../../src/store/store.js';
import { offsetEngine } from '../fixtures/ptz_engine.js';
import { cameraAt, develop, makePanorama, Random, render } from '../fixtures/ptz_scene.js';

t.setTimeout(300_000);

const TOKEN = 'a-token-of-this-test-of-32-characters';
const CAMERA = { width: 640, height: 360, hfov_deg: 60 };
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
const engine = offsetEngine(t);
const panorama = makePanorama(5, 2048);
const NO_SETS: StoredSets = { reference: () => Promise.reject(new Error('not asked')), query: () => Promise.reject(new Error('not asked')) };

async function picture(pan_deg: number, tilt_deg: number, { width = CAMERA.width, height = CAMERA.height } = {}): Promise<Uint8Array> {
  const focal = width / 2 / Math.tan(Math.PI / 6);
  const grey = develop(render(panorama, { width, height, focal, k1: 0, rotation: cameraAt(pan_deg, tilt_deg, 0) }), width, height, { blur: 0, gain: 1, noise: 2 }, new Random(Math.round(1000 + pan_deg)));
  return engine.opencv.ask({ op: 'write', grey, width, height, quality: 92 });
}
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

interface Answer {
  status: number;
  body: { error?: { code: string; message: string } } & Partial<OffsetResult> & { results?: ResultDocument[]; next_before?: number | null };
}

/** A daemon's HTTP side, as far as PTZ goes. */
async function daemon(t: Test, cwd: string, { checks, env = {} }: { checks?: OffsetChecks; env?: Record<string, string> } = {}) {
  const config = loadConfig({ env: { STATE_DIR: path.join(cwd, '.sightline') }, cwd });
  const store = await openStore({ file: path.join(config.state_dir, 'sightline.db'), log: quiet });
  t.teardown(() => store.close());
  const sources = { config, env, cwd };
  const own = checks ?? offsetChecks(sources, quiet, () => undefined);
  t.teardown(async () => { if (own !== checks) await own.close(); });
  const settings = { host: '127.0.0.1', port: 0, trust_proxy: false, body_limit_kib: 64, request_timeout_ms: 120_000, api_token: TOKEN };
  const deps = { settings, version: '1', log: quiet, ptz_offset: own, ptz_records: createPtzRecords(sources, store.db) } as unknown as HttpDeps;
  const server = await createServer(deps);
  t.teardown(() => server.close());
  const authorization = `Bearer ${TOKEN}`;
  const answer = (given: { statusCode: number; body: string }): Answer => ({ status: given.statusCode, body: JSON.parse(given.body) as Answer['body'] });
  return {
    server, journal: createJournal(store.db),
    get: async (url: string, headers: Record<string, string> = { authorization }) => answer(await server.inject({ method: 'GET', url, headers })),
    post: async (payload: unknown, headers: Record<string, string> = { authorization }) => answer(await server.inject({ method: 'POST', url: '/api/ptz/offset', headers, payload: payload as object })),
  };
}

const empty = (t: Test): string => t.testdir({ configs: {} });

t.test('without the token nothing is said', async (t) => {
  const { get, post } = await daemon(t, empty(t));
  for (const headers of [{}, { authorization: 'Bearer another' }]) {
    for (const answer of [await get('/api/ptz/devices', headers), await get('/api/ptz/results', headers), await post({}, headers)]) t.match(answer, { status: 401, body: { error: { code: 'UNAUTHORIZED' } } });
  }
  t.match(await get('/api/ptz/devices'), { status: 200, body: { configured: false, devices: [] } });
});

t.test('pictures: an offset; what cannot be read, has another size, contradicts itself, is too large', async (t) => {
  const { post, server } = await daemon(t, empty(t), { checks: createOffsetChecks(engine, NO_SETS) });
  const reference = { views: [{ image: base64(await picture(0, -5)), pan_deg: 0, tilt_deg: -5 }, { image: base64(await picture(20, -5)), pan_deg: 20, tilt_deg: -5 }] };
  const ask = (views: unknown[], more: object = {}) => post({ camera: CAMERA, reference, query: { views }, ...more });
  const turned = await ask([{ image: base64(await picture(1.5, -5)), pan_deg: 0, tilt_deg: -5, name: 'now' }]);
  t.match(turned, { status: 200, body: { status: 'drift', views: [{ image: 'now', status: 'used', moving_share: null }] } });
  t.ok(Math.abs((turned.body.yaw_deg ?? 0) + 1.5) < 0.05, `yaw ${String(turned.body.yaw_deg)}`);
  t.match(await ask([{ image: base64(Buffer.from('no picture')), pan_deg: 0, tilt_deg: -5 }]), { status: 200, body: { status: 'refused', reason: 'unreadable_image', yaw_deg: null } });
  t.match(await ask([{ image: base64((await picture(0, -5)).subarray(0, 2_000)), pan_deg: 0, tilt_deg: -5 }]), { status: 200, body: { status: 'refused' } }, 'cut off');
  t.match(await ask([{ image: base64(await picture(0, -5, { width: 320, height: 180 })), pan_deg: 0, tilt_deg: -5 }]), { status: 200, body: { status: 'refused', reason: 'wrong_size' } });
  t.match(await ask([]), { status: 200, body: { status: 'refused', reason: 'no_queries' } });
  const still = base64(await picture(3, -5));
  const contradicting = await ask([{ image: still, pan_deg: 0, tilt_deg: -5 }, { image: base64(await picture(20, -5)), pan_deg: 20, tilt_deg: -5 }]);
  t.match(contradicting, { status: 200, body: { status: 'uncertain', reason: 'views_disagree' } }, 'one view says 3°, the other 0');
  for (const [what, answer] of [
    ['pan', await ask([{ image: still, pan_deg: 1e9, tilt_deg: -5 }])], ['tilt', await ask([{ image: still, pan_deg: 0 }])], ['unknown field', await ask([{ image: still, pan_deg: 0, tilt_deg: -5, yaw: 1 }])],
    ['margins', await ask([{ image: still, pan_deg: 0, tilt_deg: -5 }], { ignore: { top: 0.9, bottom: 0.9 } })], ['a picture over the limit', await ask([{ image: 'A'.repeat(24 * 2 ** 20 + 4), pan_deg: 0, tilt_deg: -5 }])],
    ['too many', await ask(Array.from({ length: 65 }, () => ({ image: still, pan_deg: 0, tilt_deg: -5 })))], ['too many further ones', await ask([{ image: still, pan_deg: 0, tilt_deg: -5, again: ['QQ==', 'QQ==', 'QQ==', 'QQ==', 'QQ=='] }])],
  ] as const) t.match(answer, { status: 400, body: { error: { code: /REQUEST_INVALID|PTZ_INPUT/ } } }, what);
  const whole = await server.inject({ method: 'POST', url: '/api/ptz/offset', headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' }, payload: Buffer.alloc(96 * 2 ** 20 + 1, ' ') });
  t.match({ status: whole.statusCode, body: JSON.parse(whole.body) as unknown }, { status: 413, body: { error: { code: /.+/ } } });
});

t.test('the OpenCV process dies in the middle of a check: the check is done by the next one, or refused; the daemon goes on', async (t) => {
  // By when estimateOffset returns its promise, the first request is with the child.
  let onAsked: () => void = () => undefined;
  const watched: OffsetEngine = {
    ...engine,
    estimateOffset: (...given) => {
      const result = engine.estimateOffset(...given);
      onAsked();
      return result;
    },
  };
  const { post } = await daemon(t, empty(t), { checks: createOffsetChecks(watched, NO_SETS) });
  const image = base64(await picture(0, -5));
  const body = { camera: CAMERA, reference: { views: [{ image, pan_deg: 0, tilt_deg: -5 }] }, query: { views: [{ image: base64(await picture(0.2, -5)), pan_deg: 0, tilt_deg: -5 }] } };
  const fine = await post(body);
  t.match(fine, { status: 200, body: { status: 'ok' } });
  // Stopped, it does not answer: the request it got is what it dies over.
  const freeze = async (): Promise<number> => {
    for (const end = Date.now() + 60_000; engine.opencv.pid() === undefined && Date.now() < end; ) await new Promise((resolve) => setTimeout(resolve, 5));
    const pid = engine.opencv.pid();
    if (pid === undefined) throw new Error('there is no OpenCV process');
    process.kill(pid, 'SIGSTOP');
    return pid;
  };
  const killedOver = async (pid: number): Promise<Answer> => {
    const reached = new Promise<void>((resolve) => { onAsked = resolve; });
    const answer = post(body);
    await reached;
    process.kill(pid, 'SIGKILL');
    return answer;
  };
  const before = engine.opencv.stats();
  const retried = await killedOver(await freeze());
  t.match(retried, { status: 200, body: { status: 'ok' } });
  t.same({ ...retried.body, timings: null }, { ...fine.body, timings: null }, 'the same numbers as without the death');
  t.ok(engine.opencv.stats().retried > before.retried);

  const first = await freeze();
  const dying = killedOver(first);
  for (const end = Date.now() + 60_000; (engine.opencv.pid() ?? first) === first && Date.now() < end; ) await new Promise((resolve) => setTimeout(resolve, 2));
  const second = engine.opencv.pid();
  if (second === undefined || second === first) throw new Error('no second OpenCV process was started');
  process.kill(second, 'SIGKILL');
  const refused = await dying;
  t.ok(refused.status === 503 || refused.body.reason === 'features_failed', `killed twice: ${refused.status} ${JSON.stringify(refused.body.error ?? refused.body.reason)}`);
  let after = await post(body);
  for (const end = Date.now() + 60_000; after.status === 503 && Date.now() < end; after = await post(body)) await new Promise((resolve) => setTimeout(resolve, 100));
  t.match(after, { status: 200, body: { status: 'ok' } }, 'the next check works again');
});

/** A yard with a device that has a reference and a query, one that was never collected, and results in the database. */
async function yard(t: Test): Promise<string> {
  const cwd = t.testdir({ configs: { 'calibration_monitoring.ini': '[camera]\nmax_features = 800\nignore_top = 0\n' } });
  writeFileSync(path.join(cwd, 'devices.yaml'), '- name: yard\n  folder: pictures\n  cameras: [{name: gate}, {name: bare}]\n');
  for (const [kind, pan] of [['reference', 0], ['query', 1.5]] as const) {
    const folder = path.join(cwd, 'pictures/gate', kind);
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'v.jpg'), await picture(pan, -5));
    writeFileSync(path.join(folder, 'views.json'), JSON.stringify({ camera: CAMERA, views: [{ image: 'v.jpg', pan_deg: 0, tilt_deg: -5 }] }));
  }
  const io = { env: { LOG_LEVEL: 'error' }, cwd: () => cwd, stdout: { write: () => undefined }, stderr: { write: () => undefined } };
  t.equal(await runCli(['ptz', 'collect', '--device', 'gate'], io), 0);
  t.equal(await runCli(['ptz', 'monitor'], io), 3);
  return cwd;
}

t.test('ids: stored sets; those that are not there, or are broken; the settings are those of the commands', async (t) => {
  const cwd = await yard(t);
  const { post, get } = await daemon(t, cwd);
  const ids = (reference: string, query: string, scan?: string) => post({ reference: { device_id: reference }, query: { device_id: query, ...(scan === undefined ? {} : { scan }) } });
  const found = await ids('gate', 'yard/gate');
  t.match(found, { status: 200, body: { status: 'drift', views: [{ image: 'v.jpg' }] } });
  const { results = [] } = (await get('/api/ptz/results?device=gate')).body;
  t.equal(results[0]?.yaw_offset, found.body.yaw_deg, 'what the monitor found');
  t.match(await ids('nobody', 'gate'), { status: 404, body: { error: { code: 'PTZ_DEVICE_UNKNOWN' } } });
  t.match(await ids('bare', 'gate'), { status: 409, body: { error: { code: 'PTZ_REFERENCE_MISSING' } } });
  t.match(await ids('gate', 'bare'), { status: 404, body: { error: { code: 'NOT_FOUND', message: /bare: there is no stored query/ } } });
  t.match(await ids('gate', 'gate', '1999-01-01T00:00:00.000000'), { status: 404, body: { error: { code: 'NOT_FOUND' } } });
  t.match(await ids('gate', 'gate', '../../../../etc/passwd'), { status: 400, body: { error: { code: 'REQUEST_INVALID' } } });
  t.match((await get('/api/ptz/devices')).body, { configured: true, devices: [{ device_id: 'gate', access: 'folder', newest: { status: 'drift' } }, { device_id: 'bare', newest: { status: 'failed', reason: 'PTZ_REFERENCE_MISSING' } }] });
  writeFileSync(path.join(cwd, '.sightline/ptz/yard/gate/reference_scan/features/v.jpg.txt'), '0 128\n');
  t.match(await ids('gate', 'gate'), { body: { error: { code: 'PTZ_REFERENCE_BROKEN' } } });
  const wrong = await daemon(t, cwd, { env: { SLACK_WEBHOOK_URL: 'no address' } });
  for (const answer of [await wrong.get('/api/ptz/devices'), await wrong.post({ reference: { device_id: 'gate' }, query: { device_id: 'gate' } })]) {
    t.match(answer, { body: { error: { code: 'PTZ_SETTINGS_INVALID', message: /slack\.webhook_url/ } } }, 'a variable that the commands refuse');
    t.notMatch(JSON.stringify(answer.body), /no address/);
  }
});

t.test('results: pages, filters, what is asked wrongly', async (t) => {
  const { get, journal } = await daemon(t, empty(t));
  await journal.startRun('run', 0, 5);
  const ids: number[] = [];
  for (let index = 0; index < 5; index++) {
    const row = {
      deployment_name: index < 4 ? 'north' : 'south', device_id: index % 2 === 0 ? 'even' : 'odd', timestamp_s: 1_700_000_000 + index, pitch_offset: 0, yaw_offset: index, roll_offset: 0, mode: 'passive' as const,
      capture_positions: [], files_location: '', success: index !== 3, failure_log: [],
    };
    ids.push((await journal.record({ run_id: 'run', row, status: index === 3 ? 'failed' : 'ok', reason: '', detail: '', alert: false, estimate: null, duration_ms: 1 }, { athena: false, slack: false })).id);
  }
  const page = async (query: string): Promise<[number[], number | null | undefined]> => {
    const { status, body } = await get(`/api/ptz/results${query}`);
    t.equal(status, 200, query);
    return [(body.results ?? []).map(({ yaw_offset }) => yaw_offset), body.next_before];
  };
  t.same(await page(''), [[4, 3, 2, 1, 0], null]);
  t.same(await page('?limit=2'), [[4, 3], ids[3]]);
  t.same(await page(`?limit=2&before=${ids[3]}`), [[2, 1], ids[1]]);
  t.same(await page(`?limit=2&before=${ids[1]}`), [[0], null]);
  t.same(await page('?device=odd'), [[3, 1], null]);
  t.same(await page('?deployment=south'), [[4], null]);
  t.same(await page('?deployment=north&device=even&status=ok'), [[2, 0], null]);
  t.same(await page('?device=south/even'), [[4], null]);
  t.same(await page('?deployment=north&device=north/odd'), [[3, 1], null]);
  t.same(await page('?deployment=south&device=north/odd'), [[], null]);
  t.same(await page('?status=failed'), [[3], null]);
  t.same(await page('?device=nobody'), [[], null]);
  for (const query of ['limit=0', 'limit=1001', 'limit=x', 'before=0', 'status=fine', 'device=', 'camera=odd']) t.match(await get(`/api/ptz/results?${query}`), { status: 400, body: { error: { code: 'REQUEST_INVALID' } } }, query);
});
