import { filesBelow, hashFiles, stampFits, writeStamp } from '../stamp.mjs';

const CODE = ['cameras', 'compose', 'encode', 'media', 'scenes'].map((name) => `dist/src/demo/${name}.js`);

/** What the demo cameras show. The program itself knows which clips are up to date; the stamp saves asking it. */
export const clips = {
  name: 'demo clips',
  needed: ({ root }) => !stampFits(root, 'clips', hashFiles(root, CODE)),
  run: async ({ root, exec }) => {
    await exec(process.execPath, ['dist/src/demo/encode.js']);
    writeStamp(root, 'clips', hashFiles(root, CODE), filesBelow(root, 'build/demo', (file) => file.endsWith('.mkv')));
  },
};
