/**
 * The container files without an engine: the steps of the image are those of set-up, its packages hold every library that the built programs ask for, and its entry point,
 * run as it stands, starts, is found healthy, serves live eye tracking, and stops on its signal.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import t from 'tap';
import { parse } from 'yaml';
import { PAGES_DIR } from '../../src/http/routes/pages.js';
import { eyeClient } from '../fixtures/eye_client.js';

t.setTimeout(400_000);
const dockerfile = readFileSync('Dockerfile', 'utf8').replaceAll('\\\n', ' ');
const stages = dockerfile.split(/^FROM /m).slice(1);
const [build = '', run = ''] = stages;
const installed = new Set((/apt-get install -y --no-install-recommends ([^&]+)/.exec(run)?.[1] ?? '').trim().split(/\s+/));
const words = (name: string): string[] => JSON.parse(new RegExp(`^${name} (\\[.*\\])$`, 'm').exec(run)?.[1] ?? '[]') as string[];
const environment = Object.fromEntries((/^ENV (.*)$/m.exec(run)?.[1] ?? '').split(' ').map((pair) => pair.split('=') as [string, string]));

t.test('two stages; the build is set-up itself, for the CPU and for a GPU', async (t) => {
  t.equal(stages.length, 2);
  for (const profile of ['start', 'gpu']) t.match(build, `node setup/main.mjs ${profile}`);
  t.notMatch(build, /apt-get install|npm ci|cmake/, 'no second list of steps');
  t.match(readFileSync('setup/main.mjs', 'utf8'), /start: .*\n[\s\S]*gpu: /);
  t.notMatch(installed.size === 0 ? '-dev' : [...installed].join(' '), /-dev\b|build-essential|cmake/, 'no compiler in the image that runs');
  t.match(run, /^USER node$/m);
});

t.test('what set-up installs for running is in the image', async (t) => {
  const setup = readFileSync('setup/steps/system_packages.mjs', 'utf8');
  const start = [...(/const START = \[([\s\S]*?)\];/.exec(setup)?.[1] ?? '').matchAll(/'([^']+)'/g)].map(([, name = '']) => name);
  t.ok(start.length > 5, 'set-up has a list');
  const building = new Set(['build-essential', 'cmake', 'ninja-build', 'pkg-config', 'python3']);
  for (const name of start.filter((name) => !name.endsWith('-dev') && !building.has(name))) t.ok(installed.has(name), name);
});

t.test('the pages are in the image, what only tests need is not', async (t) => {
  const setup = readFileSync('setup/steps/system_packages.mjs', 'utf8');
  const only_tests = [...(/\n {2}test: \[([\s\S]*?)\n {2}\]/.exec(setup)?.[1] ?? '').matchAll(/'([a-z0-9.+-]+)'/g)].map(([, name = '']) => name);
  for (const name of ['chromium', 'firefox-esr', 'mariadb-server']) t.ok(only_tests.includes(name), `set-up has ${name} for the tests`);
  for (const name of only_tests) t.notOk(installed.has(name), name);
  t.match(readFileSync('setup/main.mjs', 'utf8'), /const common = [^;]*webBuild/, 'the set-up of the build stage makes the pages');
  const forgotten = (/&& rm -rf (\S+ .*)$/m.exec(build)?.[1] ?? '').split(' ').filter((name) => !name.startsWith('/'));
  t.ok(forgotten.length > 0, 'the build stage leaves its sources behind');
  const needed = [path.relative('.', PAGES_DIR), 'build/native/bin', 'dist/src', 'bin/sightline', 'models/manifest.json', 'models/weights', 'node_modules', 'package.json'];
  for (const name of needed) t.notOk(forgotten.some((gone) => name === gone || name.startsWith(`${gone}/`)), `${name} stays`);
});

const tools = ['readelf', 'dpkg-query'].every((tool) => spawnSync(tool, ['--version']).status === 0) ? false : 'readelf or dpkg-query is not here';
t.test('every library that the built programs ask for comes from a package of the image', { skip: tools }, async (t) => {
  const programs = ['build/native/bin/capture.node', 'build/native/bin/geometry.node', 'build/native/bin/vision.node', 'build/native/bin/sightline-rtsp-server',
    'node_modules/@u4/opencv4nodejs/build/Release/opencv4nodejs.node', 'node_modules/better-sqlite3/build/Release/better_sqlite3.node'].filter((file) => existsSync(file));
  t.ok(programs.length > 0, 'something is built');
  const needed = new Set(programs.flatMap((file) => [...spawnSync('readelf', ['-d', file], { encoding: 'utf8' }).stdout.matchAll(/NEEDED.*\[(.+?)\]/g)].map(([, name = '']) => name)));
  const found = spawnSync('dpkg-query', ['-S', ...[...needed].map((name) => `*/${name}`)], { encoding: 'utf8' }).stdout;
  for (const name of needed) {
    const owners = found.split('\n').filter((line) => line.endsWith(`/${name}`)).map((line) => line.split(':')[0] ?? '');
    if (owners.length > 0) t.ok(owners.some((owner) => owner === 'libc6' || installed.has(owner)), `${name} of ${owners.join(', ')}`);
  }
});

t.test('the compose file: a database that is healthy first, no secret, nothing open to others', async (t) => {
  const text = readFileSync('compose.yaml', 'utf8');
  const { services } = parse(text) as { services: Record<string, { image?: string; environment: Record<string, string>; ports?: string[]; depends_on?: unknown; volumes: string[] }> };
  t.match(services.database?.image, /^mariadb:/);
  t.same(services.sightline?.depends_on, { database: { condition: 'service_healthy' } });
  for (const [name, value] of Object.entries({ ...services.database?.environment, ...services.sightline?.environment })) if (/PASSWORD|TOKEN|KEY/.test(name)) t.match(value, /^\$\{[A-Z_]+(:\?[^}]+|:-)\}$/, name);
  t.ok(services.sightline?.ports?.every((port) => port.startsWith('${SIGHTLINE_BIND:-127.0.0.1}:')));
  t.ok(services.sightline?.volumes.some((volume) => volume.endsWith(`:${environment.STATE_DIR ?? ''}`)));
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const [program = '', ...before] = words('ENTRYPOINT');
const health = words('CMD').length > 0 ? (/HEALTHCHECK .* CMD (\[.*\])/.exec(run)?.[1] ?? '[]') : '[]';
const base = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...environment };

t.test('without a token it says what is missing and does not listen', async (t) => {
  const { status, stderr } = spawnSync(program, [...before, ...words('CMD')], { encoding: 'utf8', timeout: 60_000, env: { ...base, STATE_DIR: t.testdir() } });
  t.equal(status, 2);
  t.match(stderr, /server\.api_token: expected a token because server\.host "0\.0\.0\.0"/);
});

const models = existsSync('models/weights') ? false : 'the models are not converted (npm run setup)';
t.test('the entry point: starts, is healthy, tracks eyes for who has the token, stops on SIGTERM', { skip: models }, async (t) => {
  const state = await mkdtemp(path.join(tmpdir(), 'sightline-container-'));
  t.teardown(() => rm(state, { recursive: true, force: true }));
  const token = 'token-of-the-container-test';
  const port = await freePort();
  // HOST is the one variable of the image that a test on a machine with neighbours changes.
  const env = { ...base, HOST: '127.0.0.1', PORT: String(port), STATE_DIR: state, SIGHTLINE_API_TOKEN: token };
  const added = spawnSync(program, [...before, 'cameras', 'add', '--id', '1', '--name', 'Till', '--url', 'lavfi:testsrc=size=320x240:rate=10'], { encoding: 'utf8', env, timeout: 60_000 });
  t.equal(added.status, 0, added.stderr);
  const child = spawn(program, [...before, ...words('CMD')], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-4_000)));
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const [command = '', ...rest] = JSON.parse(health) as string[];
  const end = Date.now() + 180_000;
  while (Date.now() < end && child.exitCode === null && !output.includes('listening on')) await new Promise((resolve) => setTimeout(resolve, 100));
  t.equal(spawnSync(command, rest, { env, timeout: 60_000 }).status, 0, `healthy: ${output.slice(-500)}`);

  for (const page of existsSync(PAGES_DIR) ? ['/', '/calibrate'] : []) t.match(await (await fetch(`http://127.0.0.1:${port}${page}`)).text(), /<script type="module"/, `the page ${page}, which asks for the token itself`);
  await t.rejects(eyeClient(`ws://127.0.0.1:${port}`), /401/);
  const client = await eyeClient(`ws://127.0.0.1:${port}/?token=${token}`);
  await client.next('connection');
  client.send({ type: 'start_tracking' });
  t.match(await client.next('error'), { message: 'Could not open camera - no camera available' }, 'a machine without webcams');
  client.send({ type: 'start_tracking', source: 'Till' });
  t.match(await client.next('eye_data'), { source: 'camera:1', face_detected: false });
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { authorization: `Bearer ${token}` } })).text();
  t.match(metrics, /sightline_eye_clients 1\n/);
  t.match(metrics, /sightline_eye_readings_total\{reason="no_face"\} [1-9]/);
  child.kill('SIGTERM');
  t.equal(await exited, 0);
  t.equal((await client.closed).code, 1001);
  t.notMatch(output, /token-of-the|closing failed|not everything stopped/);
});
