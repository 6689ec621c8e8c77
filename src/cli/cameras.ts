/**
 * `sightline cameras ...`: works on the registry in STATE_DIR, whether or not a daemon runs; a running one looks every two seconds.
 */
import type { Argv } from 'yargs';
import { captureOptions } from '../cameras/plan.js';
import { shownUrl } from '../cameras/stream_url.js';
import type { CameraRecord, NewCamera } from '../cameras/types.js';
import { loadConfig } from '../config/load.js';
import { encryptCommand, importCommand } from './cameras_bulk.js';
import type { CliContext } from './context.js';
import { withRegistry, type Common } from './registry.js';
import { createSecrets } from '../observability/redact.js';

export function camerasCommand(cli: CliContext): (yargs: Argv) => Argv {
  return (yargs) =>
    yargs
      .command('add', 'register a camera', addArguments, async (argv) => {
        const { json } = argv;
        const camera = await withRegistry(cli, argv, (registry) => registry.add(newCamera(argv)));
        if (json === true) cli.json(shown(camera));
        else cli.line(`camera ${camera.camera_id} "${camera.camera_name}" registered`);
      })
      .command('list', 'registered cameras', (list) => list, async (argv) => {
        const { config, json } = argv as unknown as Common;
        const cameras = await withRegistry(cli, { config, json }, (registry) => registry.list());
        if (json === true) cli.json({ cameras: cameras.map(shown) });
        else if (cameras.length === 0) cli.line('no cameras are registered; add one with "sightline cameras add"');
        else for (const line of table(cameras)) cli.line(line);
      })
      .command('probe <url>', 'open a stream, read one frame, say what it is', probeArguments, async (argv) => {
        await probe(cli, argv);
      })
      .command('remove', 'forget a camera', (remove) => remove.option('id', { type: 'number', demandOption: true, describe: 'camera id' }), async (argv) => {
        const { config, json } = argv as unknown as Common;
        await withRegistry(cli, { config, json }, (registry) => registry.remove(argv.id));
        if (json === true) cli.json({ removed: argv.id });
        else cli.line(`camera ${argv.id} removed`);
      })
      .command('import <file>', 'register the cameras of a CSV file', importCommand.arguments, async (argv) => importCommand.run(cli, argv))
      .command('encrypt', 'encrypt a stream URL, or all that lie in clear in the table of the PHP system', encryptCommand.arguments, async (argv) => encryptCommand.run(cli, argv))
      .demandCommand(1, 'cameras: expected one of add, list, probe, remove, import, encrypt');
}

const addArguments = (yargs: Argv) =>
  yargs
    .option('id', { type: 'number', demandOption: true, describe: 'camera id, 1..2147483647' })
    .option('name', { type: 'string', demandOption: true, describe: 'name shown to people' })
    .option('url', { type: 'string', demandOption: true, describe: 'rtsp://, rtsps://, /dev/videoN, file:// or a path, lavfi:graph' })
    .option('priority', { type: 'number', describe: '1..10, 10 is the most important (default 5)' })
    .option('location', { type: 'string', describe: 'where it is' })
    .option('outlet-id', { type: 'number', describe: 'outlet' })
    .option('staff-id', { type: 'number', describe: 'who is seen here, if that is always the same person' })
    .option('transport', { type: 'string', describe: 'tcp or udp' })
    .option('analysis-fps', { type: 'number', describe: 'analysed frames per second' })
    .option('disabled', { type: 'boolean', describe: 'register without running it' })
    .option('config', { type: 'string', describe: 'path of config.json' })
    .option('json', { type: 'boolean', describe: 'print one JSON document' });

const probeArguments = (yargs: Argv) =>
  yargs
    .positional('url', { type: 'string', demandOption: true, describe: 'stream URL' })
    .option('transport', { type: 'string', choices: ['tcp', 'udp'] as const, describe: 'RTSP transport' })
    .option('config', { type: 'string', describe: 'path of config.json' })
    .option('json', { type: 'boolean', describe: 'print one JSON document' });

type AddArguments = ReturnType<typeof addArguments> extends Argv<infer T> ? T : never;
type ProbeArguments = ReturnType<typeof probeArguments> extends Argv<infer T> ? T : never;

function newCamera(argv: AddArguments): NewCamera {
  const given = {
    camera_id: argv.id,
    camera_name: argv.name,
    url: argv.url,
    priority: argv.priority,
    location: argv.location,
    outlet_id: argv['outlet-id'],
    staff_id: argv['staff-id'],
    transport: argv.transport as NewCamera['transport'],
    analysis_fps: argv['analysis-fps'],
    enabled: argv.disabled === true ? false : undefined,
  };
  // The registry checks the values; here only what was not given goes.
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as unknown as NewCamera;
}

async function probe(cli: CliContext, argv: ProbeArguments): Promise<void> {
  const config = loadConfig({ file: argv.config, env: cli.io.env, cwd: cli.io.cwd() });
  const camera = { camera_id: 0, url: argv.url, transport: argv.transport ?? null, analysis_fps: null };
  const { options, secrets } = captureOptions(camera, { fps: config.processing.fps, capture: config.capture, hw_device: '' });
  const { loadCapture } = await import('../capture/native.js');
  const result = await loadCapture().probe(options);
  const masked = createSecrets();
  masked.add(secrets);
  const detail = masked.mask(result.detail);
  if (!result.ok) cli.exit.code = 1;
  if (argv.json === true) return cli.json({ url: shownUrl(argv.url), ...result, detail });
  if (!result.ok) {
    cli.io.stderr.write(`sightline: ${result.reason}: ${shownUrl(argv.url)}: ${detail}\n`);
    return;
  }
  cli.line(`${shownUrl(argv.url)}: ${result.codec} ${result.width}×${result.height}, ${result.source_fps} fps, ${result.pixel_format}, first frame after ${result.first_frame_ms} ms`);
}

function shown(camera: CameraRecord): CameraRecord {
  return { ...camera, url: shownUrl(camera.url) };
}

function table(cameras: CameraRecord[]): string[] {
  const rows = cameras.map((camera) => [
    String(camera.camera_id), camera.camera_name, String(camera.priority), camera.enabled ? 'yes' : 'no', camera.location ?? '', shownUrl(camera.url),
  ]);
  const all = [['id', 'name', 'priority', 'enabled', 'location', 'url'], ...rows];
  const widths = (all[0] ?? []).map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd());
}
