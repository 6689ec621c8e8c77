/** The calibration database for the command line: a candidate's three files out of it and into it, each access in the audit log. */
import { calibrationStoreOptions } from '../calibration_stage.js';
import { parseFiles, screenOf, type ReadCalibration } from '../calibration/files.js';
import { screenInfoText } from '../calibration/screen_info.js';
import { createRecords, type Records } from '../calibration/service/records.js';
import { Vault } from '../calibration/service/vault.js';
import { loadConfig } from '../config/load.js';
import { sealingKeys } from '../config/rules.js';
import { SightlineError } from '../errors.js';
import { openCalibrationStore } from '../store/calibration/store.js';
import type { CliContext } from './context.js';

/** Who the audit log says it was: whoever may read the configuration's secrets. */
const CALLER = { actor: 'command line', role: 'admin' };

/** @throws CALIBRATION_NOT_FOUND, or what is wrong with the files that are stored */
export async function readStored(cli: CliContext, config: string | undefined, candidate_id: string, action: 'calibration_export' | 'calibration_validate'): Promise<ReadCalibration> {
  return withRecords(cli, config, async (records) => {
    const files = await records.files(candidate_id);
    await note(records, action, files === undefined ? 'failed' : 'allowed', candidate_id);
    if (files === undefined) throw new SightlineError('CALIBRATION_NOT_FOUND', 'no calibration is stored for this candidate');
    return parseFiles(candidate_id, { screen_info: Buffer.from(files.screen), calibration: Buffer.from(files.csv), transform_matrix: files.npz });
  });
}

/** Takes the place of what was stored of the candidate, whole or not at all. @returns where it lies now, without secrets */
export async function store(cli: CliContext, config: string | undefined, { table, screen, raw }: ReadCalibration): Promise<string> {
  const { candidate_id } = table;
  return withRecords(cli, config, async (records, where) => {
    await records.transaction(async (trx) => {
      await records.saveScreen(candidate_id, screenInfoText(screenOf(screen, table)), trx);
      await records.saveFiles(candidate_id, raw.calibration.toString(), raw.transform_matrix, trx);
    });
    await note(records, 'calibration_import', 'allowed', candidate_id);
    return where;
  });
}

async function note(records: Records, action: string, outcome: 'allowed' | 'failed', candidate_id: string): Promise<void> {
  await records.audit([{ at_ms: Date.now(), ...CALLER, action, outcome, candidate_id, session_id: null, detail: null }]);
}

async function withRecords<T>(cli: CliContext, file: string | undefined, work: (records: Records, where: string) => Promise<T>): Promise<T> {
  const config = loadConfig({ file, env: cli.io.env, cwd: cli.io.cwd() });
  const keys = config.calibration.encryption_keys;
  const opened = await openCalibrationStore(calibrationStoreOptions(config));
  try {
    return await work(createRecords(opened, new Vault(keys === undefined ? new Map() : (sealingKeys(keys) ?? new Map<string, Buffer>()))), opened.where);
  } finally {
    await opened.close();
  }
}
