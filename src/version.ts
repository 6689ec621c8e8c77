/** Sightline's version, from package.json. */
import { readFileSync } from 'node:fs';

/** Of the package this file was compiled in (dist/src/version.js). */
export function readVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  return version;
}
