/** Reading the configuration again: what changes at once, what needs a restart, and what happens to one that is wrong. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { changesBetween, withKeys } from '../../src/config/changes.js';
import { loadConfig } from '../../src/config/load.js';
import type { Config } from '../../src/config/schema.js';
import { createReload } from '../../src/reload.js';
import { createSecrets } from '../../src/observability/redact.js';

const load = (file?: string): Config => loadConfig({ file, env: {}, cwd: '/' });

function world(t: Test, start: object) {
  const file = path.join(t.testdir(), 'config.json');
  const write = (value: object | string): void => { writeFileSync(file, typeof value === 'string' ? value : JSON.stringify(value)); };
  write(start);
  const said: string[] = [];
  const applied: Config[] = [];
  const started = load(file);
  const refuse: { with: Error | undefined } = { with: undefined };
  let current = started;
  const secrets = createSecrets();
  const say = (level: string) => (_fields: object, message: string) => void said.push(`${level} ${message}`);
  const reload = createReload({
    load: () => load(file), current: () => current, started, secrets,
    apply: async (config) => {
      if (refuse.with !== undefined) throw refuse.with;
      applied.push(config);
      current = config;
    },
    log: { info: say('info'), warn: say('warn'), error: say('error') } as unknown as Parameters<typeof createReload>[0]['log'],
  });
  return { reload, write, said, applied, secrets, refuse, current: () => current };
}

t.test('which keys changed, and which of them need a restart', async (t) => {
  const { reload, write, said, current, applied } = world(t, { processing: { fps: 5 } });
  write({ processing: { fps: 3, batch_size: 8 }, detection: { alert_threshold: 0.7, cooldown_s: 5, indicators: { stress: false } }, server: { port: 6000 }, logging: { level: 'debug' } });
  t.same(await reload(), { applied: ['processing.fps', 'detection.alert_threshold', 'detection.cooldown_s', 'detection.indicators.stress', 'logging.level'], needs_restart: ['processing.batch_size', 'server.port'] });
  t.match(current(), { processing: { fps: 3, batch_size: 16 }, detection: { alert_threshold: 0.7, cooldown_s: 5, indicators: { stress: false, anxiety: true } }, server: { port: 5000 }, logging: { level: 'debug' } });
  t.match(said, ['warn configuration reloaded; in force: processing.fps, detection.alert_threshold, detection.cooldown_s, detection.indicators.stress, logging.level; changed, but in force only after a restart: processing.batch_size, server.port']);
  t.same(await reload(), { applied: [], needs_restart: ['processing.batch_size', 'server.port'] }, 'they are named as long as they differ');
  t.same(applied[1], applied[0], 'the same once more, so that the registry is read again');
  t.throws(() => { (current().processing as { fps: number }).fps = 9; }, TypeError, 'still frozen');
});

t.test('a configuration with problems changes nothing and says what is wrong, without its secrets', async (t) => {
  const { reload, write, said, current, applied, secrets } = world(t, { processing: { fps: 5 } });
  write({ processing: { fps: 'fast' }, php_system: { auth_token: 'with blank and secret' } });
  await t.rejects(reload(), { code: 'CONFIG_INVALID', message: /processing\.fps: expected a number/ });
  await reload().catch((error: Error) => t.notMatch(error.message, /with blank and secret/));
  write('{ not json');
  await t.rejects(reload(), { code: 'CONFIG_INVALID' });
  t.same([current().processing.fps, applied.length], [5, 0]);
  t.ok(said.every((line) => line.startsWith('error the configuration was not reloaded')));
  write({ php_system: { auth_token: 'another-token-of-1' } });
  await reload();
  t.equal(secrets.mask('x another-token-of-1 x'), 'x *** x', 'new secrets are masked from now on');
});

t.test('what could not be put into force is said, and the next reload tries it again', async (t) => {
  const { reload, write, said, current, refuse } = world(t, { processing: { fps: 5 } });
  write({ processing: { fps: 3 } });
  refuse.with = new Error('the registry cannot be read');
  await t.rejects(reload(), { message: 'the registry cannot be read' });
  t.match(said, [/^error the configuration was read again, but is not in force everywhere/]);
  t.equal(current().processing.fps, 5);
  refuse.with = undefined;
  t.same(await reload(), { applied: ['processing.fps'], needs_restart: [] });
});

t.test('more cameras than the frame pool was made for need a restart, fewer do not', async (t) => {
  const base = load();
  const other = (max_concurrent: number): Config => ({ ...base, cameras: { ...base.cameras, max_concurrent } });
  t.same(changesBetween(base, other(50)), { applied: ['cameras.max_concurrent'], needs_restart: [] });
  t.same(changesBetween(base, other(200)), { applied: [], needs_restart: ['cameras.max_concurrent'] });
  t.equal(withKeys(base, other(50), ['cameras.max_concurrent']).cameras.max_concurrent, 50);
  t.same(changesBetween(base, load()), { applied: [], needs_restart: [] });
});
