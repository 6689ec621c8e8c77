/** Names, folders and manifests of scans, as the systems around read them (docs/PTZ.md has their forms). */
import type { PtzDevice } from '../config/devices.js';
import type { FeatureMethod, PtzCamera, PtzView } from '../estimate/types.js';
import type { CapturedFrame, CapturePosition, Frame, PtzStop, QueryScan, TelemetrySample } from '../types.js';

export const CONTENT_TYPES = { png: 'image/png', jpeg: 'image/jpeg', txt: 'text/plain', json: 'application/json' } as const;

/** `<deployment>/<camera>`. */
export function deviceFolder({ deployment_folder, device_id }: Pick<PtzDevice, 'deployment_folder' | 'device_id'>): string {
  return `${deployment_folder}/${device_id}`;
}

export function referenceFolder(device: Pick<PtzDevice, 'deployment_folder' | 'device_id'>): string {
  return `${deviceFolder(device)}/reference_scan`;
}

export function queryFolder(device: Pick<PtzDevice, 'deployment_folder' | 'device_id'>, started_ms: number): string {
  return `${deviceFolder(device)}/query_scan/${isoMicroseconds(started_ms)}`;
}

/** UTC with microseconds and without `Z`, as folders of queries are named. */
export function isoMicroseconds(wall_ms: number): string {
  return new Date(wall_ms).toISOString().replace(/(\.\d{3})Z$/, '$1000');
}

function suffix(frame: Frame): string {
  return frame.format === 'png' ? 'png' : 'jpg';
}

export function passiveName(index: number, frame: Frame): string {
  return `frame_${digits(index)}_passive.${suffix(frame)}`;
}

export function activeName(index: number, stop: PtzStop, frame: Frame): string {
  return `frame_${digits(index)}_pan_${stop.pan_deg.toFixed(1)}_tilt_${stop.tilt_deg.toFixed(1)}_zoom_${(stop.zoom ?? 0).toFixed(3)}.${suffix(frame)}`;
}

export function referenceName(index: number, stop: PtzStop, frame: Frame): string {
  return `frame_${digits(index)}_yaw_${stop.pan_deg.toFixed(1)}_pitch_${stop.tilt_deg.toFixed(1)}_zoom_${(stop.zoom ?? 0).toFixed(2)}.${suffix(frame)}`;
}

function digits(index: number): string {
  return String(index).padStart(4, '0');
}

/** Where the further frames of a query lie, beside `images`: readers of that folder expect one picture a position. */
export function againName(file_name: string, index: number): string {
  return file_name.replace(/(\.\w+)$/, `_${index + 1}$1`);
}

/** Magnification of a sample for the estimate. A command scale of exactly 1 is kept below 1, where it means no magnification. */
export function zoomOf({ zoom_factor, zoom }: Pick<TelemetrySample, 'zoom_factor' | 'zoom'>): number {
  if (zoom_factor !== null) return Math.max(1, zoom_factor);
  return zoom === null || zoom === 0 ? 1 : Math.min(zoom, 0.9999);
}

export function viewOf({ file_name, frame, telemetry, again }: CapturedFrame): PtzView {
  const { yaw, pitch, roll } = telemetry.attitude;
  return { name: file_name, picture: frame.picture, pan_deg: yaw, tilt_deg: pitch, roll_deg: roll, zoom: zoomOf(telemetry), again: again.map(({ picture }) => picture) };
}

export function positionOf({ attitude, zoom_factor }: TelemetrySample): CapturePosition {
  return { pan: attitude.yaw, tilt: attitude.pitch, zoom: zoom_factor ?? 1 };
}

/** `telemetry_manifest.json` of a query. */
export function queryManifest(scan: QueryScan): Record<string, unknown> {
  return {
    device_id: scan.device_id,
    mode: scan.mode,
    stabilize_time: scan.stabilize_time_s,
    capture_count: scan.frames.length,
    telemetry: Object.fromEntries(scan.frames.map(({ file_name, frame, telemetry, commanded, again }, index) => [String(index), {
      file_name,
      ...(again.length === 0 ? {} : { again: again.map((_, at) => againName(file_name, at)) }),
      attitude: telemetry.attitude,
      ...shown(telemetry),
      ...(commanded === null ? {} : { commanded_pan: commanded.pan_deg, commanded_tilt: commanded.tilt_deg, commanded_zoom: commanded.zoom }),
      timestamp: new Date(telemetry.wall_ms).toISOString(),
      frame_timestamp: new Date(frame.wall_ms).toISOString(),
      mode: scan.mode,
    }])),
    capture_positions: scan.frames.map(({ telemetry }) => positionOf(telemetry)),
    ...(scan.camera === undefined ? {} : { camera: scan.camera }),
    skipped_positions: scan.skipped.map(({ stop, code, reason }) => ({ pan: stop.pan_deg, tilt: stop.tilt_deg, code, reason })),
    timestamp: new Date(scan.started_ms).toISOString(),
  };
}

/** What the camera did not say is left out. */
function shown({ field_of_view_h, field_of_view_v, zoom_factor, zoom }: TelemetrySample): Record<string, number> {
  const given = { field_of_view_h, field_of_view_v, zoom_factor, zoom };
  return Object.fromEntries(Object.entries(given).filter((entry): entry is [string, number] => entry[1] !== null));
}

/** One entry of a reference scan's `manifest.json`, which is keyed by file name. */
export interface ReferenceEntry {
  attitude: { yaw: number; pitch: number; roll: number };
  field_of_view_h?: number;
  field_of_view_v?: number;
  zoom?: number;
  zoom_factor?: number;
  commanded_zoom: number | null;
  capture_index: number;
  timestamp: string;
  /** SHA-256 of the picture and of its feature file: the manifest says which files belong together. */
  image_sha256: string;
  features: string;
  features_sha256: string;
  /** Of the whole set, here because this file alone says which set is valid: one that was not finished has changed others already. */
  camera: PtzCamera;
  method: FeatureMethod;
  collected_at: string;
}

export function referenceEntry(captured: CapturedFrame, capture_index: number, set: Pick<ReferenceEntry, 'image_sha256' | 'features' | 'features_sha256' | 'camera' | 'method' | 'collected_at'>): ReferenceEntry {
  const { telemetry, commanded, frame } = captured;
  return { attitude: telemetry.attitude, ...shown(telemetry), commanded_zoom: commanded?.zoom ?? null, capture_index, timestamp: new Date(frame.wall_ms).toISOString(), ...set };
}
