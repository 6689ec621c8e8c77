/** The registry that the configuration asks for: the table of the PHP system, or the embedded one. */
import { encryptionKey } from '../config/rules.js';
import type { Config } from '../config/schema.js';
import { stateKey, createVault } from '../store/vault.js';
import type { StoreDb } from '../store/store.js';
import { openDatabase } from './database.js';
import { knownRowsFile } from './known_rows.js';
import { createMysqlRegistry, type MysqlRegistry, type RegistryLog } from './mysql_registry.js';
import { createOverlays } from './overlays.js';
import { createRegistry, type Registry } from './registry.js';

/** True where cameras come from MySQL. */
export function usesDatabase(config: Config): boolean {
  const { host, name } = config.database;
  return config.cameras.load_from_database && (host !== undefined || name !== undefined);
}

/** A table of the PHP system, as those see it who write back into it. */
export interface CameraTable extends Pick<MysqlRegistry, 'writeHealth' | 'encryptPlain'> {
  /** What of `registry` applies to writing back. */
  settings: Pick<Config['registry'], 'write_status' | 'status_interval_s'>;
}

export interface OpenRegistry {
  registry: Registry;
  /** Where it is a table of the PHP system. */
  table: CameraTable | undefined;
  close(): Promise<void>;
}

/** Opens no connection yet. @throws STATE_KEY */
export function openRegistry(config: Config, db: StoreDb, log: RegistryLog): OpenRegistry {
  if (!usesDatabase(config)) {
    const registry = createRegistry({ db, now: Date.now, poll_ms: config.cameras.registry_poll_s * 1000 });
    return { registry, table: undefined, close: () => Promise.resolve() };
  }
  const { encryption_key } = config.database;
  const database = openDatabase(config.database);
  const registry = createMysqlRegistry({
    database,
    settings: config.registry,
    key: encryption_key === undefined ? undefined : encryptionKey(encryption_key),
    known: knownRowsFile(config.state_dir, createVault(stateKey(config.state_dir))),
    overlays: createOverlays(db),
    log,
    now: Date.now,
    random: Math.random,
  });
  const table: CameraTable = {
    settings: config.registry,
    writeHealth: (cameras) => registry.writeHealth(cameras),
    encryptPlain: (write) => registry.encryptPlain(write),
  };
  return { registry, table, close: () => database.close() };
}
