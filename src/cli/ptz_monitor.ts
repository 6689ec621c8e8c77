/**
 * `sightline ptz init|collect|check|monitor|report`: the PTZ monitor. Exit codes: 0 done, 1 failed (for every device), 2 bad usage or bad input, 3 failed for some
 * devices, or a way out (Athena, Slack) was closed. A drift that was found is a result, not a failure.
 */
import { join } from 'node:path';
import type { Argv } from 'yargs';
import { SightlineError } from '../errors.js';
import type { PtzDevice } from '../ptz/config/devices.js';
import type { PtzWorld } from '../ptz/open.js';
import type { PtzStop } from '../ptz/types.js';
import type { CliContext } from './context.js';
import { initPtz } from './ptz_init.js';
import { checkDocument, checkLines, collectLines, historyDocument, historyLines, runLines } from './ptz_lines.js';
import { session, type PtzSession } from './ptz_session.js';

interface Common {
  config: string | undefined;
  json: boolean | undefined;
}

export function ptzMonitorCommands(cli: CliContext): (yargs: Argv) => Argv {
  return (yargs) =>
    yargs
      .command('init', 'write the example files that are missing; make and migrate the tables, check the bucket', (init) => init, async (argv) => {
        const done = await session(cli, (argv as unknown as Common).config, (opened) => initPtz(cli, opened));
        if ((argv as unknown as Common).json === true) cli.json(done);
        else for (const [what, how] of Object.entries(done)) cli.line(`${what}: ${Array.isArray(how) ? how.join(', ') || 'nothing to do' : how}`);
      })
      .command('collect', 'take the reference pictures of devices, once or after a camera was mounted anew', collectArguments, (argv) => collect(cli, argv))
      .command('check', 'look where a device points now, tell nobody', checkArguments, (argv) => check(cli, argv))
      .command('monitor', 'one round over the devices: check, record, tell', monitorArguments, (argv) => monitor(cli, argv))
      .command('report', 'what was found so far', reportArguments, (argv) => report(cli, argv));
}

const devicesOption = (yargs: Argv) =>
  yargs
    .option('device', { type: 'string', array: true, describe: 'camera, or deployment/camera; default all' })
    .option('deployment', { type: 'string', array: true, describe: 'all cameras of a deployment' })
    .option('config', { type: 'string', describe: 'path of config.json' })
    .option('json', { type: 'boolean', describe: 'print one JSON document' });
const collectArguments = (yargs: Argv) => devicesOption(yargs).option('stops', { type: 'string', describe: 'positions, JSON: [[pan, tilt, zoom], ...]; default those of the files' });
const queryOptions = (yargs: Argv) =>
  devicesOption(yargs)
    .option('stabilize-time', { type: 'number', describe: 'seconds a camera has to be still' })
    .option('timeout', { type: 'number', describe: 'seconds that it has for that' })
    .option('stops', { type: 'string', describe: 'positions to drive to, JSON: [[pan, tilt, zoom], ...]; [] = do not drive' });
const checkArguments = queryOptions;
const monitorArguments = queryOptions;
const reportArguments = (yargs: Argv) =>
  devicesOption(yargs)
    .option('limit', { type: 'number', default: 50, describe: 'newest results, at most so many (1..1000)' })
    .option('status', { choices: ['ok', 'drift', 'uncertain', 'refused', 'failed'] as const, describe: 'only these' });

interface DeviceArguments extends Common {
  device: string[] | undefined;
  deployment: string[] | undefined;
}

interface QueryArguments extends DeviceArguments {
  'stabilize-time': number | undefined;
  timeout: number | undefined;
  stops: string | undefined;
}

async function collect(cli: CliContext, argv: DeviceArguments & { stops: string | undefined }): Promise<void> {
  await world(cli, argv, async (opened, { signal }) => {
    const { runCollect } = await import('../ptz/monitor.js');
    const stops = await stopsOf(argv.stops, true);
    const devices = (await chosen(opened, argv)).map((device) => (stops === undefined ? device : { ...device, reference_stops: stops }));
    const done = await runCollect(devices, opened.deps, signal);
    cli.exit.code = done.failed.length === 0 ? 0 : done.collected.length === 0 ? 1 : 3;
    if (argv.json === true) cli.json(done);
    else for (const line of collectLines(done)) cli.line(line);
  });
}

async function check(cli: CliContext, argv: QueryArguments): Promise<void> {
  await world(cli, argv, async (opened, { signal }) => {
    const { checkDevice } = await import('../ptz/check.js');
    const { inLanes } = await import('../ptz/lanes.js');
    const devices = await chosen(opened, argv);
    const query = await queryOf(argv);
    const found = new Map<PtzDevice, Awaited<ReturnType<typeof checkDevice>>>();
    await inLanes(devices, opened.settings.monitoring.concurrency, signal, async (device) => {
      found.set(device, await checkDevice(device, opened.deps, { run_id: '', query, keep: false, signal }));
    });
    const outcomes = devices.flatMap((device) => found.get(device) ?? []);
    const failed = outcomes.filter(({ row }) => !row.success).length;
    cli.exit.code = failed === 0 ? 0 : failed === outcomes.length ? 1 : 3;
    if (argv.json === true) cli.json({ results: outcomes.map(checkDocument) });
    else for (const line of outcomes.flatMap(checkLines)) cli.line(line);
  });
}

