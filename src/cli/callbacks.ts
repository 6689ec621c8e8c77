/**
 * `sightline callbacks list|replay|test`: the twin of /api/callbacks. Where a daemon has the state folder it is asked over HTTP, since the outbox is its own; else the
 * folder is worked on directly.
 */
import { join } from 'node:path';
import type { Argv } from 'yargs';
import { loadConfig } from '../config/load.js';
import { isLoopback } from '../config/rules.js';
import type { Config } from '../config/schema.js';
import type { DeadLetter, Delivery, DeliveryStatus, ReceiverTest } from '../delivery/types.js';
import { SightlineError } from '../errors.js';
import type { CliContext } from './context.js';

const ASK_MS = 30_000;
/** Requests that a replay without a daemon has begun get so long; the rest goes out at the next start. */
const FLUSH_MS = 2_000;
const quiet = { error: () => undefined, warn: () => undefined, info: () => undefined };

type Summary = DeliveryStatus & { dead_letters: number; local_only: number };
interface Callbacks {
  summary(): Promise<Summary>;
  letters(page: { limit: number; after: number }): Promise<DeadLetter[]>;
  replay(ids: number[] | 'all'): Promise<{ replayed: number; kept: number }>;
  test(): Promise<ReceiverTest>;
  close(): Promise<void>;
}

const listArguments = (yargs: Argv) =>
  common(yargs).option('limit', { type: 'number', default: 100, describe: 'most dead letters that are shown, 1..1000' }).option('after', { type: 'number', default: 0, describe: 'only those with an id above this one' });
const replayArguments = (yargs: Argv) =>
  common(yargs).option('id', { type: 'array', describe: 'ids of dead letters to send again, e.g. --id 7 8' }).option('all', { type: 'boolean', describe: 'send all of them again' });
type Arguments<F extends (yargs: Argv) => unknown> = ReturnType<F> extends Argv<infer T> ? T : never;

function common(yargs: Argv): Argv<{ config: string | undefined; json: boolean | undefined }> {
  return yargs.option('config', { type: 'string', describe: 'path of config.json' }).option('json', { type: 'boolean', describe: 'print one JSON document' });
}

export function callbacksCommand(cli: CliContext): (yargs: Argv) => Argv {
  return (yargs) =>
    yargs
      .command('list', 'what waits, and the dead letters', listArguments, async (argv) => list(cli, argv))
      .command('replay', 'put dead letters back into the outbox', replayArguments, async (argv) => replay(cli, argv))
      .command('test', 'ask the receiver whether it takes our token; it stores nothing', common, async (argv) => test(cli, argv))
      .demandCommand(1, 'callbacks: expected one of list, replay, test');
}

async function list(cli: CliContext, argv: Arguments<typeof listArguments>): Promise<void> {
  const { limit, after } = argv;
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) throw new SightlineError('REQUEST_INVALID', `--limit: expected an integer from 1 to 1000, received ${limit}`);
  if (!Number.isInteger(after) || after < 0) throw new SightlineError('REQUEST_INVALID', `--after: expected an id, received ${after}`);
  await withCallbacks(cli, argv, async (callbacks) => {
    const [summary, dead_letters] = [await callbacks.summary(), await callbacks.letters({ limit, after })];
    if (argv.json === true) return cli.json({ ...summary, dead_letter_list: dead_letters });
    cli.line(`${summary.backlog} waiting (the oldest for ${Math.round(summary.oldest_age_s)} s), ${summary.dead_letters} dead letters, ${summary.local_only} without a staff_id`);
    for (const { id, created_at, result_type, camera_id, attempts, last_status, last_error } of dead_letters) {
      cli.line(`${String(id).padStart(8)}  ${created_at}  ${result_type}  camera ${camera_id ?? '–'}  ${last_error}${last_status === null ? '' : ` (${last_status})`}, ${attempts} attempts`);
    }
  });
}

async function replay(cli: CliContext, argv: Arguments<typeof replayArguments>): Promise<void> {
  const ids = (argv.id ?? []).map(Number);
  if ((argv.all === true) === ids.length > 0) throw new SightlineError('REQUEST_INVALID', 'callbacks replay: expected either --all or --id N, received ' + (argv.all === true ? 'both' : 'neither'));
  if (ids.some((id) => !Number.isInteger(id) || id < 1) || ids.length > 10_000) throw new SightlineError('REQUEST_INVALID', '--id: expected ids of dead letters, at most 10000 of them');
  await withCallbacks(cli, argv, async (callbacks) => {
    const done = await callbacks.replay(argv.all === true ? 'all' : ids);
    if (argv.json === true) return cli.json(done);
    cli.line(`${done.replayed} put back into the outbox${done.kept > 0 ? `, ${done.kept} still without a staff_id` : ''}`);
  });
}

