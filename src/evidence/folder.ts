/** Evidence files on the disk: written whole, readable by their owner only, forgotten by age and by size, the oldest first. */
import { mkdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SightlineError } from '../errors.js';
import { isEvidencePath } from './paths.js';
import type { EvidenceRepository } from './repository.js';

/** Files looked at in one step of forgetting. */
const STEP = 200;

export interface EvidenceFolder {
  /** Writes a file of that name. @throws EVIDENCE_WRITE_FAILED */
  write(path: string, data: Uint8Array, created_ms: number): Promise<void>;
  /** undefined when it has been forgotten. */
  read(path: string): Promise<Buffer | undefined>;
  /** Forgets what is older than `before_ms`, and the oldest beyond `bytes_max`. @returns how many */
  prune(before_ms: number, bytes_max: number): Promise<number>;
}

export function evidenceFolder(root: string, repository: EvidenceRepository): EvidenceFolder {
  const place = (path: string): string => {
    if (!isEvidencePath(path)) throw new SightlineError('EVIDENCE_WRITE_FAILED', 'evidence: expected a name that was made here');
    return join(root, path);
  };
  return {
    async write(path, data, created_ms) {
      const file = place(path);
      await repository.addFile(path, data.byteLength, created_ms);
      try {
        await mkdir(dirname(file), { recursive: true, mode: 0o700 });
        await writeFile(`${file}.new`, data, { mode: 0o600 });
        await rename(`${file}.new`, file);
      } catch (error) {
        await rm(`${file}.new`, { force: true }).catch(() => undefined);
        await repository.forgetFile(path).catch(() => undefined);
        throw new SightlineError('EVIDENCE_WRITE_FAILED', `evidence: ${error instanceof Error && 'code' in error ? String(error.code) : 'the file could not be written'}`, { cause: error });
      }
    },
    async read(path) {
      return isEvidencePath(path) ? readFile(join(root, path)).catch(() => undefined) : undefined;
    },
    async prune(before_ms, bytes_max) {
      let { bytes } = await repository.files();
      let gone = 0;
      for (;;) {
        const old = (await repository.oldest(STEP)).filter(({ created_ms }, index, all) => created_ms < before_ms || bytes > bytes_max + all.slice(0, index).reduce((sum, file) => sum + file.bytes, 0));
        if (old.length === 0) return gone;
        for (const file of old) {
          await rm(join(root, file.path), { force: true });
          await repository.forgetFile(file.path);
          // Empty folders of a camera and of a day go; others refuse.
          const folder = dirname(join(root, file.path));
          await rmdir(folder).then(() => rmdir(dirname(folder)), () => undefined).catch(() => undefined);
          bytes -= file.bytes;
          gone += 1;
        }
      }
    },
  };
}
