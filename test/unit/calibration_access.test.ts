/** Tokens, roles, consent, sealing, people's rights: who gets to see what, and what stays behind. */
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createServer as createHttp } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, SignJWT } from 'jose';
import t from 'tap';
import { createVerifier, ROLES } from '../../src/calibration/service/tokens.js';
import { runCli } from '../../src/cli/main.js';
import { openCalibrationStore } from '../../src/store/calibration/store.js';
import { Vault } from '../../src/calibration/service/vault.js';
import { sealingKeys } from '../../src/config/rules.js';
import { begin, calibrate, framesOf, openWorld } from '../fixtures/calibration_world.js';

const SECRET = 'a secret of this test, of more than 32 bytes';
const env = { CALIBRATION_JWT_SECRET: SECRET };
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

t.test('without a token: this machine\'s own user where nothing is configured, else nobody', async (t) => {
  const open = await openWorld();
  t.teardown(() => open.close());
  t.equal((await open.call('GET', '/api/calibration/verify/x')).status, 404);
  t.equal((await open.call('GET', '/api/calibration/verify/x', undefined, bearer('nonsense'))).status, 401, 'a wrong token is worse than none');
  t.equal((await open.call('GET', '/api/calibration/verify/x', undefined, bearer(await open.token('analyzer')))).status, 404, 'a token minted here');
  t.equal(readFileSync(join(open.folder, 'calibration_jwt_secret'), 'utf8').length, 43);
  const keyed = await openWorld({ env });
  t.teardown(() => keyed.close());
  const refused = await keyed.call('GET', '/api/calibration/verify/x');
  t.match([refused.status, refused.body, refused.headers['www-authenticate']], [401, { error: { code: 'UNAUTHORIZED' }, detail: /expected "Bearer"/ }, 'Bearer']);
  t.equal((await keyed.call('GET', '/api/ping')).status, 200, 'measuring the connection needs no token');
  const { entries } = (await keyed.call('GET', '/api/calibration/admin/audit', undefined, bearer(await keyed.token('admin')))).body;
  t.ok(entries.some(({ action, outcome, actor }) => action === 'token_refused' && outcome === 'denied' && actor === 'unknown'), 'a refused token is on record');
});

