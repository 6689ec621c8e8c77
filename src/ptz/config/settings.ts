/** `configs/calibration_monitoring.ini`: read, checked as a whole, with defaults. Without the file everything is local. */
import { existsSync, readFileSync } from 'node:fs';
import { Type, type Static } from '@sinclair/typebox';
import { parse } from 'ini';
import { int, num, oneOf, optionalText, text, bool } from '../../config/fields.js';
import { SightlineError } from '../../errors.js';
import type { PtzStop } from '../types.js';
import { checked, refuse } from './checked.js';
import { parseStops } from './stops.js';

const closed = { additionalProperties: false } as const;
const secret = { secret: true } as const;
const url = { rule: 'http_url' } as const;

const Aws = Type.Object(
  {
    region: text('AWS region', 'us-east-1'),
    access_key_id: optionalText('AWS access key; without it the usual chain of the AWS SDK (environment, profile, instance role)', secret),
    secret_access_key: optionalText('AWS secret key', secret),
    session_token: optionalText('AWS session token of temporary credentials', secret),
    s3_bucket: optionalText('bucket of references and queries; without it they stay in STATE_DIR/ptz'),
    s3_endpoint: optionalText('another S3 server than AWS', url),
    athena_database: text('Athena database', 'camera_calibration_monitoring'),
    athena_table: text('Athena table (Iceberg)', 'calibration_results'),
    athena_workgroup: text('Athena workgroup', 'primary'),
    athena_output: optionalText('s3:// folder of query answers; default athena-results/ in the bucket'),
    athena_endpoint: optionalText('another Athena endpoint than AWS', url),
    athena_enabled: bool('write rows to Athena too when there is a bucket', true),
    query_timeout_s: num('time limit of one Athena statement, seconds', { default: 120, min: 1, max: 1_800 }),
  },
  { ...closed, description: 'where results go beside the embedded database' },
);

const Slack = Type.Object(
  {
    webhook_url: optionalText('incoming webhook; the environment variable SLACK_WEBHOOK_URL wins', { ...secret, ...url }),
    channel: optionalText('channel, where the webhook lets one choose; without it the webhook has its own'),
    threshold_deg: num('an offset beyond it, with its whole interval, is an alert; degrees', { default: 0.5, min: 0.001, max: 90 }),
    notify: oneOf('which results are sent: all of them, or failures and alerts only', ['all', 'problems'], 'all'),
  },
  { ...closed, description: 'who is told' },
);

const Monitoring = Type.Object(
  {
    stabilize_time: num('a camera counts as still after so long without movement, seconds', { default: 30, min: 0, max: 3_600 }),
    timeout: num('a device that is not still by then has failed, seconds', { default: 120, min: 0.1, max: 7_200 }),
    device_timeout: num('limit of everything that is done for one device, seconds', { default: 900, min: 1, max: 86_400 }),
    active_ptz_stops: text('positions that monitoring drives the camera to, JSON: [[pan, tilt, zoom], ...]; empty list = wait until it is still and take one frame', '[]'),
    reference_stops: optionalText('positions of the reference scan, JSON; without it a grid of reference_yaws × reference_pitches'),
    reference_yaws: int('directions of the reference grid', { default: 12, min: 1, max: 72 }),
    reference_pitches: int('tilts of the reference grid, from -70 to +10', { default: 5, min: 1, max: 20 }),
    movement_tolerance_deg: num('less than this is no movement, degrees', { default: 0.1, min: 0.001, max: 5 }),
    telemetry_max_age: num('telemetry older than this is stale, seconds', { default: 5, min: 0.05, max: 60 }),
    command_tolerance_deg: num('a commanded position is reached within this, degrees', { default: 0.15, min: 0.01, max: 10 }),
    command_zoom_tolerance: num('a commanded zoom is reached within this, on its 0..1 scale', { default: 0.05, min: 0.001, max: 1 }),
    move_timeout: num('a commanded position has to be reached within this, seconds; it is commanded up to three times', { default: 12, min: 0.1, max: 300 }),
    settle_time: num('rest after a movement before the frame is taken, seconds', { default: 1, min: 0, max: 60 }),
    frames_per_position: int('frames taken at each position; with more than one, what moves between them is left out, 3 tell it best', { default: 3, min: 1, max: 5 }),
    frame_interval: num('time between these frames, seconds', { default: 1, min: 0, max: 60 }),
    concurrency: int('devices that are handled at once', { default: 4, min: 1, max: 16 }),
  },
  { ...closed, description: 'how a device is checked' },
);

