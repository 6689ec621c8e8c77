/**
 * The rows of the camera table as they were last read, kept over a restart for a database that is away: encrypted as a whole, with URLs as the
 * table has them, never decrypted ones.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Vault } from '../store/vault.js';
import { MEANINGS, type Columns } from './columns.js';
import type { Row } from './database.js';

const FILE = 'registry.known';
const PURPOSE = 'camera registry';

export interface KnownRows {
  rows: Row[];
  columns: Columns;
  /** ISO 8601, UTC. */
  read_at: string;
}

export interface KnownRowsFile {
  /** undefined when there is none, or it can't be read. */
  load(): Promise<KnownRows | undefined>;
  save(known: KnownRows): Promise<void>;
}

export function knownRowsFile(state_dir: string, vault: Vault): KnownRowsFile {
  const file = join(state_dir, FILE);
  return {
    async load() {
      const box = await readFile(file).catch(() => undefined);
      const value = box === undefined ? undefined : (vault.open(box, PURPOSE) as Partial<KnownRows> | undefined);
      return value !== undefined && Array.isArray(value.rows) && typeof value.columns === 'object' && typeof value.read_at === 'string' ? (value as KnownRows) : undefined;
    },
    async save({ rows, columns, read_at }) {
      const needed = rows.map((row) => Object.fromEntries(MEANINGS.filter((meaning) => columns[meaning] !== undefined).map((meaning) => [meaning, row[meaning] ?? null])));
      await writeFile(`${file}.new`, vault.seal({ rows: needed, columns, read_at }, PURPOSE), { mode: 0o600 });
      await rename(`${file}.new`, file);
    },
  };
}
