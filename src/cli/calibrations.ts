/**
 * `sightline calibrations fit|validate|export|import`: gaze calibrations as files and in the calibration database, whether or not a daemon runs.
 */
import type { Argv } from 'yargs';
import type { ReadCalibration } from '../calibration/files.js';
import type { CalibrationFit, GazePoint } from '../calibration/types.js';
import { SightlineError } from '../errors.js';
import { exitCodeOf, type CliContext } from './context.js';

export function calibrationsCommand(cli: CliContext): (yargs: Argv) => Argv {
  return (yargs) =>
    yargs
      .command('fit', 'fit recorded rows and write the three files', fitArguments, async (argv) => {
        await answering(cli, argv.json === true, () => fit(cli, argv));
      })
      .command('validate', 'check that the three files belong together', validateArguments, async (argv) => {
        await answering(cli, argv.json === true, () => validate(cli, argv));
      })
      .command('export', 'write the files of a candidate once more, byte-exact', exportArguments, async (argv) => {
        await answering(cli, argv.json === true, () => exportFiles(cli, argv));
      })
      .command('import', 'take over the files of another program, after checking them', importArguments, async (argv) => {
        await answering(cli, argv.json === true, () => importFiles(cli, argv));
      })
      .demandCommand(1, 'calibrations: expected one of fit, validate, export, import');
}

const common = (yargs: Argv) => yargs.option('json', { type: 'boolean', describe: 'print one JSON document' }).option('config', { type: 'string', describe: 'path of config.json' });

const fitArguments = (yargs: Argv) =>
  common(yargs)
    .option('csv', { type: 'string', demandOption: true, describe: 'recorded rows: ..._calibration.csv' })
    .option('screen', { type: 'string', demandOption: true, describe: 'screen: ..._screen_info.json, or JSON with its sizes' })
    .option('out', { type: 'string', demandOption: true, describe: 'folder for the three files' })
    .option('sfm', { type: 'boolean', describe: 'use the WTransG columns (structure from motion)' })
    .option('queries', { type: 'string', describe: 'JSON of gazes to place on the screen: [{gaze: [x, y, z], WTransG?: [16 numbers]}]' })
    .option('candidate', { type: 'string', describe: 'candidate id, where the rows have none' })
    .option('targets', { type: 'number', describe: 'how many targets were shown (default 4, or more where the rows have more)' });

const folderArguments = (yargs: Argv) =>
  common(yargs)
    .option('from', { type: 'string', describe: 'folder with the files, or with a folder for the candidate; without it the calibration database' })
    .option('candidate', { type: 'string', demandOption: true, describe: 'candidate id' });
const validateArguments = (yargs: Argv) => folderArguments(yargs).option('targets', { type: 'number', describe: 'how many targets were shown' });
const exportArguments = (yargs: Argv) =>
  folderArguments(yargs)
    .option('out', { type: 'string', demandOption: true, describe: 'folder to write to' })
    .option('csv', { type: 'string', choices: ['exact', 'desktop'] as const, describe: 'exact doubles (default), or as the desktop program rounds them' });
const importArguments = (yargs: Argv) =>
  common(yargs)
    .option('from', { type: 'string', demandOption: true, describe: 'folder with the files, or with a folder for the candidate' })
    .option('candidate', { type: 'string', demandOption: true, describe: 'candidate id' })
    .option('out', { type: 'string', describe: 'folder to write to; without it the calibration database' });

type Given<T> = T extends (yargs: Argv) => Argv<infer U> ? U : never;

/** With --json an error is a document too: `{status, code, message, target}`. */
async function answering(cli: CliContext, json: boolean, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!json || !(error instanceof SightlineError)) throw error;
    const target = error.details?.target;
    cli.json({ status: 'error', code: error.code, message: error.message, target: typeof target === 'number' ? target : null });
    cli.exit.code = exitCodeOf(error);
  }
}

async function fit(cli: CliContext, argv: Given<typeof fitArguments>): Promise<void> {
  const files = await import('../calibration/files.js');
  const { readCalibrationCsv } = await import('../calibration/csv_read.js');
  const { readScreen } = await import('../calibration/screen_info.js');
  const { fitCalibration } = await import('../calibration/fit.js');
  const { projectGazes, readQueries } = await import('../calibration/project.js');
  const read = readCalibrationCsv(files.readBounded(inFolder(cli, argv.csv)).toString());
  const draft = readScreen(files.readBounded(inFolder(cli, argv.screen)).toString());
  // The desktop program's first file names nobody; then the screen may.
  const table = { ...read, candidate_id: argv.candidate ?? (read.candidate_id === '' ? (draft.candidate_id ?? '') : read.candidate_id) };
  const screen = files.screenOf(draft, table);
  const queries = argv.queries === undefined ? [] : readQueries(files.readBounded(inFolder(cli, argv.queries)).toString());
  // Before the fit: an id that cannot name files should not cost a recording its answer after the work is done.
  files.fileNames(table.candidate_id);
  const sfm = argv.sfm === true;
  const fitted = fitCalibration({ table, screen, sfm, ...expected(argv.targets) });
  const points = projectGazes(fitted, screen, queries);
  const written = files.writeFiles(inFolder(cli, argv.out), files.calibrationFiles({ table, screen, matrix: fitted.matrix }));
  if (argv.json === true) return cli.json({ status: 'ok', ...fitDocument(fitted, points), files: written });
  for (const line of fitLines(fitted)) cli.line(line);
  for (const file of written) cli.line(file);
}

