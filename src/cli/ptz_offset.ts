/** `sightline ptz offset`: two folders of pictures in, the offset out. No daemon, no database. */
import { resolve } from 'node:path';
import type { Argv } from 'yargs';
import { SightlineError } from '../errors.js';
import type { FeatureMethod, OffsetResult } from '../ptz/estimate/types.js';
import { exitCodeOf, type CliContext } from './context.js';
import { anglesLine, zoomLine } from './ptz_lines.js';

const METHODS: readonly FeatureMethod[] = ['sift', 'akaze', 'orb'];
const DEFAULT_METHOD: FeatureMethod = 'sift';

/** Adds `offset` to the commands of `sightline ptz`. */
export function ptzOffsetCommand(cli: CliContext): (yargs: Argv) => Argv {
  return (yargs) =>
    yargs.command('offset', 'how far a camera is off: query pictures against reference pictures', offsetArguments, async (argv) => {
      try {
        const result = await offset(cli, argv);
        if (argv.json === true) return cli.json(result);
        for (const line of lines(result)) cli.line(line);
      } catch (error) {
        if (argv.json !== true || !(error instanceof SightlineError)) throw error;
        cli.exit.code = exitCodeOf(error);
        cli.json({ status: 'error', code: error.code, message: error.message });
        cli.io.stderr.write(`sightline: ${error.code}: ${error.message}\n`);
      }
    });
}

const offsetArguments = (yargs: Argv) =>
  yargs
    .option('reference', { type: 'string', demandOption: true, describe: 'folder with pictures and views.json' })
    .option('query', { type: 'string', demandOption: true, describe: 'folder with pictures and views.json' })
    .option('method', { choices: METHODS, default: DEFAULT_METHOD, describe: 'features; orb is the fast choice' })
    .option('threshold', { type: 'number', default: 0.5, describe: 'degrees' })
    .option('ignore', { type: 'number', array: true, describe: 'shares of the picture to ignore: top bottom left right' })
    .option('seed', { type: 'number', default: 1, describe: 'same seed, same numbers' })
    .option('json', { type: 'boolean', describe: 'print one JSON document' });

interface OffsetArguments {
  reference: string;
  query: string;
  method: FeatureMethod;
  threshold: number;
  ignore: number[] | undefined;
  seed: number;
}

async function offset(cli: CliContext, argv: OffsetArguments): Promise<OffsetResult> {
  const { inOneCamera, readViewsFolder } = await import('../ptz/estimate/views_file.js');
  const { openOffsetEngine } = await import('../ptz/estimate/engine.js');
  const folder = (name: string): string => resolve(cli.io.cwd(), name);
  const { camera, references, queries } = inOneCamera(await readViewsFolder(folder(argv.reference), '--reference'), await readViewsFolder(folder(argv.query), '--query'));
  const engine = openOffsetEngine();
  try {
    return await engine.estimateOffset(references, queries, {
      camera, method: argv.method, threshold_deg: argv.threshold, seed: argv.seed, ...margins(argv.ignore),
    });
  } finally {
    await engine.close();
  }
}

function margins(given: number[] | undefined): { ignore?: { top: number; bottom: number; left: number; right: number } } {
  if (given === undefined) return {};
  const [top = 0, bottom = 0, left = 0, right = 0] = given;
  if (given.length !== 4) throw new SightlineError('REQUEST_INVALID', `--ignore: expected four shares (top bottom left right), received ${given.length}`);
  return { ignore: { top, bottom, left, right } };
}

function lines(result: OffsetResult): string[] {
  const head = `${result.status}: ${result.detail}`;
  if (result.ci95_deg === null) return [head, ...result.views.map(({ image, reason }) => `  ${image}: ${reason}`)];
  return [
    head,
    anglesLine(result),
    `${zoomLine(result)}, ${result.inliers} matches`,
    ...result.views.map((view) => `  ${view.image}: ${view.status === 'used' ? `${view.inliers} matches with ${view.references.join(', ')}` : view.reason}`),
  ];
}
