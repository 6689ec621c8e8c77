/**
 * The outbox as the sender sees it: a queue (lane) per priority and camera, of which only the front is in memory, the rest stays in the
 * database until the front runs low. Priorities are strict, cameras of one priority take turns. Bounded: WINDOW entries a lane.
 * What a transaction did and what is noted of it here happen under the journal's lock, so counts and rows always agree.
 */
import type { Entry, Evicted, OutboxSummary } from './outbox.js';
import { PRIORITIES } from './types.js';

/** Entries of a lane kept in memory, with their bodies. */
export const WINDOW = 32;

export interface Lane {
  readonly priority: number;
  readonly camera_id: number | null;
  /** Ascending ids. */
  window: Entry[];
  /** Rows behind the window, in the database only. */
  beyond: number;
  /** Highest id that has been in the window. */
  last_id: number;
  loading: boolean;
}

export interface Choice {
  entry: Entry | null;
  /** With no entry: when the first camera that has one may send; Infinity = none has. */
  wait_ms: number;
  /** Lanes to be filled from the database. */
  empty: Lane[];
}

export class Lanes {
  private readonly byKey = new Map<string, Lane>();
  private readonly byPriority: Lane[][] = Array.from({ length: PRIORITIES }, () => []);
  private readonly turn: number[] = new Array<number>(PRIORITIES).fill(0);

  constructor(summary: Pick<OutboxSummary, 'lanes'>) {
    for (const { priority, camera_id, count } of summary.lanes) this.lane(priority, camera_id).beyond = count;
  }

  /** A row that was just committed, in the order of ids. */
  add(entry: Entry): void {
    const lane = this.lane(entry.priority, entry.camera_id);
    if (lane.beyond === 0 && lane.window.length < WINDOW) {
      lane.window.push(entry);
      lane.last_id = entry.id;
    } else {
      lane.beyond += 1;
    }
  }

  /** Back to the front: it was taken and not settled. */
  putBack(entry: Entry): void {
    const { window } = this.lane(entry.priority, entry.camera_id);
    const at = window.findIndex((other) => other.id > entry.id);
    window.splice(at === -1 ? window.length : at, 0, entry);
  }

  /** Rows from the database, the next ones of the lane. */
  fill(lane: Lane, entries: readonly Entry[]): void {
    lane.loading = false;
    lane.window.push(...entries);
    lane.last_id = entries.at(-1)?.id ?? lane.last_id;
    // Fewer than were asked for: that was all there is.
    lane.beyond = entries.length < WINDOW ? 0 : Math.max(0, lane.beyond - entries.length);
  }

  /** A row that the database no longer has and that is not on its way. */
  remove({ id, priority, camera_id, retry_at_ms }: Evicted): void {
    const lane = this.lane(priority, camera_id);
    const at = lane.window.findIndex((entry) => entry.id === id);
    if (at >= 0) lane.window.splice(at, 1);
    else if (retry_at_ms === null) lane.beyond -= 1;
  }

  /**
   * Takes the next entry that may go.
   * @param lowest the highest number of a priority that is considered
   * @param wait milliseconds until a camera may send, 0 = now
   */
  next(lowest: number, wait: (camera_id: number | null) => number): Choice {
    const choice: Choice = { entry: null, wait_ms: Infinity, empty: [] };
    for (let priority = 0; priority <= lowest; priority++) {
      const lanes = this.byPriority[priority] as Lane[];
      const start = this.turn[priority] as number;
      for (let step = 0; step < lanes.length; step++) {
        const index = (start + step) % lanes.length;
        const lane = lanes[index] as Lane;
        if (lane.window.length === 0) {
          if (lane.beyond > 0 && !lane.loading) choice.empty.push(lane);
          continue;
        }
        const wait_ms = wait(lane.camera_id);
        if (wait_ms > 0) {
          choice.wait_ms = Math.min(choice.wait_ms, wait_ms);
          continue;
        }
        this.turn[priority] = (index + 1) % lanes.length;
        choice.entry = lane.window.shift() as Entry;
        return choice;
      }
    }
    return choice;
  }

  private lane(priority: number, camera_id: number | null): Lane {
    const key = `${priority}:${camera_id ?? ''}`;
    let lane = this.byKey.get(key);
    if (lane === undefined) {
      lane = { priority, camera_id, window: [], beyond: 0, last_id: 0, loading: false };
      this.byKey.set(key, lane);
      (this.byPriority[priority] as Lane[]).push(lane);
    }
    return lane;
  }
}
