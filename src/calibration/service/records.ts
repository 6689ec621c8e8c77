/** The SQL of sessions, screens, files, consents and the audit log; every place where MySQL and SQLite differ is here or in frame_journal.ts. */
import { sql, type Kysely, type Transaction } from 'kysely';
import type { CalibrationStore } from '../../store/calibration/store.js';
import type { AuditRow, CalibrationTables, ConsentRow, SessionStatus } from '../../store/calibration/schema.js';
import { screenInfoText } from '../screen_info.js';
import type { ScreenInfo } from '../types.js';
import type { FrameRecord, Session } from './types.js';
import type { Vault } from './vault.js';

export type Db = Kysely<CalibrationTables> | Transaction<CalibrationTables>;

export interface StoredFiles {
  /** JSON text. */
  screen: string;
  csv: string;
  npz: Buffer;
  created_at: string;
}

export interface NewSession {
  session_id: string;
  candidate_id: string;
  interview_id: string | null;
  now_ms: number;
  metadata: unknown;
  timezone: string | null;
  clock_offset_ms: number | null;
}

export interface AuditEntry {
  at_ms: number;
  actor: string;
  role: string;
  action: string;
  outcome: AuditRow['outcome'];
  candidate_id: string | null;
  session_id: string | null;
  detail: string | null;
}

/** Places that sealed values are bound to. */
export const PLACE = {
  screen: (candidate_id: string) => `screen_info:screen_data:${candidate_id}`,
  csv: (candidate_id: string) => `calibration_data:calibration_csv:${candidate_id}`,
  npz: (candidate_id: string) => `calibration_data:transform_matrix_data:${candidate_id}`,
  frame: (session_id: string, frame_index: number) => `calibration_frames:frame_data:${session_id}:${frame_index}`,
};

export type Records = ReturnType<typeof createRecords>;

