import { existsSync } from 'node:fs';
import t, { type Test } from 'tap';
import { Value } from '@sinclair/typebox/value';
import type { EventRecord } from '../../src/evidence/types.js';
import type { InjectOptions } from 'fastify';
import type { FrameAnalysis } from '../../src/analysis/types.js';
import type { CameraRecord } from '../../src/cameras/types.js';
import { SightlineError } from '../../src/errors.js';
import type { HttpDeps, HttpSettings } from '../../src/http/deps.js';
import { AnalysisSchema, CallbacksSchema, CameraStatusSchema, PipelineSchema } from '../../src/http/schemas.js';
import { PAGES_DIR } from '../../src/http/routes/pages.js';
import { createServer } from '../../src/http/server.js';

const SETTINGS: HttpSettings = { host: 'localhost', port: 0, trust_proxy: false, body_limit_kib: 4, request_timeout_ms: 20_000 };
const RECORD: CameraRecord = {
  camera_id: 1, camera_name: 'Till', url: 'rtsp://user:geheim@cam/x', transport: null, priority: 5, location: null, outlet_id: null, staff_id: null, analysis_fps: null, enabled: true,
  created_at: '2025-01-01T00:00:00.000Z', updated_at: '2025-01-01T00:00:00.000Z',
};
const STATUS = {
  camera_id: 1, camera_name: 'Till', state: 'streaming' as const, reason: '', fps: 25, expected_fps: 25, frame_age_ms: 12, retry_at: null, frames: 5, analysed_frames: 1, analysis_fps: 5, drops: { no_slot: 1 }, corrupt_frames: 0, reconnects: 0,
  hw_fallbacks: 0, decoder: 'h264', codec: 'h264', width: 640, height: 360, kind: 'rtsp' as const, url: 'rtsp://***@cam/x', location: null, outlet_id: null, priority: 5,
};
const ANALYSIS: FrameAnalysis = {
  frame_timestamp: '2025-01-01T00:00:00.000Z', seq: 3, width: 640, height: 360,
  faces: [{ box: [1, 2, 3, 4], score: 0.9, emotions: { happy: 1 }, gaze: { vector: [0, 0, -1], yaw_deg: 0, pitch_deg: 0 }, head: { yaw_deg: 1, pitch_deg: 2, roll_deg: 3 }, eye_openness: [0.3, 0.3], track_id: 1 }],
  persons: [{ score: 0.8, box: [1, 2, 3, 4], keypoints: [{ name: 'nose', x: 1, y: 2, score: 0.5 }], track_id: 1, action: { label: 'still', score: 1, labels: { still: 1 } }, indicators: { stress: 0.5 } }],
  objects: [{ label: 'chair', score: 0.7, box: [1, 2, 3, 4] }], action: { label: 'still', score: 1, labels: { still: 1 } }, anomaly: { score: 0.1, error: 0.2, type: 'motion' },
  indicators: { stress: 0.5 }, indicator_coverage: { stress: 1 }, track_id: 1, anomalies: [{ type: 'motion', score: 0.6 }], risk_score: 0.15, risk_level: 'MINIMAL', signals: {}, baseline: { state: 'ready', samples: 300, needed: 300 },
  missing: ['gaze'],
  events: [{ kind: 'behavioral_detection', type: 'stress_indicators', category: 'emotional', frame_timestamp: '2025-01-01T00:00:00.000Z', seq: 3, track_id: 1, confidence: 0.9, deviation: 0.5, severity: 'HIGH', risk_score: 0.9, context: { emotion: 'anxious' }, indicators: ['stress_markers'], duration_seconds: 2 }],
};
const PIPELINE = {
  frames_per_s: 10, frames_total: 100, latency_ms: { p50: 1, p95: 2, p99: null }, stages: { objects: { runs: 1, latency_ms: { p50: 1, p95: 1, p99: 1 } } }, batches: { centernet: { count: 1, mean_size: 4, target_size: 4 } },
  models: { centernet: { state: 'suspended', provider: 'cpu', failures: 3, last_error: 'x' } }, degradation: { rung: 1, rungs: 4, lost_share: 0.125, slowed: [{ camera_id: 1, fps: 2.5, wanted_fps: 5 }], paused: [2] }, drops: { no_slot: 1 }, queue: { waiting_frames: 0, batches_in_flight: 1, oldest_ms: null }, providers: { centernet: { wanted: 'cuda', used: 'cpu', fallbacks: 1 } }, workers: { count: 2, threads_per_worker: 1, restarts: 0 },
};
const CALLBACKS = {
  backlog: 1, delivered: 2, failed: 3, dead_letters: 0, local_only: 0, dropped: { outbox_full: 0 }, oldest_age_s: null,
  targets: [{ url: 'https://php/cb', state: 'closed', backlog: 1, delivered: 2, failed: 3, last_status: 200, last_error: null, last_success_at: '2025-01-01T00:00:00.000Z' }],
};
const SAMPLE = { at_ms: 1000, frames_per_s: 10, p50_ms: 1, p99_ms: null, fill: { centernet: 0.5 }, dropped: 2, backlog: 1 };
const LETTER = { id: 4, idempotency_key: 'k', result_type: 'anomaly_alert', camera_id: 1, created_at: '2025-01-01T00:00:00.000Z', attempts: 1, last_status: 400, last_error: 'X', body: { severity: 'HIGH' } };
const PROBE = { ok: true, reason: '', detail: '', codec: 'h264', pixel_format: 'yuv420p', transport: 'tcp', width: 1, height: 1, source_fps: 25, open_ms: 1, first_frame_ms: 2 };

