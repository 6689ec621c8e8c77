/**
 * Encrypted stream URLs as the PHP side stores them: a JSON object with the URL under a data key (AES-256-GCM, with an AAD) and the data key
 * under the master key (without). What is decrypted stays in memory. Both tags must be whole: PHP takes shorter ones, we don't.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';

const Base64 = Type.String({ maxLength: 16_384 });
const EnvelopeSchema = Type.Object({ encrypted_data: Base64, iv: Base64, tag: Base64, encrypted_dek: Base64, dek_iv: Base64, dek_tag: Base64 });

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
/** A URL of 4096 bytes takes about 6 KiB. */
const TEXT_MAX = 64 * 1024;

/** What the PHP page writes back into the column when it could not read it: the URL is lost. */
export const FAILURE_TEXT = '[ENCRYPTED - Decryption Failed]';

/** Ids of a row that may have been part of the AAD. */
export interface RowIds {
  camera_id: number | string;
  outlet_id: number | string | null;
}

/** The AADs that the PHP side is known to write, in the order of likelihood. */
export function possibleAads({ camera_id, outlet_id }: RowIds): string[] {
  const outlet = outlet_id === null ? [] : forms('outlet_id', outlet_id);
  return [...new Set([...outlet, ...forms('camera_id', camera_id), '{"outlet_id":0}', ''])];
}

/** As text and, where it is one, as a number: PHP types it as it came. */
function forms(name: string, id: number | string): string[] {
  const text = phpJson({ [name]: String(id) });
  return /^-?(0|[1-9]\d{0,15})$/.test(String(id)) ? [text, `{"${name}":${String(id)}}`] : [text];
}

/** `json_encode` with its default flags: slashes and everything beyond ASCII are escaped. */
export function phpJson(value: unknown): string {
  return JSON.stringify(value).replaceAll('/', '\\/').replace(/[\u007f-\uffff]/g, (unit) => (unit === '\u007f' ? unit : `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`));
}

export function isEnvelope(text: string): boolean {
  return text.trimStart().startsWith('{');
}

/** The URL, or undefined where no AAD opens it: another key, another row's text, or damage; which of them can't be told. */
export function openEnvelope(text: string, key: Buffer, aads: readonly string[]): string | undefined {
  const envelope = parse(text);
  if (envelope === undefined) return undefined;
  const data_key = decrypt(key, envelope.dek_iv, envelope.encrypted_dek, envelope.dek_tag, '');
  if (data_key?.length !== KEY_BYTES) return undefined;
  try {
    for (const aad of aads) {
      const url = decrypt(data_key, envelope.iv, envelope.encrypted_data, envelope.tag, aad);
      if (url !== undefined) return url.toString('utf8');
    }
    return undefined;
  } finally {
    data_key.fill(0);
  }
}

/** The same form, readable by the PHP side with that AAD. `now_s` is Unix time. */
export function sealEnvelope(url: string, key: Buffer, aad: string, now_s: number): string {
  const data_key = randomBytes(KEY_BYTES);
  const data = encrypt(data_key, Buffer.from(url, 'utf8'), aad);
  const dek = encrypt(key, data_key, '');
  data_key.fill(0);
  return phpJson({
    encrypted_data: data.text, iv: data.iv, tag: data.tag, encrypted_dek: dek.text, dek_iv: dek.iv, dek_tag: dek.tag,
    key_version: keyVersion(key), cipher_method: CIPHER, encrypted_at: Math.floor(now_s),
  });
}

/** The first eight hex digits of the key's SHA-256: tells keys apart, says nothing of them. */
export function keyVersion(key: Buffer): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 8);
}

interface Envelope {
  encrypted_data: Buffer;
  iv: Buffer;
  tag: Buffer;
  encrypted_dek: Buffer;
  dek_iv: Buffer;
  dek_tag: Buffer;
}

function parse(text: string): Envelope | undefined {
  if (text.length > TEXT_MAX) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Value.Check(EnvelopeSchema, value)) return undefined;
  const members = Object.entries(value).filter(([name]) => name in EnvelopeSchema.properties).map(([name, base64]) => [name, bytesOf(base64)] as const);
  if (members.some(([, bytes]) => bytes === undefined)) return undefined;
  return Object.fromEntries(members) as unknown as Envelope;
}

/** PHP reads base64 with line breaks and without padding, and so do we: the tags vouch for what comes out. */
function bytesOf(base64: string): Buffer | undefined {
  const compact = base64.replace(/\s/g, '');
  return /^[A-Za-z0-9+/]*={0,2}$/.test(compact) ? Buffer.from(compact, 'base64') : undefined;
}

function decrypt(key: Buffer, iv: Buffer, text: Buffer, tag: Buffer, aad: string): Buffer | undefined {
  if (iv.length !== IV_BYTES || tag.length !== TAG_BYTES) return undefined;
  try {
    const cipher = createDecipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES });
    cipher.setAAD(Buffer.from(aad, 'utf8'));
    cipher.setAuthTag(tag);
    return Buffer.concat([cipher.update(text), cipher.final()]);
  } catch {
    return undefined;
  }
}

function encrypt(key: Buffer, plain: Buffer, aad: string): { text: string; iv: string; tag: string } {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(aad, 'utf8'));
  const text = Buffer.concat([cipher.update(plain), cipher.final()]);
  return { text: text.toString('base64'), iv: iv.toString('base64'), tag: cipher.getAuthTag().toString('base64') };
}