async function test(cli: CliContext, argv: { config: string | undefined; json: boolean | undefined }): Promise<void> {
  await withCallbacks(cli, argv, async (callbacks) => {
    const result = await callbacks.test();
    if (!result.reached || result.authorized === false) cli.exit.code = 1;
    if (argv.json === true) return cli.json(result);
    cli.line(`${result.reached ? `reached (${result.status ?? '–'}) in ${Math.round(result.duration_ms)} ms` : 'not reached'}: ${result.message}`);
  });
}

async function withCallbacks(cli: CliContext, { config: file }: { config: string | undefined }, work: (callbacks: Callbacks) => Promise<void>): Promise<void> {
  const config = loadConfig({ file, env: cli.io.env, cwd: cli.io.cwd() });
  const callbacks = await open(config);
  try {
    await work(callbacks);
  } finally {
    await callbacks.close();
  }
}

/** Whoever holds the lock of the folder owns the outbox: this command, or a daemon that is asked. */
async function open(config: Config): Promise<Callbacks> {
  const { lockState } = await import('../store/lock.js');
  let lock: { release(): void };
  try {
    lock = lockState(config.state_dir);
  } catch (error) {
    if (error instanceof SightlineError && error.code === 'STATE_IN_USE') return overHttp(config);
    throw error;
  }
  const { openStore } = await import('../store/store.js');
  const { createOutbox } = await import('../delivery/outbox.js');
  const { createDelivery } = await import('../delivery/delivery.js');
  const store = await openStore({ file: join(config.state_dir, 'sightline.db'), log: quiet });
  const outbox = createOutbox(store.db);
  const registry = (await import('../cameras/registry.js')).createRegistry({ db: store.db, now: Date.now, poll_ms: 60_000 });
  const staff = new Map((await registry.list()).map(({ camera_id, staff_id }) => [camera_id, staff_id]));
  const delivery: Delivery = createDelivery({ store, settings: config, log: quiet, staffOf: (camera_id) => staff.get(camera_id) ?? null });
  let started = false;
  const running = async (): Promise<Delivery> => {
    if (!started) await delivery.start();
    started = true;
    return delivery;
  };
  return {
    summary: async () => {
      // Only read: to begin to send is the daemon's, or a replay's.
      const { rows, oldest_ms } = await outbox.summary();
      return { backlog: rows, delivered: 0, failed: 0, oldest_age_s: oldest_ms === null ? 0 : (Date.now() - oldest_ms) / 1000, targets: [], ...(await outbox.letterCounts()) };
    },
    letters: (page) => delivery.deadLetters(page),
    replay: async (ids) => (await running()).replay(ids),
    test: () => delivery.test(),
    async close() {
      await delivery.stop(started ? FLUSH_MS : 0);
      await store.close();
      lock.release();
    },
  };
}

function overHttp({ server }: Config): Callbacks {
  const host = isLoopback(server.host) ? server.host : '127.0.0.1';
  const base = `http://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${server.port}/api/callbacks`;
  const ask = async <T>(route: string, body?: unknown): Promise<T> => {
    let response: Response;
    try {
      response = await fetch(base + route, {
        signal: AbortSignal.timeout(ASK_MS),
        headers: { ...(server.api_token === undefined ? {} : { authorization: `Bearer ${server.api_token}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
      });
    } catch (error) {
      throw new SightlineError('NOT_READY', `a daemon uses the state folder, but does not answer at ${base} (server.host and server.port, HOST and PORT, have to be those that it runs with)`, { cause: error });
    }
    const answer = (await response.json().catch(() => ({}))) as { error?: { code: string; message: string } };
    if (!response.ok) throw new SightlineError(response.status === 401 ? 'UNAUTHORIZED' : response.status === 400 ? 'REQUEST_INVALID' : 'NOT_READY', answer.error?.message ?? `the daemon answered ${response.status}`);
    return answer as T;
  };
  return {
    summary: () => ask<Summary>(''),
    letters: async ({ limit, after }) => (await ask<{ dead_letters: DeadLetter[] }>(`/dead-letters?limit=${limit}&after=${after}`)).dead_letters,
    replay: (ids) => ask('/replay', ids === 'all' ? {} : { ids }),
    test: () => ask('/test', {}),
    close: () => Promise.resolve(),
  };
}
