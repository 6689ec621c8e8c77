import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { filesBelow, hashFiles, stampFits, writeStamp } from '../stamp.mjs';

const FOLDERS = ['src', 'models', 'bench', 'test'];
// What the pages share with Node (tests of it) is compiled here as well; src/web has a build of its own.
const isSource = (file) => file.endsWith('.ts');

function inputs(root) {
  const files = FOLDERS.flatMap((folder) => filesBelow(root, folder, isSource));
  return hashFiles(root, [...files, 'tsconfig.json', 'package-lock.json']);
}

/** TypeScript, type-checked. */
export const compile = {
  name: 'TypeScript',
  needed: ({ root }) => !stampFits(root, 'compile', inputs(root)),
  run: async ({ root, exec }) => {
    const made = inputs(root);
    removeOrphans(root);
    await exec(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json']);
    writeStamp(root, 'compile', made, filesBelow(root, 'dist', (file) => file.endsWith('.js')));
  },
};

/** What was compiled from a file that is gone would still be run. */
function removeOrphans(root) {
  for (const file of filesBelow(root, 'dist', (name) => /\.js(\.map)?$/.test(name))) {
    const source = path.relative('dist', file).replace(/\.js(\.map)?$/, '.ts');
    if (FOLDERS.includes(source.split(path.sep)[0]) && !existsSync(path.join(root, source))) rmSync(path.join(root, file));
  }
  // tsc believes its notes, not the folder: without them it writes everything again.
  if (filesBelow(root, 'dist', (name) => name.endsWith('.js')).length === 0) rmSync(path.join(root, 'dist/.tsbuildinfo'), { force: true });
}
