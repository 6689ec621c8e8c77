/** `sightline token --role admin`: mints a token for the calibration API, with the configured secret or this installation's own. */
import type { Argv } from 'yargs';
import { mintToken, ROLES } from '../calibration/service/tokens.js';
import { loadConfig } from '../config/load.js';
import { SightlineError } from '../errors.js';
import type { CliContext } from './context.js';

const DAY_S = 86_400;

export const tokenOptions = (yargs: Argv) =>
  yargs
    .option('role', { choices: ROLES, demandOption: true, describe: 'what the token may do' })
    .option('subject', { type: 'string', describe: 'who it is for; of a candidate the candidate_id. Default: the role' })
    .option('days', { type: 'number', default: 1, describe: 'how long it is valid' });

export async function printToken(cli: CliContext, argv: { role: (typeof ROLES)[number]; subject?: string | undefined; days: number; config?: string | undefined; json?: boolean | undefined }): Promise<void> {
  const { role, subject, days } = argv;
  if (!(days > 0 && days <= 3_650)) throw new SightlineError('REQUEST_INVALID', `--days: expected a number above 0, at most 3650, received ${days}`);
  if (role === 'candidate' && subject === undefined) throw new SightlineError('REQUEST_INVALID', '--subject: expected the candidate_id, since the role is candidate, received none');
  const { calibration, state_dir } = loadConfig({ file: argv.config, env: cli.io.env, cwd: cli.io.cwd() });
  const ttl_s = Math.round(days * DAY_S);
  const token = await mintToken({ settings: calibration, state_dir, role, subject: subject ?? role, ttl_s });
  if (argv.json === true) cli.json({ token, role, subject: subject ?? role, expires_in_s: ttl_s });
  else cli.line(token);
}