export function createRecords({ db, dialect }: CalibrationStore, vault: Vault) {
  const mysql = dialect === 'mysql';
  const sessionRows = (at: Db) =>
    at
      .selectFrom('calibration_sessions as s')
      .innerJoin('calibration_session_details as d', 'd.session_id', 's.id')
      .select([
        's.id', 's.candidate_id', 's.status', 's.interview_id', 'd.created_ms', 'd.updated_ms', 'd.started_ms', 'd.completed_ms', 'd.metadata', 'd.timezone', 'd.clock_offset_ms', 'd.error_message', 'd.report',
      ]);

  return {
    db,
    transaction: <T>(work: (trx: Transaction<CalibrationTables>) => Promise<T>): Promise<T> => db.transaction().execute(work),

    async addSession(session: NewSession): Promise<void> {
      const { session_id, candidate_id, interview_id, now_ms, metadata, timezone, clock_offset_ms } = session;
      await db.transaction().execute(async (trx) => {
        await trx.insertInto('calibration_sessions').values({ id: session_id, candidate_id, interview_id, status: 'in_progress' }).execute();
        await trx
          .insertInto('calibration_session_details')
          .values({
            session_id, candidate_id, created_ms: now_ms, updated_ms: now_ms, started_ms: null, completed_ms: null,
            metadata: metadata === undefined ? null : JSON.stringify(metadata), timezone, clock_offset_ms, error_message: null, report: null,
          })
          .execute();
      });
    },

    async session(session_id: string, at: Db = db): Promise<Session | undefined> {
      const row = await sessionRows(at).where('s.id', '=', session_id).executeTakeFirst();
      return row && toSession(row);
    },

    /** Keeps others from changing a session or its frames before the transaction ends; the embedded database has one writer anyway. */
    async lockSession(session_id: string, trx: Transaction<CalibrationTables>): Promise<void> {
      if (mysql) await trx.selectFrom('calibration_sessions').select('id').where('id', '=', session_id).forUpdate().execute();
    },

    /** The newest first. */
    async sessionsOf(candidate_id: string, limit = 100): Promise<Session[]> {
      const rows = await sessionRows(db).where('s.candidate_id', '=', candidate_id).orderBy('d.created_ms', 'desc').orderBy('s.id').limit(limit).execute();
      return rows.map(toSession);
    },

    /** Of all candidates, the newest first. */
    async newestSessions(limit: number): Promise<Session[]> {
      return (await sessionRows(db).orderBy('d.created_ms', 'desc').orderBy('s.id').limit(limit).execute()).map(toSession);
    },

    /** The newest session of a candidate that takes frames. */
    async openSessionOf(candidate_id: string): Promise<Session | undefined> {
      const row = await sessionRows(db).where('s.candidate_id', '=', candidate_id).where('s.status', '!=', 'completed').orderBy('d.updated_ms', 'desc').limit(1).executeTakeFirst();
      return row && toSession(row);
    },

    async setStatus(session_id: string, status: SessionStatus, change: SessionChange, at: Db = db): Promise<void> {
      await at.updateTable('calibration_sessions').set({ status }).where('id', '=', session_id).execute();
      await at.updateTable('calibration_session_details').set(change).where('session_id', '=', session_id).execute();
    },

    async touch(session_id: string, change: SessionChange): Promise<void> {
      await db.updateTable('calibration_session_details').set(change).where('session_id', '=', session_id).execute();
    },

    async linkInterview(session_id: string, interview_id: string, now_ms: number): Promise<void> {
      await db.updateTable('calibration_sessions').set({ interview_id }).where('id', '=', session_id).execute();
      await db.updateTable('calibration_session_details').set({ updated_ms: now_ms }).where('session_id', '=', session_id).execute();
    },

    async saveScreen(candidate_id: string, json: string, at: Db = db): Promise<void> {
      const screen_data = vault.sealJson(json, PLACE.screen(candidate_id));
      const insert = at.insertInto('screen_info').values({ candidate_id, screen_data });
      if (mysql) await insert.onDuplicateKeyUpdate({ screen_data }).execute();
      else await insert.onConflict((conflict) => conflict.column('candidate_id').doUpdateSet({ screen_data })).execute();
    },

    async screen(candidate_id: string, at: Db = db): Promise<string | undefined> {
      const row = await at.selectFrom('screen_info').select('screen_data').where('candidate_id', '=', candidate_id).executeTakeFirst();
      return row && canonical(vault.openJson(row.screen_data, PLACE.screen(candidate_id)));
    },

    async saveFiles(candidate_id: string, csv: string, npz: Buffer, at: Db = db): Promise<void> {
      const sealed = { calibration_csv: vault.sealText(csv, PLACE.csv(candidate_id)), transform_matrix_data: vault.sealBytes(npz, PLACE.npz(candidate_id)) };
      const insert = at.insertInto('calibration_data').values({ candidate_id, ...sealed });
      // The plan's upsert, and the time: what is kept for 90 days is the newest calibration.
      const update = { ...sealed, created_at: sql<string>`CURRENT_TIMESTAMP` };
      if (mysql) await insert.onDuplicateKeyUpdate(update).execute();
      else await insert.onConflict((conflict) => conflict.column('candidate_id').doUpdateSet(update)).execute();
    },

    async files(candidate_id: string): Promise<StoredFiles | undefined> {
      const screen = await db.selectFrom('screen_info').select('screen_data').where('candidate_id', '=', candidate_id).executeTakeFirst();
      const data = await db.selectFrom('calibration_data').selectAll().where('candidate_id', '=', candidate_id).executeTakeFirst();
      if (screen === undefined || data === undefined) return undefined;
      return {
        screen: canonical(vault.openJson(screen.screen_data, PLACE.screen(candidate_id))),
        csv: vault.openText(data.calibration_csv, PLACE.csv(candidate_id)),
        npz: vault.openBytes(data.transform_matrix_data, PLACE.npz(candidate_id)),
        created_at: isoOf(data.created_at),
      };
    },

    /** What there is of a candidate, without reading it. */
    async presence(candidate_id: string): Promise<{ created_at: string | null; has_screen_info: boolean; has_calibration_data: boolean }> {
      const screen = await db.selectFrom('screen_info').select('id').where('candidate_id', '=', candidate_id).executeTakeFirst();
      const data = await db.selectFrom('calibration_data').select('created_at').where('candidate_id', '=', candidate_id).executeTakeFirst();
      return { created_at: data === undefined ? null : isoOf(data.created_at), has_screen_info: screen !== undefined, has_calibration_data: data !== undefined };
    },

    /** Frames of a session by frame_index. */
    async frames(session_id: string): Promise<FrameRecord[]> {
      const rows = await db.selectFrom('calibration_frames').select(['frame_index', 'frame_data']).where('session_id', '=', session_id).orderBy('frame_index').orderBy('id').execute();
      return rows.map(({ frame_index, frame_data }) => JSON.parse(vault.openJson(frame_data, PLACE.frame(session_id, frame_index))) as FrameRecord);
    },

    /** Frames with these indexes. */
    async framesAt(session_id: string, indexes: readonly number[]): Promise<FrameRecord[]> {
      if (indexes.length === 0) return [];
      const rows = await db.selectFrom('calibration_frames').select(['frame_index', 'frame_data']).where('session_id', '=', session_id).where('frame_index', 'in', [...indexes]).execute();
      return rows.map(({ frame_index, frame_data }) => JSON.parse(vault.openJson(frame_data, PLACE.frame(session_id, frame_index))) as FrameRecord);
    },

    async frameCount(session_id: string): Promise<number> {
      const row = await db.selectFrom('calibration_frames').select(sql<number | string>`count(*)`.as('count')).where('session_id', '=', session_id).executeTakeFirstOrThrow();
      return Number(row.count);
    },

    /** Of all sessions of a candidate. */
    async frameCountOf(candidate_id: string): Promise<number> {
      const row = await db
        .selectFrom('calibration_frames as f').innerJoin('calibration_sessions as s', 's.id', 'f.session_id')
        .select(sql<number | string>`count(*)`.as('count')).where('s.candidate_id', '=', candidate_id).executeTakeFirstOrThrow();
      return Number(row.count);
    },

    /** Size of the stored CSV as it is stored, without reading it; 0 = none. */
    async csvBytes(candidate_id: string): Promise<number> {
      const row = await db.selectFrom('calibration_data').select(sql<number | string>`octet_length(calibration_csv)`.as('bytes')).where('candidate_id', '=', candidate_id).executeTakeFirst();
      return Number(row?.bytes ?? 0);
    },

    /** Says whether the frames are still those that were read before: how many, and the newest row; rows that are removed and recorded anew get higher numbers. */
    async framesMark(session_id: string, at: Db = db): Promise<{ count: number; newest: number }> {
      const row = await at.selectFrom('calibration_frames').select([sql<number | string>`count(*)`.as('count'), sql<number | string | null>`max(id)`.as('newest')]).where('session_id', '=', session_id).executeTakeFirstOrThrow();
      return { count: Number(row.count), newest: Number(row.newest ?? 0) };
    },

    async removeFrames(session_id: string, indexes: readonly number[], at: Db = db): Promise<void> {
      if (indexes.length > 0) await at.deleteFrom('calibration_frames').where('session_id', '=', session_id).where('frame_index', 'in', [...indexes]).execute();
    },

    async addConsent(consent: Omit<ConsentRow, 'id' | 'withdrawn_ms'>): Promise<void> {
      await db.insertInto('calibration_consents').values({ ...consent, withdrawn_ms: null }).execute();
    },
    /** The newest that was not withdrawn. */
    async consent(candidate_id: string): Promise<ConsentRow | undefined> {
      return db.selectFrom('calibration_consents').selectAll().where('candidate_id', '=', candidate_id).where('withdrawn_ms', 'is', null).orderBy('given_ms', 'desc').limit(1).executeTakeFirst();
    },
    consentsOf: (candidate_id: string): Promise<ConsentRow[]> => db.selectFrom('calibration_consents').selectAll().where('candidate_id', '=', candidate_id).orderBy('id').execute(),
    async withdrawConsent(candidate_id: string, now_ms: number): Promise<void> {
      await db.updateTable('calibration_consents').set({ withdrawn_ms: now_ms }).where('candidate_id', '=', candidate_id).where('withdrawn_ms', 'is', null).execute();
    },

    async audit(entries: readonly AuditEntry[], at: Db = db): Promise<void> {
      if (entries.length > 0) await at.insertInto('calibration_audit_log').values(entries.map((entry) => ({ ...entry, detail: entry.detail?.slice(0, 1000) ?? null }))).execute();
    },
    async auditOf(filter: { candidate_id?: string | undefined; after: number; limit: number }): Promise<AuditRow[]> {
      const query = db.selectFrom('calibration_audit_log').selectAll().where('id', '>', filter.after).orderBy('id').limit(filter.limit);
      return filter.candidate_id === undefined ? query.execute() : query.where('candidate_id', '=', filter.candidate_id).execute();
    },
  };
}

