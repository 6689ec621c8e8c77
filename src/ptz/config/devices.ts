/** `devices.yaml`: which cameras lie in which cluster. docs/PTZ.md describes it, configs/devices.example.yaml is one. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Type, type Static, type TSchema } from '@sinclair/typebox';
import { LineCounter, parseDocument } from 'yaml';
import { problemsOf } from '../../config/problems.js';
import { SightlineError } from '../../errors.js';
import type { PtzCamera } from '../estimate/types.js';
import type { PtzStop } from '../types.js';
import { refuse } from './checked.js';
import type { PtzSettings } from './settings.js';
import { gridStops, parseStops } from './stops.js';

const closed = { additionalProperties: false } as const;
/** Part of topics, URLs and object names, so nothing that means something there. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
/** kubectl contexts may be ARNs or hold `@` and `:`; as a folder name `/` and `:` become `_`. */
const CONTEXT = /^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,250}$/;
const MAX_DEVICES = 2_000;

const optional = <S extends TSchema>(schema: S) => Type.Optional(schema);
const Text = Type.String({ minLength: 1, maxLength: 1024 });
const Port = Type.Integer({ minimum: 1, maximum: 65_535 });

const LensSchema = Type.Object(
  {
    width: optional(Type.Integer({ minimum: 64, maximum: 7_680 })),
    height: optional(Type.Integer({ minimum: 64, maximum: 4_320 })),
    hfov_deg: optional(Type.Number({ minimum: 1, maximum: 170 })),
    fx: optional(Type.Number({ minimum: 1, maximum: 1e6 })),
    fy: optional(Type.Number({ minimum: 1, maximum: 1e6 })),
    cx: optional(Type.Number({ minimum: -10_000, maximum: 10_000 })),
    cy: optional(Type.Number({ minimum: -10_000, maximum: 10_000 })),
    k1: optional(Type.Number({ minimum: -2, maximum: 2 })),
  },
  closed,
);

const CameraSchema = Type.Object(
  {
    name: Text,
    variant: optional(Type.Union([Type.Literal('main'), Type.Literal('thermal')])),
    lens: optional(LensSchema),
    source: optional(Type.Union([Type.Literal('auto'), Type.Literal('rtsp'), Type.Literal('http')])),
    active_ptz_stops: optional(Type.Unknown()),
    reference_stops: optional(Type.Unknown()),
    /** Command minus telemetry where a camera has such a constant difference. */
    yaw_difference_deg: optional(Type.Number({ minimum: -360, maximum: 360 })),
    pitch_difference_deg: optional(Type.Number({ minimum: -90, maximum: 90 })),
  },
  closed,
);

const DeploymentSchema = Type.Object(
  {
    name: Text,
    namespace: optional(Text),
    services: optional(
      Type.Object({ mqtt: optional(Text), mqtt_port: optional(Port), media: optional(Text), media_port: optional(Port), rtsp_port: optional(Port), command: optional(Text), command_port: optional(Port) }, closed),
    ),
    direct: optional(Type.Object({ mqtt: Text, media: Text, rtsp: Text, command: optional(Text) }, closed)),
    folder: optional(Text),
    cameras: Type.Array(CameraSchema),
  },
  closed,
);

type DeploymentTree = Static<typeof DeploymentSchema>;

/** How a device is reached. */
export type Access =
  | { kind: 'kubernetes'; context: string; namespace: string | null; services: Services }
  | { kind: 'direct'; mqtt: string; media: string; rtsp: string; command: string | null }
  | { kind: 'folder'; reference: string; query: string };

/** Services of a cluster and their ports; `{camera}` stands for the camera's name. */
export interface Services {
  mqtt: string;
  mqtt_port: number;
  media: string;
  media_port: number;
  rtsp_port: number;
  command: string;
  command_port: number;
}

export interface PtzDevice {
  deployment: string;
  /** As folders of a store have it. */
  deployment_folder: string;
  device_id: string;
  variant: 'main' | 'thermal';
  access: Access;
  source: 'auto' | 'rtsp' | 'http';
  /** Size that frames have to have. */
  width: number;
  height: number;
  /** null = from the field of view that telemetry says. */
  lens: PtzCamera | null;
  active_stops: PtzStop[];
  reference_stops: PtzStop[];
  yaw_difference_deg: number;
  pitch_difference_deg: number;
}

