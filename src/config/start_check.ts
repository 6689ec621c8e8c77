/** What a configuration asks for that this version can't do: said at start, never silently left out. */
import { SightlineError } from '../errors.js';
import type { Config } from './schema.js';

/** Throws REGISTRY_UNSUPPORTED when the cameras are to come from a MySQL database. */
export function checkStart(config: Config): void {
  const { host, name } = config.database;
  if (!config.cameras.load_from_database || (host === undefined && name === undefined)) return;
  throw new SightlineError(
    'REGISTRY_UNSUPPORTED',
    'cameras.load_from_database: this version takes cameras from its embedded registry only, received a MySQL database (database.host or database.name, DB_HOST or DB_NAME). ' +
      'Add cameras with "sightline cameras add" and set cameras.load_from_database to false, or unset the database.',
  );
}