const Camera = Type.Object(
  {
    variant: oneOf('stream that is monitored', ['main', 'thermal'], 'main'),
    source: oneOf('where frames come from: auto = RTSP, and HTTP snapshots where that fails', ['auto', 'rtsp', 'http'], 'auto'),
    width: int('width of the frames, pixels', { default: 1280, min: 64, max: 7_680 }),
    height: int('height of the frames, pixels', { default: 720, min: 64, max: 4_320 }),
    hfov_deg: Type.Optional(Type.Number({ description: 'horizontal field of view at zoom 1; without it and fx, what telemetry says', minimum: 1, maximum: 170 })),
    fx: Type.Optional(Type.Number({ description: 'focal length at zoom 1, pixels', minimum: 1, maximum: 1e6 })),
    fy: Type.Optional(Type.Number({ description: 'the same, vertical; default fx', minimum: 1, maximum: 1e6 })),
    cx: Type.Optional(Type.Number({ description: 'principal point; default the middle', minimum: -10_000, maximum: 10_000 })),
    cy: Type.Optional(Type.Number({ description: 'principal point; default the middle', minimum: -10_000, maximum: 10_000 })),
    k1: Type.Optional(Type.Number({ description: 'first radial distortion term; default 0', minimum: -2, maximum: 2 })),
    method: oneOf('features: sift is the most exact, orb the fastest', ['sift', 'akaze', 'orb'], 'sift'),
    max_features: int('features of a picture at most', { default: 2_000, min: 100, max: 20_000 }),
    ignore_top: num('share of the picture ignored at the top (overlaid text)', { default: 0.1125, min: 0, max: 0.45 }),
    ignore_bottom: num('share ignored at the bottom', { default: 0, min: 0, max: 0.45 }),
    ignore_left: num('share ignored at the left', { default: 0, min: 0, max: 0.45 }),
    ignore_right: num('share ignored at the right', { default: 0, min: 0, max: 0.45 }),
  },
  { ...closed, description: 'cameras that devices.yaml says nothing else of' },
);

const Devices = Type.Object(
  {
    file: optionalText('devices.yaml, relative to this file; default the one Sightline is configured with'),
    kubeconfig: optionalText('kubeconfig, relative to this file; default KUBECONFIG or ~/.kube/config'),
    mqtt_username: optionalText('MQTT user; PTZ_MQTT_USERNAME wins'),
    mqtt_password: optionalText('MQTT password; PTZ_MQTT_PASSWORD wins', secret),
  },
  { ...closed, description: 'the devices and the way to them' },
);

export const MonitoringSchema = Type.Object({ aws: Aws, slack: Slack, monitoring: Monitoring, camera: Camera, devices: Devices }, { ...closed, description: 'PTZ monitoring' });

/** A checked file. */
export interface PtzSettings extends Static<typeof MonitoringSchema> {
  active_stops: PtzStop[];
  reference_stops: PtzStop[] | null;
}

export interface SettingsOptions {
  file: string;
  /** What a script may give instead of the file: SLACK_WEBHOOK_URL, SLACK_CHANNEL, PTZ_MQTT_USERNAME, PTZ_MQTT_PASSWORD. */
  env: Readonly<Record<string, string | undefined>>;
}

