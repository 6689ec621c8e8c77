/** `sightline callbacks`: without a daemon on the state folder itself, with one over HTTP. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { runCli } from '../../src/cli/main.js';
import { createDelivery } from '../../src/delivery/delivery.js';
import { startReceiver } from '../../src/demo/receiver.js';
import { lockState } from '../../src/store/lock.js';
import { openStore } from '../../src/store/store.js';
import { alert, detection, SETTINGS } from '../fixtures/delivery_world.js';

t.setTimeout(120_000);
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

function shell(t: Test, env: Record<string, string>, given?: string): { state: string; call: (...args: string[]) => Promise<{ code: number; out: string; err: string }> } {
  const state = given ?? join(t.testdir(), 'state');
  return {
    state,
    async call(...args) {
      let [out, err] = ['', ''];
      const code = await runCli(['callbacks', ...args], { env: { STATE_DIR: state, ...env }, cwd: () => '/', stdout: { write: (text) => (out += text) }, stderr: { write: (text) => (err += text) } });
      return { code, out, err };
    },
  };
}

/** Two refused for good, and one without a staff_id. */
async function fill(state: string): Promise<void> {
  const refusing = createServer((request, response) => { request.resume().on('end', () => response.writeHead(401).end('{"success": false, "error": "Unauthorized"}')); });
  await new Promise<void>((resolve) => refusing.listen(0, '127.0.0.1', resolve));
  const store = await openStore({ file: join(state, 'sightline.db'), log: quiet });
  const delivery = createDelivery({ store, settings: { ...SETTINGS, php_system: { ...SETTINGS.php_system, callback_url: `http://127.0.0.1:${(refusing.address() as AddressInfo).port}/` } }, log: quiet });
  await delivery.start();
  for (const payload of [alert(1), detection(2)]) await delivery.enqueue(payload, { camera_id: 'camera_id' in payload ? payload.camera_id : null, kind: payload.result_type });
  await delivery.keepLocal({ ...alert(3), staff_id: undefined } as never, { camera_id: 3, kind: 'anomaly_alert' }).catch(() => undefined);
  for (let n = 0; n < 1_200 && delivery.counters().dead_letters < 2; n += 1) await new Promise((resolve) => setTimeout(resolve, 50));
  await delivery.stop(500);
  await store.close();
  refusing.closeAllConnections();
  refusing.close();
}

t.test('without a daemon: list, test, replay', async (t) => {
  const receiver = await startReceiver({ token: 'tok' });
  t.teardown(() => receiver.close());
  const { state, call } = shell(t, { PHP_CALLBACK_URL: receiver.callback_url, CV_PIPELINE_TOKEN: 'tok' });
  await fill(state);
  const listed = JSON.parse((await call('list', '--json')).out) as { backlog: number; dead_letters: number; dead_letter_list: { id: number; last_error: string; body: unknown }[] };
  t.match(listed, { backlog: 0, dead_letters: 2 });
  t.same(listed.dead_letter_list.map(({ last_error }) => last_error).filter((code) => code === 'http_401').length, 2);
  t.match(await call('list'), { code: 0, out: /2 dead letters.*\n +\d+ .*http_401 \(401\)/ });
  t.match(await call('test', '--json'), { code: 0, out: /"authorized": true/ });
  const [first] = listed.dead_letter_list;
  t.match(JSON.parse((await call('replay', '--id', String(first?.id), '--json')).out), { replayed: 1 });
  t.match(await call('replay', '--all'), { code: 0, out: /1 put back into the outbox/ });
  const { counts } = receiver.received();
  t.match(counts, { anomaly_alert: 1, behavioral_detection: 1 }, 'what was put back has arrived');
  for (const [args, err] of [[['replay'], /either --all or --id N, received neither/], [['replay', '--all', '--id', '1'], /received both/], [['replay', '--id', 'x'], /--id: expected ids/], [['list', '--limit', '0'], /--limit: /], [[], /expected one of list, replay, test/]] as const) {
    t.match(await call(...args), { code: 2, out: '', err });
  }
});

t.test('a daemon that has the folder is asked', async (t) => {
  const asked: string[] = [];
  const daemon = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString())).on('end', () => {
      asked.push(`${request.method} ${request.url} ${body} ${request.headers.authorization}`);
      const answer = request.url?.endsWith('/replay') === true ? { replayed: 3, kept: 1 } : request.url?.includes('dead-letters') === true ? { dead_letters: [] } : request.url?.endsWith('/test') === true ? { reached: true, authorized: false, status: 401, duration_ms: 1, message: 'refused' } : { backlog: 5, delivered: 1, failed: 0, oldest_age_s: 9, targets: [], dead_letters: 0, local_only: 0 };
      response.end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => daemon.listen(0, '127.0.0.1', resolve));
  t.teardown(() => { daemon.closeAllConnections(); daemon.close(); });
  const port = String((daemon.address() as AddressInfo).port);
  const { state, call } = shell(t, { HOST: '127.0.0.1', PORT: port, SIGHTLINE_API_TOKEN: 'a-long-enough-token' });
  const lock = lockState(state);
  t.teardown(() => { lock.release(); });
  t.match(await call('list'), { code: 0, out: /^5 waiting \(the oldest for 9 s\)/ });
  t.match(await call('replay', '--id', '7', '8'), { code: 0, out: /3 put back into the outbox, 1 still without a staff_id/ });
  t.match(await call('test'), { code: 1, out: /reached \(401\).*refused/ });
  t.same(asked, ['GET /api/callbacks  Bearer a-long-enough-token', 'GET /api/callbacks/dead-letters?limit=100&after=0  Bearer a-long-enough-token', 'POST /api/callbacks/replay {"ids":[7,8]} Bearer a-long-enough-token', 'POST /api/callbacks/test {} Bearer a-long-enough-token']);
  const other = shell(t, { HOST: '127.0.0.1', PORT: '1' }, state);
  t.match(await other.call('list'), { code: 1, err: /NOT_READY: a daemon uses the state folder, but does not answer/ });
});