interface World {
  deps: HttpDeps;
  asked: unknown[];
  logged: unknown[];
  health: { live: boolean; ready: boolean };
  get(url: string, options?: InjectOptions): Promise<Answer>;
  send(method: 'POST' | 'PATCH' | 'DELETE', url: string, payload?: unknown, headers?: Record<string, string>): Promise<Answer>;
}
interface Answer {
  status: number;
  headers: Record<string, unknown>;
  text: string;
  raw: Buffer;
  json: () => unknown;
}

const KEPT: EventRecord = {
  id: 7, camera_id: 1, camera_name: 'Till', staff_id: null, kind: 'anomaly_alert', type: 'unusual_movement', category: 'anomaly', severity: 'HIGH', confidence: 0.95, deviation: null, risk_score: 0.95, context: { posture: 'tense' },
  indicators: ['unusual_movement'], frame_timestamp: '2025-11-14T14:30:00.000Z', duration_seconds: 0, delivery: 'local_only', idempotency_key: 'k', frame_path: '2025-11-14/cam1/a.jpg', clip_path: null,
};

async function world(t: Test, settings: Partial<HttpSettings> = {}): Promise<World> {
  const asked: unknown[] = [];
  const logged: unknown[] = [];
  const health = { live: true, ready: true };
  const missing = (id: number) => new SightlineError('CAMERA_NOT_FOUND', `camera_id: expected a registered camera, received ${id}`);
  const note = (...call: unknown[]) => void asked.push(call);
  const log = (fields: unknown, message: string) => void logged.push([fields, message]);
  const deps: HttpDeps = {
    settings: { ...SETTINGS, ...settings }, version: '1.2.3<', log: { error: log, warn: log, info: log },
    health: { live: () => ({ ok: health.live, reasons: health.live ? [] : ['EVENT_LOOP'] }), ready: () => ({ ok: health.ready, reasons: health.ready ? [] : ['NO_FRAMES'] }) },
    ptz_offset: { check: async () => { throw new SightlineError('PTZ_INPUT', 'not asked here'); } },
    metrics: { content_type: 'text/plain; version=0.0.4', render: async () => 'sightline_x 1\n' },
    cameras: {
      statuses: () => [STATUS],
      add: async (camera) => {
        note('add', camera);
        if (camera.camera_id === 1) throw new SightlineError('CAMERA_EXISTS', 'camera_id: expected an id that is free, received 1');
        if (camera.url.startsWith('gopher')) throw new SightlineError('CAMERA_INVALID', 'url: expected something else');
        return { ...RECORD, ...camera };
      },
      get: async (id) => (id === 1 || id === 2 ? { ...RECORD, camera_id: id } : undefined),
      update: async (id, change) => {
        note('update', id, change);
        if (id !== 1) throw missing(id);
        return { ...RECORD, ...change };
      },
      remove: async (id) => {
        note('remove', id);
        if (id !== 1) throw missing(id);
      },
      preview: async (camera, id) => {
        note('preview', camera, id);
        if (id !== undefined && id !== 1) throw missing(id);
        return { ...RECORD, ...camera };
      },
      registry: () => ({ source: 'mysql', state: 'down', since: RECORD.created_at, last_read_at: null, error: { code: 'REGISTRY_UNAVAILABLE', message: 'nothing listens there' }, from_cache: true, cameras: 1, problems: [{ camera_id: 'x', code: 'CAMERA_INVALID', message: 'camera_id: expected an integer' }] }),
      probe: async (url, transport) => {
        note('probe', url, transport);
        return PROBE;
      },
      snapshot: async (id, options) => {
        note('snapshot', id, options);
        if (id > 2) throw missing(id);
        return id === 1 ? Buffer.from([0xff, 0xd8, 0xff]) : null;
      },
    },
    config: {
      shown: () => ({ php_system: { auth_token: '***' } }),
      reload: async () => {
        note('reload');
        return { applied: ['processing.fps'], needs_restart: [] };
      },
    },
    analysis: { newest: (id) => (id === 1 ? ANALYSIS : undefined) },
    events: { list: async (query) => { note('events', query); return [KEPT]; }, get: async (id) => (id === 7 ? KEPT : undefined), read: async (path) => (path === KEPT.frame_path ? Buffer.from([0xff, 0xd8]) : undefined) },
    baselines: { list: async () => ({ subjects: 1, days: 2, bytes: 3, in_memory: 1, dropped: 0, unreadable: 0, updates: 0, last_day: null, baselines: [{ subject: 'staff:42', state: 'learning', samples: 1, needed: 60, days: 1, values: { stress: { median: 0.2, deviation: 0.1, count: 1 } } }] }) },
    ptz_records: { devices: async () => ({ configured: false, devices: [] }), results: async (query) => { note('ptz results', query); return { results: [], next_before: null }; } },
    pipeline: { snapshot: () => PIPELINE },
    history: { since: (at_ms) => [SAMPLE].filter((sample) => sample.at_ms > at_ms) },
    callbacks: {
      summary: () => CALLBACKS,
      replay: async (ids) => {
        note('replay', ids);
        return { replayed: 1, kept: 0 };
      },
      deadLetters: async (options) => {
        note('deadLetters', options);
        return [LETTER];
      },
      test: async () => ({ reached: true, authorized: true, status: 400, duration_ms: 3, message: 'fine' }),
    },
  };
  const server = await createServer(deps);
  t.teardown(() => server.close());
  const inject = async (options: InjectOptions): Promise<Answer> => {
    const answer = await server.inject(options);
    return { status: answer.statusCode, headers: answer.headers, text: answer.body, raw: answer.rawPayload, json: () => answer.json() };
  };
  return {
    deps, asked, logged, health,
    get: (url, options = {}) => inject({ method: 'GET', url, ...options }),
    send: (method, url, payload, headers = {}) => inject({ method, url, headers, ...(payload === undefined ? {} : { payload: payload as object }) }),
  };
}

