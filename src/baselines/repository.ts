/** Baselines on the disk, encrypted: the only SQL over their tables. */
import { sql } from 'kysely';
import type { StoreDb, StoreTransaction } from '../store/store.js';
import type { Vault } from '../store/vault.js';
import { Profile } from './profile.js';
import type { Subject } from './types.js';

export interface StoredDay {
  day: string;
  profile: Profile;
}

export interface BaselineSize {
  subjects: number;
  days: number;
  bytes: number;
}

export type Repository = ReturnType<typeof createRepository>;

export function createRepository(db: StoreDb, vault: Vault, onUnreadable: () => void) {
  const dayPurpose = (subject: string, day: string): string => `baseline ${subject} ${day}`;
  const modelPurpose = (camera_id: number): string => `anomaly model ${camera_id}`;
  return {
    /** Days of a subject from `first` to `last`, ascending; what the key does not open is left out. */
    async days(subject: Subject, first: string, last: string): Promise<StoredDay[]> {
      const rows = await db.selectFrom('baseline_days').select(['day', 'box']).where('subject', '=', subject).where('day', '>=', first).where('day', '<=', last).orderBy('day').execute();
      return rows.flatMap(({ day, box }) => {
        const profile = Profile.from(vault.open(box, dayPurpose(subject, day)));
        if (profile === undefined) onUnreadable();
        return profile === undefined ? [] : [{ day, profile }];
      });
    },

    /** Writes whole days, all or none. */
    async save(days: readonly (StoredDay & { subject: Subject })[], updated_ms: number): Promise<void> {
      const rows = days.map(({ subject, day, profile }) => {
        const box = vault.seal(profile, dayPurpose(subject, day));
        return { subject, day, box, bytes: box.length, updated_ms };
      });
      if (rows.length === 0) return;
      await db.transaction().execute(async (trx) => {
        for (const row of rows) await trx.insertInto('baseline_days').values(row).onConflict((conflict) => conflict.columns(['subject', 'day']).doUpdateSet({ box: row.box, bytes: row.bytes, updated_ms })).execute();
      });
    },

    /** Forgets days before `first`, and the oldest beyond `bytes_max`. @returns how many */
    async prune(first: string, bytes_max: number): Promise<number> {
      const old = await db.deleteFrom('baseline_days').where('day', '<', first).executeTakeFirst();
      let gone = Number(old.numDeletedRows);
      while ((await size(db)).bytes > bytes_max) {
        const { day } = (await db.selectFrom('baseline_days').select('day').orderBy('day').limit(1).executeTakeFirst()) ?? {};
        if (day === undefined) break;
        gone += Number((await db.deleteFrom('baseline_days').where('day', '=', day).executeTakeFirst()).numDeletedRows);
      }
      await db.deleteFrom('baseline_subjects').where('subject', 'not in', db.selectFrom('baseline_days').select('subject')).execute();
      return gone;
    },

    /** Persons with samples up to `last` that no update has told of yet. */
    async unsent(last: string): Promise<{ subject: Subject; last_day: string }[]> {
      const rows = await db
        .selectFrom('baseline_days')
        .leftJoin('baseline_subjects', 'baseline_subjects.subject', 'baseline_days.subject')
        .select(['baseline_days.subject as subject', sql<string>`max(baseline_days.day)`.as('last_day'), 'baseline_subjects.sent_day as sent_day'])
        .where('baseline_days.subject', 'like', 'staff:%')
        .where('baseline_days.day', '<=', last)
        .groupBy('baseline_days.subject')
        .execute();
      return rows.filter(({ last_day, sent_day }) => sent_day === null || sent_day < last_day).map(({ subject, last_day }) => ({ subject: subject as Subject, last_day }));
    },

    /** Marks that an update has told of the days up to `day`; in `within`, where something else belongs to it. */
    async sent(subject: Subject, day: string, within: StoreDb | StoreTransaction = db): Promise<void> {
      await within.insertInto('baseline_subjects').values({ subject, sent_day: day }).onConflict((conflict) => conflict.column('subject').doUpdateSet({ sent_day: day })).execute();
    },

    size: (): Promise<BaselineSize> => size(db),

    /** The fitted anomaly models of all cameras. */
    async models(): Promise<Map<number, unknown>> {
      const rows = await db.selectFrom('baseline_models').selectAll().execute();
      return new Map(
        rows.flatMap(({ camera_id, box }): [number, unknown][] => {
          const model = vault.open(box, modelPurpose(camera_id));
          if (model === undefined) onUnreadable();
          return model === undefined ? [] : [[camera_id, model]];
        }),
      );
    },

    async saveModel(camera_id: number, model: unknown, updated_ms: number): Promise<void> {
      const box = vault.seal(model, modelPurpose(camera_id));
      await db.insertInto('baseline_models').values({ camera_id, box, updated_ms }).onConflict((conflict) => conflict.column('camera_id').doUpdateSet({ box, updated_ms })).execute();
    },

    async forgetModels(kept: readonly number[]): Promise<void> {
      await db.deleteFrom('baseline_models').where('camera_id', 'not in', kept.length > 0 ? [...kept] : [-1]).execute();
    },
  };
}

async function size(db: StoreDb): Promise<BaselineSize> {
  return db
    .selectFrom('baseline_days')
    .select([sql<number>`count(distinct subject)`.as('subjects'), sql<number>`count(*)`.as('days'), sql<number>`coalesce(sum(bytes), 0)`.as('bytes')])
    .executeTakeFirstOrThrow();
}
