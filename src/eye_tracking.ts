/** Wires live eye tracking: its settings, its sources of frames and its OpenCV process. The process is its own, so that a PTZ check, which takes seconds, delays no client. */
import { existsSync } from 'node:fs';
import { captureOptions } from './cameras/plan.js';
import type { Cameras } from './cameras/supervisor.js';
import type { CaptureAddon, CaptureOptions } from './capture/types.js';
import type { Config } from './config/schema.js';
import { createFeeds } from './eyetracking/feeds.js';
import { createEyeTracking, type EyeTracking } from './eyetracking/service.js';
import type { Log } from './observability/log.js';
import type { Metrics } from './observability/metrics.js';
import { createOpenCv } from './opencv/client.js';
import type { OpenCv } from './opencv/types.js';

export interface EyeTrackingParts {
  addon: CaptureAddon;
  cameras: Cameras;
  metrics: Metrics;
  options: { config: Config; log: Log };
}

export interface OpenEyeTracking extends EyeTracking {
  opencv: OpenCv;
}

const PING_INTERVAL_MS = 20_000;
/** One picture of each source is under way at a time. */
const QUEUE_LIMIT = 128;
const SEARCH_LIMIT_MS = 4_000;

/** undefined: it is switched off. */
export function openEyeTracking({ addon, cameras, metrics, options }: EyeTrackingParts): OpenEyeTracking | undefined {
  const { config, log } = options;
  const { enabled, retry_min_ms, retry_max_ms, ...settings } = config.eye_tracking;
  if (!enabled) return undefined;
  const opencv = createOpenCv({ log, queue_limit: QUEUE_LIMIT, deadline_ms: SEARCH_LIMIT_MS });
  const eyes = createEyeTracking({
    settings: { ...settings, retry_ms: { first: retry_min_ms, most: retry_max_ms }, ping_interval_ms: PING_INTERVAL_MS },
    open: createFeeds({ addon, cameras, webcam: (index) => webcamOptions(config, index) }),
    detect: (request) => opencv.ask({ op: 'eyes', ...request }),
    cameraNames: () => new Map(cameras.statuses().map(({ camera_name, camera_id }) => [camera_name, camera_id])),
    log,
    observe: (seconds) => { metrics.observeStage('eyes', seconds); },
  });
  return {
    ...eyes,
    opencv,
    async close() {
      await Promise.all([eyes.close(), opencv.close()]);
    },
  };
}

/** A webcam is only looked at: none of its frames goes to the six models. */
function webcamOptions({ capture }: Config, index: number): CaptureOptions | null {
  const url = `/dev/video${index}`;
  if (!existsSync(url)) return null;
  const { options } = captureOptions({ camera_id: 0, url, transport: null, analysis_fps: 1 }, { fps: 1, capture, hw_device: '' });
  return { ...options, generation: 1, label: `eye${index}`, loop: false, analyse: false };
}
