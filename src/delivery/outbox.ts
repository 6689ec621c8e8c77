/** The SQL of the outbox and the dead letters. One process owns the outbox; everything that belongs together is one transaction. */
import { sql, type Insertable } from 'kysely';
import type { DeadLetterRow, DeadLettersTable, OutboxRow } from '../store/schema.js';
import type { StoreDb, StoreTransaction } from '../store/store.js';

/** Dead letters kept; beyond it those without a staff_id go first, then the least important, the oldest first. */
export const DEAD_LETTERS_MAX = 20_000;
/** SQLite takes 32766 bound values in a statement, an insert has 8 a row. */
const ROWS_A_STATEMENT = 500;

export interface NewEntry {
  idempotency_key: string;
  result_type: string;
  camera_id: number | null;
  priority: number;
  created_ms: number;
  body: string;
  bytes: number;
}

/** A payload in the outbox. */
export interface Entry extends NewEntry {
  id: number;
  rounds: number;
  retry_at_ms: number | null;
}

export interface DeadMark extends NewEntry {
  /** The outbox row it leaves; null for one that never was there. */
  outbox_id: number | null;
  reason: string;
  status: number | null;
  attempts: number;
  dead_ms: number;
}

export interface ParkMark {
  id: number;
  rounds: number;
  retry_at_ms: number;
  last_error: string;
}

/** A write of somebody else that has to be on the disk exactly where the payload of that key is. Called again where a commit failed. */
export type Companion = (trx: StoreTransaction, idempotency_key: string) => Promise<void>;

export interface Changes {
  inserts: readonly NewEntry[];
  /** Written with the insert or the letter of that key, but not where the insert is evicted at once. */
  companions: readonly { idempotency_key: string; write: Companion }[];
  /** Ids that the receiver has taken. */
  delivered: readonly number[];
  dead: readonly DeadMark[];
  parked: readonly ParkMark[];
  /** How far rows and bytes exceed their limits once all of the above is done; ≤ 0: not at all. */
  over: { rows: number; bytes: number };
}

export type Evicted = Pick<OutboxRow, 'id' | 'priority' | 'camera_id' | 'bytes' | 'result_type' | 'retry_at_ms'>;

export interface Committed {
  /** In the order of `inserts`. */
  ids: number[];
  evicted: Evicted[];
  /** Dead letters given up because there were too many. */
  letters_dropped: { result_type: string }[];
  /** How many there are; null when this did not change them. */
  letters: LetterCounts | null;
  /** Of the oldest row that is left; null = none. */
  oldest_ms: number | null;
}

/** Refused for good, and without a staff_id. */
export interface LetterCounts {
  dead_letters: number;
  local_only: number;
}

export interface OutboxSummary {
  rows: number;
  bytes: number;
  oldest_ms: number | null;
  lanes: { priority: number; camera_id: number | null; count: number }[];
  parked: { count: number; next_ms: number | null };
}

export type Outbox = ReturnType<typeof createOutbox>;

const COLUMNS = ['id', 'idempotency_key', 'result_type', 'camera_id', 'priority', 'created_ms', 'body', 'bytes', 'rounds', 'retry_at_ms'] as const;

/** Receivers that share the tables; each sees its own rows only. */
export type OutboxTarget = 'callbacks' | 'webhooks';

