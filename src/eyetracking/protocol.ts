/** The messages of the eye-tracking protocol. Members and their order are those that existing clients know; what is ours comes behind them. */
import type { EyeFault, EyeReading } from './types.js';

export const SERVER_INFO = { version: '1.0.0', capabilities: ['eye_tracking', 'face_detection'] } as const;

export const NO_CAMERA_TEXT = 'Could not open camera - no camera available';
/** Of a value that is repeated in an error. */
const SHOWN_CHARACTERS = 100;

export type ClientMessage =
  | { type: 'start_tracking'; source: unknown }
  | { type: 'stop_tracking' }
  | { type: 'ping' }
  | { type: 'status' };

export type Parsed = { ok: true; message: ClientMessage } | { ok: false; fault: EyeFault };

const invalid = (message: string): Parsed => ({ ok: false, fault: { code: 'REQUEST_INVALID', message } });

/** Text and binary frames alike; members that are not known are left alone. */
export function parseMessage(data: Uint8Array): Parsed {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data));
  } catch {
    return invalid('Invalid JSON format');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return invalid(`Invalid message: expected a JSON object, received ${value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`}`);
  const { type, source } = value as { type?: unknown; source?: unknown };
  switch (type) {
    case 'start_tracking':
      return { ok: true, message: { type, source } };
    case 'stop_tracking':
    case 'ping':
    case 'status':
      return { ok: true, message: { type } };
    default:
      return invalid(`Unknown message type: ${shown(type)}`);
  }
}

/** As the first service, which is written in Python, spells it. */
function shown(value: unknown): string {
  if (value === undefined || value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}

const timestamp = (): string => new Date().toISOString();

export function connectionMessage(): string {
  return JSON.stringify({ type: 'connection', message: 'Eye tracking connected', timestamp: timestamp(), server_info: SERVER_INFO });
}

export function pongMessage(): string {
  return JSON.stringify({ type: 'pong', timestamp: timestamp() });
}

/** `is_tracking`: does this client get eye_data at the moment? `state` says more. */
export function statusMessage(status: { is_tracking: boolean; connected_clients: number; state: string; source: string | null }): string {
  const { is_tracking, connected_clients, state, source } = status;
  return JSON.stringify({ type: 'status', is_tracking, connected_clients, timestamp: timestamp(), state, source });
}

export function eyeDataMessage({ face_detected, eye_count, looking_away, confidence, face_count, reason }: EyeReading, source: string): string {
  return JSON.stringify({ type: 'eye_data', timestamp: timestamp(), face_detected, eye_count, looking_away, confidence, face_count, reason, source });
}

export function errorMessage({ code, message }: EyeFault): string {
  return JSON.stringify({ type: 'error', message, timestamp: timestamp(), code });
}
