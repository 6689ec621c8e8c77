import { StepError } from '../run.mjs';
import { filesBelow, hashFiles, stampFits, writeStamp } from '../stamp.mjs';

const EXPECTED = ['capture.node', 'geometry.node', 'service.node', 'vision.node', 'sightline-rtsp-server'];

function inputs(root) {
  const sources = filesBelow(root, 'native', (file) => !file.startsWith('native/test/') && !file.endsWith('.md'));
  return hashFiles(root, [...sources, 'setup/native.mjs'], `${process.versions.modules} ${process.arch}`);
}

/** The addons and the RTSP server, through cmake-js; it compiles only what has changed. */
export const nativeBuild = {
  name: 'native build',
  needed: ({ root }) => !stampFits(root, 'native', inputs(root)),
  run: async ({ root, exec }) => {
    const made = inputs(root);
    await exec(process.execPath, ['setup/native.mjs', '--rtsp-server']);
    const outputs = filesBelow(root, 'build/native/bin');
    const absent = EXPECTED.filter((name) => !outputs.includes(`build/native/bin/${name}`));
    if (absent.length > 0) throw new StepError(`expected ${absent.join(' and ')} in build/native/bin after the build, found nothing`);
    writeStamp(root, 'native', made, outputs);
  },
  remedy: 'After an upgrade of the compiler or of libraries, "rm -r build/native" makes it start anew.',
};
