import { createServer } from 'node:net';
import fastify from 'fastify';
import t from 'tap';
import { listen, tryAddress } from '../../src/http/listen.js';
import type { Server } from '../../src/http/typed_server.js';

t.test('a taken port, an address of somebody else: said in words, by the look before and by the listener itself', async (t) => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as { port: number };
  const app = fastify() as unknown as Server;
  t.teardown(() => app.close());
  for (const attempt of [async () => tryAddress({ host: '127.0.0.1', port }), async () => { await listen(app, { host: '127.0.0.1', port }); }]) {
    await t.rejects(attempt, { code: 'LISTEN_FAILED', message: `server.port: expected a free port on 127.0.0.1, received ${port}, which another program uses (PORT names another)` });
  }
  // 192.0.2.0/24 is for documentation: no machine has it.
  await t.rejects(tryAddress({ host: '192.0.2.1', port: 0 }), { code: 'LISTEN_FAILED', message: 'server.host: expected an address of this machine, received "192.0.2.1" (EADDRNOTAVAIL)' });
  await new Promise((resolve) => other.close(resolve));
  await tryAddress({ host: '127.0.0.1', port });
  const again = fastify() as unknown as Server;
  t.teardown(() => again.close());
  t.equal(await listen(again, { host: '127.0.0.1', port }), `http://127.0.0.1:${port}`, 'free again, also after the look');
});
