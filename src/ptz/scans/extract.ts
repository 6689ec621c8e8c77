/** Query extraction: frames of a device with the telemetry of their time, passively where it looks, or actively at commanded stops. */
import { SightlineError } from '../../errors.js';
import { findDevice, type PtzDevice } from '../config/devices.js';
import type { CapturedFrame, PtzStop, QueryScan } from '../types.js';
import { readViews } from './folder.js';
import { activeName, passiveName } from './manifests.js';
import { withRig, type Rig, type RigDeps } from './rig.js';

export interface QueryOptions {
  /** Default: `monitoring.stabilize_time`. */
  stabilizeTimeS?: number;
  /** Limit of the wait for stillness; default `monitoring.timeout`. */
  timeoutS?: number;
  /** Stops to drive to; an empty list is passive: wait until the camera is still by itself and take one frame. Default: those of the device. */
  activePtzStops?: readonly PtzStop[];
  signal?: AbortSignal;
}

export type ExtractQuery = (deviceId: string, options?: QueryOptions) => Promise<QueryScan>;

/** @throws PTZ_*, each saying what of the way to a frame failed */
export function createExtractor(devices: readonly PtzDevice[], deps: RigDeps): ExtractQuery {
  return (deviceId, options = {}) => extractFrom(findDevice(devices, deviceId), deps, options);
}

export async function extractFrom(device: PtzDevice, deps: RigDeps, options: QueryOptions = {}): Promise<QueryScan> {
  const { monitoring } = deps.settings;
  const stabilize_s = options.stabilizeTimeS ?? monitoring.stabilize_time;
  const timeout_s = options.timeoutS ?? monitoring.timeout;
  const stops = options.activePtzStops ?? device.active_stops;
  const scan: QueryScan = {
    device_id: device.device_id, deployment: device.deployment, mode: stops.length > 0 ? 'active' : 'passive', stabilize_time_s: stabilize_s, frames: [], skipped: [], started_ms: Date.now(),
  };
  if (device.access.kind === 'folder') {
    const { camera, frames } = await readViews(device.access.query);
    if (camera.width !== device.width || camera.height !== device.height) deps.log.info({ device: device.device_id, width: camera.width, height: camera.height }, 'the folder says its own frame size');
    return { ...scan, mode: frames.length > 1 ? 'active' : 'passive', frames, camera };
  }
  const signal = options.signal ?? new AbortController().signal;
  return withRig(device, deps, { commands: stops.length > 0, keep_ms: 1000 * (stabilize_s + timeout_s) + 60_000, signal }, async (rig) => {
    const before = await rig.untilStable(stabilize_s * 1000, timeout_s * 1000);
    if (stops.length === 0) {
      const taken = await rig.takeSeveral();
      return { ...scan, frames: [{ ...taken, file_name: passiveName(0, taken.frame), commanded: null }] };
    }
    const { frames, skipped } = await visit(rig, stops, activeName);
    await goBack(rig, { pan_deg: before.attitude.yaw, tilt_deg: before.attitude.pitch, zoom: before.zoom }, deps);
    return { ...scan, frames, skipped };
  });
}

type Name = (index: number, stop: PtzStop, frame: CapturedFrame['frame']) => string;

/** Drives to each stop and takes a frame there. A stop that fails is left out. @throws the failure of the last stop when none gave a frame */
export async function visit(rig: Rig, stops: readonly PtzStop[], name: Name, first_index = 0): Promise<Pick<QueryScan, 'frames' | 'skipped'>> {
  const frames: CapturedFrame[] = [];
  const skipped: QueryScan['skipped'] = [];
  let last: SightlineError | undefined;
  for (const stop of stops) {
    try {
      await rig.drive(stop);
      const taken = await rig.takeSeveral();
      frames.push({ ...taken, file_name: name(first_index + frames.length, stop, taken.frame), commanded: stop });
    } catch (error) {
      if (!(error instanceof SightlineError)) throw error;
      last = error;
      skipped.push({ stop, code: error.code, reason: error.message });
      // Without commands, telemetry or frames the next stop fails the same way, only later.
      if (frames.length === 0 && skipped.length >= 3) break;
    }
  }
  if (frames.length === 0) throw last ?? new SightlineError('PTZ_FRAME_FAILED', 'stops: expected at least one, received none');
  return { frames, skipped };
}

/** Leaves the camera where it was found. Its failure costs nothing that has been taken. */
export async function goBack(rig: Rig, stop: PtzStop, { log }: RigDeps): Promise<void> {
  try {
    const { yaw_difference_deg, pitch_difference_deg } = rig.device;
    await rig.drive({ ...stop, pan_deg: stop.pan_deg + yaw_difference_deg, tilt_deg: stop.tilt_deg + pitch_difference_deg });
  } catch (error) {
    if (!(error instanceof SightlineError)) throw error;
    log.warn({ device: rig.device.device_id, why: error.message }, 'the camera could not be driven back to where it was');
  }
}
