import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { findDevice, parseDevices } from '../../src/ptz/config/devices.js';
import { checkSettings, loadSettings, MonitoringSchema } from '../../src/ptz/config/settings.js';
import { gridStops, parseStops, wrap180 } from '../../src/ptz/config/stops.js';

const settings = checkSettings({}, 'x.ini');
const problemsOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return (error as Error).message;
  }
  return '';
};

t.test('the sample ini has every key, and no other', async (t) => {
  const sample = readFileSync('configs/calibration_monitoring.ini', 'utf8');
  for (const [section, schema] of Object.entries(MonitoringSchema.properties)) {
    t.match(sample, new RegExp(`^\\[${section}\\]$`, 'm'));
    for (const key of Object.keys(schema.properties)) t.match(sample, new RegExp(`^;? ?${key} =`, 'm'), `${section}.${key}`);
  }
  const loaded = loadSettings({ file: 'configs/calibration_monitoring.ini', env: {} });
  t.same(loaded, settings, 'what it does not comment out are the defaults');
  t.same(loadSettings({ file: join(t.testdir(), 'none.ini'), env: {} }), settings, 'no file: the defaults');
});

t.test('ini: values are read, the environment wins, all problems are said at once, secrets are not', async (t) => {
  const folder = t.testdir({
    'good.ini': '[aws]\ns3_bucket = camera-calibration-monitoring\nregion=eu-west-1\n[monitoring]\nstabilize_time = 5\nactive_ptz_stops = [[200, -10, 0.1], {"pan": 0, "tilt": 5}]\n[slack]\nwebhook_url = https://hooks.test/a\n',
    'bad.ini': '[aws]\naccess_key_id = AKIAHUSHHUSH\nathena_table = a b\ns3_bucket = A\n[monitoring]\nstabilize_time = soon\nactive_ptz_stops = [[0, 50]]\nconcurency = 3\n[slack]\nwebhook_url = hushhush\n[nothing]\na = 1\n',
  });
  const good = loadSettings({ file: join(folder, 'good.ini'), env: { SLACK_WEBHOOK_URL: 'https://hooks.test/b', PTZ_MQTT_PASSWORD: 'x' } });
  t.match(good, { aws: { region: 'eu-west-1' }, monitoring: { stabilize_time: 5 }, slack: { webhook_url: 'https://hooks.test/b' }, devices: { mqtt_password: 'x' } });
  t.same(good.active_stops, [{ pan_deg: -160, tilt_deg: -10, zoom: 0.1 }, { pan_deg: 0, tilt_deg: 5, zoom: null }]);
  const said = problemsOf(() => loadSettings({ file: join(folder, 'bad.ini'), env: {} }));
  for (const words of ['aws.access_key_id and', 'aws.athena_table', 'aws.s3_bucket', 'monitoring.stabilize_time: expected a number', 'active_ptz_stops[0].tilt', 'monitoring.concurency: no such key (did you mean monitoring.concurrency?)', 'slack.webhook_url', 'nothing: no such key']) {
    t.ok(said.includes(words), words);
  }
  t.notMatch(said, /hushhush|AKIAHUSH/);
  t.match(problemsOf(() => checkSettings({ monitoring: { stabilize_time: 30, timeout: 20 } }, 'x')), /timeout: expected more than/);
});

t.test('devices.yaml of the example and of the published form', async (t) => {
  const example = parseDevices(readFileSync('configs/devices.example.yaml', 'utf8'), '/etc/devices.yaml', settings);
  t.ok(example.length >= 4);
  t.same([...new Set(example.map(({ access }) => access.kind))].sort(), ['direct', 'folder', 'kubernetes']);
  const [one, two] = parseDevices('- name: dev\n  cameras:\n    - name: onvifcam-1\n    - name: onvifcam-2\n', 'd.yaml', settings);
  t.match(one, {
    deployment: 'dev', device_id: 'onvifcam-1', variant: 'main', width: 1280, height: 720, lens: null,
    access: { kind: 'kubernetes', context: 'dev', services: { mqtt: 'mosquitto', command: 'onvif-{camera}', rtsp_port: 8554 } },
  });
  t.equal(one?.reference_stops.length, 60);
  t.equal(two?.device_id, 'onvifcam-2');
  const [arn] = parseDevices('- name: arn:aws:eks:eu:1:cluster/a\n  cameras: [{name: c, lens: {hfov_deg: 60, k1: -0.1}}]', 'd.yaml', settings);
  t.equal(arn?.deployment_folder, 'arn_aws_eks_eu_1_cluster_a', 'no colon or slash in a folder');
  t.match(arn?.lens, { width: 1280, height: 720, cx: 639.5, cy: 359.5, k1: -0.1 });
  t.ok(Math.abs((arn?.lens?.fx ?? 0) - 1108.51) < 0.01);
});

t.test('devices.yaml: all problems, each where it is', async (t) => {
  t.match(problemsOf(() => parseDevices('- name: a\n  cameras: [}\n', 'd.yaml', settings)), /line 2, column/);
  t.match(problemsOf(() => parseDevices('{}', 'd.yaml', settings)), /expected a list of deployments/);
  const said = problemsOf(() => parseDevices(`
- name: a
  cameras: [{name: "x/../y"}, {name: ok}, {name: ok}]
- name: a
  direct: {mqtt: http://h, media: http://h, rtsp: rtsp://h}
  cameras: [{name: c, reference_stops: [[0, 90]]}]
- name: b
  cameras: [{name: c, colour: red}]
- name: arn:aws:eks
  cameras: [{name: x}, {name: y}]
- name: arn/aws/eks
  cameras: [{name: x}]
`, 'd.yaml', settings));
  t.ok(said.includes('arn_aws_eks/x: expected once') && !said.includes('eks/y: '), 'two cameras may not share their files');
  for (const words of ['[0].cameras[0].name', 'camera a/ok: expected once', 'deployment a: expected once', '[1].direct.mqtt', '[1].cameras[0].reference_stops[0].tilt', '[2].cameras']) t.ok(said.includes(words), words);
});

t.test('a device is found by its name, or with its deployment where several have it', async (t) => {
  const devices = parseDevices('- name: a\n  cameras: [{name: x}, {name: y}]\n- name: b\n  cameras: [{name: x}]', 'd.yaml', settings);
  t.equal(findDevice(devices, 'y').deployment, 'a');
  t.equal(findDevice(devices, 'b/x').deployment, 'b');
  t.throws(() => findDevice(devices, 'x'), { code: 'PTZ_DEVICE_UNKNOWN', message: /a\/x, b\/x/ });
  t.throws(() => findDevice(devices, 'z'), { code: 'PTZ_DEVICE_UNKNOWN' });
});

t.test('stops', async (t) => {
  t.same([wrap180(190), wrap180(-180), wrap180(180), wrap180(540)], [-170, 180, 180, 180]);
  const grid = gridStops(12, 5);
  t.equal(grid.length, 60);
  t.same([grid[0], grid[12]?.tilt_deg, grid[59]?.tilt_deg], [{ pan_deg: 0, tilt_deg: -70, zoom: null }, -50, 10]);
  t.match(parseStops([[0], [0, 0, 2], 'x', { pan: 1, tilt: 2, zoom: 3 }], 's').problems, [/s\[0\]/, /s\[1\].zoom/, /s\[2\]/, /s\[3\].zoom/]);
});
