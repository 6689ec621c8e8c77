/** Runs statements in Athena: start, poll, and again where it says that another writer was first or that we ask too much. Every wait ends. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { AthenaClient, GetQueryExecutionCommand, GetQueryResultsCommand, StartQueryExecutionCommand, StopQueryExecutionCommand, type QueryExecution } from '@aws-sdk/client-athena';
import { SightlineError } from '../../errors.js';
import type { PtzSettings } from '../config/settings.js';
import { awsError, errorName } from '../storage/aws_errors.js';
import { awsCredentials } from '../storage/s3.js';
import type { PtzLog, ResultRow } from '../types.js';
import { appliedSql, ATHENA_MIGRATIONS, createDatabaseSql, createMigrationsSql, insertSql, noteMigrationSql, type AthenaNames } from './athena_sql.js';

const ATTEMPTS = 5;
const POLL_MIN_MS = 150;
const POLL_MAX_MS = 2_000;
/** Athena takes statements of at most 262,144 bytes. */
const STATEMENT_BYTES = 250_000;
/** Optimistic commits of Iceberg that lost against another writer. */
const CONFLICT = /ICEBERG_COMMIT_ERROR|CommitFailed|ConcurrentModification|commit conflict|concurrent update/i;
const BUSY = /TooManyRequests|Throttl|exceeded.*(limit|capacity)|GENERIC_INTERNAL_ERROR|slow ?down/i;

export interface Athena {
  /** Database, tables and migrations. Answers the versions that were applied now. */
  migrate(signal?: AbortSignal): Promise<number[]>;
  /** One statement for all rows (more only beyond Athena's size limit), which may be repeated. */
  insert(rows: readonly ResultRow[], signal?: AbortSignal): Promise<void>;
  close(): void;
}

export function createAthena(aws: PtzSettings['aws'], bucket: string, log: PtzLog): Athena {
  const names: AthenaNames = { database: aws.athena_database, table: aws.athena_table, location: `s3://${bucket}/athena/` };
  const client = new AthenaClient({
    region: aws.region,
    ...awsCredentials(aws),
    ...(aws.athena_endpoint === undefined ? {} : { endpoint: aws.athena_endpoint }),
    maxAttempts: 6, // throttled requests come back with the SDK's jittered backoff
    requestHandler: { connectionTimeout: 5_000, requestTimeout: 30_000, throwOnRequestTimeout: true },
  });
  const runner = new Statements(client, { workgroup: aws.athena_workgroup, output: aws.athena_output ?? `s3://${bucket}/athena-results/`, limit_ms: aws.query_timeout_s * 1000, log });
  return {
    async migrate(signal) {
      await runner.run(createDatabaseSql(names), signal);
      await runner.run(createMigrationsSql(names), signal);
      const id = await runner.run(appliedSql(names), signal);
      const applied = new Set((await runner.firstColumn(id, signal)).map(Number));
      const fresh = ATHENA_MIGRATIONS.filter(({ version }) => !applied.has(version));
      for (const migration of fresh) {
        await runner.run(migration.sql(names), signal);
        await runner.run(noteMigrationSql(names, migration, Math.floor(Date.now() / 1000)), signal);
      }
      return fresh.map(({ version }) => version);
    },
    async insert(rows, signal) {
      for (const part of inStatements(names, rows)) await runner.run(insertSql(names, part), signal);
    },
    close: () => { client.destroy(); },
  };
}

/** Rows in as few statements as the size limit allows: one, unless there are many hundreds. */
function inStatements(names: AthenaNames, rows: readonly ResultRow[]): ResultRow[][] {
  if (rows.length === 0) return [];
  if (rows.length === 1 || Buffer.byteLength(insertSql(names, rows)) <= STATEMENT_BYTES) return [[...rows]];
  const middle = Math.ceil(rows.length / 2);
  return [...inStatements(names, rows.slice(0, middle)), ...inStatements(names, rows.slice(middle))];
}

interface Running {
  workgroup: string;
  output: string;
  limit_ms: number;
  log: PtzLog;
}

class Statements {
  constructor(private readonly client: AthenaClient, private readonly options: Running) {}

