/** The whole daemon: the largest number of cameras that holds 5 analysed frames a second each, with all six models. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeTestClip } from '../../src/demo/encode.js';
import { atMost, type Area, type AreaContext } from '../area.js';
import type { AppFigures, AppTrial } from '../contenders/app.js';
import { run } from '../measure.js';

/** Fewer results than this part of what the cameras offer is not holding. */
const HOLDS = 0.97;
const FPS = 5;

export const pipelineArea: Area = {
  name: 'pipeline',
  about: 'the largest number of cameras at 5 frames/s each with all six models',
  async run(context) {
    const clip = await sceneClip(context, 10);
    const seconds = context.quick ? 6 : 15;
    const trial = (cameras: number): Promise<AppFigures> =>
      appTrial({ cameras, clip, fps: FPS, warmup_s: 6, seconds, state_dir: path.join(context.scratch, 'pipeline-state'), use_gpu: false });
    await trial(1); // measures the layout, which is then kept
    let best: { cameras: number; figures: AppFigures } | null = null;
    let low = 0;
    let high = context.machine.cores * 16;
    for (let cameras = Math.min(high, context.machine.cores * 3); low < high; cameras = Math.ceil((low + high) / 2)) {
      const figures = await trial(cameras);
      const holds = figures.results_per_s >= HOLDS * figures.wanted_per_s;
      context.log(`  ${cameras} cameras: ${figures.results_per_s.toFixed(1)} of ${figures.wanted_per_s} frames/s, p99 ${figures.latency_p99_ms?.toFixed(0) ?? '-'} ms ${holds ? 'holds' : 'does not'}`);
      if (holds) {
        low = cameras;
        best = { cameras, figures };
      } else high = cameras - 1;
    }
    if (!best) throw new Error('not one camera holds 5 frames a second');
    const { figures } = best;
    return [
      {
        area: 'pipeline', machine: context.machine, unit: 'cameras', contenders: [],
        task: `N RTSP cameras (TCP, H.264 640×360, 10 fps, people in every frame) served by this machine too, ${FPS} frames/s analysed by all six models on the CPU, callbacks to a loopback receiver; ${seconds} s after 6 s`,
        figures: { cameras: best.cameras, ...figures },
        claims: [
          { what: `cameras at ${FPS} frames/s with six models, CPU only, stream server included`, target: 'as many as it carries', measured: `${best.cameras} (${figures.results_per_s.toFixed(0)} frames/s)`, holds: true },
          atMost('packet to result, p99, at that load', figures.latency_p99_ms ?? NaN, 270, ' ms'),
        ],
      },
    ];
  },
};

/** 640×360 H.264 with people. */
export async function sceneClip(context: AreaContext, fps: number): Promise<string> {
  const file = path.join(context.scratch, `scene-360p-${fps}fps.mkv`);
  if (!existsSync(file)) await encodeTestClip({ file, codec: 'h264', width: 640, height: 360, fps, seconds: 20, gop: fps * 2, bit_rate: 300_000 });
  return file;
}

/** One run of the daemon in a process of its own. */
export async function appTrial(trial: AppTrial): Promise<AppFigures> {
  const program = fileURLToPath(new URL('../contenders/app.js', import.meta.url));
  const { stdout } = await run(process.execPath, [program, JSON.stringify(trial)], { timeout_ms: (trial.seconds + trial.warmup_s + 240) * 1000 });
  return JSON.parse(stdout) as AppFigures;
}
