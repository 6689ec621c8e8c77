/** From an event of the analysis to its picture, its callback and its record. */
import type { AnalysisEvent } from './analysis/types.js';
import type { CameraRef } from './cameras/types.js';
import { eventBody, type BuildSettings } from './delivery/build.js';
import type { Delivery, EnqueueContext } from './delivery/types.js';
import { toldOf, type EventRecorder } from './evidence/recorder.js';
import type { NewEvent } from './evidence/types.js';
import type { FrameResult } from './inference/results.js';

/** What keeping evidence takes. */
export interface EvidencePath {
  recorder: Pick<EventRecorder, 'picture' | 'keep' | 'note' | 'follow'>;
  /** JPEG of a row of a batch in use. */
  jpeg(batch: number, row: number): Promise<Buffer>;
  /** Put before the paths that the receiver gets. */
  path_prefix: string;
}

/** Where the decoded frame of a result still is. */
export interface HeldBatch {
  batch: number;
  rows: readonly { row: number; camera: number; seq: number }[];
}

export interface RaiseOptions {
  delivery: Pick<Delivery, 'enqueue' | 'keepLocal'>;
  body: BuildSettings;
  /** Without it nothing is kept beside the callback. */
  evidence?: EvidencePath;
}

/**
 * The picture first, since the callback names it: taken from the decoded frame while its batch is held, in a bounded time. Callback and record go into one
 * transaction: after a crash there is no event that was delivered and is not listed. Settles when both are on the disk.
 */
export async function raiseEvent(camera: CameraRef, event: AnalysisEvent, frame: FrameResult, held: HeldBatch | undefined, { delivery, body, evidence }: RaiseOptions): Promise<void> {
  const { camera_id, camera_name, staff_id } = camera;
  const source = { camera_id, handle: frame.camera, packet_us: frame.packet_us, wall_ms: frame.wall_ms };
  const row = held?.rows.find((one) => one.camera === frame.camera && one.seq === frame.seq)?.row;
  const path = evidence === undefined || held === undefined || row === undefined ? undefined : await evidence.recorder.picture(event, source, () => evidence.jpeg(held.batch, row));
  const built = eventBody(camera, event, body, path === undefined ? undefined : `${evidence?.path_prefix ?? ''}${path}`);
  const record = (state: NewEvent['delivery'], idempotency_key: string | null): NewEvent => ({
    ...toldOf(event), camera_id, camera_name, staff_id: staff_id ?? body.unknown_staff_id ?? null, frame_path: path ?? null, delivery: state, idempotency_key,
  });
  let noted: number | undefined;
  const context: EnqueueContext = { camera_id, kind: event.kind };
  if (evidence !== undefined) {
    context.companion = async (within, key) => {
      noted = await evidence.recorder.note(record(built.attributed ? 'posted' : 'local_only', key), within);
    };
  }
  const { stored } = await (built.attributed ? delivery.enqueue(built.body, context) : delivery.keepLocal(built.body, context));
  if (stored && noted !== undefined) evidence?.recorder.follow(noted, event, source);
  else await evidence?.recorder.keep(record('dropped', null), event, source);
}