const errorOf = (answer: Answer) => (answer.json() as { error: { code: string; message: string } }).error;

t.test('health', async (t) => {
  const it = await world(t);
  for (const [live, ready, health, liveStatus, readyStatus] of [[true, true, 200, 200, 200], [true, false, 503, 200, 503], [false, true, 503, 503, 200]] as const) {
    Object.assign(it.health, { live, ready });
    t.same([(await it.get('/health')).status, (await it.get('/health/live')).status, (await it.get('/health/ready')).status], [health, liveStatus, readyStatus]);
  }
  t.same((await it.get('/health')).json(), { status: 'unavailable', reasons: ['EVENT_LOOP'] });
  it.health.live = true;
  t.same((await it.get('/health/ready')).json(), { status: 'ok', reasons: [] });
});

t.test('metrics and description', async (t) => {
  const it = await world(t);
  const metrics = await it.get('/metrics');
  t.same([metrics.status, metrics.headers['content-type'], metrics.text], [200, 'text/plain; version=0.0.4', 'sightline_x 1\n']);
  const description = await it.get('/openapi.json');
  const { openapi, paths } = description.json() as { openapi: string; paths: Record<string, Record<string, { responses: object }>> };
  t.match(openapi, /^3\./);
  t.ok(paths['/api/cameras/{id}/snapshot.jpg']);
  for (const [path, methods] of Object.entries(paths)) for (const [method, { responses }] of Object.entries(methods)) t.ok(Object.keys(responses).length > 0, `${method} ${path} says what it answers`);
});

