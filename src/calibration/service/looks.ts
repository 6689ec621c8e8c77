/** What looks of a session share, in memory: bounded in number, and gone with the person. */
import type { TransformMatrix } from '../types.js';
import type { HeadSample } from './reading.js';
import type { Session } from './types.js';

/** Of one session: its newest heads for the stability, its fit, and whose looks are in the audit log. */
export interface LookMemory {
  readonly candidate_id: string;
  heads: HeadSample[];
  noted: Set<string>;
  /** `of` names the frames and the screen that were fitted; null = they determine nothing yet. */
  fit: { of: string; matrix: Promise<TransformMatrix | null> } | undefined;
}

/** Sessions that are remembered; the one that was looked at longest ago goes first. */
const SESSIONS_MAX = 500;

export class Looks {
  readonly #sessions = new Map<string, LookMemory>();

  of({ session_id, candidate_id }: Pick<Session, 'session_id' | 'candidate_id'>): LookMemory {
    const known = this.#sessions.get(session_id) ?? { candidate_id, heads: [], noted: new Set<string>(), fit: undefined };
    this.#sessions.delete(session_id);
    this.#sessions.set(session_id, known);
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size > SESSIONS_MAX && oldest !== undefined) this.#sessions.delete(oldest);
    return known;
  }

  forgetCandidate(candidate_id: string): void {
    for (const [id, memory] of this.#sessions) if (memory.candidate_id === candidate_id) this.#sessions.delete(id);
  }
}
