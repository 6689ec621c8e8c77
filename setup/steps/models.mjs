import { existsSync } from 'node:fs';
import path from 'node:path';
import { filesBelow, hashFiles, stampFits, writeStamp } from '../stamp.mjs';

const BUILDERS = ['dist/models/build.js', 'dist/models/anomaly/build.js'];

function inputs(root) {
  const code = filesBelow(root, 'dist/models', (file) => file.endsWith('.js'));
  return hashFiles(root, [...code, 'models/manifest.json', 'node_modules/@vladmandic/human/package.json']);
}

/** The default models, converted from those inside an npm package. */
export const models = {
  name: 'default models',
  needed: ({ root }) => !stampFits(root, 'models', inputs(root)),
  run: async ({ root, exec }) => {
    for (const builder of BUILDERS) {
      if (existsSync(path.join(root, builder))) await exec(process.execPath, [builder]);
    }
    writeStamp(root, 'models', inputs(root), filesBelow(root, 'models/weights'));
  },
};