t.test('the overview: one answer for the operations page, samples only from where the page is', async (t) => {
  const it = await world(t);
  const overview = (await it.get('/api/overview')).json() as { cameras: { marks: unknown[]; drops: number; risk_level: string }[]; samples: unknown[]; pipeline: unknown; callbacks: { backlog: number } };
  t.match(overview, { version: '1.2.3<', ready: true, reasons: [], callbacks: { backlog: 1 }, samples: [SAMPLE], pipeline: { frames_per_s: 10, providers: { centernet: 'cpu' }, slowed: 1, paused: 1 } });
  t.same(overview.cameras[0]?.marks, [
    { kind: 'face', box: [0.0016, 0.0056, 0.0047, 0.0111], label: 'happy', score: 0.9 },
    { kind: 'person', box: [0.0016, 0.0056, 0.0047, 0.0111], label: 'still', score: 0.8 },
    { kind: 'object', box: [0.0016, 0.0056, 0.0047, 0.0111], label: 'chair', score: 0.7 },
  ]);
  t.match(overview.cameras[0], { drops: 1, risk_level: 'MINIMAL' });
  t.notMatch(JSON.stringify(overview), /geheim/);
  t.same(((await it.get('/api/overview?since=1000')).json() as { samples: unknown[] }).samples, []);
  t.equal((await it.get('/api/overview?since=x')).status, 400);
});

