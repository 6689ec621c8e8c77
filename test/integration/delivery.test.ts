import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTls } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { classifyAnswer } from '../../src/delivery/classify.js';
import { createDelivery } from '../../src/delivery/delivery.js';
import type { Payload } from '../../src/delivery/payloads.js';
import type { Delivery, DeliverySettings } from '../../src/delivery/types.js';
import { startReceiver } from '../../src/demo/receiver.js';
import { openStore } from '../../src/store/store.js';
import { alert, detection, frame, SETTINGS } from '../fixtures/delivery_world.js';
import { phpMissing, startPhpReceiver } from '../fixtures/php_receiver.js';

t.setTimeout(120_000);

const TOKEN = 'integration-token';
const quiet = { error: () => undefined, warn: () => undefined, info: () => undefined };

interface Opened {
  delivery: Delivery;
  folder: string;
  put(...payloads: Payload[]): Promise<void>;
  close(): Promise<void>;
}

async function open(callback_url: string, change: { php_system?: Partial<DeliverySettings['php_system']>; delivery?: Partial<DeliverySettings['delivery']> } = {}): Promise<Opened> {
  const folder = mkdtempSync(join(tmpdir(), 'sightline-delivery-'));
  const store = await openStore({ file: join(folder, 'sightline.db'), log: quiet });
  const settings: DeliverySettings = {
    php_system: { ...SETTINGS.php_system, callback_url, auth_token: TOKEN, timeout_seconds: 2, ...change.php_system },
    delivery: { ...SETTINGS.delivery, breaker_open_s: 0.5, replay_interval_s: 0.5, ...change.delivery },
  };
  const delivery = createDelivery({ store, settings, log: quiet });
  await delivery.start();
  return {
    delivery,
    folder,
    async put(...payloads) {
      for (const payload of payloads) await delivery.enqueue(payload, { camera_id: 'camera_id' in payload ? payload.camera_id : null, kind: payload.result_type });
    },
    async close() {
      await delivery.stop(500);
      await store.close();
    },
  };
}

