/** The state folder and what lies in it: made where it is missing. */
import { mkdirSync, statSync } from 'node:fs';
import path from 'node:path';

/**
 * Makes a folder for its owner only, and those above it that are missing. Not mkdir's own `recursive`: below /proc, and wherever else a file system answers
 * ENOENT for a folder whose parent is there, that one tries for ever.
 * @throws the file system's error: EACCES, EROFS, ENOTDIR, ENOENT …
 */
export function makeFolder(folder: string): void {
  if (isFolder(folder)) return;
  const above = path.dirname(folder);
  if (above !== folder) makeFolder(above);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    // Somebody else may have made it in between.
    if (!isFolder(folder)) throw error;
  }
}

function isFolder(folder: string): boolean {
  try {
    return statSync(folder).isDirectory();
  } catch {
    return false;
  }
}
