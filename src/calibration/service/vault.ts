/**
 * Seals what is stored of people (AES-256-GCM). The first key seals, every key opens, so keys are rotated by putting a new one in front and running the
 * re-sealing job. What is sealed is bound to its place: a row's text does not open in another row. Without keys everything is stored as it is.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { SightlineError } from '../../errors.js';

const IV_BYTES = 12;
const TAG_BYTES = 16;
const SEALED = /^sealed:v1:([A-Za-z0-9]{1,32}):([A-Za-z0-9+/]+={0,2})$/;

export class Vault {
  readonly #keys: ReadonlyMap<string, Buffer>;
  /** Id of the key that seals; null = nothing is sealed. */
  readonly active: string | null;

  constructor(keys: ReadonlyMap<string, Buffer>) {
    this.#keys = keys;
    this.active = keys.keys().next().value ?? null;
  }

  /** @param place where it will be stored, `table:column:id` */
  seal(plain: string | Buffer, place: string): string | null {
    const key = this.active === null ? undefined : this.#keys.get(this.active);
    if (key === undefined) return null;
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key, iv);
    cipher.setAAD(Buffer.from(place));
    const body = Buffer.concat([cipher.update(plain), cipher.final()]);
    return `sealed:v1:${this.active ?? ''}:${Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64')}`;
  }

  /** null: the text is not sealed. @throws CALIBRATION_KEY_UNKNOWN, also when it was changed or moved */
  open(text: string, place: string): Buffer | null {
    const [, id, body] = SEALED.exec(text) ?? [];
    if (id === undefined || body === undefined) return null;
    const key = this.#keys.get(id);
    if (key === undefined) throw new SightlineError('CALIBRATION_KEY_UNKNOWN', `${place}: sealed with key "${id}", which calibration.encryption_keys does not have`);
    const bytes = Buffer.from(body, 'base64');
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES));
    decipher.setAAD(Buffer.from(place));
    decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
    try {
      return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]);
    } catch (error) {
      throw new SightlineError('CALIBRATION_KEY_UNKNOWN', `${place}: key "${id}" does not open it: the key is another one, or the data was changed`, { cause: error });
    }
  }

  /** Is the text as this vault would store it now? */
  current(text: string): boolean {
    return (SEALED.exec(text)?.[1] ?? null) === this.active;
  }

  /** Id of the key that sealed the value of a column of any kind; null when it is plain. */
  static keyOf(stored: string | Buffer): string | null {
    return SEALED.exec(Vault.sealedText(stored) ?? '')?.[1] ?? null;
  }

  // -- by kind of column

  sealText(plain: string, place: string): string {
    return this.seal(plain, place) ?? plain;
  }
  openText(stored: string, place: string): string {
    return this.open(stored, place)?.toString('utf8') ?? stored;
  }
  /** A JSON column stays JSON. */
  sealJson(plain: string, place: string): string {
    const sealed = this.seal(plain, place);
    return sealed === null ? plain : JSON.stringify({ sealed });
  }
  openJson(stored: string, place: string): string {
    const sealed = sealedOf(stored);
    return sealed === null ? stored : (this.open(sealed, place)?.toString('utf8') ?? stored);
  }
  sealBytes(plain: Buffer, place: string): Buffer {
    const sealed = this.seal(plain, place);
    return sealed === null ? plain : Buffer.from(sealed);
  }
  openBytes(stored: Buffer, place: string): Buffer {
    if (stored.subarray(0, 7).toString('latin1') !== 'sealed:') return stored;
    return this.open(stored.toString('latin1'), place) ?? stored;
  }
  /** The sealed text in a column of any kind; null when it is plain. */
  static sealedText(stored: string | Buffer): string | null {
    const text = typeof stored === 'string' ? stored : stored.subarray(0, 7).toString('latin1') === 'sealed:' ? stored.toString('latin1') : '';
    return SEALED.test(text) ? text : sealedOf(text);
  }
}

function sealedOf(stored: string): string | null {
  if (!stored.startsWith('{') || !stored.slice(0, 16).includes('"sealed"')) return null;
  const value = (JSON.parse(stored) as { sealed?: unknown }).sealed;
  return typeof value === 'string' ? value : null;
}