/** Waits for a condition, at most 60 s. */
async function until(what: string, condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 60_000; !condition(); ) {
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

type Handler = (request: IncomingMessage, response: ServerResponse, body: string, index: number) => void;

/** A receiver of this test; `port` to come back at the same place. */
async function listen(handler: Handler, port = 0): Promise<{ url: string; port: number; requests: { key: string; body: string; headers: IncomingMessage['headers'] }[]; close(): Promise<void> }> {
  const requests: { key: string; body: string; headers: IncomingMessage['headers'] }[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (part: string) => (body += part));
    request.on('end', () => {
      requests.push({ key: String(request.headers['idempotency-key']), body, headers: request.headers });
      handler(request, response, body, requests.length - 1);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const used = (server.address() as AddressInfo).port;
  return {
    url: `http://127.0.0.1:${used}/cv-callback.php`,
    port: used,
    requests,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

const ok: Handler = (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"success": true, "message": "Frame analysis recorded"}');

t.test('each way a receiver can fail is survived, with one key throughout', async (t) => {
  const faults: Record<string, Handler> = {
    'a 500': (_, response) => void response.writeHead(500).end('{"success": false, "error": "Internal server error"}'),
    'a 500 with an empty body': (_, response) => void response.writeHead(500).end(),
    '200 with an empty body': (_, response) => void response.writeHead(200).end(),
    '200 with HTML': (_, response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('<br />\n<b>Fatal error</b>: Uncaught TypeError'),
    '200 that says success is false': (_, response) => void response.writeHead(200).end('{"success": false}'),
    'a redirect': (_, response) => void response.writeHead(302, { location: '/elsewhere' }).end(),
    'a reset': (request) => void request.socket.resetAndDestroy(),
    'a close in mid-answer': (request, response) => {
      response.writeHead(200, { 'content-length': 100 });
      response.write('{"success": true');
      setTimeout(() => void request.socket.destroy(), 20);
    },
    'an answer that never comes': () => undefined,
    'an answer that never ends': (_, response) => {
      response.writeHead(200);
      const more = setInterval(() => response.write(' '), 50);
      response.on('close', () => clearInterval(more));
    },
    'an answer that is far too long': (_, response) => void response.writeHead(200).end(' '.repeat(1024 * 1024)),
    'bytes that are not HTTP': (request) => void request.socket.end('hello there\r\n\r\n'),
  };
  for (const [name, fault] of Object.entries(faults)) {
    const server = await listen((request, response, body, index) => (index === 0 ? fault : ok)(request, response, body, index));
    const opened = await open(server.url, { php_system: { timeout_seconds: name.includes('never') ? 2 : 30 } });
    await opened.put(frame(1));
    await until(name, () => opened.delivery.status().delivered === 1);
    t.equal(server.requests.length, 2, `${name}: tried again, once`);
    t.equal(new Set(server.requests.map(({ key }) => key)).size, 1);
    t.equal(new Set(server.requests.map(({ body }) => body)).size, 1);
    t.match(opened.delivery.status(), { backlog: 0, failed: 1 });
    await opened.close();
    await server.close();
  }
});

t.test('an outage: everything waits, and arrives once the receiver is back', async (t) => {
  const first = await listen(ok);
  const opened = await open(first.url);
  await opened.put(frame(1));
  await until('the first', () => opened.delivery.status().delivered === 1);
  await first.close();
  await opened.put(...Array.from({ length: 30 }, (_, n) => frame((n % 10) + 1, n)), alert(1), detection(2));
  await until('the breaker', () => opened.delivery.status().targets[0]?.state === 'open');
  t.equal(opened.delivery.status().backlog, 32);
  const second = await listen(ok, first.port);
  await until('the rest', () => opened.delivery.status().backlog === 0);
  t.equal(opened.delivery.status().delivered, 33);
  t.equal(new Set(second.requests.map(({ key }) => key)).size, 32, 'each of them');
  t.match(opened.delivery.status().targets, [{ state: 'closed' }]);
  await opened.close();
  await second.close();
});

t.test('a stranger with a certificate nobody vouches for gets nothing', { skip: spawnSync('openssl', ['version']).status === 0 ? false : 'openssl is not installed' }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sightline-tls-'));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem'), '-days', '1', '-subj', '/CN=localhost'], { stdio: 'ignore' });
  let requests = 0;
  const server = createTls({ key: readFileSync(join(folder, 'key.pem')), cert: readFileSync(join(folder, 'cert.pem')) }, (_, response) => {
    requests++;
    response.end('{"success": true}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const opened = await open(`https://localhost:${(server.address() as AddressInfo).port}/x`);
  await opened.put(frame(1));
  await until('a failure', () => opened.delivery.status().failed > 0);
  t.match(opened.delivery.status(), { backlog: 1, delivered: 0, targets: [{ last_error: 'tls' }] });
  t.equal(requests, 0);
  await opened.close();
  const developing = await open(`https://localhost:${(server.address() as AddressInfo).port}/x`, { php_system: { allow_self_signed: true } });
  await developing.put(frame(1));
  await until('delivery, where a switch says so', () => developing.delivery.status().delivered === 1);
  await developing.close();
  server.closeAllConnections();
  server.close();
});

t.test('the embedded receiver takes all three types, counts, and shows what it got', async (t) => {
  const receiver = await startReceiver({ token: TOKEN });
  const opened = await open(receiver.callback_url);
  await opened.put(frame(5), detection(5), alert(5));
  await until('delivery', () => opened.delivery.status().delivered === 3);
  const shown = (await (await fetch(`${receiver.url}/received`)).json()) as { counts: Record<string, number>; invalid: number; recent: { status: number; problem: string | null; body: Payload; idempotency_key: string }[] };
  t.same(Object.keys(shown).sort(), ['counts', 'invalid', 'recent']);
  t.match(shown, { counts: { frame_analysis: 1, behavioral_detection: 1, anomaly_alert: 1 }, invalid: 0 });
  t.ok(shown.recent.every(({ status, problem }) => status === 200 && problem === null));
  t.match(await opened.delivery.test(), { reached: true, authorized: true, status: 400 });
  await opened.close();

  const post = (body: string, token = TOKEN) => fetch(receiver.callback_url, { method: 'POST', headers: { 'x-cv-auth-token': token, 'content-type': 'text/plain' }, body });
  const answer = await post(JSON.stringify({ ...frame(1), extra: 'a/b' }));
  t.match([answer.status, await answer.text()], [200, /^\{\n    "success": true,\n    "message": "Frame analysis recorded",\n    "risk_score": 0\.195,/]);
  t.equal((await post('{}', 'wrong')).status, 401);
  t.equal((await fetch(receiver.callback_url)).status, 405);
  t.equal((await fetch(`${receiver.url}/else`)).status, 404);
  t.equal((await fetch(`${receiver.url}/received`, { method: 'DELETE' })).status, 405);
  t.equal((await post(' '.repeat(2 * 1024 * 1024))).status, 413);
  const { counts, invalid, recent } = receiver.received();
  t.equal(counts.frame_analysis, 2, 'an unknown field is taken, as over there');
  t.match(recent.find(({ problem }) => problem?.includes('/extra')), { status: 200 }, 'and reported');
  t.equal(invalid, 3, 'the extra field, the wrong token, the connection test');
  for (let n = 0; n < 60; n++) await post(JSON.stringify(frame(1, n)));
  t.equal(receiver.received().recent.length, 50, 'bounded');
  t.match(receiver.received().recent[0]?.body, { session_id: 's59' }, 'newest first');
  await receiver.close();
});

t.test('a real PHP receiver takes all three types', { skip: phpMissing() }, async (t) => {
  const receiver = await startPhpReceiver({ token: TOKEN, workers: 4 });
  t.teardown(() => receiver.stop());
  const opened = await open(receiver.url);
  const bodies = [frame(5), detection(5), alert(5), ...Array.from({ length: 20 }, (_, n) => frame(n + 10, n))];
  await opened.put(...bodies);
  await until('delivery', () => opened.delivery.status().delivered === bodies.length);
  const taken = receiver.taken();
  t.same(taken.map(({ payload }) => JSON.stringify(payload)).sort(), bodies.map((body) => JSON.stringify(body)).map((text) => text.replace('"context":{}', '"context":[]')).sort(), 'what PHP read is what was meant');
  t.equal(new Set(taken.map(({ key }) => key)).size, bodies.length);
  t.match(await opened.delivery.test(), { reached: true, authorized: true });
  t.match(opened.delivery.status(), { backlog: 0, failed: 0 });
  await opened.close();

  const stranger = await open(receiver.url, { php_system: { auth_token: 'wrong' } });
  await stranger.put(detection(1));
  await until('refusal', () => stranger.delivery.counters().dead_letters === 1);
  t.match(await stranger.delivery.test(), { reached: true, authorized: false });
  t.match(stranger.delivery.status(), { backlog: 0, failed: 1, targets: [{ last_error: 'http_401' }] });
  t.notMatch(readdirSync(stranger.folder).map((name) => readFileSync(join(stranger.folder, name), 'latin1')).join(''), /integration-token|wrong/, 'no token is written to the disk');
  await stranger.close();
});

t.test('the embedded receiver answers as PHP does', { skip: phpMissing() }, async (t) => {
  const php = await startPhpReceiver({ token: TOKEN });
  t.teardown(() => php.stop());
  const own = await startReceiver({ token: TOKEN });
  t.teardown(() => own.close());
  const results = (analysis_results: unknown): string => JSON.stringify({ ...frame(1), analysis_results });
  const bodies: (string | Buffer)[] = [
    ...['', '{}', '[]', '0', '0.0', '-0', '""', '"0"', 'null', 'false', 'true', '5', '[1]', '"text"', 'nonsense', '\ufeff{"a":1}', '{"a":"\\ud800"}', '{"a":"\\ud83d\\ude00"}'],
    Buffer.from([0x22, 0xff, 0x22]),
    '['.repeat(511) + ']'.repeat(511),
    '['.repeat(512) + ']'.repeat(512),
    '{"a":'.repeat(511) + '1' + '}'.repeat(511),
    '{"a":'.repeat(512) + '1' + '}'.repeat(512),
    '{"result_type":"else"}',
    '{"result_type":7}',
    JSON.stringify({ ...frame(1), camera_id: null }),
    JSON.stringify({ ...detection(1), confidence: 0 }),
    ...[{}, [], 'text', { anomalies: null }, { anomalies: 'none' }, { anomalies: { a: 1, b: 2 } }, { indicators: { stress: '0.5', calm: true, x: null } }, { indicators: { stress: 'much' } }, { indicators: { stress: 1, anxiety: 1, deception: 1 } }, { indicators: { stress: -3 } }, { indicators: { stress: 0.45, anxiety: 0.32, deception: 0.21 } }].map(results),
    JSON.stringify({ ...alert(1), severity: 'LOW' }),
    JSON.stringify({ result_type: 'batch_complete', frames_processed: 3 }),
  ];
  const ask = async (url: string, method: string, body: string | Buffer, token: string): Promise<[number, string]> => {
    const answer = await fetch(url, { method, headers: { 'x-cv-auth-token': token }, ...(method === 'POST' ? { body: typeof body === 'string' ? body : new Uint8Array(body) } : {}) });
    return [answer.status, (await answer.text()).replace(/"(detection|alert)_id": "\d+"/, '"$1_id": "N"')];
  };
  for (const body of bodies) t.same(await ask(own.callback_url, 'POST', body, TOKEN), await ask(php.url, 'POST', body, TOKEN), `POST ${String(body).slice(0, 60)} ${String(body).slice(-40)}`);
  t.same(await ask(own.callback_url, 'POST', '{}', 'x'), await ask(php.url, 'POST', '{}', 'x'));
  t.same(await ask(own.callback_url, 'GET', '', 'x'), await ask(php.url, 'GET', '', 'x'));
});

t.test('a PHP server that shows its errors answers 200 with HTML: kept, not taken for a success', { skip: phpMissing() }, async (t) => {
  const receiver = await startPhpReceiver({ token: TOKEN, display_errors: true });
  t.teardown(() => receiver.stop());
  const answer = await fetch(receiver.url, { method: 'POST', headers: { 'x-cv-auth-token': TOKEN }, body: JSON.stringify({ ...frame(1), analysis_results: 'text' }) });
  t.match(classifyAnswer({ status: answer.status, text: await answer.text() }), { status: 200, outcome: 'retry', code: 'body_not_json' });
});
