/** One daemon a state folder: two would both send the outbox. */
import Sqlite from 'better-sqlite3';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { SightlineError } from '../errors.js';

/**
 * Takes the folder for this process, until it is released or the process ends, however it ends: the lock is SQLite's own lock on a file.
 * @throws STATE_IN_USE when another daemon has it
 */
export function lockState(state_dir: string): { release(): void } {
  mkdirSync(state_dir, { recursive: true, mode: 0o700 });
  const lock = new Sqlite(path.join(state_dir, 'daemon.lock'), { timeout: 0 });
  try {
    lock.pragma('locking_mode = EXCLUSIVE');
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    throw new SightlineError('STATE_IN_USE', `state_dir: expected a folder that no other daemon uses, received ${state_dir}, which one does`, { cause: error });
  }
  return { release: () => lock.close() };
}
