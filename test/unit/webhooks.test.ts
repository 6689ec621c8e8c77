/** Webhooks: signed, repeated from the outbox until they are taken, logged; and what a completed or failed calibration says. */
import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { sql } from 'kysely';
import t, { type Test } from 'tap';
import { classifyWebhook, signed, Webhooks } from '../../src/delivery/webhooks.js';
import { webhookTraces } from '../../src/delivery/webhook_traces.js';
import type { WebhookEvent } from '../../src/calibration/service/webhooks.js';
import { openStore } from '../../src/store/store.js';
import { begin, calibrate, openWorld, type CalibrationWorld } from '../fixtures/calibration_world.js';

const SECRET = 'a-webhook-secret-of-a-test';
const quiet = { error: () => undefined, warn: () => undefined, info: () => undefined };
const SETTINGS = { timeout_ms: 2_000, retry_attempts: 2, replay_interval_ms: 50, breaker_failures: 3, breaker_open_ms: 60 };

async function receiver(t: { teardown(run: () => unknown): void }, status: () => number | Promise<number>) {
  const taken: { body: string; headers: IncomingMessage['headers'] }[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      taken.push({ body, headers: request.headers });
      void Promise.resolve(status()).then((code) => response.writeHead(code).end('{}'));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => { server.closeAllConnections(); server.close(); });
  return { taken, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?key=geheim` };
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 60_000; !(await condition()); ) {
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

/** A service whose webhooks go to a receiver that answers as `status` says now. */
async function told(t: Test, status: () => number | Promise<number>, before?: (event: WebhookEvent) => Promise<void>) {
  const { taken, url } = await receiver(t, status);
  const store = await openStore({ file: join(t.testdir(), 'sightline.db'), log: quiet });
  const webhooks = new Webhooks({ store, url, secret: SECRET, log: quiet, settings: SETTINGS });
  await webhooks.start();
  const state = { now_ms: Date.now(), fail_erasing: false };
  const traces = webhookTraces(store.db);
  const world = await openWorld({
    service: {
      now_ms: () => state.now_ms,
      announce: async ({ event, ...rest }) => {
        await before?.({ event, ...rest } as WebhookEvent);
        await webhooks.enqueue(event, { event, ...rest });
      },
      traces: {
        of: traces.of,
        candidates: traces.candidates,
        erase: async (candidate_id) => {
          if (state.fail_erasing) throw new Error('killed in between');
          return webhooks.erase(candidate_id);
        },
      },
    },
  });
  t.teardown(async () => {
    await webhooks.stop(200);
    await world.close();
    await store.close();
  });
  /** A failed calibration, told at once. */
  const fail = async (candidate_id: string): Promise<void> => {
    const session_id = await begin(world, candidate_id);
    await world.call('POST', '/api/calibration/complete', { session_id, candidate_id });
  };
  const about = async (candidate_id: string) => {
    const bodies = [...(await store.db.selectFrom('outbox').select('body').execute()), ...(await store.db.selectFrom('dead_letters').select('body').execute())].filter(({ body }) => body.includes(`"${candidate_id}"`)).length;
    return { bodies, log: (await store.db.selectFrom('webhook_log').select('id').where('candidate_id', '=', candidate_id).execute()).length };
  };
  return { world, store, webhooks, state, taken, fail, about };
}

t.test('who is deleted, anonymised or past the retention leaves the webhooks too: what waits, what was refused, the log', async (t) => {
  let status = 422;
  const { world, store, webhooks, state, taken, fail, about } = await told(t, () => status);
  await fail('refused');
  await until('a dead letter', async () => (await about('refused')).log > 0 && (await webhooks.status()).dead_letters === 1);
  status = 503;
  for (const candidate_id of ['deleted', 'renamed', 'stays']) await fail(candidate_id);
  await until('they wait', async () => (await webhooks.status()).backlog === 3 && (await about('deleted')).log > 0);
  const callback = { idempotency_key: 'callback', result_type: 'x', camera_id: 1, priority: 0, created_ms: 1, body: '{"candidate_id":"deleted"}', bytes: 26 };
  await store.db.insertInto('outbox').values(callback).execute();
  t.match((await world.call('DELETE', '/api/calibration/deleted')).body, { deleted: { sessions: 1, webhooks: 1, dead_letters: 0 } });
  t.match(await about('deleted'), { bodies: 1, log: 0 }, 'but for the callback of a camera, which is about something else');
  t.match((await world.call('DELETE', '/api/calibration/refused')).body, { deleted: { webhooks: 0, dead_letters: 1, webhook_log: 1 } });
  t.same(await about('refused'), { bodies: 0, log: 0 });
  const { anonymised_as } = (await world.call('POST', '/api/calibration/anonymise/renamed')).body;
  t.same([await about('renamed'), await about(String(anonymised_as))], [{ bodies: 0, log: 0 }, { bodies: 0, log: 0 }], 'removed: an event with the new id would tell whose it is');
  t.match((await webhooks.status()), { backlog: 1, dead_letters: 0 });
  const { entries } = (await world.call('GET', '/api/calibration/admin/audit?limit=1000')).body;
  t.ok(entries.some((entry) => entry.action === 'data_deleted' && (entry as { detail?: string }).detail?.includes('"webhooks":1') === true), 'noted how many');
  taken.length = 0;
  status = 204;
  await until('the one that stays is told', async () => (await webhooks.status()).backlog === 0);
  t.same(taken.filter(({ body }) => !body.includes('"stays"')), [], 'and nobody else');
  state.now_ms += 91 * 86_400_000;
  t.match((await world.call('POST', '/api/calibration/admin/retention')).body, { candidates: 2 });
  t.same(await about('stays'), { bodies: 0, log: 0 }, 'the log too ends with the retention');
});

t.test('the export of a person has the webhooks about them: what waits, what was refused, the attempts; no secret', async (t) => {
  let status = 422;
  const { world, webhooks, fail, about } = await told(t, () => status);
  await fail('exported');
  await until('a dead letter', async () => (await webhooks.status()).dead_letters === 1);
  status = 503;
  await fail('exported');
  await fail('somebody else');
  await until('they wait', async () => (await webhooks.status()).backlog === 2 && (await about('exported')).log >= 2);
  const { raw, body } = await world.call('GET', '/api/calibration/export/exported');
  const payload = { event: 'calibration.failed', candidate_id: 'exported', data: { error: { code: 'CALIBRATION_INVALID' } } };
  const iso = /^\d{4}-.*Z$/;
  t.match(body.webhooks, {
    waiting: [{ event: 'calibration.failed', created_at: iso, payload }], refused: [{ event: 'calibration.failed', created_at: iso, payload, reason: 'http_422', refused_at: iso }],
    attempts: [{ event: 'calibration.failed', at: iso, outcome: 'refused', code: 'http_422', status: 422 }],
  });
  t.notMatch(raw.toString(), new RegExp(`${SECRET}|geheim|somebody else|127\\.0\\.0\\.1`), 'neither secret, address nor other people');
});

t.test('a request that is on its way runs to its end, whatever comes of it: it is not repeated, kept or logged', async (t) => {
  let answered = 0;
  let answer = (): void => undefined;
  const asked = new Promise<void>((resolve) => { answer = resolve; });
  const { world, store, webhooks, taken, fail, about } = await told(t, async () => {
    await asked;
    return answered++ === 0 ? 503 : 204;
  });
  await fail('away');
  await until('it is on its way', () => taken.length === 1);
  t.match((await world.call('DELETE', '/api/calibration/away')).body, { deleted: { webhooks: 1 } });
  answer();
  await fail('next');
  await until('the next one is taken', async () => (await webhooks.status()).delivered === 1 && (await about('next')).log > 0);
  t.equal(taken.filter(({ body }) => body.includes('"away"')).length, 1);
  t.same(await about('away'), { bodies: 0, log: 0 });
  await until('nothing is left', async () => (await store.db.selectFrom('outbox').selectAll().execute()).length === 0);
  t.equal((await webhooks.status()).backlog, 0);
});

t.test('a deletion that was cut off between the two databases is ended by the next retention run', async (t) => {
  const { world, state, fail, about, webhooks } = await told(t, () => 503);
  await fail('half gone');
  await fail('stays');
  await until('both were tried', async () => (await about('half gone')).log > 0);
  state.fail_erasing = true;
  t.ok((await world.call('DELETE', '/api/calibration/half%20gone')).status >= 500, 'not answered as done');
  t.match(await about('half gone'), { bodies: 1 });
  state.fail_erasing = false;
  t.match((await world.call('POST', '/api/calibration/admin/retention')).body, { candidates: 0, webhooks: Number });
  t.same(await about('half gone'), { bodies: 0, log: 0 });
  t.match(await webhooks.status(), { backlog: 1 }, 'the other one still waits');
  t.match((await world.call('POST', '/api/calibration/admin/retention')).body, { webhooks: 0 });
});

t.test('an event of a session that is deleted in the same moment goes with it', async (t) => {
  const deleting: { world?: CalibrationWorld } = {};
  const it = await told(t, () => 503, async ({ candidate_id }) => { await deleting.world?.call('DELETE', `/api/calibration/${candidate_id}`); });
  deleting.world = it.world;
  await it.fail('hasty');
  t.equal((await it.about('hasty')).bodies, 0);
  t.equal((await it.webhooks.status()).backlog, 0);
});

t.test('the webhooks of a candidate are found by their indexes, without a look at any callback', async (t) => {
  const store = await openStore({ file: join(t.testdir(), 'sightline.db'), log: quiet });
  for (const table of ['outbox', 'dead_letters']) {
    const { rows } = await sql<{ detail: string }>`EXPLAIN QUERY PLAN DELETE FROM ${sql.table(table)} WHERE target = 'webhooks' AND json_extract(body, '$.candidate_id') = ${'x'}`.execute(store.db);
    t.match(rows[0]?.detail, new RegExp(`USING INDEX ${table}_candidate`));
  }
  const entry = { idempotency_key: 'k', result_type: 'calibration.failed', camera_id: null, priority: 0, created_ms: 1, body: '{"candidate_id":"former"}', bytes: 25, target: 'webhooks' };
  await store.db.insertInto('outbox').values(entry).execute();
  const traces = webhookTraces(store.db);
  t.same(await traces.candidates('', 10), ['former']);
  t.same(await traces.erase('former'), { webhooks: 1, dead_letters: 0, webhook_log: 0 }, 'also where no receiver is configured any more');
  await store.close();
});
