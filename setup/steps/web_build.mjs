import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { filesBelow, hashFiles, stampFits, writeStamp } from '../stamp.mjs';

function inputs(root) {
  return hashFiles(root, [...filesBelow(root, 'src/web'), 'setup/steps/web_build.mjs', 'package-lock.json']);
}

/** The pages: type-checked, built by Vite into build/web, and compressed once, so that the daemon never does it. */
export const webBuild = {
  name: 'web pages',
  needed: ({ root }) => !stampFits(root, 'web', inputs(root)),
  run: async ({ root, exec }) => {
    const made = inputs(root);
    await exec(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'src/web/tsconfig.json']);
    await exec(process.execPath, ['node_modules/vite/bin/vite.js', 'build', '--config', 'src/web/vite.config.ts']);
    for (const file of filesBelow(root, 'build/web', (name) => /\.(js|css|svg|html)$/.test(name))) {
      const bytes = readFileSync(path.join(root, file));
      writeFileSync(path.join(root, `${file}.br`), brotliCompressSync(bytes));
      writeFileSync(path.join(root, `${file}.gz`), gzipSync(bytes, { level: 9 }));
    }
    writeStamp(root, 'web', made, filesBelow(root, 'build/web'));
  },
};
