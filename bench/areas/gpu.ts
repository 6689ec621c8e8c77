/** The 600 fps target: 100 cameras at 6 frames/s through six models on one GPU box. Runs with `--gpu` only, on a machine that has one. */
import path from 'node:path';
import { atLeast, atMost, type Area } from '../area.js';
import { appTrial, sceneClip } from './pipeline.js';

const CAMERAS = 100;
const FPS = 6;

export const gpuArea: Area = {
  name: 'gpu',
  about: '100 cameras at 6 frames/s through six models on the GPU',
  gpu: true,
  async run(context) {
    if (context.machine.gpu === null) throw new Error('no GPU here: nvidia-smi does not answer');
    const clip = await sceneClip(context, FPS);
    const seconds = context.quick ? 10 : 60;
    const figures = await appTrial({
      cameras: CAMERAS, clip, fps: FPS, warmup_s: 20, seconds, state_dir: path.join(context.scratch, 'gpu-state'), use_gpu: true,
    });
    return [
      {
        area: 'gpu', machine: context.machine, unit: 'frames/s', contenders: [],
        task: `${CAMERAS} RTSP cameras (TCP, H.264 640×360, ${FPS} fps) served by the same machine, every frame through six models; ${seconds} s after 20 s`,
        figures: { ...figures },
        claims: [
          atLeast('frames/s through six models, 100 cameras on one GPU', figures.results_per_s, 600 * 0.995, ' frames/s'),
          atMost('packet to result, p99', figures.latency_p99_ms ?? NaN, 270, ' ms'),
          atMost('GPU memory, 100 cameras', (figures.gpu_mib ?? NaN) / 1024, 20, ' GiB'),
        ],
      },
    ];
  },
};
