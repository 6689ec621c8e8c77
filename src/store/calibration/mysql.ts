/** MySQL and MariaDB: a bounded pool, times in UTC, and the migrations, which MySQL cannot undo halfway: each statement is noted by its migration's step. */
import { Kysely, MysqlDialect, sql } from 'kysely';
import { createPool, type Connection, type Pool } from 'mysql2';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { SightlineError } from '../../errors.js';
import { CALIBRATION_MIGRATIONS } from './migrations.js';
import type { CalibrationTables } from './schema.js';

export interface MysqlOptions {
  host: string;
  port: number;
  user: string;
  password: string | undefined;
  database: string;
  pool_size: number;
}

/** Requests that may wait for a connection; beyond it they fail at once instead of piling up. */
const QUEUE_MAX = 2_000;
const CONNECT_MS = 5_000;
/** How long another process may take to migrate. */
const LOCK_S = 30;

/** Nothing is connected before the first query. */
export function mysqlDb(options: MysqlOptions): Kysely<CalibrationTables> {
  const pool: Pool = createPool({
    host: options.host,
    port: options.port,
    user: options.user,
    database: options.database,
    ...(options.password === undefined ? {} : { password: options.password }),
    connectionLimit: options.pool_size,
    maxIdle: options.pool_size,
    idleTimeout: 60_000,
    queueLimit: QUEUE_MAX,
    waitForConnections: true,
    connectTimeout: CONNECT_MS,
    enableKeepAlive: true,
    charset: 'utf8mb4',
    timezone: 'Z',
    dateStrings: true,
    jsonStrings: true,
    supportBigNumbers: true,
  });
  // Statements of a connection run in order: this one is done before the first query that the pool lends it for.
  pool.on('connection', (connection: Connection) => {
    connection.query("SET time_zone = '+00:00'", () => undefined);
    // Gap locks of the default level would let two sessions' inserts wait for each other.
    connection.query('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED', () => undefined);
  });
  return new Kysely<CalibrationTables>({ dialect: new MysqlDialect({ pool }) });
}

/** Brings the database to `target`, upwards or downwards; one process at a time. @throws CALIBRATION_STORE_FAILED */
export async function migrateMysql(options: MysqlOptions, target = CALIBRATION_MIGRATIONS.length): Promise<{ from: number; to: number }> {
  const { host, port, user, password, database } = options;
  const connection = await createConnection({ host, port, user, database, ...(password === undefined ? {} : { password }), connectTimeout: CONNECT_MS, charset: 'utf8mb4' });
  const lock = `sightline.calibration.${database}`.slice(0, 64);
  try {
    const [[locked]] = await connection.query<RowDataPacket[]>('SELECT GET_LOCK(?, ?) AS got', [lock, LOCK_S]);
    if (locked?.got !== 1) throw new SightlineError('CALIBRATION_STORE_FAILED', `another process is migrating the calibration database, for longer than ${LOCK_S} s`);
    await connection.query(
      'CREATE TABLE IF NOT EXISTS calibration_migrations (version INT PRIMARY KEY, name VARCHAR(64) NOT NULL, steps INT NOT NULL, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP) ENGINE=InnoDB',
    );
    return await step(connection, target);
  } finally {
    await connection.query('DO RELEASE_LOCK(?)', [lock]).catch(() => undefined);
    await connection.end().catch(() => undefined);
  }
}

async function step(connection: Awaited<ReturnType<typeof createConnection>>, target: number): Promise<{ from: number; to: number }> {
  const [rows] = await connection.query<RowDataPacket[]>('SELECT version, name, steps FROM calibration_migrations ORDER BY version');
  for (const row of rows) {
    const known = CALIBRATION_MIGRATIONS[Number(row.version) - 1];
    if (known?.name !== row.name) throw new SightlineError('CALIBRATION_STORE_FAILED', `the calibration database has migration ${String(row.version)} "${String(row.name)}", which this Sightline does not know`);
  }
  const complete = rows.filter((row) => row.steps === CALIBRATION_MIGRATIONS[Number(row.version) - 1]?.mysql.up.length).length;
  for (const { version, name, mysql } of CALIBRATION_MIGRATIONS.slice(complete, target)) {
    // A crash between two statements leaves the number of those done: the next start goes on from there.
    const done = Number(rows.find((row) => row.version === version)?.steps ?? 0);
    for (const [index, statement] of mysql.up.entries()) {
      if (index < done) continue;
      await connection.query(statement);
      await connection.query('INSERT INTO calibration_migrations (version, name, steps) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE steps = VALUES(steps)', [version, name, index + 1]);
    }
  }
  for (const { version, mysql } of CALIBRATION_MIGRATIONS.slice(target, complete).reverse()) {
    for (const statement of mysql.down) await connection.query(statement.replace('DROP TABLE ', 'DROP TABLE IF EXISTS '));
    await connection.query('DELETE FROM calibration_migrations WHERE version = ?', [version]);
  }
  return { from: complete, to: target };
}

/** Is the database there and does it answer? */
export async function pingDb(db: Kysely<CalibrationTables>): Promise<void> {
  await sql`SELECT 1`.execute(db);
}