t.test('HS256, RS256, ES256 and a key set; nothing else', async (t) => {
  const folder = t.testdir();
  const now_s = Math.floor(Date.now() / 1000);
  const mint = (alg: string, key: Parameters<SignJWT['sign']>[0], claims: Record<string, unknown> = {}, exp = now_s + 60) =>
    new SignJWT({ role: 'analyzer', ...claims }).setProtectedHeader({ alg, kid: 'k' }).setSubject('someone').setExpirationTime(exp).sign(key);
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const secret = new TextEncoder().encode(SECRET);
  const pem = (name: string, key: typeof rsa.publicKey) => {
    writeFileSync(join(folder, name), key.export({ type: 'spki', format: 'pem' }));
    return join(folder, name);
  };
  const keys = createHttp((_request, response) => void exportJWK(ec.publicKey).then((jwk) => response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [{ ...jwk, kid: 'k', alg: 'ES256' }] }))));
  await new Promise<void>((resolve) => keys.listen(0, '127.0.0.1', resolve));
  t.teardown(() => { keys.close(); });
  const hs = createVerifier({ jwt_secret: SECRET, jwt_issuer: 'platform', jwt_audience: 'sightline' }, folder);
  const claims = { iss: 'platform', aud: 'sightline' };
  t.same(await hs.verify(await mint('HS256', secret, claims)), { actor: 'someone', role: 'analyzer', candidate_id: null });
  t.same(await createVerifier({ jwt_key_file: pem('rsa.pem', rsa.publicKey) }, folder).verify(await mint('RS256', rsa.privateKey)), { actor: 'someone', role: 'analyzer', candidate_id: null });
  t.match(await createVerifier({ jwt_key_file: pem('ec.pem', ec.publicKey) }, folder).verify(await mint('ES256', ec.privateKey, { role: 'candidate' })), { role: 'candidate', candidate_id: 'someone' });
  const jwks = createVerifier({ jwks_url: `http://127.0.0.1:${(keys.address() as AddressInfo).port}/jwks` }, folder);
  t.match(await jwks.verify(await mint('ES256', ec.privateKey)), { role: 'analyzer' });
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify({ role: 'admin', exp: now_s + 60 })).toString('base64url')}.`;
  // The public key as an HMAC secret: the classic confusion of algorithms.
  const confused = await mint('HS256', new TextEncoder().encode(readFileSync(join(folder, 'rsa.pem'), 'utf8')), { role: 'admin' });
  const wrong: [string, ReturnType<typeof createVerifier>, string][] = [
    ['expired', hs, await mint('HS256', secret, claims, now_s - 3600)],
    ['another issuer', hs, await mint('HS256', secret, { ...claims, iss: 'other' })],
    ['another audience', hs, await mint('HS256', secret, { ...claims, aud: 'other' })],
    ['another secret', hs, await mint('HS256', new TextEncoder().encode(SECRET + 'x'), claims)],
    ['an unknown role', hs, await mint('HS256', secret, { ...claims, role: 'root' })],
    ['no algorithm', hs, unsigned],
    ['confused algorithms', createVerifier({ jwt_key_file: join(folder, 'rsa.pem') }, folder), confused],
    ['another key', jwks, await mint('ES256', other.privateKey)],
    ['no token at all', hs, 'abc'],
  ];
  for (const [name, verifier, token] of wrong) {
    const error = await verifier.verify(token).then(() => null, (failure: Error & { code?: string }) => failure);
    t.equal(error?.code, 'UNAUTHORIZED', name);
    t.notOk(error?.message.includes(token), 'the message holds no token');
  }
  t.throws(() => createVerifier({ jwt_key_file: join(folder, 'absent.pem') }, folder), { code: 'CONFIG_INVALID' });
});

t.test('each role may do what the plan says, a candidate with their own data only', async (t) => {
  const world = await openWorld({ env });
  t.teardown(() => world.close());
  const as = Object.fromEntries(await Promise.all(ROLES.map(async (role) => [role, bearer(await world.token(role, role === 'candidate' ? 'alice' : role))] as const)));
  const { completed } = await calibrate(world, 'alice', as.candidate);
  t.equal(completed.status, 200, 'a candidate calibrates');
  await calibrate(world, 'bob', as.admin);
  const status = async (role: string, method: 'GET' | 'POST' | 'DELETE', url: string, body?: unknown) => (await world.call(method, url, body, as[role])).status;
  const table: [string, 'GET' | 'POST' | 'DELETE', unknown, Record<string, number>][] = [
    ['/api/calibration/download/alice', 'GET', undefined, { candidate: 200, recording_bot: 200, analyzer: 200, admin: 200 }],
    ['/api/calibration/download/bob', 'GET', undefined, { candidate: 403, recording_bot: 200, analyzer: 200, admin: 200 }],
    ['/api/calibration/diagnostics/bob', 'GET', undefined, { candidate: 403, recording_bot: 403, analyzer: 200, admin: 200 }],
    ['/api/calibration/session/create', 'POST', { candidate_id: 'bob' }, { candidate: 403, recording_bot: 403, analyzer: 403, admin: 200 }],
    ['/api/screen/info', 'POST', { candidate_id: 'bob', screen_width_px: 9, screen_height_px: 9 }, { candidate: 403, recording_bot: 403, analyzer: 403, admin: 200 }],
    ['/api/calibration/export/bob', 'GET', undefined, { candidate: 403, recording_bot: 403, analyzer: 403, admin: 200 }],
    ['/api/calibration/admin/audit', 'GET', undefined, { candidate: 403, recording_bot: 403, analyzer: 403, admin: 200 }],
    ['/api/calibration/bob', 'DELETE', undefined, { candidate: 403, recording_bot: 403, analyzer: 403, admin: 200 }],
  ];
  for (const [url, method, body, expected] of table) for (const role of ROLES) t.equal(await status(role, method, url, body), expected[role], `${role}: ${method} ${url}`);
  const [session] = (await world.call('GET', '/api/calibration/alice', undefined, as.admin)).body.session_id.split(' ');
  t.equal(await status('recording_bot', 'POST', '/api/calibration/frames/batch', { session_id: session, candidate_id: 'alice', frames: framesOf(0, 1) }), 400, 'a completed session takes no frames');
  const { entries } = (await world.call('GET', '/api/calibration/admin/audit?limit=1000', undefined, as.admin)).body;
  t.ok(entries.some(({ action, outcome, actor }) => action === 'calibration_download' && outcome === 'denied' && actor === 'alice'), 'a denied access is on record');
  t.ok(entries.some(({ action, outcome }) => action === 'data_deleted' && outcome === 'allowed'));
  t.notOk(entries.some(({ candidate_id }) => candidate_id === 'bob' ), 'who was deleted is no longer named');
});

t.test('consent comes before the first frame', async (t) => {
  const world = await openWorld({ env });
  t.teardown(() => world.close());
  const headers = bearer(await world.token('admin'));
  const candidate_id = 'c';
  const { session_id } = (await world.call('POST', '/api/calibration/session/create', { candidate_id }, headers)).body;
  await world.call('POST', '/api/screen/info', { candidate_id, screen_width_px: 1920, screen_height_px: 1080 }, headers);
  t.match((await world.call('POST', '/api/calibration/start', { session_id, candidate_id }, headers)).body, { consent_recorded: false });
  const frames = { session_id, candidate_id, frames: framesOf(0, 2) };
  t.match((await world.call('POST', '/api/calibration/frames/batch', frames, headers)).body.error, { code: 'CALIBRATION_CONSENT_REQUIRED' });
  t.match((await world.call('POST', '/api/calibration/consent', { candidate_id, given: true, policy_version: '2' }, headers)).body, { consent: true });
  t.match((await world.call('POST', '/api/calibration/frames/batch', frames, headers)).body, { successful_frames: 2 });
  await world.call('POST', '/api/calibration/consent', { candidate_id, given: false }, headers);
  t.equal((await world.call('POST', '/api/calibration/frames/batch', frames, headers)).status, 403, 'withdrawn');
});

t.test('deletion, export, anonymisation, retention', async (t) => {
  let now_ms = Date.now();
  const world = await openWorld({ service: { now_ms: () => now_ms } });
  t.teardown(() => world.close());
  const { session_id } = await calibrate(world, 'dora');
  const exported = (await world.call('GET', '/api/calibration/export/dora')).body;
  t.match(exported, { format: 'sightline-calibration-export/1', candidate_id: 'dora', screen_info: { candidate_id: 'dora' }, calibration: { calibration_csv: /^Unnamed: 0/ }, consents: [{ basis: 'explicit' }] });
  t.equal((exported.sessions as { frames: unknown[] }[])[0]?.frames.length, 120);
  const { anonymised_as } = (await world.call('POST', '/api/calibration/anonymise/dora')).body;
  t.equal((await world.call('GET', '/api/calibration/dora')).status, 404, 'nothing under the old id');
  const files = (await world.call('GET', `/api/calibration/download/${String(anonymised_as)}`)).body;
  t.notMatch(JSON.stringify(files), /dora/, 'nor in the files');
  t.match((await world.call('POST', `/api/calibration/validate/${session_id}`)).body, { valid: true }, 'the numbers are the same');
  await calibrate(world, 'emil');
  t.match((await world.call('DELETE', '/api/calibration/emil')).body, { deleted: { frames: 120, sessions: 1, calibrations: 1, screens: 1, consents: 1 } });
  t.equal((await world.call('GET', '/api/calibration/emil')).status, 404);
  await begin(world, 'fay');
  now_ms += 89 * 86_400_000;
  t.match((await world.call('POST', '/api/calibration/admin/retention')).body, { candidates: 0 });
  now_ms += 2 * 86_400_000;
  t.match((await world.call('POST', '/api/calibration/admin/retention')).body, { candidates: 2 }, 'after 90 days');
  t.equal((await world.call('GET', '/api/calibration/fay')).status, 404);
});

t.test('retention comes to everybody: those who may stay, however many, do not hide those behind them', async (t) => {
  const folder = t.testdir();
  const world = await openWorld({ folder });
  t.teardown(() => world.close());
  const store = await openCalibrationStore({ kind: 'sqlite', file: join(folder, 'calibration.db') });
  const old = '2020-01-01 00:00:00';
  // Imported, as `sightline calibrations import` leaves them: an old screen, a calibration of today, no session.
  const imported = Array.from({ length: 450 }, (_, n) => `a-imported-${n}`);
  await store.db.insertInto('screen_info').values([...imported, 'z-expired'].map((candidate_id) => ({ candidate_id, screen_data: '{}', created_at: old }))).execute();
  await store.db.insertInto('calibration_data').values(imported.map((candidate_id) => ({ candidate_id, calibration_csv: '', transform_matrix_data: Buffer.alloc(0) }))).execute();
  t.match((await world.call('POST', '/api/calibration/admin/retention')).body, { candidates: 1 });
  t.match(await store.db.selectFrom('screen_info').select('candidate_id').execute(), { length: 450 });
  // And more than one page of those who go.
  await store.db.updateTable('calibration_data').set({ created_at: old }).execute();
  t.match((await world.call('POST', '/api/calibration/admin/retention')).body, { candidates: 450 });
  t.same(await store.db.selectFrom('screen_info').select('candidate_id').execute(), []);
  await store.close();
});

t.test('sealed at rest, with keys that can be rotated', async (t) => {
  const [one, two] = ['one', 'two'].map((id) => `${id}=${Buffer.alloc(32, id).toString('base64')}`);
  const folder = t.testdir();
  const first = await openWorld({ folder, env: { CALIBRATION_ENCRYPTION_KEYS: String(one) } });
  await calibrate(first, 'geheim-person');
  const plain = (await first.call('GET', '/api/calibration/download/geheim-person')).raw;
  await first.close();
  const bytes = readFileSync(join(folder, 'calibration.db'));
  t.notOk(bytes.includes('Unnamed: 0') || bytes.includes('gaze_x') || bytes.includes('screen_width_px') || bytes.includes('camera_gaze'), 'the file shows neither rows nor screens');
  const second = await openWorld({ folder, env: { CALIBRATION_ENCRYPTION_KEYS: `${two},${one}` } });
  t.same((await second.call('GET', '/api/calibration/download/geheim-person')).raw, plain, 'the older key still opens');
  t.same(await (await second.service.governance()).reseal(), { resealed: 122, unopened: 0, keys_of_unopened: [] });
  t.same(await (await second.service.governance()).reseal(), { resealed: 0, unopened: 0, keys_of_unopened: [] });
  await second.close();
  const third = await openWorld({ folder, env: { CALIBRATION_ENCRYPTION_KEYS: String(two) } });
  t.same((await third.call('GET', '/api/calibration/download/geheim-person')).raw, plain, 'after it, the newer one is enough');
  await third.close();
  const without = await openWorld({ folder, env: { CALIBRATION_ENCRYPTION_KEYS: String(one) } });
  t.match((await without.call('GET', '/api/calibration/download/geheim-person')).body.error, { code: 'CALIBRATION_KEY_UNKNOWN' });
  await without.close();
  const vault = new Vault(sealingKeys(String(one)) as Map<string, Buffer>);
  const sealed = vault.seal('x', 'place:1') as string;
  t.throws(() => vault.open(sealed, 'place:2'), { code: 'CALIBRATION_KEY_UNKNOWN' }, 'what is sealed for one row does not open in another');
});

t.test('sealing anew goes on past what it cannot open, and says what that is', async (t) => {
  const [one, two] = ['one', 'two'].map((id) => `${id}=${Buffer.alloc(32, id).toString('base64')}`);
  const folder = t.testdir();
  // Three people: with a key that is lost, without any, and with the lost one again, so that what opens lies between what does not.
  for (const [candidate_id, keys] of [['first', one], ['between', undefined], ['last', one]] as const) {
    const world = await openWorld({ folder, env: keys === undefined ? {} : { CALIBRATION_ENCRYPTION_KEYS: keys } });
    await calibrate(world, candidate_id);
    await world.close();
  }
  const run = async (keys: string) => {
    let out = '';
    const write = (text: string): void => { out += text; };
    const code = await runCli(['calibration-db', 'reseal', '--json'], { env: { STATE_DIR: folder, CALIBRATION_ENCRYPTION_KEYS: keys }, cwd: () => folder, stdout: { write }, stderr: { write } });
    return { code, ...(JSON.parse(out) as object) };
  };
  t.same(await run(String(two)), { code: 3, resealed: 122, unopened: 244, keys_of_unopened: ['one'] }, 'partly done');
  t.same(await run(String(two)), { code: 1, resealed: 0, unopened: 244, keys_of_unopened: ['one'] }, 'nothing more can be done');
  t.same(await run(`${two},${one}`), { code: 0, resealed: 244, unopened: 0, keys_of_unopened: [] }, 'with the key found again');
  const world = await openWorld({ folder, env: { CALIBRATION_ENCRYPTION_KEYS: String(two) } });
  t.teardown(() => world.close());
  for (const candidate_id of ['first', 'between', 'last']) t.equal((await world.call('GET', `/api/calibration/download/${candidate_id}`)).status, 200, candidate_id);
});

t.test('the rate is bounded for each person, and pages elsewhere need to be named', async (t) => {
  const world = await openWorld({ env, rate_limit_per_s: 2, allowed_origins: ['https://app.example'] });
  t.teardown(() => world.close());
  const headers = bearer(await world.token('admin'));
  const answers = await Promise.all(Array.from({ length: 30 }, () => world.call('GET', '/api/calibration/verify/x', undefined, headers)));
  const limited = answers.filter(({ status }) => status === 429);
  t.ok(limited.length > 0, `${limited.length} of 30 at once were told to wait`);
  t.match(limited[0]?.body, { error: { code: 'RATE_LIMITED' } });
  t.ok(limited[0]?.headers['retry-after'] !== undefined);
  t.equal((await world.call('GET', '/api/calibration/verify/other', undefined, headers)).status, 404, 'another person under the same token is not held up');
  t.equal((await world.call('GET', '/api/ping', undefined, { origin: 'https://elsewhere.example' })).status, 403);
  const allowed = await world.call('GET', '/api/ping', undefined, { origin: 'https://app.example' });
  t.match([allowed.status, allowed.headers['access-control-allow-origin']], [200, 'https://app.example']);
  const preflight = await world.server.inject({ method: 'OPTIONS', url: '/api/calibration/frame', headers: { origin: 'https://app.example', 'access-control-request-method': 'POST' } });
  t.match([preflight.statusCode, preflight.headers['access-control-allow-headers']], [204, /authorization/]);
});
