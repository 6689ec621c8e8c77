/** `sightline service install|uninstall` and `sightline doctor`. */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Argv } from 'yargs';
import { SightlineError } from '../errors.js';
import { loadConfig } from '../config/load.js';
import type { CliContext } from './context.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const SYSTEMCTL_LIMIT_MS = 330_000;

export function serviceCommand(cli: CliContext): (yargs: Argv) => Argv {
  const common = { uid: process.getuid?.() ?? -1, systemctl, say: (line: string) => { cli.line(line); } };
  return (yargs) =>
    yargs
      .command('install', 'install or upgrade the systemd service; configuration and state stay', installArguments, async (argv) => {
        const { install } = await import('../service/install.js');
        const config_file = argv.config === undefined ? undefined : resolve(cli.io.cwd(), argv.config as string);
        await install({ ...common, source: ROOT, prefix: resolve(cli.io.cwd(), argv.prefix), config_file, node: process.execPath, start: argv.start });
      })
      .command('uninstall', 'stop and remove the systemd service', uninstallArguments, async (argv) => {
        const { uninstall } = await import('../service/install.js');
        await uninstall({ ...common, prefix: resolve(cli.io.cwd(), argv.prefix), purge: argv.purge });
      })
      .demandCommand(1, 'service: expected one of install, uninstall');
}

const prefix = { type: 'string', default: '/', describe: 'put everything below this folder and start nothing: for images and packages' } as const;

const installArguments = (yargs: Argv) => yargs.option('prefix', prefix).option('start', { type: 'boolean', default: true, describe: '--start=false: enable it, start it at the next boot' });

const uninstallArguments = (yargs: Argv) => yargs.option('prefix', prefix).option('purge', { type: 'boolean', default: false, describe: 'remove configuration, credentials and state, too' });

function systemctl(...words: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile('systemctl', words, { timeout: SYSTEMCTL_LIMIT_MS }, (error, _stdout, stderr) => {
      if (error === null) resolve();
      else reject(new SightlineError('SERVICE_INSTALL', `service: systemctl ${words.join(' ')} failed: ${(stderr || error.message).trim().slice(0, 500)}`));
    });
  });
}

/** Exit code 1 when something has failed; warnings are none. */
export async function doctor(cli: CliContext, argv: { config?: string | undefined; json?: boolean | undefined }): Promise<void> {
  const { examine } = await import('../service/doctor.js');
  const config = loadConfig({ file: argv.config, env: cli.io.env, cwd: cli.io.cwd() });
  const findings = await examine({ root: ROOT, config });
  const ok = findings.every((one) => one.state !== 'failed');
  if (!ok) cli.exit.code = 1;
  if (argv.json === true) return cli.json({ ok, findings });
  for (const { name, state, found, mend } of findings) cli.line(`${state.padEnd(7)}  ${name.padEnd(9)} ${found}${mend === '' ? '' : `\n                   → ${mend}`}`);
}
