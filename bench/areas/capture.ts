/**
 * Capture against others, on files so that no network is in it: what does it cost to decode a 1080p stream and (a) analyse 5 of its 25 frames
 * a second, (b) convert every frame to the models' 512-wide tensor? One pinned core, CPU time of the whole process, all contenders in turn.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeTestClip } from '../../src/demo/encode.js';
import { atMost, type Area, type AreaContext, type AreaResult } from '../area.js';
import { compare, run, type Contender } from '../measure.js';

const CORE = '1';
const WIDTH = 512;
const HEIGHT = 288;

export const captureArea: Area = {
  name: 'capture',
  about: 'decode and convert 1080p H.264 against libav alone, ffmpeg, GStreamer, OpenCV, beamcoder',
  async run(context) {
    const seconds = context.quick ? 4 : 16;
    await buildNative(context);
    const clip = await makeClip(context, seconds);
    const frames = seconds * 25;
    const rounds = context.quick ? 2 : 5;
    const native = (mode: string): Contender => ours(context, mode, clip, frames);

    const due = await compare([native('decode'), native('due')], rounds, context.log);
    const contenders = [native('decode'), native('convert'), ...(await others(context, clip, frames))];
    const every = await compare(contenders, rounds, context.log);
    const ratio = (results: typeof due, name: string): number => results.find((result) => result.name === name)?.ratio.median ?? NaN;
    const base = { machine: context.machine, unit: 'CPU ms per decoded frame' };
    const results: AreaResult[] = [
      {
        ...base, area: 'capture-due', contenders: due, figures: { frames, rounds },
        task: `1920×1080 H.264 25 fps 4 Mbit/s from a file, decoded on one thread; 5 frames a second converted to 512×512 letterboxed tensors; core ${CORE}`,
        claims: [atMost('25 fps in, 5 analysed, against libav’s decode alone', ratio(due, 'sightline due'), 1.1, '×')],
      },
      {
        ...base, area: 'capture-convert', contenders: every, figures: { frames, rounds },
        task: `the same file, every frame converted to RGB ${WIDTH}×${HEIGHT} (Sightline: area-weighted, letterboxed 512×512; ffmpeg, GStreamer, OpenCV: their bilinear); core ${CORE}`,
        claims: [atMost('every 1080p frame converted, against libav’s decode alone', ratio(every, 'sightline convert'), 1.25, '×')],
      },
    ];
    return results;
  },
};

/** The native contender is built like the addon: same sources, same flags, without Node. */
async function buildNative({ root, log }: AreaContext): Promise<void> {
  const build = path.join(root, 'build/native-bench');
  log('building capture_bench');
  await run('cmake', ['-S', path.join(root, 'native'), '-B', build, '-G', 'Ninja', '-DCMAKE_BUILD_TYPE=RelWithDebInfo', '-DSIGHTLINE_TESTS=ON', `-DCMAKE_RUNTIME_OUTPUT_DIRECTORY=${build}/bin`]);
  await run('cmake', ['--build', build, '--target', 'capture_bench', '--parallel', '2'], { timeout_ms: 600_000 });
}

async function makeClip(context: AreaContext, seconds: number): Promise<string> {
  const file = path.join(context.scratch, `capture-1080p-${seconds}s.mkv`);
  if (!existsSync(file)) {
    context.log('encoding the 1080p clip');
    await encodeTestClip({ file, codec: 'h264', width: 1920, height: 1080, fps: 25, seconds, gop: 50, bit_rate: 4_000_000 });
  }
  return file;
}

function ours(context: AreaContext, mode: string, clip: string, frames: number): Contender {
  const program = path.join(context.root, 'build/native-bench/bin/capture_bench');
  return {
    name: mode === 'decode' ? 'libav decode alone' : `sightline ${mode}`,
    async once() {
      const { stdout } = await run(program, [mode, clip, '1'], { pin: CORE });
      const result = JSON.parse(stdout) as { cpu_s: number; frames: number; converted: number };
      const expected = mode === 'convert' ? frames : mode === 'due' ? frames / 5 : 0;
      if (Math.abs(result.frames - frames) > 1 || Math.abs(result.converted - expected) > 2) throw new Error(`capture_bench ${mode}: ${stdout}`);
      return (result.cpu_s * 1000) / result.frames;
    },
  };
}

/** The contenders that are installed; the others are named in the log. */
async function others(context: AreaContext, clip: string, frames: number): Promise<Contender[]> {
  const list: { name: string; needs: () => Promise<string | null>; command: (tool: string) => [string, string[]] }[] = [
    {
      name: 'ffmpeg CLI',
      needs: () => which('ffmpeg'),
      command: (tool) => [tool, ['-v', 'error', '-nostdin', '-threads', '1', '-filter_threads', '1', '-i', clip, '-vf', `scale=${WIDTH}:${HEIGHT}`, '-pix_fmt', 'rgb24', '-f', 'null', '-']],
    },
    {
      name: 'GStreamer',
      needs: () => which('gst-launch-1.0'),
      command: (tool) => [tool, ['-q', 'filesrc', `location=${clip}`, '!', 'matroskademux', '!', 'h264parse', '!', 'avdec_h264', 'max-threads=1', '!', 'videoconvertscale', 'n-threads=1', '!', `video/x-raw,format=RGB,width=${WIDTH},height=${HEIGHT}`, '!', 'fakesink', 'sync=false']],
    },
    {
      name: 'OpenCV VideoCapture',
      needs: () => openCvProgram(context),
      command: (tool) => [tool, [clip, String(WIDTH), String(HEIGHT), String(frames)]],
    },
    {
      name: 'beamcoder',
      needs: async () => process.execPath,
      command: (tool) => [tool, [fileURLToPath(new URL('../contenders/beamcoder.js', import.meta.url)), clip, String(WIDTH), String(HEIGHT), String(frames)]],
    },
  ];
  const found: Contender[] = [];
  for (const { name, needs, command } of list) {
    const tool = await needs();
    if (tool === null) {
      context.log(`  ${name}: not installed, left out`);
      continue;
    }
    found.push({
      name,
      async once() {
        const [program, args] = command(tool);
        return ((await run(program, args, { pin: CORE })).cpu_s * 1000) / frames;
      },
    });
  }
  return found;
}

async function which(program: string): Promise<string | null> {
  try {
    return (await run('which', [program])).stdout.trim() || null;
  } catch {
    return null;
  }
}

/** Compiles the OpenCV contender where OpenCV's headers are. */
async function openCvProgram(context: AreaContext): Promise<string | null> {
  const source = path.join(context.root, 'bench/contenders/opencv_capture.cc');
  const program = path.join(context.scratch, 'opencv_capture');
  try {
    if (!existsSync(program)) await run('bash', ['-c', `c++ -O2 -std=c++20 '${source}' -o '${program}' $(pkg-config --cflags opencv4) -lopencv_videoio -lopencv_imgproc -lopencv_core`]);
    return program;
  } catch {
    return null;
  }
}
