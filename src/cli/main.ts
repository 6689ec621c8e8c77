/** The command line. `bin/sightline` calls runCli; tests do too, with an `io` of their own. */
import yargs, { type Argv } from 'yargs';
import { SightlineError } from '../errors.js';
import { callbacksCommand } from './callbacks.js';
import { camerasCommand } from './cameras.js';
import { calibrationsCommand } from './calibrations.js';
import { configCommand } from './config.js';
import { healthCheckCommand } from './health_check.js';
import { modelsCommand } from './models.js';
import { ptzCommand } from './ptz.js';
import { doctor, serviceCommand } from './service.js';
import { createContext, errorLine, exitCodeOf, type CliIo, type ExitCode } from './context.js';
import { calibrationDbCommand } from './calibration_db.js';
import { printToken, tokenOptions } from './token.js';
import { readVersion } from '../version.js';

/** `command`: the words of the command it was about, `sightline cameras add`. */
class UsageError extends Error {
  constructor(message: string, readonly command: string) {
    super(message);
  }
}

/** Options declared as lists hold all that was given, however often they were; of any other the last one counts. */
function lastOfRepeated(argv: Record<string, unknown>, parser: Argv): void {
  const { array } = (parser as unknown as { getOptions(): { array: string[] } }).getOptions();
  const lists = new Set(['_', ...array]);
  for (const [name, value] of Object.entries(argv)) if (Array.isArray(value) && !lists.has(name)) argv[name] = value.at(-1);
}

export async function runCli(args: readonly string[], io: CliIo): Promise<ExitCode> {
  const cli = createContext(io);
  const root = yargs([...args]);
  const parser = root
    .scriptName('sightline')
    .usage('$0 COMMAND\n\nExit codes: 0 done, 1 failed, 2 bad usage or bad input, 3 partly done.')
    .parserConfiguration({ 'duplicate-arguments-array': true, 'boolean-negation': false })
    // yargs' types leave the second argument out.
    .middleware(lastOfRepeated as (argv: Record<string, unknown>) => void, true)
    .option('config', { type: 'string', describe: 'path of config.json', global: true })
    .option('json', { type: 'boolean', describe: 'print one JSON document on stdout', global: true })
    .command('run', 'run the daemon', (run) => run, async (argv) => {
      const { runDaemon } = await import('../daemon.js');
      cli.exit.code = (await runDaemon({ config_file: argv.config, env: io.env, cwd: io.cwd() })) as ExitCode;
    })
    .command('calibrations', 'gaze calibrations as files', calibrationsCommand(cli))
    .command('cameras', 'the camera registry', camerasCommand(cli))
    .command('callbacks', 'the way to the receiver: what waits, dead letters, a test', callbacksCommand(cli))
    .command('models', 'the networks', modelsCommand(cli))
    .command('ptz', 'where PTZ cameras really look', ptzCommand(cli))
    .command('calibration-db', 'the tables of the calibration service', calibrationDbCommand(cli))
    .command('token', 'mint a token for the calibration API', tokenOptions, (argv) => printToken(cli, argv))
    .command('config', 'the configuration', configCommand(cli))
    .command('doctor', 'what the daemon depends on: what is fine, what is not, how to mend it', (yargs_) => yargs_, async (argv) => doctor(cli, argv))
    .command('health-check', 'is everything here that the daemon needs?', healthCheckCommand(cli))
    .command('service', 'the systemd service', serviceCommand(cli))
    .command('docs <root>', false, (docs) => docs.positional('root', { type: 'string', demandOption: true, describe: 'root of a clone' }), async (argv) => {
      const { writeDocs } = await import('./docs.js');
      for (const file of await writeDocs(argv.root)) cli.line(file);
    })
    .demandCommand(1, 'expected a command')
    .strict()
    .version(readVersion())
    .help()
    .exitProcess(false)
    .fail((message, error) => {
      // yargs types `error` as always there; a usage fault has none, or one of its own.
      const fault = error as Error | undefined;
      throw fault === undefined || fault.name === 'YError' ? new UsageError(message, commandOf(root)) : fault;
    });
  try {
    // With a callback yargs hands help and version over instead of printing them.
    let said = '';
    await parser.parseAsync([...args], {}, (_error: unknown, _argv: unknown, output: string) => {
      said = output;
    });
    if (said !== '') io.stdout.write(said + '\n');
    return cli.exit.code;
  } catch (error) {
    return report(error, io);
  }
}

/** yargs knows it, and its types don't say so. */
function commandOf(root: unknown): string {
  const { commands } = (root as { getInternalMethods(): { getContext(): { commands: string[] } } }).getInternalMethods().getContext();
  return ['sightline', ...commands].join(' ');
}

function report(error: unknown, io: CliIo): ExitCode {
  if (error instanceof UsageError) {
    io.stderr.write(`sightline: ${error.message.split('\n').join('; ')}; see "${error.command} --help"\n`);
    return 2;
  }
  io.stderr.write(errorLine(error));
  if (!(error instanceof SightlineError) && error instanceof Error && error.stack !== undefined) io.stderr.write(error.stack.split('\n').slice(1).join('\n') + '\n');
  return exitCodeOf(error);
}