/** @throws PTZ_SETTINGS_INVALID with every problem. A file that is not there gives the defaults. */
export function loadSettings({ file, env }: SettingsOptions): PtzSettings {
  const tree = existsSync(file) ? readIni(file) : {};
  const over = (section: string, key: string, name: string): void => {
    const value = env[name] ?? '';
    if (value !== '') (tree[section] ??= {})[key] = value;
  };
  over('slack', 'webhook_url', 'SLACK_WEBHOOK_URL');
  over('slack', 'channel', 'SLACK_CHANNEL');
  over('devices', 'mqtt_username', 'PTZ_MQTT_USERNAME');
  over('devices', 'mqtt_password', 'PTZ_MQTT_PASSWORD');
  return checkSettings(tree, file);
}

/** The tree as the ini file has it: sections of texts. Exported for tests. */
export function checkSettings(tree: Record<string, unknown>, file: string): PtzSettings {
  const { value, problems } = checked(MonitoringSchema, tree);
  const active = stopsOf(value.monitoring.active_ptz_stops, 'monitoring.active_ptz_stops', problems);
  const reference = value.monitoring.reference_stops === undefined ? null : stopsOf(value.monitoring.reference_stops, 'monitoring.reference_stops', problems);
  if (reference?.length === 0) problems.push('monitoring.reference_stops: expected at least one stop, received an empty list');
  const { aws } = value;
  if ((aws.access_key_id === undefined) !== (aws.secret_access_key === undefined)) problems.push('aws.access_key_id and aws.secret_access_key: expected both or none, received one');
  for (const key of ['athena_database', 'athena_table'] as const) {
    if (typeof aws[key] === 'string' && !/^[a-z_][a-z0-9_]{0,127}$/.test(aws[key])) problems.push(`aws.${key}: expected lower-case letters, digits and _, received ${JSON.stringify(aws[key])}`);
  }
  if (aws.s3_bucket !== undefined && !/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(aws.s3_bucket)) {
    problems.push(`aws.s3_bucket: expected a bucket name (3 to 63 lower-case letters, digits, "." and "-"), received ${JSON.stringify(aws.s3_bucket)}`);
  }
  if (value.monitoring.timeout <= value.monitoring.stabilize_time) {
    problems.push(`monitoring.timeout: expected more than monitoring.stabilize_time (${value.monitoring.stabilize_time}), received ${value.monitoring.timeout}`);
  }
  if (problems.length > 0) throw refuse('PTZ_SETTINGS_INVALID', file, problems);
  return { ...value, active_stops: active, reference_stops: reference };
}

function stopsOf(source: unknown, where: string, problems: string[]): PtzStop[] {
  if (typeof source !== 'string') return []; // the schema has said so
  let list: unknown;
  try {
    list = JSON.parse(source);
  } catch {
    problems.push(`${where}: expected JSON such as [[0, -10, 0.1], [90, -10, 0.1]], received text that does not parse`);
    return [];
  }
  const { stops, problems: found } = parseStops(list, where);
  problems.push(...found);
  return stops;
}

/** Sections of the file; an empty value counts as not set, numbers and booleans become such where the schema wants them. */
function readIni(file: string): Record<string, Record<string, unknown>> {
  let source: string;
  try {
    source = readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new SightlineError('PTZ_SETTINGS_INVALID', `${file}: expected a readable file (${code})`, { cause: error });
  }
  const found = parse(source) as Record<string, unknown>;
  const schemas = MonitoringSchema.properties as Record<string, { properties: Record<string, { type?: string }> }>;
  return Object.fromEntries(
    Object.entries(found).map(([section, keys]) => {
      if (typeof keys !== 'object' || keys === null) return [section, keys as Record<string, unknown>];
      const fields = Object.entries(keys).filter(([, value]) => value !== '' && value !== undefined);
      return [section, Object.fromEntries(fields.map(([key, value]) => [key, coerce(value, schemas[section]?.properties[key]?.type)]))];
    }),
  );
}

function coerce(value: unknown, type: string | undefined): unknown {
  if (typeof value === 'boolean') return type === 'boolean' ? value : String(value);
  if (typeof value !== 'string') return value;
  if (type === 'number' || type === 'integer') return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value.trim()) ? Number(value) : value;
  if (type === 'boolean') return /^(true|1|yes|on)$/i.test(value) ? true : /^(false|0|no|off)$/i.test(value) ? false : value;
  return value;
}