export type SessionChange = Partial<{
  updated_ms: number;
  started_ms: number;
  completed_ms: number | null;
  error_message: string | null;
  report: string | null;
  timezone: string;
  clock_offset_ms: number;
}>;

interface JoinedSession {
  id: string;
  candidate_id: string;
  status: SessionStatus;
  interview_id: string | null;
  created_ms: number;
  updated_ms: number;
  started_ms: number | null;
  completed_ms: number | null;
  metadata: string | null;
  timezone: string | null;
  clock_offset_ms: number | null;
  error_message: string | null;
  report: string | null;
}

function toSession({ id, metadata, report, ...row }: JoinedSession): Session {
  return { ...row, session_id: id, metadata: parsed(metadata), report: parsed(report) };
}

/** The text of the file: MySQL's JSON columns give keys in an order of their own and numbers without their `.0`. */
function canonical(json: string): string {
  return screenInfoText(JSON.parse(json) as ScreenInfo);
}

function parsed(text: string | null): unknown {
  return text === null ? null : (JSON.parse(text) as unknown);
}

/** A database's `YYYY-MM-DD HH:MM:SS` in UTC as ISO 8601 with milliseconds. */
export function isoOf(stored: string): string {
  return new Date(`${stored.replace(' ', 'T')}${stored.endsWith('Z') ? '' : 'Z'}`).toISOString();
}

/** The screen as stored; undefined = none. */
export async function readScreen(records: Pick<Records, 'screen'>, candidate_id: string): Promise<ScreenInfo | undefined> {
  const text = await records.screen(candidate_id);
  return text === undefined ? undefined : (JSON.parse(text) as ScreenInfo);
}
