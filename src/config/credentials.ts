/**
 * Credentials of a service manager (systemd's LoadCredential): files in a folder of which only this process can read. A file that is named like
 * an environment variable of the configuration stands for it; a prefix `sightline_`, which systemd makes of a whole folder, is left out.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { SightlineError } from '../errors.js';

const PREFIX = 'sightline_';
const NAME = /^[A-Z][A-Z0-9_]{1,63}$/;
const BYTES_MAX = 8 * 1024;

/** The environment with the credentials in it. A variable that is set and a credential of its name have to agree. Errors: CONFIG_INVALID. */
export function withCredentials(env: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string | undefined>> {
  const folder = env.CREDENTIALS_DIRECTORY ?? '';
  if (folder === '') return env;
  const found: Record<string, string> = {};
  for (const file of list(folder)) {
    const name = file.startsWith(PREFIX) ? file.slice(PREFIX.length) : file;
    if (!NAME.test(name)) continue; // systemd may hand over others
    const value = read(path.join(folder, file), name);
    const given = env[name] ?? found[name] ?? '';
    if (given !== '' && given !== value) throw new SightlineError('CONFIG_INVALID', `${name}: expected one value, received another in the environment than in the credentials`);
    if (value !== '') found[name] = value;
  }
  return { ...env, ...found };
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    throw new SightlineError('CONFIG_INVALID', 'CREDENTIALS_DIRECTORY: expected a readable folder', { cause: error });
  }
}

/** The text without the line break that editors put at its end. */
function read(file: string, name: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new SightlineError('CONFIG_INVALID', `credential ${name}: expected a readable file`, { cause: error });
  }
  if (bytes.length > BYTES_MAX) throw new SightlineError('CONFIG_INVALID', `credential ${name}: expected at most ${BYTES_MAX} bytes, received ${bytes.length}`);
  return bytes.toString('utf8').replace(/\r?\n$/, '');
}
