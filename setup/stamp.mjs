// Stamps: what a step was made from, so that the next run knows whether to make it again. Contents, not times: a checkout sets times.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** sha256 over names and contents of the files, and over `more`. */
export function hashFiles(root, files, more = '') {
  const hash = createHash('sha256').update(more);
  for (const file of [...files].sort()) hash.update(`\0${file}\0`).update(readFileSync(path.join(root, file)));
  return hash.digest('hex');
}

/** Files below `folder` (relative to `root`) whose name fits; empty when there is no such folder. */
export function filesBelow(root, folder, fits = () => true) {
  let entries;
  try {
    entries = readdirSync(path.join(root, folder), { withFileTypes: true });
  } catch {
    return [];
  }
  return entries.flatMap((entry) => {
    const name = path.join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' || entry.name === 'build' ? [] : filesBelow(root, name, fits);
    return entry.isFile() && fits(name) ? [name] : [];
  });
}

const stampFile = (root, name) => path.join(root, 'build/setup', `${name}.stamp.json`);

/** True when the step was last made from the same inputs and what it made is still there, with the same sizes. */
export function stampFits(root, name, inputs) {
  try {
    const stamp = JSON.parse(readFileSync(stampFile(root, name), 'utf8'));
    return stamp.inputs === inputs && Object.entries(stamp.outputs).every(([file, bytes]) => statSync(path.join(root, file)).size === bytes);
  } catch {
    return false;
  }
}

export function writeStamp(root, name, inputs, outputs) {
  const sizes = Object.fromEntries(outputs.map((file) => [file, statSync(path.join(root, file)).size]));
  writeAtomically(stampFile(root, name), JSON.stringify({ inputs, outputs: sizes }, null, 1));
}

export function writeAtomically(file, text) {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(`${file}.${process.pid}.part`, text);
  renameSync(`${file}.${process.pid}.part`, file);
}
