/**
 * A full run of the PTZ monitor: 12 cameras in 3 clusters, with real Mosquitto, real RTSP, a real S3 server, and Athena, Slack and the Kubernetes API spoken to on the wire. References
 * are collected; then a camera is twisted, one loses its attitude, one does not come to rest, and the rows, objects and messages say so.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import S3rver from 's3rver';
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import t from 'tap';
import { loadCapture } from '../../src/capture/native.js';
import { loadConfig } from '../../src/config/load.js';
import { rtspServerBinary } from '../../src/demo/rtsp_server.js';
import { runCollect, runMonitor } from '../../src/ptz/monitor.js';
import { createSlack } from '../../src/ptz/notify/slack.js';
import { openWorld, type PtzWorld } from '../../src/ptz/open.js';
import { createAthena } from '../../src/ptz/results/athena.js';
import { openStore, type Store } from '../../src/store/store.js';
import { startFakeAthena, type FakeAthena } from '../fixtures/fake_athena.js';
import { kubeconfigOf, startFakeCluster, type FakeCluster } from '../fixtures/fake_kubernetes.js';
import { mosquittoMissing } from '../fixtures/mosquitto.js';
import { lookAt, writeClip } from '../fixtures/ptz_clips.js';
import { makePanorama } from '../fixtures/ptz_scene.js';
import { startSite, type Clips, type Site } from '../fixtures/ptz_site.js';

const CLUSTERS = ['north', 'south', 'west'] as const;
const CAMERAS = ['onvifcam-1', 'onvifcam-2', 'onvifcam-3', 'onvifcam-4'];
const BUCKET = 'camera-calibration-monitoring';
const SCENE = { width: 640, height: 360, hfov_deg: 60 };
const STOPS = [{ pan: 0, tilt: -10 }, { pan: 20, tilt: -10 }];
/** It looks further right and higher than it says, so both offsets are negative. */
const TWIST = { yaw: 1.2, pitch: 0.4 };

const skip = mosquittoMissing || (existsSync(rtspServerBinary(process.cwd())) && existsSync('/usr/bin/ffmpeg') ? false : 'the RTSP server or ffmpeg is not installed (npm run setup)');
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const never = new AbortController().signal;

interface Slackline {
  url: string;
  messages: string[];
  close(): Promise<void>;
}

