import { createServer } from 'node:http';
import { join } from 'node:path';
import t from 'tap';
import { loadConfig } from '../../src/config/load.js';
import type { FeatureMethod, Features, OffsetResult } from '../../src/ptz/estimate/types.js';
import { createSlack, slackText } from '../../src/ptz/notify/slack.js';
import { createPtzRecords } from '../../src/ptz/records.js';
import { insertSql } from '../../src/ptz/results/athena_sql.js';
import { createJournal } from '../../src/ptz/results/journal.js';
import { featuresFromText, featuresToText } from '../../src/ptz/scans/features_text.js';
import { encodePng, pictureFormat } from '../../src/ptz/camera/png.js';
import { loadReference, saveReference, type NewReference } from '../../src/ptz/scans/reference.js';
import { localFiles, type FileStore } from '../../src/ptz/storage/files.js';
import type { PtzDevice } from '../../src/ptz/config/devices.js';
import type { DeviceOutcome } from '../../src/ptz/types.js';
import { openStore } from '../../src/store/store.js';
import { inflateSync } from 'node:zlib';

const outcome = (change: Partial<DeviceOutcome['row']> = {}, more: Partial<DeviceOutcome> = {}): DeviceOutcome => ({
  run_id: 'r1', status: 'ok', reason: '', detail: '', alert: false, estimate: null, duration_ms: 12.4,
  row: {
    deployment_name: 'north', device_id: 'cam', timestamp_s: 1_763_128_200, pitch_offset: 0.21, yaw_offset: -0.34, roll_offset: 0.05, mode: 'passive',
    capture_positions: [{ pan: 1, tilt: 2, zoom: 3 }], files_location: 's3://b/x', success: true, failure_log: [], ...change,
  },
  ...more,
});

t.test('a result is recorded, published and notified once, and kept as history', async (t) => {
  const store = await openStore({ file: join(t.testdir(), 'a.db'), log: { info: () => undefined } });
  t.teardown(() => store.close());
  const journal = createJournal(store.db);
  await journal.startRun('r1', 1, 2);
  const first = await journal.record(outcome(), { athena: true, slack: true });
  const second = await journal.record(outcome({ success: false, failure_log: ['a | b', 'c'] }, { status: 'failed' }), { athena: true, slack: false });
  t.equal(second.row.timestamp_s, first.row.timestamp_s + 1, 'a device has one result a second');
  t.same((await journal.unpublished(10)).map(({ id }) => id), [first.id, second.id]);
  t.same((await journal.unnotified(0, 10)).map(({ id }) => id), [first.id], 'what was not wanted is not sent');
  await journal.published([first.id]);
  await journal.notified(first.id);
  t.same([(await journal.unpublished(10)).length, (await journal.unnotified(0, 10)).length], [1, 0]);
  t.match(await journal.history({ limit: 5, status: 'failed' }), [{ id: second.id, row: { success: false } }]);
  t.equal((await journal.newest())[0]?.id, second.id);
  t.equal(await journal.prune(2_000_000_000), 1, 'what Athena has not got is not forgotten');
  const records = createPtzRecords({ config: loadConfig({ env: {}, cwd: t.testdirName }), env: {}, cwd: t.testdirName }, store.db);
  t.match(await records.results({ limit: 1 }), { results: [{ id: second.id, timestamp: '2025-11-14T13:50:01.000Z', failure_log: 'a | b | c' }], next_before: second.id });
  t.same(await records.devices(), { configured: false, devices: [] });
});