export function createOutbox(db: StoreDb, target: OutboxTarget = 'callbacks') {
  return {
    /** All changes or none of them. */
    commit: (changes: Changes): Promise<Committed> => db.transaction().execute((trx) => apply(trx, target, changes)),

    /** What a former run left. */
    async summary(): Promise<OutboxSummary> {
      const count = sql<number>`count(*)`;
      const size = await db.selectFrom('outbox').select([count.as('rows'), sql<number>`coalesce(sum(bytes), 0)`.as('bytes')]).where('target', '=', target).executeTakeFirstOrThrow();
      const lanes = await db.selectFrom('outbox').select(['priority', 'camera_id', count.as('count')]).where('target', '=', target).where('retry_at_ms', 'is', null).groupBy(['priority', 'camera_id']).execute();
      const parked = await db.selectFrom('outbox').select([count.as('count'), sql<number | null>`min(retry_at_ms)`.as('next_ms')]).where('target', '=', target).where('retry_at_ms', 'is not', null).executeTakeFirstOrThrow();
      return { ...size, oldest_ms: await oldest(db, target), lanes, parked };
    },

    /** The next rows of a camera's queue, ascending ids above `after`. */
    async lane(priority: number, camera_id: number | null, after: number, limit: number): Promise<Entry[]> {
      const rows = await db
        .selectFrom('outbox')
        .select(COLUMNS)
        .where('target', '=', target)
        .where('priority', '=', priority)
        .where(sql<boolean>`camera_id is ${camera_id}`)
        .where('retry_at_ms', 'is', null)
        .where('id', '>', after)
        .orderBy('id')
        .limit(limit)
        .execute();
      return rows.map(entry);
    },

    /** Rows whose further round is due, but for those in `held`, and when the next one after them is. */
    async due(now_ms: number, held: readonly number[], limit: number): Promise<{ entries: Entry[]; next_ms: number | null }> {
      const free = db.selectFrom('outbox').where('target', '=', target).where('retry_at_ms', 'is not', null).$if(held.length > 0, (query) => query.where('id', 'not in', [...held]));
      const rows = await free.select(COLUMNS).where('retry_at_ms', '<=', now_ms).orderBy('retry_at_ms').limit(limit).execute();
      const taken = new Set(rows.map((row) => row.id));
      const next = await free.select(['id', 'retry_at_ms']).orderBy('retry_at_ms').limit(rows.length + 1).execute();
      return { entries: rows.map(entry), next_ms: next.find((row) => !taken.has(row.id))?.retry_at_ms ?? null };
    },

    async deadLetters({ limit, after, ids }: { limit: number; after: number; ids?: readonly number[] | undefined }): Promise<DeadLetterRow[]> {
      const query = db.selectFrom('dead_letters').selectAll().where('target', '=', target).where('id', '>', after).orderBy('id').limit(limit);
      return ids === undefined ? query.execute() : query.where('id', 'in', [...ids]).execute();
    },

    letterCounts: (): Promise<LetterCounts> => letterCounts(db, target),

    /** Moves dead letters back; each entry takes the place of its letter. `ids`: theirs in the outbox, in order. */
    revive: (letters: readonly { letter_id: number; entry: NewEntry }[]): Promise<{ ids: number[]; letters: LetterCounts }> =>
      db.transaction().execute(async (trx) => {
        await trx.deleteFrom('dead_letters').where('id', 'in', letters.map((letter) => letter.letter_id)).execute();
        const ids = await insert(trx, target, letters.map((letter) => letter.entry));
        return { ids, letters: await letterCounts(trx, target) };
      }),
  };
}

async function apply(trx: StoreTransaction, target: OutboxTarget, changes: Changes): Promise<Committed> {
  const ids = await insert(trx, target, changes.inserts);
  const leaving = [...changes.delivered, ...changes.dead.flatMap((mark) => (mark.outbox_id === null ? [] : [mark.outbox_id]))];
  for (const some of chunks(leaving)) await trx.deleteFrom('outbox').where('id', 'in', some).execute();
  for (const some of chunks(changes.dead)) await trx.insertInto('dead_letters').values(some.map((mark) => ({ ...letter(mark), target }))).execute();
  for (const { id, ...change } of changes.parked) await trx.updateTable('outbox').set(change).where('id', '=', id).execute();
  const evicted = await evict(trx, target, changes.over);
  const gone = new Set(evicted.map(({ id }) => id));
  const kept = new Set([...changes.inserts.filter((_, index) => !gone.has(ids[index] as number)), ...changes.dead].map(({ idempotency_key }) => idempotency_key));
  for (const { idempotency_key, write } of changes.companions) if (kept.has(idempotency_key)) await write(trx, idempotency_key);
  const letters_dropped = changes.dead.length === 0 ? [] : await trimLetters(trx, target);
  const letters = changes.dead.length === 0 ? null : await letterCounts(trx, target);
  return { ids, evicted, letters_dropped, letters, oldest_ms: await oldest(trx, target) };
}