/** Takes messages, and refuses the first with 429 as Slack does when one is too quick. */
async function startSlack(): Promise<Slackline> {
  const messages: string[] = [];
  let refused = false;
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (part: Buffer) => (text += part.toString()));
    request.on('end', () => {
      if (!refused) {
        refused = true;
        response.writeHead(429, { 'retry-after': '1' }).end('rate_limited');
        return;
      }
      messages.push((JSON.parse(text) as { text: string }).text);
      response.end('ok');
    });
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const address = server.address();
  return {
    messages,
    url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/services/hush`,
    close: () => new Promise((resolve) => { server.close(() => { resolve(); }); server.closeAllConnections(); }),
  };
}

interface Stage {
  sites: Map<string, Site>;
  clusters: Map<string, FakeCluster>;
  athena: FakeAthena;
  slack: Slackline;
  s3: S3Client;
  world: PtzWorld;
  store: Store;
}

async function clipsIn(folder: string): Promise<Clips> {
  const panorama = makePanorama(7);
  const name: Clips = (stop, twisted) => path.join(folder, `clip_${stop.pan}_${twisted ? 'twisted' : 'straight'}.mkv`);
  for (const stop of STOPS) {
    for (const twisted of [false, true]) {
      const look = { yaw_deg: stop.pan + (twisted ? TWIST.yaw : 0), pitch_deg: stop.tilt + (twisted ? TWIST.pitch : 0) };
      await writeClip(name(stop, twisted), lookAt(panorama, look, SCENE), SCENE);
    }
  }
  return name;
}

async function openStage(t: Tap, folder: string): Promise<Stage> {
  const clips = await clipsIn(folder);
  const sites = new Map<string, Site>();
  const clusters = new Map<string, FakeCluster>();
  const namespace = 'cameras';
  for (const name of CLUSTERS) {
    const site = await startSite({ cameras: CAMERAS, home: STOPS[0] ?? { pan: 0, tilt: 0 }, clips, hfov_deg: SCENE.hfov_deg });
    t.teardown(() => site.close());
    const commands = Object.fromEntries(CAMERAS.map((camera) => [`onvif-${camera}`, { ports: { 8000: site.command_port } }]));
    const services = { mosquitto: { ports: { 1883: site.mqtt_port } }, 'media-server': { ports: { 8800: site.media_port, 8554: site.rtsp_port } }, ...commands };
    const cluster = await startFakeCluster({ token: `token-of-${name}`, namespace, services });
    t.teardown(() => cluster.close());
    sites.set(name, site);
    clusters.set(name, cluster);
  }
  const kubeconfig = kubeconfigOf(Object.fromEntries([...clusters].map(([name, { url }]) => [name, { url, token: `token-of-${name}`, namespace }])));
  writeFileSync(path.join(folder, 'kubeconfig'), kubeconfig);
  const bucket = new S3rver({ address: '127.0.0.1', port: 0, silent: true, directory: path.join(folder, 's3'), configureBuckets: [{ name: BUCKET, configs: [] }] });
  const { port } = (await bucket.run()) as { port: number };
  t.teardown(() => bucket.close());
  const athena = await startFakeAthena();
  t.teardown(() => athena.close());
  const slack = await startSlack();
  t.teardown(() => slack.close());

  const [site] = sites.values();
  writeFileSync(path.join(folder, 'devices.yaml'), CLUSTERS.map((name) => `- name: ${name}\n  cameras: [${CAMERAS.map((camera) => `{name: ${camera}}`).join(', ')}]\n`).join(''));
  writeFileSync(path.join(folder, 'monitoring.ini'), `
[aws]
s3_bucket = ${BUCKET}
s3_endpoint = http://127.0.0.1:${port}
athena_endpoint = ${athena.url}
access_key_id = S3RVER
secret_access_key = S3RVER
[slack]
webhook_url = ${slack.url}
[monitoring]
stabilize_time = 0.4
timeout = 4
settle_time = 0.35
frame_interval = 0.1
move_timeout = 4
telemetry_max_age = 1
concurrency = 4
reference_stops = ${JSON.stringify(STOPS)}
[camera]
source = rtsp
width = ${SCENE.width}
height = ${SCENE.height}
max_features = 800
ignore_top = 0
[devices]
kubeconfig = kubeconfig
file = devices.yaml
mqtt_username = ${site?.user}
mqtt_password = ${site?.password}
`);
  const store = await openStore({ file: path.join(folder, 'state/sightline.db'), log });
  t.teardown(() => store.close());
  const env = { PTZ_SETTINGS: path.join(folder, 'monitoring.ini'), STATE_DIR: path.join(folder, 'state') };
  const world = openWorld({ config: loadConfig({ env, cwd: folder }), env: {}, cwd: folder, db: store.db, loadAddon: loadCapture, log });
  world.deps.slack = createSlack({ url: slack.url, pace_ms: 30 });
  t.teardown(() => world.close());
  const s3 = new S3Client({ region: 'us-east-1', endpoint: `http://127.0.0.1:${port}`, forcePathStyle: true, credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' } });
  t.teardown(() => { s3.destroy(); });
  return { sites, clusters, athena, slack, s3, world, store };
}

type Tap = typeof t;

async function keysOf(s3: S3Client, prefix: string): Promise<string[]> {
  const page = await s3.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: prefix }));
  return (page.Contents ?? []).map(({ Key }) => Key ?? '');
}

async function jsonOf(s3: S3Client, key: string): Promise<Record<string, unknown>> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: key }));
  return JSON.parse((await Body?.transformToString()) ?? '') as Record<string, unknown>;
}

