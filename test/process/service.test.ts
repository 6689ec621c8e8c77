/** The daemon under a service manager: what it tells it, the watchdog while frames come, reloads that leave streams alone, one that is refused, the stop. */
import t from 'tap';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { writeEndlessModel } from '../fixtures/endless_model.js';
import { managerMissing, startServiceManager, type Told } from '../fixtures/service_manager.js';

const cli = path.join(process.cwd(), 'bin/sightline');
const WATCHDOG_US = 2_000_000;
const SECRET = 'token-that-nobody-may-see';

interface Shown { camera_id: number; state: string; frames: number; reconnects: number }

async function until<T>(what: string, seconds: number, probe: () => T | null | false | undefined | Promise<T | null | false | undefined>, output: () => string): Promise<T> {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; ) {
    const value = await Promise.resolve(probe()).catch(() => null);
    if (value !== null && value !== false && value !== undefined) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`not within ${seconds} s: ${what}\n${output().slice(-3000)}`);
}

t.test('the contract with systemd', { skip: managerMissing(), timeout: 560_000 }, async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'sl-service-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const manager = await startServiceManager(folder);
  t.teardown(() => { manager.close(); });
  const config = path.join(folder, 'config.json');
  // Other processes' changes would be seen after a minute; a reload sees them at once.
  const settings = { cameras: { registry_poll_s: 60 }, processing: { fps: 2 }, detection: { alert_threshold: 0.9 }, logging: { summary_interval_s: 1 } };
  const write = (value: object): Promise<void> => writeFile(config, JSON.stringify(value));
  await write(settings);
  const env = { HOST: '127.0.0.1', PORT: '0', STATE_DIR: path.join(folder, 'state'), CV_PIPELINE_TOKEN: SECRET };
  const run = (...words: string[]): void => {
    const { status, stderr } = spawnSync(process.execPath, [cli, ...words, '--config', config], { env: { PATH: process.env['PATH'], ...env }, encoding: 'utf8', timeout: 60_000 });
    if (status !== 0) throw new Error(stderr);
  };
  const heading = 'camera_id,camera_name,url';
  const row = (id: number): string => `${id},Camera ${id},lavfi:testsrc=size=320x240:rate=5`;
  await writeFile(path.join(folder, 'two.csv'), [heading, row(1), row(2)].join('\n'));
  await writeFile(path.join(folder, 'third.csv'), [heading, row(3)].join('\n'));
  run('cameras', 'import', path.join(folder, 'two.csv'));

  const since_ms = performance.now();
  const daemon = manager.start([process.execPath, cli, 'run', '--config', config], env, WATCHDOG_US);
  t.teardown(() => daemon.process.kill('SIGKILL'));
  const wait = <T>(what: string, probe: () => T | null | false | undefined | Promise<T | null | false | undefined>): Promise<T> => until(what, 120, probe, daemon.output);
  const said = (name: string): Told[] => manager.told.filter(({ values }) => name in values);
  const starts = (id: number): number => [...daemon.output().matchAll(new RegExp(`"camera_id":${id},.*"camera started"`, 'g'))].length;
  const { values } = await wait('READY=1', () => said('READY')[0]);
  const url = /^listening on (http:\S+)$/.exec(values['STATUS'] ?? '')?.[1] ?? '';
  t.match(url, /^http:\/\/127\.0\.0\.1:\d+$/, 'with READY=1 comes where it listens');
  t.equal((await fetch(`${url}/health/live`)).status, 200, 'ready means that it answers');
  const shown = async (): Promise<Shown[]> => ((await (await fetch(`${url}/api/cameras`)).json()) as { cameras: Shown[] }).cameras;
  const streaming = async (count: number): Promise<Shown[] | false> => {
    const cameras = await shown();
    return cameras.length === count && cameras.every(({ state, frames }) => state === 'streaming' && frames > 0) && cameras;
  };
  const before = await wait('two cameras stream', () => streaming(2));
  await wait('the watchdog is fed while frames come', () => said('WATCHDOG').length >= 4);
  await wait('a line for systemctl status', () => said('STATUS').some((one) => /^2\/2 cameras, .* frames\/s/.test(one.values['STATUS'] ?? '')));
  const gaps = said('WATCHDOG').slice(1).map(({ at_us }, index) => at_us - (said('WATCHDOG')[index] as Told).at_us);
  t.comment(`between two feeds of the watchdog at most ${Math.round(Math.max(...gaps) / 1000)} of ${WATCHDOG_US / 1000} ms`);

  /** Sends SIGHUP. @returns what the manager was told between RELOADING=1 and READY=1 */
  const reload = async (): Promise<void> => {
    const [reloads, readies, from_us] = [said('RELOADING').length, said('READY').length, Number(process.hrtime.bigint() / 1000n)];
    daemon.process.kill('SIGHUP');
    const ready = await wait('READY=1 after the reload', () => said('READY')[readies]);
    const [reloading] = said('RELOADING').slice(reloads);
    t.equal(said('RELOADING').length, reloads + 1);
    t.ok(reloading !== undefined && reloading.at_us <= ready.at_us, 'RELOADING=1 comes first');
    const stated_us = Number(reloading?.values['MONOTONIC_USEC']);
    t.ok(stated_us >= from_us && stated_us <= ready.at_us, 'with the time of the manager’s clock');
  };
  run('cameras', 'import', path.join(folder, 'third.csv'));
  if (performance.now() - since_ms < 50_000) t.equal((await shown()).length, 2, 'not seen yet');
  await write({ ...settings, detection: { alert_threshold: 0.7 }, server: { body_limit_kib: 64 } });
  await reload();
  await wait('three cameras stream', () => streaming(3));
  const inForce = async (): Promise<unknown> => ((await (await fetch(`${url}/api/config`)).json()) as { detection: { alert_threshold: number } }).detection.alert_threshold;
  t.equal(await inForce(), 0.7);
  t.match(daemon.output(), /in force: detection\.alert_threshold; changed, but in force only after a restart: server\.body_limit_kib/);

  await write({ ...settings, detection: { alert_threshold: 'high' } });
  await reload();
  t.match(daemon.output(), /the configuration was not reloaded: it has problems/);
  t.match(daemon.output(), /detection\.alert_threshold: expected a number/);
  t.equal(await inForce(), 0.7, 'what was in force stays');
  const refused = await fetch(`${url}/api/config/reload`, { method: 'POST' });
  t.match([refused.status, await refused.json()], [400, { error: { code: 'CONFIG_INVALID' } }], 'the same over HTTP');

  const after = await shown();
  for (const { camera_id, frames, reconnects } of before) {
    const now = after.find((camera) => camera.camera_id === camera_id);
    t.ok((now?.frames ?? 0) > frames && now?.reconnects === reconnects, `camera ${camera_id} counts on`);
    t.equal(starts(camera_id), 1, `camera ${camera_id} was never started again`);
  }
  t.equal(starts(3), 1);
  t.same(said('STOPPING'), []);
  daemon.process.kill('SIGTERM');
  t.equal(await daemon.exited, 0, daemon.output().slice(-1500));
  await wait('STOPPING=1', () => said('STOPPING').length === 1);
  t.notMatch(daemon.output() + JSON.stringify(manager.told), SECRET);
});

