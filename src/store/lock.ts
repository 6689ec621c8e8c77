/** One daemon a state folder, since two would both send the outbox; and one driver a PTZ camera. */
import Sqlite from 'better-sqlite3';
import path from 'node:path';
import { SightlineError } from '../errors.js';
import { makeFolder } from './folder.js';

const WORDS: Record<string, string> = {
  EACCES: 'this user may not write there', EPERM: 'this user may not write there', EROFS: 'it lies on a read-only file system', ENOTDIR: 'it, or a part of it, is a file', EEXIST: 'it, or a part of it, is a file', ENOENT: 'it cannot be made there',
  ENOSPC: 'no space is left there', SQLITE_READONLY: 'this user may not write there', SQLITE_CANTOPEN: 'this user may not write there', SQLITE_FULL: 'no space is left there',
};

/**
 * Takes the folder for this process, until it is released or the process ends, however it ends: the lock is SQLite's own lock on a file.
 * @throws STATE_IN_USE when another daemon has it, STATE_UNUSABLE when it cannot be made or written
 */
export function lockState(state_dir: string): { release(): void } {
  return lockFile(state_dir, 'daemon', (cause) => new SightlineError('STATE_IN_USE', `state_dir: expected a folder that no other daemon uses, received ${state_dir}, which one does`, { cause }));
}

/**
 * Takes a PTZ camera for this process: two that drive it would each photograph where the other one sends it.
 * @throws PTZ_BUSY when another process of this machine has it, STATE_UNUSABLE
 */
export function lockCamera(state_dir: string, device: string): { release(): void } {
  return lockFile(state_dir, `ptz-${encodeURIComponent(device)}`, (cause) => new SightlineError('PTZ_BUSY', `${device}: expected a camera that no other command drives, one does; try again when it has ended`, { cause }));
}

function lockFile(state_dir: string, name: string, taken: (cause: unknown) => SightlineError): { release(): void } {
  let lock: Sqlite.Database | undefined;
  try {
    makeFolder(state_dir);
    lock = new Sqlite(path.join(state_dir, `${name}.lock`), { timeout: 0 });
    lock.pragma('locking_mode = EXCLUSIVE');
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock?.close();
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (/^SQLITE_(BUSY|LOCKED)/.test(code)) throw taken(error);
    throw new SightlineError('STATE_UNUSABLE', `state_dir: expected a folder that can be written, received ${state_dir}: ${WORDS[code] ?? code} (STATE_DIR names another)`, { cause: error });
  }
  return { release: () => { lock.close(); } };
}
