import { spawnSync } from 'node:child_process';
import { StepError } from '../run.mjs';

const START = [
  'build-essential', 'cmake', 'ninja-build', 'pkg-config', 'python3', // the native builds; node-gyp wants python
  'libavformat-dev', 'libavcodec-dev', 'libavutil-dev', 'libavdevice-dev', 'libavfilter-dev', 'libswscale-dev', // capture
  'libswresample-dev', 'libpostproc-dev', // beamcoder links them
  'libhwy-dev', // SIMD kernels
  'libgstrtspserver-1.0-dev', 'gstreamer1.0-plugins-base', 'gstreamer1.0-plugins-good', // the RTSP server of the demo
  'libopencv-dev', 'opencv-data', // features of the PTZ check, Haar cascades
];
const PACKAGES = {
  start: START,
  test: [
    ...START,
    'ffmpeg', 'php-cli', 'php-mysql', 'openssl', // peers that aren't ours: a decoder, the language of the receiver, a certificate
    'mariadb-server', 'mosquitto', 'chromium', 'firefox-esr', // the database, the broker and the browsers
    'python3-numpy', 'python3-pandas', 'python3-requests', // what reads calibration files on the other side
    'systemd', // systemd-analyze judges the units
  ],
  bench: [...START, 'ffmpeg', 'gstreamer1.0-tools', 'gstreamer1.0-libav', 'python3-opencv', 'python3-scipy', 'chromium'], // contenders, and who looks at the pages
};

/** Debian packages of a profile: installed by root, named in one apt-get line for anybody else. */
export function systemPackages(profile) {
  return {
    name: 'Debian packages',
    locked: false,
    needed: () => missing(PACKAGES[profile]).length > 0,
    run: async ({ exec }) => {
      const wanted = missing(PACKAGES[profile]);
      if (process.getuid?.() !== 0) {
        throw new StepError(`missing: ${wanted.join(' ')}`, {
          code: 2,
          remedy: `Install them and run the command again:\n  sudo apt-get install --no-install-recommends ${wanted.join(' ')}`,
        });
      }
      const env = { DEBIAN_FRONTEND: 'noninteractive' };
      await exec('apt-get', ['update'], { env });
      await exec('apt-get', ['install', '-y', '--no-install-recommends', ...wanted], { env });
      const still = missing(wanted);
      if (still.length > 0) throw new StepError(`apt-get did not install ${still.join(' ')}`);
    },
    remedy: 'If the archive could not be reached: check the network or the proxy of apt (/etc/apt/apt.conf.d), then run the command again.',
  };
}

function missing(packages) {
  const query = spawnSync('dpkg-query', ['-W', '-f=${Package} ${db:Status-Status}\\n', ...packages], { encoding: 'utf8' });
  if (query.error !== undefined) {
    throw new StepError(`dpkg-query can't be run (${query.error.code}); set-up knows Debian and its relatives only`, {
      code: 2,
      remedy: `On another system install what stands for these, and an empty program called dpkg-query won't do: ${packages.join(' ')}`,
    });
  }
  const installed = new Set(query.stdout.split('\n').filter((line) => line.endsWith(' installed')).map((line) => line.split(' ')[0]));
  return packages.filter((name) => !installed.has(name));
}
