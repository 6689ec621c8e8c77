/** The check of one device: reference, query, estimate, files; whatever happens, an outcome with a row. */
import { SightlineError } from '../errors.js';
import { MOVING_MOST } from '../opencv/moving.js';
import type { PtzDevice } from './config/devices.js';
import type { EstimateOffset, OffsetResult } from './estimate/types.js';
import { inOneCamera } from './estimate/views_file.js';
import { comparisonOptions } from './scans/collect.js';
import { extractFrom, type QueryOptions } from './scans/extract.js';
import { againName, CONTENT_TYPES, positionOf, queryFolder, queryManifest, viewOf } from './scans/manifests.js';
import { removeLeftovers } from './scans/leftovers.js';
import { loadReference } from './scans/reference.js';
import type { RigDeps } from './scans/rig.js';
import type { FileStore } from './storage/files.js';
import type { DeviceOutcome, QueryScan, ResultRow } from './types.js';

export interface CheckDeps extends RigDeps {
  store: FileStore;
  estimate: EstimateOffset;
}

export interface CheckOptions {
  run_id: string;
  query?: Omit<QueryOptions, 'signal'>;
  /** Keep the query's files; false = look only. */
  keep: boolean;
  signal: AbortSignal;
}

/** Clocks of two machines that share a store differ by less. */
const CLOCKS_S = 60;

/** Never rejects for a fault of the device; does when `signal` was aborted. */
export async function checkDevice(device: PtzDevice, deps: CheckDeps, options: CheckOptions): Promise<DeviceOutcome> {
  const start_ms = performance.now();
  const limit_s = deps.settings.monitoring.device_timeout;
  const limit = AbortSignal.timeout(limit_s * 1000);
  const signal = AbortSignal.any([limit, options.signal]);
  const row: ResultRow = {
    deployment_name: device.deployment, device_id: device.device_id, timestamp_s: Math.floor(Date.now() / 1000), pitch_offset: 0, yaw_offset: 0, roll_offset: 0,
    mode: (options.query?.activePtzStops ?? device.active_stops).length > 0 ? 'active' : 'passive', capture_positions: [], files_location: '', success: false, failure_log: [],
  };
  const outcome: DeviceOutcome = { run_id: options.run_id, row, status: 'failed', reason: '', detail: '', alert: false, estimate: null, duration_ms: 0 };
  try {
    await measure(device, deps, { ...options, signal }, outcome);
  } catch (error) {
    options.signal.throwIfAborted();
    const timed_out = limit.aborted && !(error instanceof SightlineError);
    outcome.reason = timed_out ? 'device_timeout' : error instanceof SightlineError ? error.code : 'INTERNAL';
    outcome.detail = timed_out ? `not finished within ${limit_s} s` : error instanceof SightlineError ? error.message : 'an unexpected fault; the log has the cause';
    if (outcome.reason === 'INTERNAL') deps.log.error({ device: device.device_id, err: error }, 'a PTZ check failed unexpectedly');
    row.failure_log.push(`${outcome.reason}: ${outcome.detail}`);
  }
  outcome.duration_ms = performance.now() - start_ms;
  return outcome;
}

async function measure(device: PtzDevice, deps: CheckDeps, { query, keep, signal }: CheckOptions, outcome: DeviceOutcome): Promise<void> {
  // First what needs no camera.
  const reference = await loadReference(deps.store, device, signal);
  const scan = await extractFrom(device, deps, { ...query, signal });
  const { row } = outcome;
  row.mode = scan.mode;
  row.capture_positions = scan.frames.map(({ telemetry }) => positionOf(telemetry));
  row.failure_log.push(...scan.skipped.map(({ stop, code, reason }) => `position ${stop.pan_deg}/${stop.tilt_deg} left out: ${code}: ${reason}`));
  const { camera, references, queries } = inOneCamera(reference, { camera: scan.camera ?? reference.camera, views: scan.frames.map(viewOf) });
  const estimate = await deps.estimate(references, queries, { ...comparisonOptions(deps.settings, reference, signal), camera });
  judge(estimate, outcome, deps.settings.slack.threshold_deg);
  const restless = estimate.views.filter(({ moving_share }) => (moving_share ?? 0) > MOVING_MOST).map(({ image }) => image);
  if (restless.length > 0) row.failure_log.push(`more than half of the picture changes between the frames of a position, so nothing was left out: ${restless.join(', ')}`);
  if (!keep) return;
  try {
    row.files_location = await saveQuery(deps.store, device, scan, estimate, signal);
    // Older than any check that may still be at work.
    const removed = await removeLeftovers(deps.store, device, Date.now() - 1000 * (deps.settings.monitoring.device_timeout + CLOCKS_S), signal);
    if (removed > 0) deps.log.info({ device: device.device_id, files: removed }, 'files of a PTZ check that did not end were removed');
  } catch (error) {
    // The offset is known; that its pictures could not be kept is said beside it.
    if (!(error instanceof SightlineError)) throw error;
    row.failure_log.push(`query files: ${error.code}: ${error.message}`);
  }
}

/** Writes the estimate into the outcome. An alert needs an offset beyond the threshold with its whole interval, which the estimator calls drift. */
export function judge(estimate: OffsetResult, outcome: DeviceOutcome, threshold_deg: number): void {
  const { row } = outcome;
  outcome.estimate = estimate;
  outcome.status = estimate.status;
  outcome.reason = estimate.reason;
  outcome.detail = estimate.detail;
  const angles = [estimate.yaw_deg, estimate.pitch_deg, estimate.roll_deg];
  if (estimate.status === 'refused' || angles.some((angle) => angle === null)) {
    row.failure_log.push(`refused: ${estimate.reason}: ${estimate.detail}`);
    return;
  }
  row.success = true;
  row.yaw_offset = estimate.yaw_deg ?? 0;
  row.pitch_offset = estimate.pitch_deg ?? 0;
  row.roll_offset = estimate.roll_deg ?? 0;
  if (estimate.status === 'uncertain') row.failure_log.push(`uncertain: ${estimate.reason}: ${estimate.detail}`);
  outcome.alert = estimate.status === 'drift' && angles.some((angle) => Math.abs(angle ?? 0) > threshold_deg);
}

/** Pictures first, then what came of them, the manifest last. Answers the folder. */
async function saveQuery(store: FileStore, device: PtzDevice, scan: QueryScan, estimate: OffsetResult, signal: AbortSignal): Promise<string> {
  const folder = queryFolder(device, scan.started_ms);
  for (const { file_name, frame, again } of scan.frames) {
    await store.put(`${folder}/images/${file_name}`, frame.picture, CONTENT_TYPES[frame.format], signal);
    for (const [index, { picture, format }] of again.entries()) await store.put(`${folder}/again/${againName(file_name, index)}`, picture, CONTENT_TYPES[format], signal);
  }
  const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value, null, 2) + '\n');
  await store.put(`${folder}/result.json`, json(estimate), CONTENT_TYPES.json, signal);
  await store.put(`${folder}/images/telemetry_manifest.json`, json(queryManifest(scan)), CONTENT_TYPES.json, signal);
  return store.location(folder);
}
