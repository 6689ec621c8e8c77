/**
 * `sightline service install|uninstall`: copies this installation to /opt/sightline, makes /etc/sightline once, puts the unit into place and starts it.
 * Installing again is the upgrade: programs are exchanged in one step, configuration and state stay.
 */
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { loadConfig } from '../config/load.js';
import { SightlineError } from '../errors.js';
import { renderUnit, UNIT_DEFAULTS } from './unit.js';

export interface InstallOptions {
  /** The clone or installation that is to be installed. */
  source: string;
  /** Everything is put below it; '/' is this machine, anything else an image that is being made: then nothing is started. */
  prefix: string;
  /** Becomes /etc/sightline/config.json where there is none. */
  config_file?: string | undefined;
  node: string;
  uid: number;
  /** false: enabled, not started. */
  start: boolean;
  /** Runs systemctl; rejects with what it said. */
  systemctl: (...words: string[]) => Promise<void>;
  say: (line: string) => void;
}

const UNIT_FILE = '/etc/systemd/system/sightline.service';
const STATE = '/var/lib/sightline';
/** With DynamicUser the state lies here and STATE is a link to it. */
const PRIVATE_STATE = '/var/lib/private/sightline';
/** The unit may not read these: ProtectHome=yes, PrivateTmp=yes. */
const HIDDEN = ['/home', '/root', '/run/user', '/tmp', '/var/tmp'];
/** Of a clone, what a daemon does not need. */
const LEFT_OUT = new Set(['.git', '.ci', '.tap', '.sightline', 'build', 'test', 'bench', 'native', 'dist/test', 'dist/bench', 'node_modules/.cache']);
/** Of the folder build, what it does need. */
const BUILT = 'build/native/bin';

/** Errors: SERVICE_INSTALL, CONFIG_INVALID (then nothing was changed). */
export async function install(options: InstallOptions): Promise<void> {
  const { source, say } = options;
  const at = (file: string): string => path.join(options.prefix, file);
  mayInstall(options);
  for (const file of ['dist/src/cli/main.js', BUILT, 'models/weights', 'node_modules']) {
    if (!existsSync(path.join(source, file))) throw refusal(`expected a complete set-up, ${file} is missing in ${source}; run "npm run setup" there`);
  }
  const etc = at('/etc/sightline');
  const config = path.join(etc, 'config.json');
  const given = existsSync(config) ? config : (options.config_file ?? path.join(source, 'config.sample.json'));
  loadConfig({ file: given, env: {}, cwd: '/' });

  copyPrograms(source, at(UNIT_DEFAULTS.home));
  say(`programs: ${at(UNIT_DEFAULTS.home)}`);
  mkdirSync(at(UNIT_DEFAULTS.credentials), { recursive: true });
  chmodSync(at(UNIT_DEFAULTS.credentials), 0o700);
  if (given !== config) copyFileSync(given, config);
  // The service runs as a user of its own, which is in no group of this file: readable for all, so secrets belong into credentials/.
  chmodSync(config, 0o644);
  say(`configuration: ${config}${given === config ? ' (kept)' : ''}; secrets go into ${at(UNIT_DEFAULTS.credentials)}, one file each`);
  const unit = at(UNIT_FILE);
  mkdirSync(path.dirname(unit), { recursive: true });
  const template = readFileSync(path.join(source, 'systemd/sightline.service'), 'utf8');
  writeFileSync(unit, renderUnit(template, { ...UNIT_DEFAULTS, node: options.node, groups: groupsOf(options.prefix) }));
  say(`unit: ${unit}; state: ${at(STATE)}`);
  if (options.prefix !== '/') return;
  await options.systemctl('daemon-reload');
  await options.systemctl('enable', 'sightline.service');
  if (!options.start) return;
  await options.systemctl('restart', 'sightline.service');
  say('started; "systemctl status sightline" and "journalctl -u sightline" show what it does');
}

export interface UninstallOptions extends Pick<InstallOptions, 'prefix' | 'uid' | 'systemctl' | 'say'> {
  /** true: configuration, credentials and state go too. */
  purge: boolean;
}

/** Stops and removes the service. Errors: SERVICE_INSTALL. */
export async function uninstall({ prefix, uid, systemctl, say, purge }: UninstallOptions): Promise<void> {
  const at = (file: string): string => path.join(prefix, file);
  if (prefix === '/' && uid !== 0) throw refusal('expected to be run as root (sudo)');
  const unit = at(UNIT_FILE);
  const there = existsSync(unit);
  if (there && prefix === '/') await systemctl('disable', '--now', 'sightline.service');
  for (const file of [unit, at(UNIT_DEFAULTS.home)]) rmSync(file, { recursive: true, force: true });
  if (there && prefix === '/') await systemctl('daemon-reload');
  say(there ? `removed: ${unit}, ${at(UNIT_DEFAULTS.home)}` : 'the service is not installed');
  const kept = [at('/etc/sightline'), at(STATE), at(PRIVATE_STATE)].filter((file) => existsSync(file));
  if (purge) for (const file of kept) rmSync(file, { recursive: true, force: true });
  if (kept.length > 0) say(`${purge ? 'removed' : 'kept (--purge removes them)'}: ${kept.join(', ')}`);
}

function mayInstall({ prefix, uid, node }: InstallOptions): void {
  if (prefix === '/' && uid !== 0) throw refusal('expected to be run as root (sudo)');
  if (prefix === '/' && !existsSync('/run/systemd/system')) throw refusal('expected a machine that systemd runs, /run/systemd/system is missing');
  const hidden = HIDDEN.find((folder) => node.startsWith(`${folder}/`));
  if (hidden !== undefined) throw refusal(`expected a Node.js that the service may read, received one below ${hidden}; install it for the whole machine`);
}

/** Beside the old ones first, then exchanged by two renames: a copy that fails half-way leaves the old ones as they were. */
function copyPrograms(source: string, home: string): void {
  if (path.resolve(source) === path.resolve(home)) return;
  const [fresh, old] = [`${home}.new`, `${home}.old`];
  for (const folder of [fresh, old]) rmSync(folder, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  const wanted = (file: string): boolean => !LEFT_OUT.has(path.relative(source, file));
  // Of links their targets: the clone may go.
  cpSync(source, fresh, { recursive: true, dereference: false, verbatimSymlinks: true, filter: wanted });
  cpSync(path.join(source, BUILT), path.join(fresh, BUILT), { recursive: true });
  if (existsSync(home)) renameSync(home, old);
  renameSync(fresh, home);
  rmSync(old, { recursive: true, force: true });
}

function groupsOf(prefix: string): string[] {
  try {
    return readFileSync(path.join(prefix, '/etc/group'), 'utf8').split('\n').map((line) => line.split(':')[0] ?? '');
  } catch {
    return [];
  }
}

function refusal(message: string): SightlineError {
  return new SightlineError('SERVICE_INSTALL', `service: ${message}`);
}
