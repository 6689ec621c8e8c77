/** Results in the embedded database: recorded before they go to Athena or Slack, marked when they are there, kept as history. */
import type { StoreDb } from '../../store/store.js';
import type { OffsetResult } from '../estimate/types.js';
import type { CapturePosition, DeviceOutcome } from '../types.js';

/** A recorded result. */
export interface Recorded extends DeviceOutcome {
  id: number;
}

export interface HistoryQuery {
  /** `camera` or `deployment/camera`: results of any of these devices, and of all cameras of `deployments`; both left out = of all. */
  devices?: readonly string[] | undefined;
  deployments?: readonly string[] | undefined;
  /** Newest first, at most so many. */
  limit: number;
  /** Only those recorded before this id. */
  before?: number | undefined;
  status?: string | undefined;
}

export interface Wanted {
  athena: boolean;
  slack: boolean;
}

export interface Journal {
  startRun(run_id: string, started_ms: number, devices: number): Promise<void>;
  finishRun(run_id: string, finished_ms: number): Promise<void>;
  /** A second result of the same device in the same second moves to the next free one. */
  record(outcome: DeviceOutcome, wanted: Wanted): Promise<Recorded>;
  /** Oldest first. */
  unpublished(limit: number): Promise<Recorded[]>;
  published(ids: readonly number[]): Promise<void>;
  unnotified(since_s: number, limit: number): Promise<Recorded[]>;
  notified(id: number): Promise<void>;
  history(query: HistoryQuery): Promise<Recorded[]>;
  /** Newest result of each device. */
  newest(): Promise<Recorded[]>;
  /** Forgets results older than this that have gone where they should. */
  prune(before_s: number): Promise<number>;
}

const SAME_SECOND_TRIES = 100;

export function createJournal(db: StoreDb): Journal {
  const rows = () => db.selectFrom('ptz_results').selectAll();
  type Row = Awaited<ReturnType<ReturnType<typeof rows>['execute']>>[number];
  const recorded = (row: Row): Recorded => ({
    id: row.id,
    run_id: row.run_id,
    row: {
      deployment_name: row.deployment_name, device_id: row.device_id, timestamp_s: row.timestamp_s, pitch_offset: row.pitch_offset, yaw_offset: row.yaw_offset, roll_offset: row.roll_offset,
      mode: row.mode, capture_positions: JSON.parse(row.capture_positions) as CapturePosition[], files_location: row.files_location, success: row.success === 1,
      failure_log: row.failure_log === '' ? [] : row.failure_log.split(' | '),
    },
    status: row.status as DeviceOutcome['status'], reason: row.reason, detail: row.detail, alert: row.alert === 1,
    estimate: row.estimate === null ? null : (JSON.parse(row.estimate) as OffsetResult), duration_ms: row.duration_ms,
  });
  return {
    async startRun(run_id, started_ms, devices) {
      await db.insertInto('ptz_runs').values({ run_id, started_ms, devices, finished_ms: null }).execute();
    },
    async finishRun(run_id, finished_ms) {
      await db.updateTable('ptz_runs').set({ finished_ms }).where('run_id', '=', run_id).execute();
    },
    async record(outcome, wanted) {
      const { row } = outcome;
      for (let step = 0; ; step++) {
        const timestamp_s = row.timestamp_s + step;
        const added = await db
          .insertInto('ptz_results')
          .values({
            run_id: outcome.run_id, ...row, timestamp_s, capture_positions: JSON.stringify(row.capture_positions), success: row.success ? 1 : 0, failure_log: row.failure_log.join(' | '),
            status: outcome.status, reason: outcome.reason, detail: outcome.detail, alert: outcome.alert ? 1 : 0,
            estimate: outcome.estimate === null ? null : JSON.stringify(outcome.estimate), duration_ms: Math.round(outcome.duration_ms),
            in_athena: wanted.athena ? 0 : 2, notified: wanted.slack ? 0 : 2,
          })
          .onConflict((conflict) => conflict.doNothing())
          .returning('id')
          .executeTakeFirst();
        if (added !== undefined) return { ...outcome, id: added.id, row: { ...row, timestamp_s } };
        if (step >= SAME_SECOND_TRIES) throw new RangeError('a device has more than 100 results in 100 seconds');
      }
    },
    unpublished: async (limit) => (await rows().where('in_athena', '=', 0).orderBy('id').limit(limit).execute()).map(recorded),
    async published(ids) {
      if (ids.length > 0) await db.updateTable('ptz_results').set({ in_athena: 1 }).where('id', 'in', [...ids]).execute();
    },
    unnotified: async (since_s, limit) => (await rows().where('notified', '=', 0).where('timestamp_s', '>=', since_s).orderBy('id').limit(limit).execute()).map(recorded),
    async notified(id) {
      await db.updateTable('ptz_results').set({ notified: 1 }).where('id', '=', id).execute();
    },
    async history({ devices = [], deployments = [], limit, before, status }) {
      let query = rows().orderBy('id', 'desc').limit(limit);
      if (devices.length + deployments.length > 0) {
        query = query.where((eb) => eb.or([
          ...deployments.map((name) => eb('deployment_name', '=', name)),
          // Names of deployments may have a slash, those of cameras have none.
          ...devices.map((id) => eb.and({ device_id: id.slice(id.lastIndexOf('/') + 1), ...(id.includes('/') ? { deployment_name: id.slice(0, id.lastIndexOf('/')) } : {}) })),
        ]));
      }
      if (before !== undefined) query = query.where('id', '<', before);
      if (status !== undefined) query = query.where('status', '=', status);
      return (await query.execute()).map(recorded);
    },
    async newest() {
      const ids = db.selectFrom('ptz_results').select((eb) => eb.fn.max('id').as('id')).groupBy(['deployment_name', 'device_id']);
      return (await rows().where('id', 'in', ids).orderBy('id', 'desc').execute()).map(recorded);
    },
    async prune(before_s) {
      const gone = await db.deleteFrom('ptz_results').where('timestamp_s', '<', before_s).where('in_athena', '<>', 0).executeTakeFirst();
      return Number(gone.numDeletedRows);
    },
  };
}
