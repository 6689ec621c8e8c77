// node setup/main.mjs start|test|bench|gpu: makes what is missing, and nothing else. Plain JavaScript without dependencies: it runs
// before anything is installed. Exit codes: 0 done, 1 a step failed, 2 something only the user can do, 130 stopped.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { runSteps, terminal } from './run.mjs';
import { addonPackage } from './steps/addon_package.mjs';
import { clips } from './steps/clips.mjs';
import { compile } from './steps/compile.mjs';
import { cuda } from './steps/cuda.mjs';
import { models } from './steps/models.mjs';
import { nativeBuild } from './steps/native_build.mjs';
import { nodeVersion } from './steps/node_version.mjs';
import { npmPackages } from './steps/npm_packages.mjs';
import { systemPackages } from './steps/system_packages.mjs';
import { webBuild } from './steps/web_build.mjs';

const common = (profile) => [
  nodeVersion,
  systemPackages(profile),
  npmPackages,
  addonPackage('better-sqlite3'),
  addonPackage('beamcoder', { parts: ['segfault-handler'] }),
  addonPackage('@u4/opencv4nodejs', { env: { OPENCV4NODEJS_DISABLE_AUTOBUILD: '1' } }), // against Debian's libopencv-dev
  nativeBuild,
  compile,
  webBuild,
  models,
];
const PROFILES = {
  start: [...common('start'), clips],
  test: [...common('test'), clips],
  bench: common('bench'),
  gpu: [...common('start'), cuda, clips],
};

const profile = process.argv[2] ?? 'start';
const steps = PROFILES[profile];
if (steps === undefined || process.argv.length > 3) {
  process.stderr.write(`usage: node setup/main.mjs [${Object.keys(PROFILES).join('|')}]\n`);
  process.exit(2);
}
const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => stop.abort());
const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
process.exitCode = await runSteps(steps, { root, out: terminal(process.stdout, process.stderr), signal: stop.signal });
