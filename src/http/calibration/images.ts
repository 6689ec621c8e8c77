/** Picture files as clients send them in JSON. */
import { SightlineError } from '../../errors.js';

/** Decodes base64, with or without `data:...;base64,` in front. @throws REQUEST_INVALID naming the field */
export function imageOf(text: string, field: string): Uint8Array {
  const comma = text.startsWith('data:') ? text.indexOf(',') : -1;
  if (text.startsWith('data:') && (comma < 0 || comma > 100 || !text.slice(0, comma).endsWith(';base64'))) {
    throw new SightlineError('REQUEST_INVALID', `${field}: expected data:image/jpeg;base64, and base64 behind it, received another data URL`);
  }
  const encoded = comma < 0 ? text : text.slice(comma + 1);
  const bytes = Buffer.from(encoded, 'base64');
  // Node skips what is no base64: a text that was longer than its bytes need held something else.
  if (bytes.length === 0 || bytes.length < Math.floor((encoded.trimEnd().replace(/=+$/, '').length * 3) / 4)) {
    throw new SightlineError('REQUEST_INVALID', `${field}: expected base64, received text with other characters`);
  }
  // Its own memory: what Buffer gives for small texts is a piece of a shared pool.
  return new Uint8Array(bytes);
}
