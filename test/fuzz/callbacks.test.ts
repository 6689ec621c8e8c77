/**
 * Answers of the receiver as bytes of a connection, over the real transport: whatever comes, a post ends in time as an answer or as a fault with a
 * code, none counts as delivered that the receiver did not get, and the next one on the same connection is none the worse.
 */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import fc from 'fast-check';
import t from 'tap';
import { classifyAnswer, classifyFault } from '../../src/delivery/classify.js';
import { systemClock } from '../../src/delivery/clock.js';
import { deliveryAgent, httpTransport, type PostResult } from '../../src/delivery/transport.js';
import { longer, tried } from '../fixtures/fuzz.js';
import { inTime, Late } from '../fixtures/late.js';

const SUCCESS = '{"success": true}';
const GOOD = `HTTP/1.1 200 OK\r\nContent-Length: ${SUCCESS.length}\r\n\r\n${SUCCESS}`;
const TIMEOUT_MS = 300;
/** Far above the time-out, so that only what hangs reaches it. */
const HANG_MS = 30_000;
/** Not connection_failed: every fault here is of a kind that has its own code. */
const CODES = ['timeout', 'connection_reset', 'bad_http', 'body_too_large'];
const ATTEMPTS = 3;

const piece = fc.oneof(
  fc.constantFrom(
    GOOD, SUCCESS, '{"success": false}', 'HTTP/1.1 200 OK\r\n', 'HTTP/1.1 302 Found\r\nLocation: file:///etc/hostname\r\n', 'HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 103 Early Hints\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n', 'HTTP/1.1 204 No Content\r\n', 'HTTP/1.0 200\r\n', 'HTTP/9.9 999\r\n', '\r\n', '\r\n\r\n',
    `Content-Length: ${SUCCESS.length}\r\n`, 'Content-Length: -1\r\n', 'Content-Length: 99999999999999999999\r\n', 'Content-Length: 3\r\nContent-Length: 4\r\n', 'Transfer-Encoding: chunked\r\n',
    `11\r\n${SUCCESS}\r\n0\r\n\r\n`, 'ffffffffffffffff\r\n', '0\r\n\r\n', 'Content-Encoding: gzip\r\n', 'Connection: close\r\n', `X: ${'x'.repeat(20_000)}\r\n`, ' '.repeat(70_000), '\0',
  ),
  fc.string({ maxLength: 40 }),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
);
const badAnswer = fc.record({ pieces: fc.array(piece, { maxLength: 7 }), then: fc.constantFrom('wait', 'close', 'reset') });

interface Receiver {
  url: string;
  /** Keys of the requests that came whole. */
  got: Set<string>;
  /** What the next request gets; then everything is answered well again. */
  next: { pieces: string[]; then: string } | undefined;
  close(): void;
}

async function openReceiver(): Promise<Receiver> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    let pending = '';
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    socket.on('data', (bytes) => {
      pending += bytes.toString('latin1');
      for (let head = pending.indexOf('\r\n\r\n'); head >= 0; head = pending.indexOf('\r\n\r\n')) {
        const end = head + 4 + Number(/^content-length: *(\d+)/im.exec(pending.slice(0, head))?.[1] ?? 0);
        if (pending.length < end) return;
        receiver.got.add(/^idempotency-key: *(\S+)/im.exec(pending.slice(0, head))?.[1] ?? '');
        pending = pending.slice(end);
        const answer = receiver.next ?? { pieces: [GOOD], then: 'wait' };
        receiver.next = undefined;
        for (const text of answer.pieces) socket.write(Buffer.from(text, 'latin1'));
        if (answer.then === 'close') socket.end();
        if (answer.then === 'reset') socket.resetAndDestroy();
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/cv-callback.php`, got: new Set(), next: undefined,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
  return receiver;
}

t.test('answers of the receiver, byte by byte', { timeout: longer(280_000) }, async (t) => {
  const receiver = await openReceiver();
  const agent = deliveryAgent(1, TIMEOUT_MS, false);
  const transport = httpTransport({ url: receiver.url, token: 'token', timeout_ms: TIMEOUT_MS, clock: systemClock(), dispatcher: agent });
  t.teardown(async () => {
    await agent.destroy();
    receiver.close();
  });
  const outcomes = new Map<string, number>();
  let serial = 0;
  const post = async (): Promise<{ delivered: boolean; result: PostResult }> => {
    const key = `key-${++serial}`;
    const result = await inTime('an end of the post', HANG_MS, transport.post('{"x": 1}', key, new AbortController().signal));
    const verdict = 'answer' in result ? classifyAnswer(result.answer) : classifyFault(result.fault);
    if ('fault' in result && !CODES.includes(result.fault)) throw new Error(`fault ${result.fault}`);
    const delivered = verdict.outcome === 'delivered';
    if (delivered && !receiver.got.has(key)) throw new Error('delivered, and the receiver never got it');
    const word = 'fault' in result ? result.fault : verdict.outcome;
    outcomes.set(word, (outcomes.get(word) ?? 0) + 1);
    return { delivered, result };
  };
  const delivers = async (): Promise<void> => {
    const end = Date.now() + HANG_MS;
    for (let attempt = 1; ; ) {
      const { delivered, result } = await post();
      if (delivered) return;
      // A good answer that comes too late is the machine's doing, as long as one comes at last.
      if (!('fault' in result && result.fault === 'timeout')) attempt++;
      if (attempt > ATTEMPTS) throw new Error(`the next posts suffer: ${JSON.stringify(result)}`);
      if (Date.now() > end) throw new Late(`not within ${HANG_MS} ms: a post that is delivered`);
    }
  };
  const done = await tried(t, {
    values: badAnswer, runs: 400, limit_ms: 6_000, plain: delivers,
    async holds(answer) {
      receiver.next = answer;
      const { delivered, result } = await post();
      if (delivered && !answer.pieces.join('').includes(SUCCESS)) throw new Error(`delivered by ${JSON.stringify(result)}`);
      receiver.next = undefined;
      await delivers();
    },
  });
  if (done !== undefined) t.ok(outcomes.size >= (done.whole ? 4 : 1), [...outcomes].map(([word, times]) => `${word} ${times}`).join(', '));
});
