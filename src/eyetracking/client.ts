/** One client: its messages are answered at any time, also while it tracks, and what it wants is its own matter. */
import { SightlineError } from '../errors.js';
import { connectionMessage, errorMessage, parseMessage, pongMessage, statusMessage, type ClientMessage } from './protocol.js';
import type { EyeSocket, TrackerListener } from './types.js';
import type { Tracker } from './tracker.js';

export interface ClientOptions {
  socket: EyeSocket;
  /** How many are connected. */
  clients(): number;
  /** The tracker of what a start_tracking message names. Errors: EYE_SOURCE, CAMERA_NOT_FOUND, EYE_LIMIT. */
  trackerOf(source: unknown): { tracker: Tracker; source: string };
  on: { skipped(reason: string): void; refused(reason: string): void; fault(error: unknown): void };
}

/** A client that has not taken so many bytes yet gets no further eye_data: the next one will be newer. */
const SEND_LIMIT_BYTES = 32 * 1024;
/** Of messages that must be sent; beyond it the client is gone or means no good. */
const CLOSE_LIMIT_BYTES = 1024 * 1024;
/** Messages a client may send at once, and a second. */
const BURST = 200;
const RATE = 50;

export class EyeClient {
  readonly #options: ClientOptions;
  readonly #listener: TrackerListener;
  #following: { tracker: Tracker; source: string } | undefined;
  #tokens = BURST;
  #tokens_at_ms = performance.now();
  /** Set by a pong, cleared with each ping. */
  alive = true;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#listener = {
      reading: (text) => { this.#reading(text); },
      fault: (fault) => { this.#send(errorMessage(fault)); },
    };
    const { socket } = options;
    socket.on('message', (data) => { this.#hear(data); });
    socket.on('pong', () => { this.alive = true; });
    this.#send(connectionMessage());
  }

  /** Leaves its tracker; the socket is the caller's. */
  leave(): void {
    this.#following?.tracker.remove(this.#listener);
    this.#following = undefined;
  }

  #hear(data: Uint8Array): void {
    if (!this.#mayAsk()) {
      this.#options.on.refused('too_many_messages');
      this.#options.socket.close(1008, 'Too many messages');
      return;
    }
    const parsed = parseMessage(data);
    if (!parsed.ok) return this.#send(errorMessage(parsed.fault));
    try {
      this.#obey(parsed.message);
    } catch (error) {
      if (error instanceof SightlineError) return this.#send(errorMessage(error));
      this.#options.on.fault(error);
      this.#send(errorMessage({ code: 'INTERNAL', message: 'Internal server error: the log has the cause' }));
    }
  }

  #obey(message: ClientMessage): void {
    switch (message.type) {
      case 'ping': return this.#send(pongMessage());
      case 'status': return this.#send(this.#status());
      case 'stop_tracking': return this.leave();
      case 'start_tracking': return this.#start(message.source);
    }
  }

  #start(wanted: unknown): void {
    const next = this.#options.trackerOf(wanted);
    if (next.tracker === this.#following?.tracker) return;
    // First the new one: a client that changes its source and back must not end what others could share.
    const before = this.#following;
    this.#following = next;
    before?.tracker.remove(this.#listener);
    next.tracker.add(this.#listener);
  }

  #status(): string {
    const state = this.#following?.tracker.state ?? 'idle';
    return statusMessage({ is_tracking: state === 'tracking', connected_clients: this.#options.clients(), state, source: this.#following?.source ?? null });
  }

  #reading(text: string): void {
    if (this.#options.socket.bufferedAmount > SEND_LIMIT_BYTES) return this.#options.on.skipped('slow_client');
    this.#send(text);
  }

  #send(text: string): void {
    const { socket, on } = this.#options;
    if (socket.bufferedAmount > CLOSE_LIMIT_BYTES) {
      on.refused('does_not_read');
      socket.terminate();
      return;
    }
    socket.send(text);
  }

  #mayAsk(): boolean {
    const now = performance.now();
    this.#tokens = Math.min(BURST, this.#tokens + ((now - this.#tokens_at_ms) / 1000) * RATE);
    this.#tokens_at_ms = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
