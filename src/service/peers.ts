/** The systems at the other ends, as `sightline doctor` finds them: the database of the cameras is read once, the receiver is asked once; nothing changes there. */
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { openDatabase } from '../cameras/database.js';
import { createMysqlRegistry } from '../cameras/mysql_registry.js';
import { usesDatabase } from '../cameras/open_registry.js';
import { encryptionKey } from '../config/rules.js';
import type { Config } from '../config/schema.js';
import { systemClock } from '../delivery/clock.js';
import { testReceiver } from '../delivery/receiver_test.js';
import { deliveryAgent, httpTransport } from '../delivery/transport.js';

/** What was found, and how to mend it: '' where nothing is wrong. */
export interface PeerFinding {
  state: 'ok' | 'warning' | 'failed';
  found: string;
  mend: string;
}

const ANSWER_MS = 5_000;
/** Rows that can't be used are named up to here. */
const NAMED_MAX = 3;

/** Reads the camera table as the daemon would. Never rejects; bounded in time. */
export async function examineDatabase(config: Config): Promise<PeerFinding> {
  const { host, name, encryption_key } = config.database;
  if (host === undefined && name === undefined) return { state: 'ok', found: 'none configured: the embedded one is used', mend: '' };
  if (!usesDatabase(config)) return { state: 'ok', found: 'not asked for cameras: cameras.load_from_database is false', mend: '' };
  const database = openDatabase(config.database, ANSWER_MS);
  const registry = createMysqlRegistry({
    database, settings: config.registry, key: encryption_key === undefined ? undefined : encryptionKey(encryption_key),
    // What the daemon keeps of its own is neither read nor made.
    known: { load: async () => undefined, save: async () => undefined }, overlays: { all: async () => new Map(), set: async () => undefined, remove: async () => undefined },
    log: { info: () => undefined, warn: () => undefined }, now: Date.now, random: Math.random,
  });
  try {
    await registry.list();
    const { error, cameras, problems } = registry.state();
    if (error !== null) return { state: 'failed', found: error.message, mend: mendDatabase(error) };
    const found = `${config.registry.table} has ${cameras} cameras that are online`;
    if (problems.length === 0) return cameras > 0 ? { state: 'ok', found, mend: '' } : { state: 'warning', found, mend: 'register cameras there, or set their column online to 1' };
    const named = problems.slice(0, NAMED_MAX).map(({ camera_id, message }) => `camera ${camera_id}: ${message}`);
    return { state: 'warning', found: `${found}; rows with problems: ${problems.length}: ${named.join('; ')}${problems.length > NAMED_MAX ? '; …' : ''}`, mend: 'mend these rows, or FRAUD_ENCRYPTION_KEY when it is all of them; the other cameras run' };
  } finally {
    await database.close();
  }
}

function mendDatabase({ code, message }: { code: string; message: string }): string {
  if (code === 'REGISTRY_SHAPE') return 'mend registry.table, or name the columns in registry.columns';
  const till = '; the daemon starts without it and uses what it knew';
  if (/ACCESS_DENIED|BAD_DB/.test(message)) return `mend DB_USER, DB_PASSWORD and DB_NAME, or grant that user SELECT and UPDATE on the table${till}`;
  return `start the database or mend DB_HOST and DB_PORT${till}`;
}

/** Where calibrations have a database server of their own: whether somebody listens there. undefined: they have none. */
export async function examineCalibrationDatabase({ calibration, database }: Config): Promise<PeerFinding | undefined> {
  const host = calibration.database.host ?? database.host ?? 'localhost';
  const port = calibration.database.port ?? database.port;
  const own = calibration.database.host !== undefined || calibration.database.port !== undefined;
  if (!calibration.enabled || !own) return undefined;
  const fault = await reach(host, port);
  if (fault === '') return { state: 'ok', found: `${host}:${port} answers`, mend: '' };
  return { state: 'failed', found: `${host}:${port}: ${fault}`, mend: 'start that database or mend CALIBRATION_DB_HOST and CALIBRATION_DB_PORT; until then nobody can be calibrated' };
}

/** Asks the receiver whether it takes our token; it stores nothing. Never rejects; bounded in time. */
export async function examineReceiver({ php_system: { callback_url, auth_token, allow_self_signed, timeout_seconds } }: Config): Promise<PeerFinding> {
  if (callback_url === undefined) return { state: 'warning', found: 'php_system.callback_url is not set: results are posted to nobody', mend: 'set PHP_CALLBACK_URL and CV_PIPELINE_TOKEN' };
  const timeout_ms = Math.min(ANSWER_MS, timeout_seconds * 1000);
  const dispatcher = deliveryAgent(1, timeout_ms, allow_self_signed);
  try {
    const clock = systemClock();
    const { reached, authorized, message } = await testReceiver(httpTransport({ url: callback_url, token: auth_token, timeout_ms, clock, dispatcher }), clock, randomUUID());
    const found = `${message}${auth_token === undefined ? '; there is no token' : ''}`;
    if (authorized === true) return { state: 'ok', found, mend: '' };
    if (reached) return { state: 'failed', found, mend: authorized === false ? 'set CV_PIPELINE_TOKEN to the token of the receiver; refused results are kept as dead letters' : 'mend PHP_CALLBACK_URL or the receiver; results wait in the outbox' };
    const certificate = message.endsWith(': tls') ? 'give the receiver a certificate of a known authority, or name its own in NODE_EXTRA_CA_CERTS' : 'start the receiver or mend PHP_CALLBACK_URL';
    return { state: 'failed', found, mend: `${certificate}; results wait in the outbox` };
  } finally {
    await dispatcher.destroy();
  }
}

/** '' when somebody listens there, else the code of what went wrong. */
function reach(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (fault: string): void => {
      socket.destroy();
      resolve(fault);
    };
    socket.setTimeout(ANSWER_MS, () => { end(`no answer within ${ANSWER_MS / 1000} s`); });
    socket.once('connect', () => { end(''); });
    socket.once('error', (error: NodeJS.ErrnoException) => { end(error.code ?? 'it cannot be reached'); });
  });
}
