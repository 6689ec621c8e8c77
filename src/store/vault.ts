/**
 * What is kept encrypted at rest: AES-256-GCM under one key, bound to what it is for. The key comes from the configuration, else from a
 * file in the state folder that only its owner reads, made at the first start.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { chmodSync, closeSync, existsSync, fsyncSync, linkSync, openSync, readFileSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { SightlineError } from '../errors.js';
import { makeFolder } from './folder.js';

export const KEY_FILE = 'state.key';
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const VERSION = 1;
/** What is unpacked at most: a fault must not fill the memory. */
const PLAIN_MAX = 16 * 1024 * 1024;

export interface Vault {
  /** JSON of the value, compressed and encrypted. `purpose` names what and whose it is; it is not kept inside. */
  seal(value: unknown, purpose: string): Buffer;
  /** undefined when it is damaged, of another key, or was sealed for another purpose. */
  open(box: Uint8Array, purpose: string): unknown;
}

/** @param key 32 bytes */
export function createVault(key: Buffer): Vault {
  if (key.length !== KEY_BYTES) throw new RangeError(`expected a key of ${KEY_BYTES} bytes, received ${key.length}`);
  return {
    seal(value, purpose) {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES });
      cipher.setAAD(Buffer.from(purpose, 'utf8'));
      const text = Buffer.concat([cipher.update(deflateRawSync(JSON.stringify(value))), cipher.final()]);
      return Buffer.concat([Buffer.of(VERSION), iv, cipher.getAuthTag(), text]);
    },
    open(box, purpose) {
      const bytes = Buffer.from(box);
      if (bytes[0] !== VERSION || bytes.length <= 1 + IV_BYTES + TAG_BYTES) return undefined;
      try {
        const cipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(1, 1 + IV_BYTES), { authTagLength: TAG_BYTES });
        cipher.setAAD(Buffer.from(purpose, 'utf8'));
        cipher.setAuthTag(bytes.subarray(1 + IV_BYTES, 1 + IV_BYTES + TAG_BYTES));
        const packed = Buffer.concat([cipher.update(bytes.subarray(1 + IV_BYTES + TAG_BYTES)), cipher.final()]);
        return JSON.parse(inflateRawSync(packed, { maxOutputLength: PLAIN_MAX }).toString('utf8')) as unknown;
      } catch {
        return undefined;
      }
    },
  };
}

/**
 * The key of `STATE_DIR/state.key`, made with mode 0600 when it is missing.
 * @throws STATE_KEY when the file is not 32 bytes or others may read it
 */
export function stateKey(state_dir: string): Buffer {
  const file = join(state_dir, KEY_FILE);
  makeFolder(state_dir);
  if (!existsSync(file)) make(file);
  const mode = statSync(file).mode & 0o777;
  if ((mode & 0o077) !== 0) throw new SightlineError('STATE_KEY', `${file}: expected mode 600, received ${mode.toString(8)}: others may have read the key; "chmod 600" it if you are sure that nobody has`);
  const key = readFileSync(file);
  if (key.length !== KEY_BYTES) throw new SightlineError('STATE_KEY', `${file}: expected ${KEY_BYTES} bytes, received ${key.length}`);
  return key;
}

/** Whole or not at all, and never over one that another process has just made. */
function make(file: string): void {
  const draft = `${file}.${process.pid}.new`;
  const handle = openSync(draft, 'wx', 0o600);
  try {
    writeSync(handle, randomBytes(KEY_BYTES));
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  chmodSync(draft, 0o600);
  try {
    linkSync(draft, file);
  } catch (error) {
    if (!existsSync(file)) throw error;
  } finally {
    unlinkSync(draft);
  }
}
