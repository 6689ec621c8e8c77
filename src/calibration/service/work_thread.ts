/** The thread of workplace.ts: its own connection to the calibration database, the same work. */
import { workerData } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { sealingKeys } from '../../config/rules.js';
import { SightlineError } from '../../errors.js';
import { openCalibrationStore } from '../../store/calibration/store.js';
import { createRecords } from './records.js';
import { createSessionWork, type SessionWork } from './session_work.js';
import { Vault } from './vault.js';
import { movable, type WorkAnswer, type WorkKind, type WorkSetup, type WorkTask } from './workplace.js';

let opened: Promise<SessionWork> | undefined;

export default async function answer({ kind, input }: WorkTask): Promise<WorkAnswer> {
  try {
    opened ??= open();
    const work = (await opened) as unknown as Record<WorkKind, (given: unknown) => Promise<unknown>>;
    return moved({ value: await work[kind](input) });
  } catch (error) {
    if (!(error instanceof SightlineError)) throw error;
    const { code, message, details } = error;
    return { failed: { code, message, details: details === undefined ? undefined : { ...details } } };
  }
}

async function open(): Promise<SessionWork> {
  const { store, encryption_keys } = workerData as WorkSetup;
  try {
    const vault = new Vault(encryption_keys === undefined ? new Map() : (sealingKeys(encryption_keys) ?? new Map<string, Buffer>()));
    return createSessionWork(createRecords(await openCalibrationStore(store.kind === 'mysql' ? { ...store, pool_size: 1 } : store), vault), vault);
  } catch (error) {
    opened = undefined; // the database is away: the next task tries again
    throw error;
  }
}

/** Long texts go to the asker without a copy. */
function moved(given: { value: unknown }): WorkAnswer {
  const wrapped = { get [Piscina.transferableSymbol]() { return movable(given.value); }, get [Piscina.valueSymbol]() { return given; } };
  return Piscina.move(wrapped as never) as unknown as WorkAnswer;
}
