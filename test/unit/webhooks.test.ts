/** Webhooks: signed, repeated from the outbox until they are taken, logged; and what a completed or failed calibration says. */
import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { classifyWebhook, signed, Webhooks } from '../../src/delivery/webhooks.js';
import { openStore } from '../../src/store/store.js';
import { begin, calibrate, openWorld } from '../fixtures/calibration_world.js';

const SECRET = 'a-webhook-secret-of-a-test';
const quiet = { error: () => undefined, warn: () => undefined, info: () => undefined };
const SETTINGS = { timeout_ms: 2_000, retry_attempts: 2, replay_interval_ms: 50, breaker_failures: 3, breaker_open_ms: 60 };

async function receiver(t: { teardown(run: () => unknown): void }, status: () => number) {
  const taken: { body: string; headers: IncomingMessage['headers'] }[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      taken.push({ body, headers: request.headers });
      response.writeHead(status()).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => { server.closeAllConnections(); server.close(); });
  return { taken, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?key=geheim` };
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 30_000; !(await condition()); ) {
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

t.test('what is signed, and what an answer means', async (t) => {
  const digest = createHmac('sha256', SECRET).update('1700000000.{"a":1}').digest('hex');
  t.same(signed('{"a":1}', SECRET, 1_700_000_000), { 'x-sightline-timestamp': '1700000000', 'x-sightline-signature': `sha256=${digest}` });
  const outcome = (status: number) => classifyWebhook({ status, text: '' }).outcome;
  t.same([200, 204, 400, 422, 401, 404, 500, 503].map(outcome), ['delivered', 'delivered', 'refused', 'refused', 'retry', 'retry', 'retry', 'retry']);
});

t.test('completed and failed calibrations arrive, also when the receiver was away and the daemon was restarted', async (t) => {
  let status = 503;
  const { taken, url } = await receiver(t, () => status);
  const folder = t.testdir();
  const store = await openStore({ file: join(folder, 'sightline.db'), log: quiet });
  const make = () => new Webhooks({ store, url, secret: SECRET, log: quiet, settings: SETTINGS });
  let webhooks = make();
  await webhooks.start();
  const world = await openWorld({ service: { announce: async ({ event, ...rest }) => { await webhooks.enqueue(event, { event, ...rest }); } } });
  t.teardown(() => world.close());
  await calibrate(world, 'w1');
  await until('a first attempt', () => taken.length >= 2);
  t.match(await webhooks.status(), { backlog: 1, delivered: 0, url: /^http:\/\/127\.0\.0\.1:\d+\/hook$/ }, 'away: it waits; the shown address has no query');
  await webhooks.stop(500);
  status = 204;
  taken.length = 0;
  webhooks = make();
  await webhooks.start();
  const session_id = await begin(world, 'w2');
  await world.call('POST', '/api/calibration/complete', { session_id, candidate_id: 'w2' });
  await until('both are taken', async () => (await webhooks.status()).delivered === 2);
  for (const { body, headers } of taken) {
    t.same(headers['x-sightline-signature'], signed(body, SECRET, Number(headers['x-sightline-timestamp']))['x-sightline-signature']);
    t.equal(headers['idempotency-key'], (JSON.parse(body) as { event_id: string }).event_id);
  }
  const events = taken.map(({ body }) => JSON.parse(body) as { event: string; candidate_id: string });
  t.match(events.find(({ event }) => event === 'calibration.completed'), { candidate_id: 'w1', at: /Z$/, data: { calibration_stats: { total_frames: 120 }, verdict: String } });
  t.match(events.find(({ event }) => event === 'calibration.failed'), { candidate_id: 'w2', session_id, data: { error: { code: 'CALIBRATION_INVALID', message: /No calibration frames/ } } });
  await webhooks.stop(500);
  const log = (await webhooks.status()).log;
  t.ok(log.some(({ outcome }) => outcome === 'retry') && log.filter(({ outcome }) => outcome === 'delivered').length === 2, 'the log has each attempt');
  t.match(await store.db.selectFrom('outbox').selectAll().execute(), { length: 0 });
  await store.close();
});
