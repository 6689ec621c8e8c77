/** What comes from outside, with any content: answers of the receiver, rows of the registry, model files, RTSP servers. No crash, no hang, no secret said. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import fc from 'fast-check';
import t from 'tap';
import { decodeModel, signature } from '../../models/onnx/codec.js';
import { chooseColumns } from '../../src/cameras/columns.js';
import { sealEnvelope } from '../../src/cameras/envelope.js';
import { camerasOf } from '../../src/cameras/rows.js';
import { loadCapture } from '../../src/capture/native.js';
import type { ProbeResult } from '../../src/capture/types.js';
import { classifyAnswer } from '../../src/delivery/classify.js';
import { pattern } from '../fixtures/capture.js';
import { longer, tried } from '../fixtures/fuzz.js';
import { inTime } from '../fixtures/late.js';
import { meanModel } from '../fixtures/tiny_onnx.js';

const SECRET = 'fuzzed-secret-value';
const BOUNDS = { runs: 400, limit_ms: 4_000 };
/** Far above the limits that the probe is given, so that only what hangs reaches it. */
const HANG_MS = 30_000;

t.test('answers of the receiver: delivered only where status is 200 and success is true', async (t) => {
  const body = fc.oneof(fc.string(), fc.json(), fc.record({ success: fc.anything() }).map((value) => JSON.stringify(value) ?? ''), fc.constant('{"success":true}'));
  await tried(t, {
    values: fc.tuple(fc.integer({ min: 100, max: 599 }), body), ...BOUNDS,
    holds([status, text]) {
      const { outcome } = classifyAnswer({ status, text });
      let success = false;
      try {
        success = (JSON.parse(text) as { success?: unknown } | null)?.success === true;
      } catch {
        // not JSON: no success
      }
      if ((outcome === 'delivered') !== (status === 200 && success)) throw new Error(`${status} ${text}: ${outcome}`);
    },
  });
  t.pass('nothing else');
});

t.test('rows of the registry: each a camera or a problem, whatever its cells hold', async (t) => {
  const key = Buffer.alloc(32, 7);
  const names = ['camera_id', 'camera_name', 'location', 'outlet_id', 'stream_url_encrypted', 'priority', 'online', 'cv_enabled', 'analysis_fps'];
  const columns = chooseColumns('camera_network', names.map((name) => ({ name, type: 'text', declared: 'text' })));
  const sealed = fc.string().map((text) => sealEnvelope(`rtsp://u:${SECRET}@h/${text}`, key, '{"camera_id":1}', 0));
  const torn = fc.tuple(sealed, fc.nat(200), fc.string()).map(([text, at, more]) => text.slice(0, at) + more + text.slice(at + 1));
  const cell = fc.oneof(fc.constant(null), fc.integer(), fc.double(), fc.string(), fc.boolean(), fc.date(), sealed, torn, fc.uint8Array().map((bytes) => Buffer.from(bytes)));
  await tried(t, {
    values: fc.array(fc.dictionary(fc.constantFrom(...names), cell), { maxLength: 6 }), ...BOUNDS,
    holds(rows) {
      const { cameras, problems } = camerasOf(rows, columns, { key, overlays: new Map(), at: '2026-01-01T00:00:00.000Z' });
      if (cameras.length > rows.length) throw new Error('more cameras than rows');
      if (new Set(cameras.map(({ camera_id }) => camera_id)).size !== cameras.length) throw new Error('an id twice');
      if (JSON.stringify(problems).includes(SECRET)) throw new Error('a problem shows a password');
    },
  });
  t.pass('no row stops the others');
});

t.test('model files: read, or refused with MODEL_FORMAT', async (t) => {
  const good = meanModel();
  const change = fc.array(fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 12 });
  const damaged = fc.tuple(change, fc.nat(good.length)).map(([changes, cut]) => {
    const bytes = Uint8Array.from(good);
    for (const [at, value] of changes) bytes[at] = value;
    return cut % 3 === 0 ? bytes.subarray(0, cut) : bytes;
  });
  await tried(t, {
    values: fc.oneof(damaged, fc.uint8Array({ maxLength: 300 })), ...BOUNDS,
    holds(bytes) {
      try {
        signature(decodeModel(bytes));
      } catch (error) {
        if ((error as { code?: string }).code !== 'MODEL_FORMAT') throw error;
      }
    },
  });
  t.pass('nothing but MODEL_FORMAT');
});

t.test('RTSP servers that answer anything: the probe ends with a reason', { timeout: longer(280_000) }, async (t) => {
  const addon = loadCapture();
  const sdp = 'v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=1\r\n';
  const answers = ['RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n', `RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: ${sdp.length}\r\nContent-Type: application/sdp\r\n\r\n${sdp}`, 'RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Digest realm="', '$\0\xff\xff', 'HTTP/1.1 200 OK\r\n\r\n'];
  const piece = fc.oneof(fc.constantFrom(...answers), fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes).toString('latin1')), fc.string());
  const reasons = new Set<string>();
  const answered = async (pieces: readonly string[], hang_up: boolean): Promise<ProbeResult> => {
    const server = createServer((socket) => {
      let next = 0;
      socket.on('error', () => undefined);
      socket.on('data', () => {
        const answer = pieces[next++];
        if (answer !== undefined) socket.write(Buffer.from(answer, 'latin1'));
        else if (hang_up) socket.destroy();
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      const probed = addon.probe(pattern({ kind: 'rtsp', url: `rtsp://u:${SECRET}@127.0.0.1:${port}/cam`, open_timeout_ms: 300, read_timeout_ms: 300 }));
      return await inTime('the probe', HANG_MS, probed);
    } finally {
      server.close();
    }
  };
  const done = await tried(t, {
    values: fc.tuple(fc.array(piece, { maxLength: 6 }), fc.boolean()), runs: 40, limit_ms: 15_000, plain: () => answered([], true),
    async holds([pieces, hang_up]) {
      const found = await answered(pieces, hang_up);
      if (found.ok || !found.reason.startsWith('CAPTURE_') || JSON.stringify(found).includes(SECRET)) throw new Error(JSON.stringify(found));
      reasons.add(found.reason);
    },
  });
  if (done !== undefined) t.ok(reasons.size >= (done.whole ? 2 : 1), [...reasons].join(' '));
  await addon.close();
});
