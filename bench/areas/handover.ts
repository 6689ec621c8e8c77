/** 100 RTSP streams at 640×360 and 6 fps: decoded, converted, batched and dispatched, inference replaced by the smallest ONNX model. */
import { fileURLToPath } from 'node:url';
import { atLeast, atMost, type Area } from '../area.js';
import type { HandoverFigures, HandoverTrial } from '../contenders/handover.js';
import { run } from '../measure.js';
import { sceneClip } from './pipeline.js';

const CAMERAS = 100;
const FPS = 6;

export const handoverArea: Area = {
  name: 'handover',
  about: '100 RTSP streams to the door of inference',
  async run(context) {
    const trial: HandoverTrial = {
      cameras: CAMERAS, clip: await sceneClip(context, FPS), fps: FPS, warmup_s: 15, seconds: context.quick ? 10 : 60, scratch: context.scratch,
    };
    const program = fileURLToPath(new URL('../contenders/handover.js', import.meta.url));
    const { stdout } = await run(process.execPath, [program, JSON.stringify(trial)], { timeout_ms: 300_000 });
    const figures = JSON.parse(stdout) as HandoverFigures;
    return [
      {
        area: 'handover', machine: context.machine, unit: 'frames/s', contenders: [],
        task: `${CAMERAS} RTSP streams (TCP, H.264 640×360, ${FPS} fps, each a mount of its own) served by the same machine, each frame decoded, converted to both frame-level tensors, batched and dispatched; ${trial.seconds} s`,
        figures: { ...figures },
        claims: [
          atLeast('100 streams handed over', figures.dispatched_per_s, CAMERAS * FPS * 0.995, ' frames/s'),
          atMost('frames dropped on the way', figures.dropped, 0),
          atMost('packet to dispatch, p99', figures.dispatch_p99_ms ?? NaN, 100, ' ms'),
          atMost('resident memory, 100 cameras', figures.rss_mib / 1024, 2, ' GiB'),
          atMost('stop with 100 cameras streaming', figures.close_s, 5, ' s'),
        ],
      },
    ];
  },
};
