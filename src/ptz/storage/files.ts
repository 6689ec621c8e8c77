/** Where pictures, features and manifests are kept: a bucket, or a folder of this machine with the same keys. */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, readdir, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { SightlineError } from '../../errors.js';

export interface FileStore {
  /** `s3://bucket/key` or a path: what `files_location` says. */
  location(key: string): string;
  put(key: string, body: Buffer, content_type: string, signal?: AbortSignal): Promise<void>;
  /** undefined = there is none. */
  get(key: string, signal?: AbortSignal): Promise<Buffer | undefined>;
  /** All keys that begin with the prefix, sorted. */
  list(prefix: string, signal?: AbortSignal): Promise<string[]>;
  remove(keys: readonly string[], signal?: AbortSignal): Promise<void>;
  /** Removes what processes that were killed left half-written under a folder. */
  clean(folder: string, signal?: AbortSignal): Promise<void>;
  /** Is the place there and writable by us? */
  check(signal?: AbortSignal): Promise<void>;
  close(): void;
}

/** Writing a file takes seconds: one that is this old and unfinished has lost its writer. */
const ABANDONED_MS = 3_600_000;

/** Files under a folder, written whole or not at all. */
export function localFiles(root: string): FileStore {
  const at = (key: string): string => {
    const file = path.resolve(root, key);
    if (file !== root && !file.startsWith(root + path.sep)) throw new SightlineError('PTZ_STORAGE_FAILED', 'file: expected a key inside the folder');
    return file;
  };
  return {
    location: at,
    async put(key, body) {
      const file = at(key);
      const partial = `${file}.${randomUUID().slice(0, 8)}.part`;
      try {
        await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
        await writeFile(partial, body, { mode: 0o600, flush: true });
        await rename(partial, file);
      } catch (error) {
        await rm(partial, { force: true });
        throw failed('write', file, error);
      }
    },
    async get(key) {
      try {
        return await readFile(at(key));
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return undefined;
        throw failed('read', at(key), error);
      }
    },
    async list(prefix) {
      const folder = at(prefix.slice(0, prefix.lastIndexOf('/') + 1));
      try {
        const entries = await readdir(folder, { recursive: true, withFileTypes: true });
        const keys = entries.filter((entry) => entry.isFile() && !entry.name.endsWith('.part')).map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)));
        return keys.filter((key) => key.startsWith(prefix)).sort();
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return [];
        throw failed('list', folder, error);
      }
    },
    async remove(keys) {
      for (const key of keys) await rm(at(key), { force: true });
      // Folders that this emptied; one in which somebody has put a file since stays.
      const folders = new Set(keys.map((key) => path.dirname(at(key))));
      for (const folder of folders) for (let one = folder; one !== root && (await gone(one)); ) one = path.dirname(one);
    },
    async clean(folder) {
      try {
        const entries = await readdir(at(folder), { recursive: true, withFileTypes: true });
        for (const { name, parentPath } of entries.filter((entry) => entry.isFile() && entry.name.endsWith('.part'))) {
          const file = path.join(parentPath, name);
          const { mtimeMs } = await stat(file);
          if (Date.now() - mtimeMs > ABANDONED_MS) await rm(file, { force: true });
        }
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw failed('clean', at(folder), error);
      }
    },
    async check() {
      try {
        await mkdir(root, { recursive: true, mode: 0o700 });
        const probe = path.join(root, `.probe-${randomUUID().slice(0, 8)}`);
        await writeFile(probe, '');
        await rm(probe);
      } catch (error) {
        throw failed('write', root, error);
      }
    },
    close: () => undefined,
  };
}

/** Removes an empty folder; false where it is not empty. */
async function gone(folder: string): Promise<boolean> {
  try {
    await rmdir(folder);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOTEMPTY' || codeOf(error) === 'EEXIST') return false;
    if (codeOf(error) === 'ENOENT') return true;
    throw failed('remove', folder, error);
  }
}

function failed(verb: string, file: string, error: unknown): SightlineError {
  return new SightlineError('PTZ_STORAGE_FAILED', `${file}: cannot ${verb}: ${codeOf(error)}`, { cause: error });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
