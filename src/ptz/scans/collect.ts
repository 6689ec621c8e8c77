/** Reference collection: drives a device to its stops, finds features, tests the set against itself, stores it. */
import type { EstimateOffset, ExtractFeatures, FeatureMethod, Features, OffsetOptions, PtzCamera } from '../estimate/types.js';
import type { PtzDevice } from '../config/devices.js';
import type { PtzSettings } from '../config/settings.js';
import { SightlineError } from '../../errors.js';
import { MOVING_MOST } from '../../opencv/moving.js';
import type { FileStore } from '../storage/files.js';
import type { CapturedFrame, QueryScan } from '../types.js';
import { goBack, visit } from './extract.js';
import { readViews } from './folder.js';
import { lensFor } from './lens.js';
import { referenceFolder, referenceName, viewOf } from './manifests.js';
import { nextCaptureIndex, saveReference, type ReferenceSet } from './reference.js';
import { withRig, type RigDeps } from './rig.js';
import { selfTest, type SelfTest } from './self_test.js';

export interface CollectDeps extends RigDeps {
  store: FileStore;
  estimate: EstimateOffset;
  extractFeatures: ExtractFeatures;
}

export interface Collected {
  deployment: string;
  device_id: string;
  frames: number;
  skipped: QueryScan['skipped'];
  self_test: SelfTest;
  location: string;
}

/** What the estimator is told, from the settings. */
function offsetOptions({ camera, slack }: PtzSettings, lens: PtzCamera, signal?: AbortSignal): OffsetOptions {
  return {
    camera: lens,
    threshold_deg: slack.threshold_deg,
    method: camera.method,
    max_features: camera.max_features,
    ignore: { top: camera.ignore_top, bottom: camera.ignore_bottom, left: camera.ignore_left, right: camera.ignore_right },
    ...(signal === undefined ? {} : { signal }),
  };
}

/** The same for a query against a set: with the lens and the kind of features that it was made with. */
export function comparisonOptions(settings: PtzSettings, { camera, method }: Pick<ReferenceSet, 'camera' | 'method'>, signal?: AbortSignal): OffsetOptions & { method: FeatureMethod } {
  return { ...offsetOptions(settings, camera, signal), method };
}

/** @throws PTZ_*; then the set that was there before is still there */
export async function collectReference(device: PtzDevice, deps: CollectDeps, signal: AbortSignal): Promise<Collected> {
  const { settings, store } = deps;
  const collected_ms = Date.now();
  await store.check(signal); // before the camera is moved about for minutes
  await store.clean(referenceFolder(device), signal);
  const first_index = await nextCaptureIndex(store, device, signal);
  const { frames, skipped, camera } = await captureReference(device, deps, first_index, signal);
  const options = offsetOptions(settings, camera, signal);
  const withFeatures: { captured: CapturedFrame; features: Features }[] = [];
  const unreadable: string[] = [];
  for (const captured of frames) {
    try {
      const features = await deps.extractFeatures(captured.frame.picture, { ...options, again: captured.again.map(({ picture }) => picture) });
      withFeatures.push({ captured, features });
      const { moving_share } = features;
      if ((moving_share ?? 0) > MOVING_MOST) deps.log.warn({ device: device.device_id, frame: captured.file_name, moving_share }, 'more than half of the picture changes between the frames of a position; nothing was left out');
    } catch (error) {
      if (!(error instanceof SightlineError) || error.code.startsWith('OPENCV')) throw error;
      unreadable.push(`${captured.file_name}: ${error.message}`);
    }
  }
  if (withFeatures.length === 0) throw new SightlineError('PTZ_REFERENCE_UNUSABLE', `reference set: no picture can be read: ${unreadable.slice(0, 3).join('; ')}`);
  const self_test = await selfTest(withFeatures.map(({ captured, features }) => ({ ...viewOf(captured), picture: features })), deps.estimate, options);
  const location = await saveReference(store, device, { camera, method: settings.camera.method, frames: withFeatures, self_test, collected_ms }, first_index, signal);
  return { deployment: device.deployment, device_id: device.device_id, frames: withFeatures.length, skipped, self_test, location };
}

async function captureReference(device: PtzDevice, deps: CollectDeps, first_index: number, signal: AbortSignal): Promise<Pick<QueryScan, 'frames' | 'skipped'> & { camera: PtzCamera }> {
  if (device.access.kind === 'folder') return { ...(await readViews(device.access.reference)), skipped: [] };
  const { monitoring } = deps.settings;
  return withRig(device, deps, { commands: true, keep_ms: 60_000 + 1000 * monitoring.timeout, signal }, async (rig) => {
    // Nobody else may be driving it.
    const before = await rig.untilStable(monitoring.settle_time * 1000, monitoring.timeout * 1000);
    const { frames, skipped } = await visit(rig, device.reference_stops, referenceName, first_index);
    await goBack(rig, { pan_deg: before.attitude.yaw, tilt_deg: before.attitude.pitch, zoom: before.zoom }, deps);
    return { frames, skipped, camera: lensFor(device, frames.map(({ telemetry }) => telemetry)) };
  });
}
