/** `sightline config check|print|schema`. */
import type { Argv } from 'yargs';
import { loadConfig, shownConfig } from '../config/load.js';
import { configWarnings } from '../config/rules.js';
import { ConfigSchema, type Config } from '../config/schema.js';
import type { CliContext } from './context.js';

export function configCommand(cli: CliContext): (yargs: Argv) => Argv {
  const load = (file: unknown): Config => loadConfig({ file: file as string | undefined, env: cli.io.env, cwd: cli.io.cwd() });
  return (yargs) =>
    yargs
      .command('check', 'check file and environment, list all problems', (check) => check, (argv) => {
        const config = load(argv.config);
        const warnings = configWarnings(config);
        if (argv.json === true) return cli.json({ ok: true, warnings });
        for (const warning of warnings) cli.io.stderr.write(`sightline: warning: ${warning}\n`);
        cli.line('the configuration is valid');
      })
      .command('print', 'what is in force, secrets masked', (print) => print, (argv) => {
        cli.json(shownConfig(load(argv.config)));
      })
      .command('schema', 'the JSON schema of config.json', (schema) => schema, () => {
        cli.json(ConfigSchema);
      })
      .demandCommand(1, 'config: expected one of check, print, schema');
}
