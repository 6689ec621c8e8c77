/** Where pictures, features and manifests are kept: a bucket, or a folder of this machine with the same keys. */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
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
  /** Is the place there and writable by us? */
  check(signal?: AbortSignal): Promise<void>;
  close(): void;
}

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

function failed(verb: string, file: string, error: unknown): SightlineError {
  return new SightlineError('PTZ_STORAGE_FAILED', `${file}: cannot ${verb}: ${codeOf(error)}`, { cause: error });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