t.test('the pages: nothing inline, assets kept by browsers, an error that says what to do where they are not built', async (t) => {
  const it = await world(t);
  const built = existsSync(PAGES_DIR);
  for (const path of ['/', '/calibrate']) {
    const page = await it.get(path);
    if (!built) {
      t.equal(errorOf(page).code, 'PAGES_MISSING');
      continue;
    }
    t.match(page.headers, { 'content-type': /text\/html/, 'cache-control': 'no-store', 'content-security-policy': /default-src 'none'; script-src 'self'/, 'permissions-policy': /camera=\(self\)/ });
    t.notMatch(page.text, /<script>|<style|onclick|style="/, 'nothing inline: the policy forbids it');
    t.notMatch(page.text, /(src|href)="(https?:)?\/\//, 'nothing of others');
    for (const [, asset = ''] of page.text.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)) {
      const file = await it.get(asset, { headers: { 'accept-encoding': 'br' } });
      t.match(file, { status: 200, headers: { 'cache-control': /immutable/, 'x-content-type-options': 'nosniff' } }, asset);
    }
  }
  for (const path of ['/assets/', '/assets/../index.html', '/assets/%2e%2e/index.html', '/assets/nothing.js', '/index.html']) t.equal((await it.get(path)).status, 404, path);
});

t.test('every answer has the security headers', async (t) => {
  const it = await world(t);
  for (const url of ['/', '/health', '/api/cameras', '/nothing', '/api/cameras/x']) {
    const { headers } = await it.get(url);
    for (const name of ['content-security-policy', 'x-content-type-options', 'x-frame-options', 'referrer-policy', 'cross-origin-resource-policy']) t.ok(headers[name], `${url} ${name}`);
  }
});

t.test('cameras: list, get, add, change, remove', async (t) => {
  const it = await world(t);
  const list = await it.get('/api/cameras');
  t.same([list.status, list.json()], [200, { cameras: [STATUS] }]);
  t.match((await it.get('/api/cameras/1')).json(), { camera_id: 1, url: 'rtsp://***@cam/x', status: STATUS });
  t.match((await it.get('/api/cameras/2')).json(), { camera_id: 2, status: null });
  const added = await it.send('POST', '/api/cameras', { camera_id: 7, camera_name: 'Door', url: 'rtsp://user:geheim@door/x', location: null });
  t.same([added.status, added.headers.location, (added.json() as CameraRecord).url], [201, '/api/cameras/7', 'rtsp://***@door/x']);
  t.same(it.asked.at(-1), ['add', { camera_id: 7, camera_name: 'Door', url: 'rtsp://user:geheim@door/x', location: null }]);
  const changed = await it.send('PATCH', '/api/cameras/1', { priority: 9, enabled: false });
  t.match([changed.status, changed.json()], [200, { priority: 9, enabled: false, url: 'rtsp://***@cam/x' }]);
  t.same(it.asked.at(-1), ['update', 1, { priority: 9, enabled: false }]);
  const removed = await it.send('DELETE', '/api/cameras/1');
  t.same([removed.status, removed.text], [204, '']);
  t.match([(await it.send('POST', '/api/cameras/probe', { url: 'rtsp://x/', transport: 'udp' })).json(), it.asked.at(-1)], [PROBE, ['probe', 'rtsp://x/', 'udp']]);
  for (const answer of [list, added, changed]) t.notMatch(answer.text, /geheim/);
});

t.test('cameras: what is not there', async (t) => {
  const it = await world(t);
  for (const answer of [await it.get('/api/cameras/9'), await it.send('PATCH', '/api/cameras/9', { priority: 1 }), await it.send('DELETE', '/api/cameras/9'), await it.get('/api/cameras/9/snapshot.jpg'), await it.get('/api/cameras/9/analysis')]) {
    t.same([answer.status, errorOf(answer).code], [404, 'CAMERA_NOT_FOUND']);
  }
  const exists = await it.send('POST', '/api/cameras', { camera_id: 1, camera_name: 'x', url: 'rtsp://x/' });
  t.same([exists.status, errorOf(exists).code], [409, 'CAMERA_EXISTS']);
  for (const answer of [await it.get('/api/cameras/2/snapshot.jpg'), await it.get('/api/cameras/2/analysis')]) t.same([answer.status, errorOf(answer).code], [503, 'CAMERA_NO_FRAME']);
});

t.test('bad input names the field, the expectation and what came, never a URL', async (t) => {
  const it = await world(t);
  const camera = { camera_id: 7, camera_name: 'x', url: 'rtsp://user:geheim@x/' };
  const bodies: [unknown, RegExp][] = [
    [{ ...camera, camera_id: '7' }, /^camera_id: expected an integer from 1 to 2147483647, received "7"/],
    [{ ...camera, camera_id: 0 }, /^camera_id: /], [{ ...camera, priority: 11 }, /^priority: expected an integer from 1 to 10, received 11/], [{ ...camera, colour: 1 }, /^colour: no such key/],
    [{ ...camera, url: { geheim: 1 } }, /^url: .*received an object/], [{ ...camera, url: `geheim${'x'.repeat(3000)}`, prority: 3 }, /did you mean priority/], [[], /expected an object, received a list/], ['"text"', /expected an object/],
    [{}, /camera_id: .*received nothing.*camera_name: .*url: /s],
  ];
  for (const [body, expected] of bodies) {
    const answer = await it.send('POST', '/api/cameras', typeof body === 'string' ? body : JSON.stringify(body), { 'content-type': 'application/json' });
    t.same([answer.status, errorOf(answer).code], [400, 'REQUEST_INVALID'], JSON.stringify(body).slice(0, 80));
    t.match(errorOf(answer).message, expected);
    t.notMatch(answer.text, /geheim/);
  }
  t.equal(it.asked.length, 0, 'nothing of it went through');
  for (const [url, field] of [['/api/cameras/abc', 'id'], ['/api/cameras/0', 'id'], ['/api/cameras/1.5', 'id'], ['/api/cameras/99999999999', 'id'], ['/api/cameras/1/snapshot.jpg?width=0', 'width'], ['/api/cameras/1/snapshot.jpg?width=abc', 'width'], ['/api/cameras/1/snapshot.jpg?wdth=64', 'wdth'], ['/api/callbacks/dead-letters?limit=1001', 'limit'], ['/api/callbacks/dead-letters?after=-1', 'after']] as const) {
    const answer = await it.get(url);
    t.same([answer.status, errorOf(answer).code], [400, 'REQUEST_INVALID'], url);
    t.match(errorOf(answer).message, new RegExp(`^${field}: `));
  }
  const empty = await it.send('PATCH', '/api/cameras/1', {});
  t.same([empty.status, errorOf(empty).code], [400, 'REQUEST_INVALID']);
  t.equal((await it.send('POST', '/api/cameras/probe', {})).status, 400);
});

t.test('bodies that are no JSON, too large, of another type', async (t) => {
  const it = await world(t);
  const json = { 'content-type': 'application/json' };
  for (const [payload, headers, status, code] of [
    ['{"url": geheim}', json, 400, 'REQUEST_INVALID'], ['', json, 400, 'REQUEST_INVALID'], ['{"__proto__": {"x": 1}}', json, 400, 'REQUEST_INVALID'], ['x', { 'content-type': 'text/plain' }, 415, 'REQUEST_INVALID'],
    ['a=b', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'REQUEST_INVALID'], [`{"x":"${'y'.repeat(5000)}"}`, json, 413, 'REQUEST_TOO_LARGE'],
  ] as const) {
    const answer = await it.send('POST', '/api/cameras', payload, headers);
    t.same([answer.status, errorOf(answer).code], [status, code], payload.slice(0, 20));
    t.notMatch(answer.text, /geheim/);
  }
});

t.test('snapshots', async (t) => {
  const it = await world(t);
  const answer = await it.get('/api/cameras/1/snapshot.jpg');
  t.same([answer.status, answer.headers['content-type'], [...answer.raw]], [200, 'image/jpeg', [0xff, 0xd8, 0xff]]);
  t.same(it.asked.at(-1), ['snapshot', 1, { max_width: 0, quality: 85 }]);
  await it.get('/api/cameras/1/snapshot.jpg?width=320&quality=50');
  t.same(it.asked.at(-1), ['snapshot', 1, { max_width: 320, quality: 50 }]);
});

t.test('an analysis comes through whole', async (t) => {
  const it = await world(t);
  const answer = await it.get('/api/cameras/1/analysis');
  t.same(answer.json(), { camera_id: 1, ...ANALYSIS });
  t.same([...Value.Errors(AnalysisSchema, answer.json())], []);
});

t.test('pipeline and callbacks', async (t) => {
  const it = await world(t);
  t.same((await it.get('/api/pipeline')).json(), PIPELINE);
  t.same((await it.get('/api/callbacks')).json(), CALLBACKS);
  t.same((await it.get('/api/callbacks/dead-letters?limit=5&after=3')).json(), { dead_letters: [LETTER] });
  t.same(it.asked.at(-1), ['deadLetters', { limit: 5, after: 3 }]);
  t.same((await it.send('POST', '/api/callbacks/replay', { ids: [4] })).json(), { replayed: 1, kept: 0 });
  t.same(it.asked.at(-1), ['replay', [4]]);
  t.equal((await it.send('POST', '/api/callbacks/replay')).status, 200);
  t.same(it.asked.at(-1), ['replay', 'all']);
  t.equal((await it.send('POST', '/api/callbacks/replay', { ids: [] })).status, 400, 'an empty list is not "all"');
  t.match((await it.send('POST', '/api/callbacks/test')).json(), { reached: true, authorized: true });
  for (const [schema, value] of [[CameraStatusSchema, STATUS], [PipelineSchema, PIPELINE], [CallbacksSchema, CALLBACKS]] as const) t.same([...Value.Errors(schema, value)], []);
});

t.test('unknown routes and methods', async (t) => {
  const it = await world(t);
  for (const answer of [await it.get('/nothing'), await it.get('/api/camera'), await it.send('DELETE', '/api/cameras'), await it.get('/../etc/passwd'), await it.get('/api/cameras/1/')]) t.same([answer.status, errorOf(answer).code], [404, 'NOT_FOUND']);
});

t.test('an unknown address shows a page to a person, and stays JSON for programs', { skip: existsSync(`${PAGES_DIR}missing.html`) ? false : 'the pages are not built: npm run setup' }, async (t) => {
  const it = await world(t);
  const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8';
  for (const url of ['/nothing', '/api/nothing', '/calibrate/', '/assets/gone.js']) {
    const answer = await it.get(url, { headers: { accept: BROWSER } });
    t.same([answer.status, answer.headers['content-type'], answer.headers['vary']], [404, 'text/html; charset=utf-8', 'accept'], url);
    t.match(answer.text, /There is no such page[\s\S]*href="\/"[\s\S]*href="\/calibrate"/);
    t.notMatch(answer.text, /<script|<style|style=|\son\w+=/, 'nothing that the policy forbids');
    t.notMatch(answer.text, url, 'nothing of what was asked for');
    t.match(answer.headers['content-security-policy'], /default-src 'none'/);
    t.equal((await it.get(/<link rel="stylesheet"[^>]* href="([^"]+)"/.exec(answer.text)?.[1] ?? '')).status, 200, 'its style is served');
  }
  for (const accept of ['*/*', 'application/json', 'application/xhtml+xml', 'text/htmlx', '']) t.equal(errorOf(await it.get('/nothing', { headers: { accept } })).code, 'NOT_FOUND', `JSON for "${accept}"`);
  t.equal(errorOf(await it.send('POST', '/nothing', {}, { accept: BROWSER })).code, 'NOT_FOUND', 'a form is not an address');
});

t.test('an unexpected fault says nothing of itself; the log has the cause', async (t) => {
  const it = await world(t);
  it.deps.pipeline.snapshot = () => {
    throw new TypeError('geheim is not a function');
  };
  const answer = await it.get('/api/pipeline');
  t.same([answer.status, errorOf(answer)], [500, { code: 'INTERNAL', message: 'an unexpected fault; the log has the cause' }]);
  t.match(it.logged, [[{ err: { message: 'geheim is not a function' }, route: '/api/pipeline' }, 'request failed']]);
});

t.test('with an API token, the API and the metrics want it', async (t) => {
  const it = await world(t, { api_token: 'a-long-enough-token', host: '0.0.0.0' });
  for (const url of ['/api/cameras', '/api/cameras/1', '/api/pipeline', '/api/callbacks', '/api/nothing', '/metrics', '/api/cameras?x=1']) {
    for (const authorization of [undefined, 'Bearer wrong', 'Bearer a-long-enough-toke', 'Bearer a-long-enough-token2', 'Basic a-long-enough-token', 'a-long-enough-token', '']) {
      const answer = await it.get(url, { headers: authorization === undefined ? {} : { authorization } });
      t.same([answer.status, errorOf(answer).code], [401, 'UNAUTHORIZED'], `${url} ${authorization}`);
    }
  }
  t.equal((await it.get('/api/cameras', { headers: { authorization: 'bearer a-long-enough-token' } })).status, 200);
  for (const url of ['/health', '/health/live', '/health/ready', '/openapi.json']) t.equal((await it.get(url)).status, 200, url);
  t.equal((await it.get('/health', { headers: { host: 'cam.example' } })).status, 200, 'any name may be used');
});

t.test('without one, no web site reaches the loopback address', async (t) => {
  const it = await world(t);
  for (const host of ['localhost', 'localhost:5000', '127.0.0.1:5000', '[::1]:5000']) t.equal((await it.get('/api/cameras', { headers: { host } })).status, 200, host);
  for (const host of ['evil.example', 'localhost.evil.example:5000', '10.0.0.1']) {
    const answer = await it.get('/api/cameras', { headers: { host } });
    t.same([answer.status, errorOf(answer).code], [403, 'FORBIDDEN'], host);
  }
  for (const origin of ['https://evil.example', 'null', 'http://localhost:1234', 'http://localhost.evil.example']) {
    t.equal((await it.send('POST', '/api/callbacks/replay', undefined, { origin, host: 'localhost:5000' })).status, 403, origin);
  }
  t.equal((await it.send('POST', '/api/callbacks/replay', undefined, { origin: 'http://localhost:5000', host: 'localhost:5000' })).status, 200);
  t.equal(it.asked.length, 1);
});

t.test('events: listed by what is asked for, with their frames', async (t) => {
  const it = await world(t);
  const page = await it.get('/api/events?camera_id=1&kind=anomaly_alert&severity=HIGH&before=9&limit=1');
  t.match([page.status, page.json()], [200, { events: [KEPT], next_before: 7 }]);
  t.match(it.asked, [['events', { camera_id: 1, kind: 'anomaly_alert', severity: 'HIGH', before: 9, limit: 1 }]]);
  t.match((await it.get('/api/events')).json(), { next_before: null });
  for (const bad of ['camera_id=x', 'kind=else', 'severity=high', 'limit=0', 'limit=1001', 'colour=red']) t.equal((await it.get(`/api/events?${bad}`)).status, 400, bad);
  t.match((await it.get('/api/events/7')).json(), KEPT);
  const frame = await it.get('/api/events/7/frame.jpg');
  t.same([frame.status, frame.headers['content-type']], [200, 'image/jpeg']);
  t.equal((await it.get('/api/events/7/clip')).status, 404, 'none is kept');
  for (const id of ['8', '0', 'x']) t.ok([400, 404].includes((await it.get(`/api/events/${id}/frame.jpg`)).status), id);
});

t.test('cameras: a dry run checks and probes, and changes nothing', async (t) => {
  const it = await world(t);
  const camera = { camera_id: 3, camera_name: 'x', url: 'rtsp://u:geheim@h/' };
  const added = await it.send('POST', '/api/cameras?dry_run=true', camera);
  t.match([added.status, added.json()], [200, { dry_run: true, camera: { camera_id: 3, url: 'rtsp://***@h/' }, probe: PROBE }]);
  t.notMatch(added.text, /geheim/);
  t.match((await it.send('PATCH', '/api/cameras/1?dry_run=true', { camera_name: 'y' })).json(), { dry_run: true, camera: { camera_name: 'y' }, probe: null }, 'the stream stays the same');
  t.match((await it.send('PATCH', '/api/cameras/1?dry_run=true', { url: 'rtsp://h/2' })).json(), { probe: PROBE });
  t.equal((await it.send('PATCH', '/api/cameras/9?dry_run=true', { camera_name: 'y' })).status, 404);
  t.equal((await it.send('PATCH', '/api/cameras/1?dry_run=yes', { camera_name: 'y' })).status, 400);
  t.ok(it.asked.every((call) => !['add', 'update'].includes((call as string[])[0] as string)));
  t.match((await it.get('/api/registry')).json(), { source: 'mysql', state: 'down', problems: [{ camera_id: 'x' }] });
  t.match((await it.get('/api/baselines')).json(), { baselines: [{ subject: 'staff:42' }] });
});
