/** Settings of cameras whose table (of another system) has no column for them: the only SQL over `camera_overlays`. */
import type { StoreDb } from '../store/store.js';
import type { Overlay } from './rows.js';

export interface Overlays {
  all(): Promise<Map<number, Overlay>>;
  /** Sets what is given, leaves the rest. An empty change does nothing. */
  set(camera_id: number, change: Partial<Omit<Overlay, 'camera_id'>>): Promise<void>;
  remove(camera_id: number): Promise<void>;
}

export function createOverlays(db: StoreDb): Overlays {
  return {
    async all() {
      const rows = await db.selectFrom('camera_overlays').selectAll().execute();
      return new Map(rows.map((row) => [row.camera_id, row]));
    },
    async set(camera_id, change) {
      if (Object.keys(change).length === 0) return;
      await db.insertInto('camera_overlays').values({ camera_id, ...change }).onConflict((conflict) => conflict.column('camera_id').doUpdateSet(change)).execute();
    },
    async remove(camera_id) {
      await db.deleteFrom('camera_overlays').where('camera_id', '=', camera_id).execute();
    },
  };
}