const SERVICES: Services = { mqtt: 'mosquitto', mqtt_port: 1883, media: 'media-server', media_port: 8800, rtsp_port: 8554, command: 'onvif-{camera}', command_port: 8000 };

/** @throws PTZ_DEVICES_INVALID with every problem of the file. */
export function loadDevices(file: string, settings: PtzSettings): PtzDevice[] {
  let source: string;
  try {
    source = readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new SightlineError('PTZ_DEVICES_INVALID', `${file}: expected a readable file (${code}); "sightline ptz init" writes an example`, { cause: error });
  }
  return parseDevices(source, file, settings);
}

/** The same for a text. Relative folders start where the file lies. */
export function parseDevices(source: string, file: string, settings: PtzSettings): PtzDevice[] {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  const fault = document.errors[0];
  if (fault !== undefined) {
    const { line, col } = lines.linePos(fault.pos[0]);
    throw refuse('PTZ_DEVICES_INVALID', file, [`line ${line}, column ${col}: expected YAML, ${fault.code.toLowerCase().replaceAll('_', ' ')}`]);
  }
  let tree: unknown;
  try {
    tree = document.toJS({ maxAliasCount: 100 });
  } catch {
    throw refuse('PTZ_DEVICES_INVALID', file, ['expected at most 100 uses of YAML aliases']);
  }
  if (!Array.isArray(tree) || tree.length === 0) throw refuse('PTZ_DEVICES_INVALID', file, ['expected a list of deployments, each {name, cameras: [{name}]}']);
  const problems: string[] = [];
  const devices = tree.flatMap((item: unknown, index) => deploymentOf(item, `[${index}]`, { file, settings, problems }));
  duplicates(devices.map(({ deployment, device_id }) => `${deployment}/${device_id}`), 'camera', problems);
  duplicates(tree.map((item) => String((item as { name?: unknown } | null)?.name)), 'deployment', problems);
  const folders = new Map(devices.map(({ deployment, deployment_folder, device_id }) => [`${deployment}/${device_id}`, `${deployment_folder}/${device_id}`]));
  duplicates([...folders.values()], 'folder (the deployment with "_" for "/" and ":", and the camera)', problems);
  if (devices.length > MAX_DEVICES) problems.push(`expected at most ${MAX_DEVICES} cameras, found ${devices.length}`);
  if (problems.length > 0) throw refuse('PTZ_DEVICES_INVALID', file, problems);
  return devices;
}

/** The device of an id, `camera` or `deployment/camera`. @throws PTZ_DEVICE_UNKNOWN */
export function findDevice(devices: readonly PtzDevice[], id: string): PtzDevice {
  const found = devices.filter(({ deployment, device_id }) => device_id === id || `${deployment}/${device_id}` === id);
  const [device] = found;
  if (device === undefined) throw new SightlineError('PTZ_DEVICE_UNKNOWN', `device: expected one of devices.yaml, received ${JSON.stringify(id.slice(0, 100))}`);
  if (found.length > 1) {
    const names = found.map(({ deployment, device_id }) => `${deployment}/${device_id}`).join(', ');
    throw new SightlineError('PTZ_DEVICE_UNKNOWN', `device: expected deployment/camera because several deployments have ${device.device_id}: ${names}`);
  }
  return device;
}

interface Reading {
  file: string;
  settings: PtzSettings;
  problems: string[];
}