t.test('the statement for Athena', async (t) => {
  const sql = insertSql({ database: 'd', table: 'x', location: 's3://b/' }, [outcome().row, outcome({ capture_positions: [], failure_log: ["it's\n gone", 'b'], success: false }).row]);
  t.match(sql, /^INSERT INTO "d"\."x"\nSELECT \* FROM \(VALUES\n\('north', 'cam', TIMESTAMP '2025-11-14 13:50:00', DOUBLE '0.21', DOUBLE '-0.34', DOUBLE '0.05', 'passive', CAST\(ARRAY\[ROW\(DOUBLE '1', DOUBLE '2', DOUBLE '3'\)\]/);
  t.match(sql, /'it''s  gone \| b'\)/);
  t.match(sql, /WHERE NOT EXISTS/);
  t.throws(() => insertSql({ database: 'd', table: 'x', location: '' }, [outcome({ yaw_offset: NaN }).row]));
});

t.test('Slack: 🚨 for alerts and failures, ✅ otherwise', async (t) => {
  const estimate = { ci95_deg: { yaw: 0.01, pitch: 0.02, roll: 0.03 } } as OffsetResult;
  t.equal(slackText(outcome({}, { estimate })), [
    '✅ Camera Calibration Report', 'Deployment: north', 'Device: cam', 'Timestamp: 2025-11-14T13:50:00.000Z', 'Offsets: Pitch=0.2°, Yaw=-0.3°, Roll=0.1°',
    '95 %: Pitch ±0.020°, Yaw ±0.010°, Roll ±0.030°', 'Status: ok', 'Mode: passive', 'Success: Yes',
  ].join('\n'));
  t.match(slackText(outcome({ yaw_offset: 2 }, { alert: true, status: 'drift', detail: 'a < b' })), /^🚨[^]*Yaw=2\.0°[^]*Status: drift: a &lt; b/);
  const failed = slackText(outcome({ success: false, failure_log: ['refused: no_overlap: nothing matches'] }, { status: 'refused', reason: 'no_overlap' }));
  t.match(failed, /^🚨[^]*Status: refused \(no_overlap\)[^]*Success: No\nFailure Logs:\n• refused: no_overlap/);
  t.notMatch(failed, /Offsets/);
});

t.test('Slack: tries again when told to wait, gives up on a refusal, never says the address', async (t) => {
  const answers = [429, 500, 200, 403];
  let asked = 0;
  const server = createServer((_request, response) => { response.writeHead(answers[asked++] ?? 200).end('x'); });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.teardown(() => server.close());
  const address = server.address();
  const slack = createSlack({ url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/hushhush`, pace_ms: 2 });
  await slack.send('a');
  t.equal(asked, 3);
  const error = await slack.send('b').then(() => undefined, (refused: unknown) => refused as Error & { code: string });
  t.match(error, { code: 'PTZ_SLACK_FAILED', message: /HTTP 403 \(attempt 1\)/ });
  t.notMatch(error?.message, /hushhush/);
});

t.test('feature files keep positions to 1/1000 pixel and descriptors whole', async (t) => {
  const features: Features = {
    method: 'orb', width: 640, height: 360, count: 2, xy: Float32Array.of(1.25, 2.5, 639, 0.001), size: Float32Array.of(31, 44.5), descriptors: Uint8Array.from({ length: 64 }, (_, index) => index * 3), descriptor_bytes: 32,
  };
  const text = featuresToText(features);
  t.match(text, /^2 32\n1\.25 2\.5 31 0\.0 0 3 6 /);
  t.same(featuresFromText(text, features, 'f.txt'), features);
  t.same(featuresFromText('0 128\n', features, 'f.txt').count, 0);
  for (const [bad, line] of [['x', 1], ['2 32\n1 2 3 0.0\n', 2], [text.replace('3 6', '3 x'), 2], ['3 1\n1 1 1 0 1\n1 1 1 0 1', 3]] as const) {
    t.throws(() => featuresFromText(bad, features, 'f.txt'), { code: 'PTZ_REFERENCE_BROKEN', message: new RegExp(`line ${line}`) });
  }
});

t.test('PNG', async (t) => {
  const rgb = Uint8Array.from({ length: 5 * 4 * 3 }, (_, index) => (index * 7) & 255);
  const png = await encodePng(rgb, 5, 4);
  t.equal(pictureFormat(png), 'png');
  t.same([png.readUInt32BE(16), png.readUInt32BE(20)], [5, 4]);
  const lines = inflateSync(png.subarray(png.indexOf('IDAT') + 4, png.indexOf('IEND') - 8));
  const back = new Uint8Array(rgb.length);
  for (let y = 0; y < 4; y++) for (let x = 0; x < 15; x++) back[y * 15 + x] = (lines[y * 16 + 1 + x] ?? 0) + (y > 0 ? (back[(y - 1) * 15 + x] ?? 0) : 0);
  t.same(back, rgb);
  t.equal(pictureFormat(Buffer.from('<html>')), undefined);
  await t.rejects(encodePng(rgb, 6, 4));
});

t.test('a collection that was broken off before its manifest leaves the former set as it was', async (t) => {
  const root = t.testdir({});
  const store = localFiles(root);
  const device = { deployment: 'd', deployment_folder: 'd', device_id: 'cam' } as PtzDevice;
  const camera = { width: 640, height: 360, fx: 554, fy: 554, cx: 319.5, cy: 179.5, k1: 0 };
  const set = (method: FeatureMethod, file_name: string): NewReference => ({
    camera, method, collected_ms: 0, self_test: { views: 1, usable: 1, unusable: [], zero_deg: 0, neighbours_deg: null, neighbours: 0 },
    frames: [{
      captured: {
        file_name, commanded: null, again: [], frame: { picture: Buffer.from(file_name), format: 'png', from_mono_ms: 0, to_mono_ms: 0, wall_ms: 0 },
        telemetry: { attitude: { yaw: 1, pitch: 2, roll: 0 }, field_of_view_h: null, field_of_view_v: null, zoom_factor: 1, zoom: null, mono_ms: 0, wall_ms: 0 },
      },
      features: { method, width: 640, height: 360, count: 1, xy: Float32Array.of(1, 2), size: Float32Array.of(3), descriptors: new Uint8Array(method === 'orb' ? 32 : 128), descriptor_bytes: method === 'orb' ? 32 : 128 },
    }],
  });
  await saveReference(store, device, set('sift', 'frame_0000_a.png'), 0);
  const dying: FileStore = { ...store, put: async (key, ...more) => (key.endsWith('/manifest.json') ? Promise.reject(new Error('killed')) : store.put(key, ...more)) };
  await t.rejects(saveReference(dying, device, set('orb', 'frame_0001_b.png'), 1), /killed/);
  t.match(await loadReference(store, device), { method: 'sift', views: [{ name: 'frame_0000_a.png', picture: { method: 'sift', descriptor_bytes: 128 } }] });
  await saveReference(store, device, set('orb', 'frame_0002_c.png'), 2);
  t.match(await loadReference(store, device), { method: 'orb', views: [{ name: 'frame_0002_c.png' }] });
  t.same((await store.list('d/cam/reference_scan/')).filter((key) => key.includes('/images/')), ['d/cam/reference_scan/images/frame_0002_c.png'], 'and what was left is gone');
});