t.setTimeout(300_000);
t.test('12 cameras in 3 clusters, 2 of them failing', { skip }, async (t) => {
  const stage = await openStage(t as unknown as Tap, t.testdir());
  const { world, athena, slack, s3, sites, clusters } = stage;
  const { devices, deps } = world;
  t.equal(devices.length, 12);

  await t.test('the tables are made once', async (t) => {
    const tables = createAthena(world.settings.aws, BUCKET, log);
    t.same(await tables.migrate(), [1, 2]);
    t.same(await tables.migrate(), []);
    tables.close();
    t.same([...athena.tables.keys()], ['camera_calibration_monitoring.calibration_results_migrations', 'camera_calibration_monitoring.calibration_results']);
  });

  await t.test('references: every camera is driven to its stops; images, features and the manifest are in the bucket', async (t) => {
    const done = await runCollect(devices, deps, never);
    t.same(done.failed, []);
    t.equal(done.collected.length, 12);
    for (const { self_test, frames } of done.collected) t.match({ frames, usable: self_test.usable, zero: self_test.zero_deg < 0.01, near: (self_test.neighbours_deg ?? 1) < 0.1 }, { frames: 2, usable: 2, zero: true, near: true });
    const keys = await keysOf(s3, 'south/onvifcam-2/');
    const names = ['frame_0000_yaw_0.0_pitch_-10.0_zoom_0.00.png', 'frame_0001_yaw_20.0_pitch_-10.0_zoom_0.00.png'];
    t.same(keys, [...names.map((name) => `features/${name}.txt`), 'features/reference_panorama.json', ...names.map((name) => `images/${name}`), 'manifest.json'].map((key) => `south/onvifcam-2/reference_scan/${key}`));
    const manifest = await jsonOf(s3, 'south/onvifcam-2/reference_scan/manifest.json');
    t.match(manifest[names[1] ?? ''], { attitude: { yaw: 20, pitch: -10, roll: 0 }, field_of_view_h: 60, zoom_factor: 1, commanded_zoom: null, capture_index: 1 });
    for (const site of sites.values()) for (const camera of site.cameras.values()) t.same([camera.commands, camera.stop], [3, STOPS[0]], `${camera.name} was driven to two stops and back`);
    for (const cluster of clusters.values()) t.same([...cluster.protocols], ['v4.channel.k8s.io']);
  });

  const camera = (cluster: string, name: string) => sites.get(cluster)?.cameras.get(name);
  await camera('north', 'onvifcam-3')?.twist(true);
  Object.assign(camera('south', 'onvifcam-2') ?? {}, { talk: 'no_attitude' });
  Object.assign(camera('west', 'onvifcam-4') ?? {}, { talk: 'moving' });
  athena.faults.push(
    { match: /^StartQueryExecution$/, reason: 'throttled' },
    { match: /^GetQueryExecution$/, reason: 'throttled' },
    { match: /^INSERT INTO "camera_calibration_monitoring"."calibration_results"/, reason: 'ICEBERG_COMMIT_ERROR: Failed to commit Iceberg update to table' },
  );

  await t.test('a run: one twisted camera is an alert, two failures stop nobody', async (t) => {
    const statements = athena.statements.length;
    const done = await runMonitor(devices, deps, { signal: never });
    t.match(done, { devices: 12, counts: { ok: 9, drift: 1, uncertain: 0, refused: 0, failed: 2 }, athena: { count: 12, failure: null }, slack: { count: 12, failure: null } });
    t.same(done.results.map(({ row }) => `${row.deployment_name}/${row.device_id}`), devices.map(({ deployment, device_id }) => `${deployment}/${device_id}`));
    const of = (deployment: string, device: string) => done.results.find(({ row }) => row.deployment_name === deployment && row.device_id === device);
    const twisted = of('north', 'onvifcam-3');
    t.match(twisted, { status: 'drift', alert: true, row: { success: true, mode: 'passive', failure_log: [] } });
    t.ok(Math.abs((twisted?.row.yaw_offset ?? 0) + TWIST.yaw) < 0.05 && Math.abs((twisted?.row.pitch_offset ?? 0) + TWIST.pitch) < 0.05, `telemetry minus truth: ${twisted?.row.yaw_offset}, ${twisted?.row.pitch_offset}`);
    t.match(of('south', 'onvifcam-2'), { status: 'failed', reason: 'PTZ_TELEMETRY_INVALID', row: { success: false, yaw_offset: 0, files_location: '' } });
    t.match(of('west', 'onvifcam-4'), { status: 'failed', reason: 'PTZ_NOT_STABLE' });

    const rows = athena.tables.get('camera_calibration_monitoring.calibration_results') ?? [];
    const inserts = athena.statements.slice(statements);
    t.equal(new Set(inserts).size, 1, 'one statement for the run');
    t.equal(inserts.length, 2, 'which lost against another writer once');
    for (const state of ['THROTTLED', 'QUEUED', 'RUNNING', 'FAILED', 'SUCCEEDED']) if (state !== 'QUEUED') t.ok(athena.states.includes(state), state);
    t.equal(rows.length, 12);
    t.same(Object.keys(rows[0] ?? {}), ['deployment_name', 'device_id', 'timestamp', 'pitch_offset', 'yaw_offset', 'roll_offset', 'mode', 'capture_positions', 'files_location', 'success', 'failure_log']);
    t.equal(rows.filter(({ success }) => success).length, 10);
    t.match(rows.find(({ deployment_name: name, device_id }) => name === 'south' && device_id === 'onvifcam-2'), { pitch_offset: 0, capture_positions: [], success: false, failure_log: /PTZ_TELEMETRY_INVALID: telemetry: expected attitude/ });
    t.match(rows.find(({ deployment_name: name, device_id }) => name === 'north' && device_id === 'onvifcam-3'), { capture_positions: [[0, -10, 1]], files_location: /^s3:\/\/camera-calibration-monitoring\/north\/onvifcam-3\/query_scan\/\d{4}-\d\d-\d\dT[\d:]+\.\d{6}$/ });

    const stored = await keysOf(s3, 'north/onvifcam-3/query_scan/');
    t.match(stored[0], /\/again\/frame_0000_passive_1\.png$/, 'further frames lie apart');
    const keys = stored.filter((key) => !key.includes('/again/'));
    t.match(keys, [/\/images\/frame_0000_passive\.png$/, /\/images\/telemetry_manifest\.json$/, /\/result\.json$/]);
    t.match(await jsonOf(s3, keys[1] ?? ''), { device_id: 'onvifcam-3', mode: 'passive', capture_count: 1, telemetry: { 0: { again: [/^frame_0000_passive_1\.png$/], attitude: { yaw: 0, pitch: -10, roll: 0 }, zoom_factor: 1 } }, capture_positions: [{ pan: 0, tilt: -10, zoom: 1 }] });
    t.same(await keysOf(s3, 'west/onvifcam-4/query_scan/'), [], 'nothing of a camera that gave no frame');

    t.equal(slack.messages.length, 12);
    const alarms = slack.messages.filter((text) => text.startsWith('🚨'));
    t.equal(alarms.length, 3);
    t.equal(slack.messages.filter((text) => text.startsWith('✅ Camera Calibration Report')).length, 9);
    t.ok(alarms.some((text) => text.includes('Deployment: north\nDevice: onvifcam-3\n') && text.includes('Offsets: Pitch=-0.4°, Yaw=-1.2°, Roll=') && text.includes('Success: Yes')));
    t.ok(alarms.some((text) => text.includes('Device: onvifcam-4') && text.includes('Success: No') && text.includes('• PTZ_NOT_STABLE')));
    t.notOk(slack.messages.some((text) => text.includes('a-password')));
  });

  await t.test('Athena away: rows wait here and go with the next run, none twice', async (t) => {
    athena.refuse = 'ExpiredTokenException';
    const one = devices.filter(({ deployment, device_id }) => deployment === 'north' && device_id === 'onvifcam-1');
    const failed = await runMonitor(one, deps, { signal: never });
    t.match(failed, { counts: { ok: 1 }, athena: { count: 0, failure: /PTZ_CREDENTIALS.*expired/ } });
    athena.refuse = null;
    const next = await runMonitor(one, deps, { signal: never });
    t.match(next.athena, { count: 2, failure: null });
    t.equal(athena.tables.get('camera_calibration_monitoring.calibration_results')?.length, 14);
  });

  await t.test('an active check drives the camera, compares at each stop, and brings it back', async (t) => {
    const one = devices.filter(({ deployment, device_id }) => deployment === 'west' && device_id === 'onvifcam-1');
    const before = camera('west', 'onvifcam-1')?.commands ?? 0;
    const done = await runMonitor(one, deps, { query: { activePtzStops: STOPS.map(({ pan, tilt }) => ({ pan_deg: pan, tilt_deg: tilt, zoom: 0 })) }, signal: never });
    t.match(done.results[0], { status: 'ok', row: { mode: 'active', capture_positions: [{ pan: 0 }, { pan: 20 }], success: true } });
    t.equal((camera('west', 'onvifcam-1')?.commands ?? 0) - before, 3);
    t.match((await keysOf(s3, 'west/onvifcam-1/query_scan/')).filter((key) => !key.includes('/again/')), { length: 7 });
  });

  await t.test('a camera that another command drives is left alone, and that is said', async (t) => {
    const one = devices.filter(({ deployment, device_id }) => deployment === 'west' && device_id === 'onvifcam-1');
    const before = camera('west', 'onvifcam-1')?.commands ?? 0;
    const other = deps.hold('west/onvifcam-1');
    const done = await runMonitor(one, deps, { query: { activePtzStops: [{ pan_deg: 0, tilt_deg: 0, zoom: 0 }] }, signal: never });
    other.release();
    t.match(done.results[0], { status: 'failed', row: { success: false, failure_log: /PTZ_BUSY/ } });
    t.equal(camera('west', 'onvifcam-1')?.commands, before);
  });
});