function deploymentOf(item: unknown, at: string, reading: Reading): PtzDevice[] {
  const found = problemsOf(DeploymentSchema, item);
  reading.problems.push(...found.map((problem) => `${at}.${problem}`));
  if (found.length > 0) return [];
  const tree = item as DeploymentTree;
  if (!CONTEXT.test(tree.name)) reading.problems.push(`${at}.name: expected the name of a kubectl context, received ${JSON.stringify(tree.name)}`);
  if (tree.direct !== undefined && tree.folder !== undefined) reading.problems.push(`${at}: expected one of direct and folder, received both`);
  for (const [key, pattern] of [['mqtt', /^mqtts?:$/], ['media', /^https?:$/], ['rtsp', /^rtsps?:$/], ['command', /^https?:$/]] as const) {
    const value = tree.direct?.[key];
    if (value === undefined || (URL.canParse(value) && pattern.test(new URL(value).protocol))) continue;
    reading.problems.push(`${at}.direct.${key}: expected a URL (${key === 'mqtt' ? 'mqtt://host:1883' : key === 'rtsp' ? 'rtsp://host:8554' : 'http://host:port'}), received another text`);
  }
  return tree.cameras.map((camera, index) => deviceOf(tree, camera, `${at}.cameras[${index}]`, reading));
}

function deviceOf(deployment: DeploymentTree, camera: Static<typeof CameraSchema>, at: string, { file, settings, problems }: Reading): PtzDevice {
  if (!NAME.test(camera.name)) problems.push(`${at}.name: expected letters, digits, ".", "_" and "-", received ${JSON.stringify(camera.name)}`);
  const stops = (value: unknown, key: string): PtzStop[] => {
    const parsed = parseStops(value, `${at}.${key}`);
    problems.push(...parsed.problems);
    return parsed.stops;
  };
  const defaults = settings.camera;
  const lens = { ...defaults, ...camera.lens };
  const width = camera.lens?.width ?? defaults.width;
  const height = camera.lens?.height ?? defaults.height;
  return {
    deployment: deployment.name,
    deployment_folder: deployment.name.replaceAll(/[/:]/g, '_'),
    device_id: camera.name,
    variant: camera.variant ?? defaults.variant,
    access: accessOf(deployment, camera.name, path.dirname(file)),
    source: camera.source ?? defaults.source,
    width,
    height,
    lens: lensOf({ ...lens, width, height }),
    active_stops: camera.active_ptz_stops === undefined ? settings.active_stops : stops(camera.active_ptz_stops, 'active_ptz_stops'),
    reference_stops:
      camera.reference_stops === undefined
        ? (settings.reference_stops ?? gridStops(settings.monitoring.reference_yaws, settings.monitoring.reference_pitches))
        : stops(camera.reference_stops, 'reference_stops'),
    yaw_difference_deg: camera.yaw_difference_deg ?? 0,
    pitch_difference_deg: camera.pitch_difference_deg ?? 0,
  };
}

function accessOf(deployment: DeploymentTree, camera: string, folder: string): Access {
  if (deployment.direct !== undefined) return { kind: 'direct', ...deployment.direct, command: deployment.direct.command ?? null };
  if (deployment.folder !== undefined) {
    const own = path.resolve(folder, deployment.folder, camera);
    return { kind: 'folder', reference: path.join(own, 'reference'), query: path.join(own, 'query') };
  }
  const given = Object.fromEntries(Object.entries(deployment.services ?? {}).filter(([, value]) => value !== undefined));
  return { kind: 'kubernetes', context: deployment.name, namespace: deployment.namespace ?? null, services: { ...SERVICES, ...given } };
}

/** Lens data in pixels of the frame; null when neither a focal length nor a field of view is given. */
export function lensOf(given: { width: number; height: number; hfov_deg?: number; fx?: number; fy?: number; cx?: number; cy?: number; k1?: number }): PtzCamera | null {
  const { width, height } = given;
  const fx = given.fx ?? (given.hfov_deg === undefined ? undefined : width / 2 / Math.tan((given.hfov_deg * Math.PI) / 360));
  if (fx === undefined) return null;
  return { width, height, fx, fy: given.fy ?? fx, cx: given.cx ?? (width - 1) / 2, cy: given.cy ?? (height - 1) / 2, k1: given.k1 ?? 0 };
}

function duplicates(names: readonly string[], what: string, problems: string[]): void {
  for (const name of new Set(names.filter((one, index) => names.indexOf(one) !== index))) problems.push(`${what} ${name}: expected once, found more often`);
}
