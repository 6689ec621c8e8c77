/** `sightline ptz init`: example files, bucket, database and tables. Repeating it changes nothing. */
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CliContext } from './context.js';
import type { PtzSession } from './ptz_session.js';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');

export interface InitReport {
  written: string[];
  storage: string;
  athena: string;
  database: string;
}

export async function initPtz(cli: CliContext, { config, log, signal, addSecrets }: PtzSession): Promise<InitReport> {
  const { openSettings, openFiles, ptzSecrets } = await import('../ptz/open.js');
  const { createAthena } = await import('../ptz/results/athena.js');
  const { openStore } = await import('../store/store.js');
  const opening = { config, env: cli.io.env, cwd: cli.io.cwd() };
  const written = writeExample('configs/calibration_monitoring.ini', path.resolve(opening.cwd, config.ptz.settings_file));
  const { settings, places } = openSettings(opening);
  addSecrets(ptzSecrets(settings));
  written.push(...writeExample('configs/devices.example.yaml', places.devices_file));

  const store = await openStore({ file: path.join(config.state_dir, 'sightline.db'), log });
  await store.close();
  const files = openFiles(settings, config.state_dir);
  try {
    await files.check(signal);
  } finally {
    files.close();
  }
  const { s3_bucket: bucket, athena_enabled } = settings.aws;
  let athena = 'off: rows stay in the embedded database';
  if (bucket !== undefined && athena_enabled) {
    const tables = createAthena(settings.aws, bucket, log);
    try {
      const applied = await tables.migrate(signal);
      athena = `${settings.aws.athena_database}.${settings.aws.athena_table}: ${applied.length === 0 ? 'up to date' : `migrations ${applied.join(', ')} applied`}`;
    } finally {
      tables.close();
    }
  }
  return { written, storage: bucket === undefined ? path.join(config.state_dir, 'ptz') : `s3://${bucket}`, athena, database: path.join(config.state_dir, 'sightline.db') };
}

/** Never over a file that is there. */
function writeExample(from: string, to: string): string[] {
  if (existsSync(to)) return [];
  mkdirSync(path.dirname(to), { recursive: true });
  copyFileSync(path.join(ROOT, from), to);
  return [to];
}