function fitDocument({ matrix, sfm, kept_rows, n_targets, report }: CalibrationFit, queries: GazePoint[]): Record<string, unknown> {
  return { ...matrix, ...(sfm ?? {}), n_targets, kept_rows, queries, report };
}

function fitLines({ matrix, report }: CalibrationFit): string[] {
  const { held_out, verdict, reasons } = report;
  const place = matrix.STransG.slice(0, 3).map((row) => (row[3] ?? NaN).toFixed(1));
  const met = held_out.accuracy_deg === null ? 'cannot be told' : `${held_out.accuracy_deg.toFixed(2)}° (${(held_out.accuracy_mm ?? NaN).toFixed(1)} mm, ${(held_out.accuracy_px ?? NaN).toFixed(0)} px)`;
  return [`eye at ${place.join(', ')} mm; ${report.kept} of ${report.rows} rows kept`, `held-out accuracy ${met}`, `verdict: ${verdict}`, ...reasons.map(({ message }) => `  ${message}`)];
}

async function validate(cli: CliContext, argv: Given<typeof validateArguments>): Promise<void> {
  const { validateCalibration } = await import('../calibration/validate.js');
  const validity = validateCalibration(await read(cli, argv, 'calibration_validate'), argv.targets);
  if (!validity.valid) cli.exit.code = 2;
  if (argv.json === true) return cli.json({ status: validity.valid ? 'ok' : 'invalid', model: validity.model, checks: validity.checks, report: validity.fit?.report ?? null });
  for (const { name, ok, required, message } of validity.checks) cli.line(`${ok ? 'ok' : required ? 'FAILED' : 'note'}  ${name}: ${message}`);
}

async function exportFiles(cli: CliContext, argv: Given<typeof exportArguments>): Promise<void> {
  const { calibrationFiles, screenOf, writeFiles } = await import('../calibration/files.js');
  const { table, screen, matrix } = await read(cli, argv, 'calibration_export');
  said(cli, argv, writeFiles(inFolder(cli, argv.out), calibrationFiles({ table, screen: screenOf(screen, table), matrix, ...(argv.csv === undefined ? {} : { csv: argv.csv }) })));
}

async function importFiles(cli: CliContext, argv: Given<typeof importArguments>): Promise<void> {
  const { fileNames, readFiles, writeFiles } = await import('../calibration/files.js');
  const { validateCalibration } = await import('../calibration/validate.js');
  const found = readFiles(inFolder(cli, argv.from), argv.candidate);
  const failed = validateCalibration(found).checks.filter(({ ok, required }) => required && !ok);
  if (failed.length > 0) throw new SightlineError('CALIBRATION_FILE', `the files do not belong together: ${failed.map(({ name, message }) => `${name}: ${message}`).join('; ')}`);
  if (argv.out === undefined) {
    const { store } = await import('./calibrations_store.js');
    const where = await store(cli, argv.config, found);
    if (argv.json === true) cli.json({ status: 'ok', stored_in: where });
    else cli.line(`stored in ${where}`);
    return;
  }
  const names = fileNames(argv.candidate);
  // As found: an import changes no byte.
  said(cli, argv, writeFiles(inFolder(cli, argv.out), {
    screen_info: { name: names.screen_info, text: found.raw.screen_info.toString() },
    calibration: { name: names.calibration, text: found.raw.calibration.toString() },
    transform_matrix: { name: names.transform_matrix, bytes: found.raw.transform_matrix },
  }));
}

async function read(cli: CliContext, { from, candidate, config }: Given<typeof folderArguments>, action: 'calibration_export' | 'calibration_validate'): Promise<ReadCalibration> {
  if (from === undefined) {
    const { readStored } = await import('./calibrations_store.js');
    return readStored(cli, config, candidate, action);
  }
  const { readFiles } = await import('../calibration/files.js');
  return readFiles(inFolder(cli, from), candidate);
}

function said(cli: CliContext, { json }: { json: boolean | undefined }, files: string[]): void {
  if (json === true) return cli.json({ status: 'ok', files });
  for (const file of files) cli.line(file);
}

function expected(targets: number | undefined): { expected_targets?: number } {
  return targets === undefined ? {} : { expected_targets: targets };
}

/** Paths are seen from where the command was called. */
function inFolder(cli: CliContext, file: string): string {
  return file.startsWith('/') ? file : `${cli.io.cwd()}/${file}`;
}