async function monitor(cli: CliContext, argv: QueryArguments): Promise<void> {
  await world(cli, argv, async (opened, { signal }) => {
    const { runMonitor } = await import('../ptz/monitor.js');
    const done = await runMonitor(await chosen(opened, argv), opened.deps, { query: await queryOf(argv), signal });
    const bad = done.counts.failed + done.counts.refused;
    const unsent = [done.athena, done.slack].some((way) => (way?.failure ?? null) !== null);
    cli.exit.code = bad === done.devices ? 1 : bad > 0 || unsent ? 3 : 0;
    if (argv.json === true) cli.json({ ...done, results: done.results.map(checkDocument) });
    else for (const line of runLines(done)) cli.line(line);
  });
}

async function report(cli: CliContext, argv: DeviceArguments & { limit: number; status: string | undefined }): Promise<void> {
  if (!Number.isInteger(argv.limit) || argv.limit < 1 || argv.limit > 1_000) throw new SightlineError('REQUEST_INVALID', `--limit: expected an integer from 1 to 1000, received ${argv.limit}`);
  await session(cli, argv.config, async ({ config }) => {
    const { openStore } = await import('../store/store.js');
    const { createJournal } = await import('../ptz/results/journal.js');
    const store = await openStore({ file: join(config.state_dir, 'sightline.db'), log: { info: () => undefined } });
    try {
      const { device: devices, deployment: deployments, limit, status } = argv;
      const results = await createJournal(store.db).history({ devices, deployments, limit, status });
      if (argv.json === true) cli.json(historyDocument(results));
      else for (const line of historyLines(results, (devices ?? deployments ?? status) !== undefined)) cli.line(line);
    } finally {
      await store.close();
    }
  });
}

/** The same with everything that a device needs, closed afterwards. */
async function world(cli: CliContext, common: Common, work: (opened: PtzWorld, session: PtzSession) => Promise<void>): Promise<void> {
  await session(cli, common.config, async (opened) => {
    const { openStore } = await import('../store/store.js');
    const { openWorld } = await import('../ptz/open.js');
    const { loadCapture } = await import('../capture/native.js');
    const { config, log, addSecrets } = opened;
    const store = await openStore({ file: join(config.state_dir, 'sightline.db'), log });
    try {
      const all = openWorld({ config, env: cli.io.env, cwd: cli.io.cwd(), db: store.db, loadAddon: loadCapture, log, onSecrets: addSecrets });
      try {
        await work(all, opened);
      } finally {
        await all.close();
      }
    } finally {
      await store.close();
    }
  });
}

async function chosen({ devices }: PtzWorld, { device, deployment }: DeviceArguments): Promise<PtzDevice[]> {
  const { findDevice } = await import('../ptz/config/devices.js');
  if (device === undefined && deployment === undefined) return devices;
  for (const name of deployment ?? []) {
    if (!devices.some((one) => one.deployment === name)) throw new SightlineError('PTZ_DEVICE_UNKNOWN', `--deployment: expected one of devices.yaml, received ${JSON.stringify(name)}`);
  }
  const named = new Set((device ?? []).map((id) => findDevice(devices, id)));
  return devices.filter((one) => named.has(one) || (deployment ?? []).includes(one.deployment));
}

async function queryOf(argv: QueryArguments): Promise<{ stabilizeTimeS?: number; timeoutS?: number; activePtzStops?: PtzStop[] }> {
  const seconds = (name: string, value: number | undefined): void => {
    if (value !== undefined && !(value >= 0 && value <= 7_200)) throw new SightlineError('REQUEST_INVALID', `--${name}: expected seconds from 0 to 7200, received ${value}`);
  };
  seconds('stabilize-time', argv['stabilize-time']);
  seconds('timeout', argv.timeout);
  const stops = await stopsOf(argv.stops);
  return {
    ...(argv['stabilize-time'] === undefined ? {} : { stabilizeTimeS: argv['stabilize-time'] }),
    ...(argv.timeout === undefined ? {} : { timeoutS: argv.timeout }),
    ...(stops === undefined ? {} : { activePtzStops: stops }),
  };
}

async function stopsOf(text: string | undefined, needed = false): Promise<PtzStop[] | undefined> {
  if (text === undefined) return undefined;
  const { parseStops } = await import('../ptz/config/stops.js');
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    throw new SightlineError('REQUEST_INVALID', '--stops: expected JSON such as [[0, -10, 0.1]], received text that does not parse');
  }
  const { stops, problems } = parseStops(list, '--stops');
  if (needed && stops.length === 0 && problems.length === 0) problems.push('--stops: expected at least one position, received none');
  if (problems.length > 0) throw new SightlineError('REQUEST_INVALID', problems.join('; '));
  return stops;
}
