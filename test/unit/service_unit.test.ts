/** The systemd unit: what systemd thinks of it, and what installing makes of it. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { install, uninstall, type InstallOptions } from '../../src/service/install.js';
import { renderUnit, UNIT_DEFAULTS } from '../../src/service/unit.js';

const template = readFileSync('systemd/sightline.service', 'utf8');
const settings = (unit: string): string[] => unit.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

/** Names systemd-analyze knows; a machine without it has no opinion. */
const analyze = spawnSync('systemd-analyze', ['--version'], { encoding: 'utf8' });
const skip = analyze.status === 0 ? false : 'systemd-analyze is not installed';

t.test('exposure of at most 3.0, and no complaint', { skip }, async (t) => {
  const security = spawnSync('systemd-analyze', ['security', '--offline=true', '--no-pager', '--threshold=30', 'systemd/sightline.service'], { encoding: 'utf8' });
  const level = Number(/exposure level for sightline.service: ([\d.]+)/.exec(security.stdout)?.[1]);
  t.ok(level <= 3.0, `exposure level ${level}`);
  t.equal(security.status, 0, security.stderr);

  const made = renderUnit(template, { ...UNIT_DEFAULTS, node: process.execPath, home: process.cwd(), groups: [] }).replace(/^Documentation=.*$/m, '');
  const file = path.join(t.testdir(), 'sightline.service');
  writeFileSync(file, made);
  const verify = spawnSync('systemd-analyze', ['verify', '--recursive-errors=no', file], { encoding: 'utf8' });
  t.notMatch(verify.stderr, /sightline\.service:\d+|Unknown (key|lvalue|section)|Failed to parse/i);
});

t.test('what the daemon relies on is in the unit', async (t) => {
  const lines = settings(template);
  for (const line of ['Type=notify', 'NotifyAccess=main', 'WatchdogSec=60', 'Restart=always', 'RestartPreventExitStatus=2', 'StateDirectory=sightline', 'LoadCredential=sightline:/etc/sightline/credentials', 'ExecReload=/bin/kill -HUP $MAINPID']) {
    t.ok(lines.includes(line), line);
  }
  t.notOk(lines.some((line) => line.startsWith('MemoryDenyWriteExecute=yes')), 'V8 needs to compile');
});

t.test('the unit of an installation: its paths, and only groups that the machine has', async (t) => {
  const unit = renderUnit(template, { ...UNIT_DEFAULTS, node: '/usr/local/bin/node 20', home: '/srv/100%', groups: ['video'] });
  t.match(unit, /^ExecStart="\/usr\/local\/bin\/node 20" \/srv\/100%%\/bin\/sightline run --config \/etc\/sightline\/config\.json$/m);
  t.match(unit, /^SupplementaryGroups=video$/m);
  t.notMatch(renderUnit(template, { ...UNIT_DEFAULTS, groups: [] }), /^SupplementaryGroups/m);
  t.equal(renderUnit(template, { ...UNIT_DEFAULTS, groups: ['render', 'video'] }), template, 'the one in the clone is that of the usual places');
});

/** A set-up clone, as far as installing looks, and an empty machine. */
function world(t: Test): InstallOptions & { said: string[]; file: (name: string) => string } {
  const base = t.testdir();
  const source = path.join(base, 'clone');
  for (const file of ['dist/src/cli/main.js', 'dist/test/x.js', 'build/native/bin/capture.node', 'build/native/bin/service.node', 'build/demo/a.mkv', 'models/weights/a.onnx', 'node_modules/a/index.js', '.git/HEAD', 'test/x.ts', 'bin/sightline']) {
    mkdirSync(path.dirname(path.join(source, file)), { recursive: true });
    writeFileSync(path.join(source, file), 'one');
  }
  for (const file of ['config.sample.json', 'systemd/sightline.service']) {
    mkdirSync(path.dirname(path.join(source, file)), { recursive: true });
    writeFileSync(path.join(source, file), readFileSync(file));
  }
  const said: string[] = [];
  const prefix = path.join(base, 'machine');
  mkdirSync(path.join(prefix, 'etc'), { recursive: true });
  writeFileSync(path.join(prefix, 'etc/group'), 'root:x:0:\nvideo:x:44:\n');
  return {
    source, prefix, node: '/usr/bin/node', uid: 1000, start: true, said, say: (line) => said.push(line),
    systemctl: async (...words) => { said.push(`systemctl ${words.join(' ')}`); },
    file: (name) => path.join(prefix, name),
  };
}

t.test('install, upgrade and uninstall: state and configuration stay, secrets are in a closed folder', async (t) => {
  const options = world(t);
  const { file, source } = options;
  await install(options);
  t.ok(existsSync(file('opt/sightline/build/native/bin/capture.node')));
  for (const left of ['.git', 'test', 'dist/test', 'build/demo']) t.notOk(existsSync(file(`opt/sightline/${left}`)), left);
  t.equal(statSync(file('etc/sightline/credentials')).mode & 0o777, 0o700);
  t.match(readFileSync(file('etc/systemd/system/sightline.service'), 'utf8'), /^SupplementaryGroups=video$/m);
  t.notOk(options.said.some((line) => line.startsWith('systemctl')), 'nothing is started below a prefix');

  writeFileSync(file('etc/sightline/config.json'), JSON.stringify({ processing: { fps: 3 } }));
  writeFileSync(file('etc/sightline/credentials/CV_PIPELINE_TOKEN'), 'kept');
  mkdirSync(file('var/lib/sightline'), { recursive: true });
  writeFileSync(file('var/lib/sightline/sightline.db'), 'state');
  writeFileSync(path.join(source, 'bin/sightline'), 'two');
  writeFileSync(file('opt/sightline/leftover'), 'x');
  await install(options);
  t.equal(readFileSync(file('opt/sightline/bin/sightline'), 'utf8'), 'two', 'programs are new');
  t.notOk(existsSync(file('opt/sightline/leftover')));
  t.match(readFileSync(file('etc/sightline/config.json'), 'utf8'), /"fps":3/);

  await uninstall({ ...options, purge: false });
  t.notOk(existsSync(file('opt/sightline')) || existsSync(file('etc/systemd/system/sightline.service')));
  t.equal(readFileSync(file('var/lib/sightline/sightline.db'), 'utf8'), 'state');
  t.equal(readFileSync(file('etc/sightline/credentials/CV_PIPELINE_TOKEN'), 'utf8'), 'kept');
  await uninstall({ ...options, purge: true });
  t.notOk(existsSync(file('var/lib/sightline')) || existsSync(file('etc/sightline')));
});

t.test('what cannot be installed changes nothing', async (t) => {
  const options = world(t);
  await t.rejects(install({ ...options, prefix: '/' }), { code: 'SERVICE_INSTALL', message: /as root|systemd runs/ });
  await t.rejects(install({ ...options, node: '/tmp/nvm/node' }), { code: 'SERVICE_INSTALL', message: /below \/tmp/ });
  writeFileSync(path.join(options.source, 'bad.json'), '{"processing": {"fps": "fast"}}');
  await t.rejects(install({ ...options, config_file: path.join(options.source, 'bad.json') }), { code: 'CONFIG_INVALID' });
  await t.rejects(install({ ...options, source: options.prefix }), { code: 'SERVICE_INSTALL', message: /npm run setup/ });
  t.notOk(existsSync(options.file('opt')));
});
