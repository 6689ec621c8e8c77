/** `sightline calibration-db migrate|reseal`: the tables of the calibration service. */
import type { Argv } from 'yargs';
import { reseal, type Resealed } from '../calibration/service/reseal.js';
import { Vault } from '../calibration/service/vault.js';
import { calibrationStoreOptions } from '../calibration_stage.js';
import { loadConfig } from '../config/load.js';
import { sealingKeys } from '../config/rules.js';
import { migrateCalibrationStore, openCalibrationStore } from '../store/calibration/store.js';
import type { CliContext } from './context.js';

export function calibrationDbCommand(cli: CliContext): (yargs: Argv) => Argv {
  const configured = (file: unknown) => loadConfig({ file: file as string | undefined, env: cli.io.env, cwd: cli.io.cwd() });
  return (yargs) =>
    yargs
      .command('migrate', 'bring the tables up or down; 0 removes them and all that is in them', (command) => command.option('to', { type: 'number', describe: 'version; default: the newest' }), async (argv) => {
        const done = await migrateCalibrationStore(calibrationStoreOptions(configured(argv.config)), argv.to);
        if (argv.json === true) cli.json(done);
        else cli.line(`calibration tables: version ${done.from} → ${done.to}`);
      })
      .command('reseal', 'seal what is stored with the first of calibration.encryption_keys', (command) => command, async (argv) => {
        const config = configured(argv.config);
        const keys = config.calibration.encryption_keys;
        const vault = new Vault(keys === undefined ? new Map() : (sealingKeys(keys) ?? new Map<string, Buffer>()));
        const store = await openCalibrationStore(calibrationStoreOptions(config));
        try {
          const done = await reseal(store, vault);
          if (argv.json === true) cli.json(done);
          else cli.line(`${done.resealed} rows sealed anew${unopenedWords(done)}`);
          if (done.unopened > 0) cli.exit.code = done.resealed > 0 ? 3 : 1;
        } finally {
          await store.close();
        }
      })
      .demandCommand(1, 'calibration-db: expected one of migrate, reseal');
}

function unopenedWords({ unopened, keys_of_unopened }: Resealed): string {
  return unopened === 0 ? '' : `; ${unopened} cannot be opened and stay as they are: sealed with ${keys_of_unopened.map((id) => `"${id}"`).join(', ')}, which calibration.encryption_keys does not have or has with other bytes`;
}
