/** `sightline models list|check|convert`. Nothing here runs a network. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Argv } from 'yargs';
import { loadConfig } from '../config/load.js';
import { SightlineError } from '../errors.js';
import type { Manifest } from '../inference/manifest.js';
import { MODEL_SLOTS } from '../inference/results.js';
import type { CliContext } from './context.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

export function modelsCommand(cli: CliContext): (yargs: Argv) => Argv {
  return (yargs) =>
    yargs
      .command('list', 'networks that run and their files', (list) => list, async (argv) => {
        const { list } = await import('../inference/models_command.js');
        const models = list(await configured(cli, argv.config));
        if (argv.json === true) return cli.json({ models });
        for (const { id, slot, bytes, checksum_ok, decoder, source, input, file } of models) {
          const state = bytes === null ? 'missing' : checksum_ok === false ? 'another checksum' : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
          cli.line(`${id} (${slot}): ${state}, ${source} → ${decoder}, ${input}, ${file}`);
        }
      })
      .command('check', 'compare each file with what is declared of it', (check) => check, async (argv) => {
        const { check } = await import('../inference/models_command.js');
        const models = check(await configured(cli, argv.config));
        const ok = models.every((model) => model.ok);
        if (!ok) cli.exit.code = 1;
        if (argv.json === true) return cli.json({ ok, models });
        for (const { id, problems } of models) {
          if (problems.length === 0) cli.line(`${id}: ok`);
          for (const problem of problems) cli.io.stderr.write(`sightline: ${id}: ${problem}\n`);
        }
      })
      .command('convert <source>', 'write an ONNX file that takes uint8 pictures, from a TensorFlow.js graph (.json) or your ONNX model', convertArguments, async (argv) => {
        const { convert } = await import('../inference/models_command.js');
        const path = (file: string) => resolve(cli.io.cwd(), file);
        const { slot, range, entry } = argv;
        const made = convert({
          source: path(argv.source),
          out: path(argv.out),
          ...(slot === undefined ? {} : { slot, standard: await standard() }),
          ...(entry === undefined ? {} : { entry: readJson(path(entry), entry) }),
          ...(range === undefined ? {} : { range: pair(range) }),
        });
        if (argv.json === true) return cli.json(made);
        cli.line(`${made.out}: ${made.bytes} bytes, sha256 ${made.sha256}`);
        for (const guess of made.guessed) cli.line(`guessed: ${guess}`);
      })
      .demandCommand(1, 'models: expected one of list, check, convert');
}

const convertArguments = (yargs: Argv) =>
  yargs
    .positional('source', { type: 'string', demandOption: true, describe: 'model.json of TensorFlow.js, or an ONNX file' })
    .option('out', { type: 'string', demandOption: true, describe: 'ONNX file to write' })
    .option('slot', { choices: MODEL_SLOTS, describe: 'ONNX only: what the model is for' })
    .option('entry', { type: 'string', describe: 'ONNX only: JSON file that describes the model; default: the one beside it' })
    .option('range', { type: 'number', array: true, describe: 'TensorFlow.js only: the values of black and white, default 0 1' })
    .option('json', { type: 'boolean', describe: 'print one JSON document' });

/** The networks that a daemon of this configuration would run. */
async function configured(cli: CliContext, file: unknown): Promise<Manifest> {
  const config = loadConfig({ file: file as string | undefined, env: cli.io.env, cwd: cli.io.cwd() });
  const { loadModels } = await import('../inference/models.js');
  return loadModels({ root: ROOT, models: config.models, cache_dir: join(config.state_dir, 'models') });
}

async function standard(): Promise<Manifest> {
  const { loadModels } = await import('../inference/models.js');
  return loadModels({ root: ROOT });
}

function readJson(path: string, shown: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new SightlineError('MODEL_MANIFEST', `--entry: expected a readable JSON file, received ${shown}`, { cause: error });
  }
}

function pair(range: number[]): [number, number] {
  const [black, white, ...more] = range;
  if (black === undefined || white === undefined || more.length > 0) throw new SightlineError('REQUEST_INVALID', `--range: expected two numbers, received ${range.length}`);
  return [black, white];
}
