/** `sightline cameras import` and `sightline cameras encrypt`. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Argv } from 'yargs';
import { phpJson, sealEnvelope } from '../cameras/envelope.js';
import { planImport, type ImportLine } from '../cameras/import.js';
import { parseStreamUrl } from '../cameras/stream_url.js';
import { loadConfig } from '../config/load.js';
import { encryptionKey } from '../config/rules.js';
import { SightlineError } from '../errors.js';
import type { CliContext } from './context.js';
import { withRegistry, type Common } from './registry.js';

type Arguments<F extends (yargs: Argv) => unknown> = ReturnType<F> extends Argv<infer T> ? T : never;

const importArguments = (yargs: Argv) =>
  yargs
    .positional('file', { type: 'string', demandOption: true, describe: 'CSV with a heading: camera_id, camera_name, url, and any of priority, location, outlet_id, staff_id, transport, analysis_fps, enabled' })
    .option('dry-run', { type: 'boolean', describe: 'check everything, register nothing' })
    .option('update', { type: 'boolean', describe: 'change cameras whose id is registered' })
    .option('config', { type: 'string', describe: 'path of config.json' })
    .option('json', { type: 'boolean', describe: 'print one JSON document' });

const encryptArguments = (yargs: Argv) =>
  yargs
    .option('url', { type: 'string', describe: 'a URL to encrypt; "-" reads it from standard input, where no process list shows it; without it the table is worked on' })
    .option('id', { type: 'number', describe: 'camera id that the text is for' })
    .option('dry-run', { type: 'boolean', describe: 'only say which rows of the table hold a URL in clear' })
    .option('config', { type: 'string', describe: 'path of config.json' })
    .option('json', { type: 'boolean', describe: 'print one JSON document' });

async function runImport(cli: CliContext, argv: Arguments<typeof importArguments>): Promise<void> {
  const text = read(resolve(cli.io.cwd(), argv.file), argv.file);
  const dry_run = argv['dry-run'] === true;
  await withRegistry(cli, argv as Common, async (registry) => {
    const { lines, problems } = planImport(text, await registry.list(), argv.update === true);
    if (problems.length > 0) {
      const title = `${argv.file} has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}, nothing was registered:`;
      throw new SightlineError('CAMERA_INVALID', [title, ...problems].join('\n  '), { details: { problems } });
    }
    const done = { added: 0, changed: 0 };
    const failed: string[] = [];
    for (const line of dry_run ? [] : lines) await apply(line, done, failed);
    if (failed.length > 0) cli.exit.code = 3;
    const counts = dry_run ? { added: lines.filter(({ change }) => !change).length, changed: lines.filter(({ change }) => change).length } : done;
    if (argv.json === true) return cli.json({ dry_run, ...counts, failed });
    for (const line of failed) cli.io.stderr.write(`sightline: ${line}\n`);
    cli.line(dry_run ? `${counts.added} cameras would be added, ${counts.changed} changed` : `${counts.added} cameras added, ${counts.changed} changed${failed.length > 0 ? `, ${failed.length} failed` : ''}`);

    async function apply({ line, camera, change }: ImportLine, count: typeof done, faults: string[]): Promise<void> {
      try {
        const { camera_id, ...rest } = camera;
        await (change ? registry.update(camera_id, rest) : registry.add(camera));
        count[change ? 'changed' : 'added'] += 1;
      } catch (error) {
        if (!(error instanceof SightlineError)) throw error;
        faults.push(`line ${line}: ${error.code}: ${error.message}`);
      }
    }
  });
}

async function runEncrypt(cli: CliContext, argv: Arguments<typeof encryptArguments>): Promise<void> {
  if (argv.url !== undefined) return encryptOne(cli, argv, argv.url);
  await withRegistry(cli, argv as Common, async (_registry, { table }) => {
    if (table === undefined) throw new SightlineError('CONFIG_INVALID', 'cameras encrypt: expected a database of the PHP system (DB_HOST, DB_NAME), or --url; the embedded registry is a file that only its owner reads');
    const dry_run = argv['dry-run'] === true;
    const rows = await table.encryptPlain(!dry_run);
    if (argv.json === true) return cli.json({ dry_run, cameras: rows });
    for (const { camera_id, from } of rows) cli.line(`camera ${camera_id}: the URL in ${from} ${dry_run ? 'lies in clear' : 'is encrypted now'}`);
    if (rows.length === 0) cli.line('no URL lies in clear');
  });
}

function encryptOne(cli: CliContext, argv: Arguments<typeof encryptArguments>, given: string): void {
  const config = loadConfig({ file: argv.config, env: cli.io.env, cwd: cli.io.cwd() });
  const key = config.database.encryption_key === undefined ? undefined : encryptionKey(config.database.encryption_key);
  if (key === undefined) throw new SightlineError('CONFIG_INVALID', 'database.encryption_key: expected the key (FRAUD_ENCRYPTION_KEY), received none');
  if (argv.id === undefined || !Number.isInteger(argv.id) || argv.id < 1) throw new SightlineError('CAMERA_INVALID', '--id: expected the id of the camera that the text is for: it opens for no other');
  const url = (given === '-' ? readFileSync(0, 'utf8') : given).trim();
  parseStreamUrl(url);
  const text = sealEnvelope(url, key, phpJson({ camera_id: argv.id }), Date.now() / 1000);
  if (argv.json === true) cli.json({ camera_id: argv.id, stream_url_encrypted: text });
  else cli.line(text);
}

function read(file: string, shown: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new SightlineError('REQUEST_INVALID', `file: expected a readable CSV file, received ${shown} (${error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'})`, { cause: error });
  }
}

export const importCommand = { arguments: importArguments, run: runImport };
export const encryptCommand = { arguments: encryptArguments, run: runEncrypt };
