/** Reference sets in a store: images and features first, the manifest last; read back only when every file is what the manifest says. */
import { createHash } from 'node:crypto';
import { SightlineError } from '../../errors.js';
import type { PtzDevice } from '../config/devices.js';
import type { FeatureMethod, Features, PtzCamera, PtzView } from '../estimate/types.js';
import type { FileStore } from '../storage/files.js';
import type { CapturedFrame } from '../types.js';
import { featuresFromText, featuresToText } from './features_text.js';
import { CONTENT_TYPES, referenceEntry, referenceFolder, zoomOf, type ReferenceEntry } from './manifests.js';
import type { SelfTest } from './self_test.js';

/** What is uploaded: each frame with its features. */
export interface NewReference {
  camera: PtzCamera;
  method: FeatureMethod;
  frames: { captured: CapturedFrame; features: Features }[];
  self_test: SelfTest;
  collected_ms: number;
}

export interface ReferenceSet {
  camera: PtzCamera;
  method: FeatureMethod;
  views: PtzView[];
  collected_at: string;
  location: string;
}

/** `reference_panorama.json` of the features folder. */
interface Panorama {
  frames: { filename: string; image_path: string; attitude: ReferenceEntry['attitude']; field_of_view_h: number | null; field_of_view_v: number | null; zoom: number | null; features: string }[];
  camera: PtzCamera;
  method: FeatureMethod;
  collected_at: string;
  self_test: SelfTest;
}

/** File uploads at once. */
const PARALLEL = 4;

/** Index that a new set starts with, so that its names differ from those of the set it replaces until its manifest is there. */
export async function nextCaptureIndex(store: FileStore, device: PtzDevice, signal?: AbortSignal): Promise<number> {
  const indexes = (await store.list(`${referenceFolder(device)}/images/`, signal)).map((key) => Number(/\/frame_(\d+)_/.exec(key)?.[1] ?? -1));
  const next = Math.max(-1, ...indexes) + 1;
  return next > 9_000 ? 0 : next;
}

/** Uploads a set. The former one stays valid until the last step, and is removed after it. Answers the location. */
export async function saveReference(store: FileStore, device: PtzDevice, set: NewReference, first_index: number, signal?: AbortSignal): Promise<string> {
  const folder = referenceFolder(device);
  const former = await store.list(`${folder}/`, signal);
  const manifest: Record<string, ReferenceEntry> = {};
  const uploads: { key: string; body: Buffer; type: string }[] = [];
  set.frames.forEach(({ captured, features }, index) => {
    const text = Buffer.from(featuresToText(features));
    const features_name = `${captured.file_name}.txt`;
    manifest[captured.file_name] = referenceEntry(captured, first_index + index, { image_sha256: sha256(captured.frame.picture), features: features_name, features_sha256: sha256(text), camera: set.camera, method: set.method, collected_at: new Date(set.collected_ms).toISOString() });
    uploads.push({ key: `${folder}/images/${captured.file_name}`, body: captured.frame.picture, type: CONTENT_TYPES[captured.frame.format] });
    uploads.push({ key: `${folder}/features/${features_name}`, body: text, type: CONTENT_TYPES.txt });
  });
  const lanes = Array.from({ length: PARALLEL }, async () => {
    for (let one = uploads.shift(); one !== undefined; one = uploads.shift()) await store.put(one.key, one.body, one.type, signal);
  });
  await Promise.all(lanes);
  const put = (name: string, value: unknown): Promise<void> => store.put(`${folder}/${name}`, Buffer.from(JSON.stringify(value, null, 2) + '\n'), CONTENT_TYPES.json, signal);
  await put('features/reference_panorama.json', panorama(set));
  await put('manifest.json', manifest);
  const kept = new Set([...Object.entries(manifest).flatMap(([name, { features }]) => [`${folder}/images/${name}`, `${folder}/features/${features}`]), `${folder}/manifest.json`, `${folder}/features/reference_panorama.json`]);
  await store.remove(former.filter((key) => !kept.has(key)), signal);
  return store.location(folder);
}

function panorama({ camera, method, frames, self_test, collected_ms }: NewReference): Panorama {
  return {
    frames: frames.map(({ captured: { file_name, telemetry } }) => ({
      filename: file_name, image_path: `images/${file_name}`, attitude: telemetry.attitude, field_of_view_h: telemetry.field_of_view_h, field_of_view_v: telemetry.field_of_view_v, zoom: telemetry.zoom,
      features: `${file_name}.txt`,
    })),
    camera, method, collected_at: new Date(collected_ms).toISOString(), self_test,
  };
}

/**
 * Reads the set of a device: its manifest and features, not the pictures.
 * @throws PTZ_REFERENCE_MISSING when there is no manifest, PTZ_REFERENCE_BROKEN when a file is not the one of the manifest
 */
export async function loadReference(store: FileStore, device: PtzDevice, signal?: AbortSignal): Promise<ReferenceSet> {
  const folder = referenceFolder(device);
  const location = store.location(folder);
  const source = await store.get(`${folder}/manifest.json`, signal);
  if (source === undefined) throw new SightlineError('PTZ_REFERENCE_MISSING', `${device.device_id}: no reference set at ${location}; collect it with "sightline ptz collect"`);
  const manifest = parseJson<Record<string, ReferenceEntry>>(source, `${location}/manifest.json`);
  const entries = Object.entries(manifest).filter(([, entry]) => typeof entry === 'object' && typeof entry.features === 'string');
  const [, first] = entries[0] ?? [];
  if (first === undefined) throw new SightlineError('PTZ_REFERENCE_BROKEN', `${location}/manifest.json: expected at least one frame with features`);
  const { camera, method, collected_at } = first;
  if (!isCamera(camera) || !['sift', 'akaze', 'orb'].includes(method)) throw new SightlineError('PTZ_REFERENCE_BROKEN', `${location}/manifest.json: expected camera {width, height, fx, fy, cx, cy, k1} and method in each entry; collect the set anew`);
  const views: PtzView[] = [];
  const waiting = [...entries];
  const lanes = Array.from({ length: PARALLEL }, async () => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
      const [name, entry] = one;
      const text = await store.get(`${folder}/features/${entry.features}`, signal);
      if (text === undefined || sha256(text) !== entry.features_sha256) throw new SightlineError('PTZ_REFERENCE_BROKEN', `${location}/features/${entry.features}: ${text === undefined ? 'the manifest names it, it is not there' : 'it is not the file of the manifest'}`);
      const features = featuresFromText(text.toString('utf8'), { method, width: camera.width, height: camera.height }, entry.features);
      const { yaw, pitch, roll } = entry.attitude;
      views.push({ name, picture: features, pan_deg: yaw, tilt_deg: pitch, roll_deg: roll, zoom: zoomOf({ zoom_factor: entry.zoom_factor ?? null, zoom: entry.zoom ?? null }) });
    }
  });
  await Promise.all(lanes);
  views.sort((a, b) => a.name.localeCompare(b.name));
  return { camera, method, views, collected_at, location };
}

function isCamera(camera: unknown): camera is PtzCamera {
  return typeof camera === 'object' && camera !== null && ['width', 'height', 'fx', 'fy', 'cx', 'cy', 'k1'].every((key) => Number.isFinite((camera as Record<string, unknown>)[key]));
}

function parseJson<T>(source: Buffer, name: string): T {
  try {
    const value: unknown = JSON.parse(source.toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as T;
  } catch {
    // said below
  }
  throw new SightlineError('PTZ_REFERENCE_BROKEN', `${name}: expected a JSON object`);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
