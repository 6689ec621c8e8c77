/** Dead letters: listing them, and putting them back into the outbox. */
import type { DeadLetterRow } from '../store/schema.js';
import { SightlineError } from '../errors.js';
import { attribute } from './build.js';
import type { Journal } from './journal.js';
import type { Entry, LetterCounts, NewEntry, Outbox } from './outbox.js';
import type { PayloadCheck, UnattributedPayload } from './payloads.js';
import type { DeadLetter } from './types.js';

const LETTERS_A_STEP = 500;

export function shownLetter(row: DeadLetterRow): DeadLetter {
  return {
    id: row.id,
    idempotency_key: row.idempotency_key,
    result_type: row.result_type,
    camera_id: row.camera_id,
    created_at: new Date(row.created_ms).toISOString(),
    attempts: row.attempts,
    last_status: row.status,
    last_error: row.reason,
    body: JSON.parse(row.body) as unknown,
  };
}

export interface ReplayDeps {
  outbox: Outbox;
  journal: Journal;
  check: PayloadCheck;
  /** Who stands for the people at a camera now; undefined = still nobody. */
  staffFor: (camera_id: number | null) => number | undefined;
  onRevived: (entries: Entry[], letters: LetterCounts) => void;
}

/**
 * Puts letters back under their old keys, `ids` or all there are now. A letter without a staff_id gets the one its camera has now, or
 * is kept. Each step of at most 500 is one transaction.
 * @throws STORE_WRITE_FAILED; what was moved before it stays moved
 */
export async function replayLetters(deps: ReplayDeps, ids: readonly number[] | undefined): Promise<{ replayed: number; kept: number }> {
  const done = { replayed: 0, kept: 0 };
  try {
    if (ids !== undefined) {
      const wanted = [...new Set(ids)];
      for (let at = 0; at < wanted.length; at += LETTERS_A_STEP) await step(deps, done, 0, wanted.slice(at, at + LETTERS_A_STEP));
    } else {
      for (let after: number | undefined = 0; after !== undefined; ) after = await step(deps, done, after);
    }
  } catch (error) {
    throw new SightlineError('STORE_WRITE_FAILED', `replay: ${done.replayed} put back, then the database failed: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  return done;
}

/** @returns where the next step begins; undefined = nothing is left */
function step(deps: ReplayDeps, done: { replayed: number; kept: number }, after: number, ids?: readonly number[]): Promise<number | undefined> {
  const { outbox, journal, onRevived } = deps;
  return journal.exclusive(async () => {
    const rows = await outbox.deadLetters({ limit: LETTERS_A_STEP, after, ids });
    const revived = rows.flatMap((row) => {
      const entry = revivable(deps, row);
      return entry === undefined ? [] : [{ letter_id: row.id, entry }];
    });
    done.kept += rows.length - revived.length;
    if (revived.length > 0) {
      const { ids: outbox_ids, letters } = await outbox.revive(revived);
      const entries = revived.map(({ entry }, index): Entry => ({ ...entry, id: outbox_ids[index] as number, rounds: 0, retry_at_ms: null }));
      journal.noteInserted(entries);
      onRevived(entries, letters);
      done.replayed += revived.length;
    }
    return rows.length < LETTERS_A_STEP ? undefined : rows.at(-1)?.id;
  });
}

function revivable({ check, staffFor }: ReplayDeps, row: DeadLetterRow): NewEntry | undefined {
  const { idempotency_key, camera_id, priority, created_ms } = row;
  const entry: NewEntry = { idempotency_key, result_type: row.result_type, camera_id, priority, created_ms, body: row.body, bytes: row.bytes };
  if (row.reason !== 'no_staff_id') return entry;
  const staff_id = staffFor(camera_id);
  if (staff_id === undefined) return undefined;
  const payload = attribute(JSON.parse(row.body) as UnattributedPayload, staff_id);
  if ('problem' in check(payload)) return undefined;
  const body = JSON.stringify(payload);
  return { ...entry, body, bytes: Buffer.byteLength(body) };
}
