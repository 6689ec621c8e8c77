/** Events and evidence files: the only SQL over their tables. */
import { sql } from 'kysely';
import type { EventRow } from '../store/schema.js';
import type { StoreDb, StoreTransaction } from '../store/store.js';
import type { EventQuery, EventRecord, NewEvent } from './types.js';

export type EvidenceRepository = ReturnType<typeof createEvidenceRepository>;

export function createEvidenceRepository(db: StoreDb) {
  return {
    /** @param within where something else belongs to it. @returns its id */
    async add({ context, indicators, frame_timestamp, ...event }: NewEvent, within: StoreDb | StoreTransaction = db): Promise<number> {
      const values = { ...event, frame_timestamp, context: JSON.stringify(context), indicators: JSON.stringify(indicators), created_ms: Date.parse(frame_timestamp) };
      return (await within.insertInto('events').values(values).returning('id').executeTakeFirstOrThrow()).id;
    },

    async setClip(id: number, clip_path: string): Promise<void> {
      await db.updateTable('events').set({ clip_path }).where('id', '=', id).execute();
    },

    /** Newest first. */
    async list({ camera_id, staff_id, kind, severity, before, limit }: EventQuery): Promise<EventRecord[]> {
      const rows = await db
        .selectFrom('events')
        .selectAll()
        .$if(camera_id !== undefined, (query) => query.where('camera_id', '=', camera_id as number))
        .$if(staff_id !== undefined, (query) => query.where('staff_id', '=', staff_id as number))
        .$if(kind !== undefined, (query) => query.where('kind', '=', kind as string))
        .$if(severity !== undefined, (query) => query.where('severity', '=', severity as string))
        .$if(before !== undefined, (query) => query.where('id', '<', before as number))
        .orderBy('id', 'desc')
        .limit(limit)
        .execute();
      return rows.map(record);
    },

    async get(id: number): Promise<EventRecord | undefined> {
      const row = await db.selectFrom('events').selectAll().where('id', '=', id).executeTakeFirst();
      return row === undefined ? undefined : record(row);
    },

    /** Notes a file before it is written, so that none is ever outside of the bounds. */
    async addFile(path: string, bytes: number, created_ms: number): Promise<void> {
      await db.insertInto('evidence_files').values({ path, bytes, created_ms }).execute();
    },

    async forgetFile(path: string): Promise<void> {
      await db.transaction().execute(async (trx) => {
        await trx.deleteFrom('evidence_files').where('path', '=', path).execute();
        await trx.updateTable('events').set({ frame_path: null }).where('frame_path', '=', path).execute();
        await trx.updateTable('events').set({ clip_path: null }).where('clip_path', '=', path).execute();
      });
    },

    async files(): Promise<{ count: number; bytes: number }> {
      return db.selectFrom('evidence_files').select([sql<number>`count(*)`.as('count'), sql<number>`coalesce(sum(bytes), 0)`.as('bytes')]).executeTakeFirstOrThrow();
    },

    /** The oldest files. */
    async oldest(limit: number): Promise<{ path: string; bytes: number; created_ms: number }[]> {
      return db.selectFrom('evidence_files').selectAll().orderBy('created_ms').orderBy('path').limit(limit).execute();
    },

    /** Forgets events before that time, and the oldest beyond `rows_max`. @returns how many */
    async prune(before_ms: number, rows_max: number): Promise<number> {
      const old = await db.deleteFrom('events').where('created_ms', '<', before_ms).executeTakeFirst();
      const surplus = await db.deleteFrom('events').where('id', '<=', sql<number>`(select coalesce(max(id), 0) from events) - ${rows_max}`).executeTakeFirst();
      return Number(old.numDeletedRows + surplus.numDeletedRows);
    },
  };
}

function record({ created_ms, ...row }: EventRow): EventRecord {
  return {
    ...row, severity: row.severity as EventRecord['severity'], delivery: row.delivery as EventRecord['delivery'], frame_timestamp: new Date(created_ms).toISOString(),
    context: JSON.parse(row.context) as EventRecord['context'], indicators: JSON.parse(row.indicators) as string[],
  };
}