  /** Runs a statement to its end and answers its id. @throws PTZ_ATHENA_FAILED, PTZ_CREDENTIALS */
  async run(sql: string, signal?: AbortSignal): Promise<string> {
    const deadline_ms = performance.now() + this.options.limit_ms;
    for (let attempt = 1; ; attempt++) {
      const { id, execution } = await this.once(sql, attempt, deadline_ms, signal);
      const state = execution.Status?.State;
      if (state === 'SUCCEEDED') return id;
      const why = execution.Status?.StateChangeReason ?? '';
      const again = execution.Status?.AthenaError?.Retryable === true || CONFLICT.test(why) || BUSY.test(why);
      if (!again || attempt >= ATTEMPTS || performance.now() > deadline_ms) {
        throw new SightlineError('PTZ_ATHENA_FAILED', `Athena: the statement ${state === 'CANCELLED' ? 'was cancelled' : 'failed'} (attempt ${attempt}): ${why.split('\n', 1)[0]?.slice(0, 300) ?? ''}`);
      }
      this.options.log.info({ attempt, why: why.slice(0, 120) }, 'Athena statement is tried again');
      await sleep(Math.min(10_000, 250 * 2 ** attempt) * (0.5 + Math.random()), undefined, { signal });
    }
  }

  /** Values of the first column of an answer; the first row of a SELECT holds the names. */
  async firstColumn(id: string, signal?: AbortSignal): Promise<string[]> {
    try {
      const { ResultSet: set } = await this.client.send(new GetQueryResultsCommand({ QueryExecutionId: id, MaxResults: 1_000 }), signal === undefined ? {} : { abortSignal: signal });
      return (set?.Rows ?? []).slice(1).flatMap(({ Data: data }) => data?.[0]?.VarCharValue ?? []);
    } catch (error) {
      throw awsError('PTZ_ATHENA_FAILED', 'Athena: cannot read an answer', error);
    }
  }

  private async once(sql: string, attempt: number, deadline_ms: number, signal?: AbortSignal): Promise<{ id: string; execution: QueryExecution }> {
    const abort = signal === undefined ? {} : { abortSignal: signal };
    // The same statement of the same minute is the same query for Athena, also after a lost answer; another attempt is another query.
    const token = createHash('sha256').update(`${Math.floor(Date.now() / 60_000)}:${attempt}:${sql}`).digest('hex');
    let id: string | undefined;
    try {
      const started = await this.client.send(
        new StartQueryExecutionCommand({ QueryString: sql, ClientRequestToken: token, WorkGroup: this.options.workgroup, ResultConfiguration: { OutputLocation: this.options.output } }), abort,
      );
      id = started.QueryExecutionId;
      if (id === undefined) throw new SightlineError('PTZ_ATHENA_FAILED', 'Athena: expected an id of the query, received none');
      for (let wait_ms = POLL_MIN_MS; ; wait_ms = Math.min(POLL_MAX_MS, wait_ms * 1.5)) {
        const { QueryExecution: execution } = await this.client.send(new GetQueryExecutionCommand({ QueryExecutionId: id }), abort);
        const state = execution?.Status?.State;
        if (execution !== undefined && state !== 'QUEUED' && state !== 'RUNNING') return { id, execution };
        if (performance.now() > deadline_ms) throw new SightlineError('PTZ_ATHENA_FAILED', `Athena: the statement was still ${state?.toLowerCase() ?? 'unknown'} after ${this.options.limit_ms / 1000} s and was stopped`);
        await sleep(wait_ms * (0.75 + Math.random() / 2), undefined, { signal });
      }
    } catch (error) {
      // An insert that is repeated later adds nothing twice; running on would only cost.
      if (id !== undefined) await this.client.send(new StopQueryExecutionCommand({ QueryExecutionId: id })).catch(() => undefined);
      signal?.throwIfAborted();
      if (errorName(error) === 'TooManyRequestsException' || errorName(error) === 'ThrottlingException') throw new SightlineError('PTZ_ATHENA_FAILED', 'Athena: too many requests, also after several attempts', { cause: error });
      throw awsError('PTZ_ATHENA_FAILED', 'Athena', error);
    }
  }
}
