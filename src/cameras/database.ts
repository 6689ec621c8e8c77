/** The MySQL database of the PHP system: few connections, a bounded queue, and a deadline on everything. */
import { Kysely, MysqlDialect, sql, type RawBuilder } from 'kysely';
import { createPool, type PoolConnection } from 'mysql2';
import type { Config } from '../config/schema.js';
import { SightlineError } from '../errors.js';

const CONNECTIONS = 2;
/** Statements that may wait for a connection; the next is refused at once. */
const QUEUE_MAX = 32;
const CONNECT_MS = 4_000;
const STATEMENT_MS = 8_000;
const CLOSE_MS = 1_000;

export type Row = Record<string, unknown>;

export interface Database {
  /** Runs one statement. @throws REGISTRY_UNAVAILABLE with the server's code, never with its text: that may quote values */
  query(statement: RawBuilder<Row>): Promise<{ rows: Row[]; affected: number }>;
  close(): Promise<void>;
}

/** Opens nothing yet: connections are made when they are needed, and anew after a failure. */
export function openDatabase(settings: Config['database'], deadline_ms = STATEMENT_MS): Database {
  let open = connect(settings);
  let closed = false;
  return {
    async query(statement) {
      if (closed) throw new SightlineError('REGISTRY_UNAVAILABLE', 'database: it has been closed');
      const mine = open;
      let timer: NodeJS.Timeout | undefined;
      try {
        const late = new Promise<never>((_, reject) => {
          timer = setTimeout(() => { reject(Object.assign(new Error('late'), { code: 'TIMEOUT' })); }, deadline_ms);
        });
        const { rows, numAffectedRows } = await Promise.race([statement.execute(mine.db), late]);
        return { rows, affected: Number(numAffectedRows ?? 0n) };
      } catch (error) {
        const code = codeOf(error);
        if (code === 'TIMEOUT' && open === mine) {
          // Connections that hang are torn off and never used again.
          open = connect(settings);
          void mine.end();
        }
        throw new SightlineError('REGISTRY_UNAVAILABLE', `database ${settings.host ?? 'localhost'}:${settings.port}: ${wordsOf(code, deadline_ms)}`, { details: { code } });
      } finally {
        clearTimeout(timer);
      }
    },
    async close() {
      closed = true;
      await open.end();
    },
  };
}

function connect(settings: Config['database']): { db: Kysely<object>; end(): Promise<void> } {
  const live = new Set<PoolConnection>();
  const pool = createPool({
    host: settings.host ?? 'localhost',
    port: settings.port,
    ...(settings.user === undefined ? {} : { user: settings.user }),
    ...(settings.password === undefined ? {} : { password: settings.password }),
    database: settings.name ?? 'fraud_detection',
    ...(settings.tls ? { ssl: { rejectUnauthorized: true, minVersion: 'TLSv1.2' } } : {}),
    charset: 'utf8mb4',
    connectTimeout: CONNECT_MS,
    connectionLimit: CONNECTIONS,
    maxIdle: 1,
    idleTimeout: 60_000,
    queueLimit: QUEUE_MAX,
    waitForConnections: true,
    enableKeepAlive: true,
    keepAliveInitialDelay: 10_000,
    multipleStatements: false,
    dateStrings: true,
    supportBigNumbers: true,
    bigNumberStrings: false,
  });
  pool.on('connection', (connection) => {
    live.add(connection);
    connection.on('end', () => live.delete(connection));
    // Without a listener the loss of an idle connection would be an uncaught error.
    connection.on('error', () => live.delete(connection));
  });
  const db = new Kysely<object>({ dialect: new MysqlDialect({ pool }) });
  return {
    db,
    async end() {
      const ended = new Promise<void>((resolve) => { pool.end(() => { resolve(); }); });
      const timer = new Promise<void>((resolve) => { setTimeout(resolve, CLOSE_MS).unref(); });
      await Promise.race([ended, timer]);
      for (const connection of live) connection.destroy();
    },
  };
}

/** Columns of a table as information_schema has them. */
export function columnsOf(table: string): RawBuilder<Row> {
  return sql<Row>`SELECT COLUMN_NAME AS name, DATA_TYPE AS type, COLUMN_TYPE AS declared FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ${table}`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : error instanceof Error && /Queue limit/.test(error.message) ? 'QUEUE_FULL' : 'UNKNOWN';
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name cannot be looked up now',
  ETIMEDOUT: 'no answer in time',
  PROTOCOL_CONNECTION_LOST: 'the connection was lost',
  ECONNRESET: 'the connection was lost',
  ER_ACCESS_DENIED_ERROR: 'it refused database.user or database.password',
  ER_DBACCESS_DENIED_ERROR: 'database.user may not use database.name',
  ER_BAD_DB_ERROR: 'there is no database of that name (database.name)',
  ER_TABLEACCESS_DENIED_ERROR: 'database.user may not use the camera table',
  QUEUE_FULL: 'too many statements are waiting',
};

function wordsOf(code: string, deadline_ms: number): string {
  if (code === 'TIMEOUT') return `no answer within ${deadline_ms} ms`;
  return WORDS[code] === undefined ? code : `${WORDS[code]} (${code})`;
}
