// Builds the native addons (and with --rtsp-server / --tests what the demo and the tests need) through cmake-js, into build/native;
// addons land in build/native/bin. native/package.json names the Node-API version, so cmake-js uses the headers of the npm package
// node-api-headers and nothing is downloaded.
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const options = [];
if (process.argv.includes('--rtsp-server')) options.push('--CDSIGHTLINE_RTSP_SERVER=ON');
if (process.argv.includes('--tests')) options.push('--CDSIGHTLINE_TESTS=ON');

function cmakeJs(command) {
  const done = spawnSync(
    process.execPath,
    [path.join(root, 'node_modules/cmake-js/bin/cmake-js'), command, '-d', path.join(root, 'native'), '-O', path.join(root, 'build/native'),
      '-B', 'RelWithDebInfo', '-l', 'warn', '-p', String(availableParallelism()), ...options],
    { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] },
  );
  if (done.error) console.error(`cmake-js: ${done.error.message}`);
  return done.status ?? 1;
}

// `build` alone would not look at options when a build folder is there.
process.exit(cmakeJs('configure') || cmakeJs('build'));