async function insert(trx: StoreTransaction, target: OutboxTarget, entries: readonly NewEntry[]): Promise<number[]> {
  const ids = new Map<string, number>();
  for (const some of chunks(entries)) {
    // SQLite does not promise an order of RETURNING, hence the key.
    const rows = await trx.insertInto('outbox').values(some.map((entry) => ({ ...entry, target }))).returning(['id', 'idempotency_key']).execute();
    for (const row of rows) ids.set(row.idempotency_key, row.id);
  }
  return entries.map((entry) => ids.get(entry.idempotency_key) as number);
}

async function evict(trx: StoreTransaction, target: OutboxTarget, over: Changes['over']): Promise<Evicted[]> {
  const evicted: Evicted[] = [];
  let { rows, bytes } = over;
  while (rows > 0 || bytes > 0) {
    const candidates = await trx
      .selectFrom('outbox')
      .select(['id', 'priority', 'camera_id', 'bytes', 'result_type', 'retry_at_ms'])
      .where('target', '=', target)
      .orderBy('priority', 'desc')
      .orderBy('id')
      .limit(Math.min(ROWS_A_STATEMENT, Math.max(rows, 16)))
      .execute();
    const chosen: Evicted[] = [];
    for (const row of candidates) {
      if (rows <= 0 && bytes <= 0) break;
      rows -= 1;
      bytes -= row.bytes;
      chosen.push(row);
    }
    if (chosen.length === 0) break;
    await trx.deleteFrom('outbox').where('id', 'in', chosen.map((row) => row.id)).execute();
    evicted.push(...chosen);
  }
  return evicted;
}

async function trimLetters(trx: StoreTransaction, target: OutboxTarget): Promise<{ result_type: string }[]> {
  const { count } = await trx.selectFrom('dead_letters').select(sql<number>`count(*)`.as('count')).where('target', '=', target).executeTakeFirstOrThrow();
  if (count <= DEAD_LETTERS_MAX) return [];
  const surplus = trx
    .selectFrom('dead_letters')
    .select('id')
    .where('target', '=', target)
    .orderBy(sql`(reason = 'no_staff_id') desc, priority desc, id`)
    .limit(count - DEAD_LETTERS_MAX);
  return trx.deleteFrom('dead_letters').where('id', 'in', surplus).returning('result_type').execute();
}

async function letterCounts(db: StoreDb | StoreTransaction, target: OutboxTarget): Promise<LetterCounts> {
  const row = await db
    .selectFrom('dead_letters')
    .select([sql<number>`count(*)`.as('all'), sql<number>`count(*) filter (where reason = 'no_staff_id')`.as('local_only')])
    .where('target', '=', target)
    .executeTakeFirstOrThrow();
  return { dead_letters: row.all - row.local_only, local_only: row.local_only };
}

/** The lowest id is the oldest but for replayed letters, which are as old as they say. */
async function oldest(db: StoreDb | StoreTransaction, target: OutboxTarget): Promise<number | null> {
  const row = await db.selectFrom('outbox').select('created_ms').where('target', '=', target).orderBy('id').limit(1).executeTakeFirst();
  return row?.created_ms ?? null;
}

function letter({ idempotency_key, result_type, camera_id, priority, created_ms, body, bytes, reason, status, attempts, dead_ms }: DeadMark): Insertable<DeadLettersTable> {
  return { idempotency_key, result_type, camera_id, priority, created_ms, body, bytes, reason, status, attempts, dead_ms };
}

function entry(row: Pick<OutboxRow, (typeof COLUMNS)[number]>): Entry {
  return { ...row };
}

function* chunks<T>(all: readonly T[]): Generator<T[]> {
  for (let at = 0; at < all.length; at += ROWS_A_STATEMENT) yield all.slice(at, at + ROWS_A_STATEMENT);
}