t.test('a live daemon whose inference hangs is not fed any more', { skip: managerMissing(), timeout: 400_000 }, async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'sl-service-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const manager = await startServiceManager(folder);
  t.teardown(() => { manager.close(); });
  const config = path.join(folder, 'config.json');
  await writeFile(config, JSON.stringify({ models: { dir: folder, object: writeEndlessModel(folder) }, processing: { fps: 2, use_gpu: false, workers: 1, threads_per_worker: 1 }, logging: { summary_interval_s: 1 } }));
  const env = { HOST: '127.0.0.1', PORT: '0', STATE_DIR: path.join(folder, 'state'), CV_PIPELINE_TOKEN: SECRET };
  const look = async (id: number, colour: string): Promise<void> => {
    const file = path.join(folder, `${colour}.csv`);
    await writeFile(file, `camera_id,camera_name,url\n${id},Camera ${id},lavfi:color=c=${colour}:size=320x240:rate=5`);
    const { status, stderr } = spawnSync(process.execPath, [cli, 'cameras', 'import', file, '--config', config], { env: { PATH: process.env['PATH'], ...env }, encoding: 'utf8', timeout: 60_000 });
    if (status !== 0) throw new Error(stderr);
  };
  await look(1, 'black');
  const daemon = manager.start([process.execPath, cli, 'run', '--config', config], env, WATCHDOG_US);
  t.teardown(() => daemon.process.kill('SIGKILL'));
  const wait = <T>(what: string, probe: () => T | null | false | undefined | Promise<T | null | false | undefined>): Promise<T> => until(what, 120, probe, daemon.output);
  const said = (name: string): Told[] => manager.told.filter(({ values }) => name in values);
  const { values } = await wait('READY=1', () => said('READY')[0]);
  const url = /^listening on (http:\S+)$/.exec(values['STATUS'] ?? '')?.[1] ?? '';
  const results = async (): Promise<number> => ((await (await fetch(`${url}/api/pipeline`)).json()) as { frames_total: number }).frames_total;
  await wait('results', async () => (await results()) > 0);
  const fed = said('WATCHDOG').length;
  await wait('the watchdog is fed', () => said('WATCHDOG').length > fed + 3);

  await look(2, 'white');
  await wait('it is noticed', () => /work does not advance: the watchdog is not fed any more/.test(daemon.output()));
  const health = await wait('/health/live', async () => {
    const answer = await fetch(`${url}/health/live`);
    return answer.status === 503 && answer.json();
  });
  t.match(health, { reasons: ['inference_stuck'] });
  const [feeds, lines] = [said('WATCHDOG').length, said('STATUS').length];
  await wait('it goes on saying what it does', () => said('STATUS').length > lines + 5);
  t.equal(said('WATCHDOG').length, feeds, 'and is not fed');
  t.equal(daemon.process.exitCode, null, 'it lives, cameras stream and HTTP is answered: only the manager can end this');
});
