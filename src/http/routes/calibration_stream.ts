/**
 * Frames over a WebSocket. First a text message `{"type": "hello", session_id, candidate_id, token?}`, answered `{"type": "ready", ...}`; then binary messages: four
 * bytes with the length of a JSON head (big-endian), the head `{frame_index, target_index, target_position, timestamp?}`, and the picture file. Each is answered
 * with `{"type": "frame", ...}`, in their order. What is wrong is `{"type": "error", error: {code, message}}`; faults of the session close the socket with 4400 to 4499.
 */
import type { WebSocket } from '@fastify/websocket';
import type { TSchema } from '@sinclair/typebox';
import type { Caller } from '../../calibration/service/tokens.js';
import type { IncomingFrame } from '../../calibration/service/types.js';
import { problemsOf } from '../../config/problems.js';
import { SightlineError } from '../../errors.js';
import type { CalibrationAccess } from '../calibration/access.js';
import { ErrorSchema, StreamFrame, StreamHello } from '../calibration/schemas.js';
import type { Server } from '../typed_server.js';

/** Frames of one socket that are being looked at; the client is told to wait beyond it. */
const IN_FLIGHT_MAX = 30;
/** How long a socket may stay without a hello, and without any message. */
const HELLO_MS = 10_000;
const IDLE_MS = 120_000;
/** Unsent answers at which the client is taken for gone. */
const UNSENT_BYTES_MAX = 4 * 1024 * 1024;
const HEAD_BYTES_MAX = 4_096;

interface Stream {
  caller: Caller;
  session_id: string;
  candidate_id: string;
}

export function calibrationStreamRoute(app: Server, { service, caller }: CalibrationAccess, frame_bytes_max: number): void {
  app.route({
    method: 'GET',
    url: '/api/calibration/stream',
    schema: { summary: 'Frames as binary messages over a WebSocket (docs/CALIBRATION_SERVICE.md)', tags: ['calibration'], response: { 101: { description: 'switching to the WebSocket protocol' }, 401: ErrorSchema, 426: ErrorSchema, 503: ErrorSchema } },
    handler: async (_request, reply) => {
      const message = 'expected a WebSocket handshake, received a plain request';
      return reply.code(426).header('upgrade', 'websocket').send({ detail: message, error: { code: 'REQUEST_INVALID', message } });
    },
    wsHandler: (socket, request) => {
      new FrameStream(socket, frame_bytes_max, service, caller(request)).open();
    },
  });
}

class FrameStream {
  private stream: Stream | undefined;
  private in_flight = 0;
  private last: Promise<unknown> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly socket: WebSocket,
    private readonly frame_bytes_max: number,
    private readonly service: CalibrationAccess['service'],
    /** Of the handshake; a hello may bring another token, which browsers cannot put into a header. */
    private readonly caller: Caller,
  ) {}

  open(): void {
    this.wait(HELLO_MS);
    this.socket.on('message', (data: Buffer, binary: boolean) => {
      this.wait(IDLE_MS);
      // Heads are read in order; looking at the pictures overlaps.
      const done = binary ? this.frame(data) : this.hello(data);
      done.catch((error: unknown) => { this.refuse(error); });
    });
    this.socket.on('close', () => { clearTimeout(this.timer); });
    this.socket.on('error', () => { this.socket.terminate(); });
  }

  private async hello(data: Buffer): Promise<void> {
    const hello = parse(data, StreamHello, 'hello') as { session_id: string; candidate_id: string; token?: string };
    const { session_id, candidate_id, token } = hello;
    const caller = token === undefined ? this.caller : await this.service().caller(`Bearer ${token}`);
    const status = await (await this.service().sessions()).status(caller, session_id);
    if (!status.exists || status.candidate_id !== candidate_id) throw new SightlineError('CALIBRATION_SESSION_NOT_FOUND', 'session_id: expected a session of this candidate, received none');
    this.stream = { caller, session_id, candidate_id };
    this.send({ type: 'ready', session_id, status: status.status, frames: status.frames, recommended_fps: this.service().ping().recommended_fps });
  }

  private async frame(data: Buffer): Promise<void> {
    const { stream } = this;
    if (stream === undefined) throw new SightlineError('REQUEST_INVALID', 'hello: expected one before the first frame, received none');
    const frame = this.parseFrame(data);
    if (this.in_flight >= IN_FLIGHT_MAX) {
      const { frame_index, target_index } = frame;
      this.send({ type: 'frame', success: false, error: 'Too many frames at once, please send fewer', error_code: 'busy', frame_index, target_index, recommended_fps: this.service().ping().recommended_fps });
      return;
    }
    this.in_flight++;
    const before = this.last;
    const answered = this.service().frames(stream.caller, { ...stream, frames: [frame] }).finally(() => { this.in_flight--; });
    // Answers go out in the order of the frames, whichever is ready first.
    this.last = Promise.allSettled([before, answered]);
    const { answers, recommended_fps } = await answered;
    await before;
    this.send({ type: 'frame', ...answers[0], recommended_fps });
  }

  private parseFrame(data: Buffer): IncomingFrame {
    const length = data.length >= 4 ? data.readUInt32BE(0) : -1;
    if (length < 2 || length > HEAD_BYTES_MAX || 4 + length >= data.length) {
      throw new SightlineError('REQUEST_INVALID', `frame: expected four bytes with the length of a JSON head (2 to ${HEAD_BYTES_MAX}), the head and a picture, received ${data.length} bytes`);
    }
    if (data.length > this.frame_bytes_max) throw new SightlineError('REQUEST_TOO_LARGE', `frame: expected at most ${this.frame_bytes_max} bytes, received ${data.length}`);
    const { frame_index, target_index, target_position, timestamp } = parse(data.subarray(4, 4 + length), StreamFrame, 'frame') as Omit<IncomingFrame, 'image'>;
    return { frame_index, target_index, target_position, timestamp, image: new Uint8Array(data.subarray(4 + length)) };
  }

  private refuse(error: unknown): void {
    const known = error instanceof SightlineError ? error : new SightlineError('INTERNAL', 'an unexpected fault; the log has the cause');
    this.send({ type: 'error', error: { code: known.code, message: known.message } });
    if (!['REQUEST_INVALID', 'RATE_LIMITED', 'CALIBRATION_STORE_FAILED'].includes(known.code)) this.socket.close(4000 + Math.min(499, known.status), known.code);
  }

  private send(message: unknown): void {
    if (this.socket.readyState !== this.socket.OPEN) return;
    if (this.socket.bufferedAmount > UNSENT_BYTES_MAX) this.socket.terminate();
    else this.socket.send(JSON.stringify(message));
  }

  private wait(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { this.socket.close(4408, 'IDLE'); }, ms);
    this.timer.unref();
  }
}

function parse(data: Buffer, schema: TSchema, what: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(data.toString('utf8'));
  } catch {
    throw new SightlineError('REQUEST_INVALID', `${what}: expected JSON, received text that does not parse`);
  }
  const problems = problemsOf(schema, value);
  if (problems.length > 0) throw new SightlineError('REQUEST_INVALID', problems.join('; '));
  return value;
}
