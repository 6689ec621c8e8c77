/** Sessions that frames come for, in memory for a short while: what each frame would otherwise read from the database. Bounded in number and in age. */
import type { HeadSample } from './reading.js';
import { HEADS_KEPT } from './reading.js';
import type { ScreenSize } from './targets.js';
import type { Session } from './types.js';

const SESSIONS_MAX = 2_000;
/** Another process may have changed the session, the screen or the consent. */
const FRESH_MS = 15_000;

export interface LiveSession {
  session: Session;
  screen: ScreenSize & { distance_cm?: string };
  /** The newest heads, oldest first. */
  heads: HeadSample[];
  loaded_ms: number;
  /** Frames were noted in the audit log. */
  audited: boolean;
}

export class LiveSessions {
  readonly #sessions = new Map<string, LiveSession>();

  constructor(
    private readonly load: (session_id: string) => Promise<Omit<LiveSession, 'heads' | 'loaded_ms' | 'audited'>>,
    private readonly now_ms: () => number,
  ) {}

  /** @throws what `load` throws: no such session, no screen, no consent, completed */
  async get(session_id: string): Promise<LiveSession> {
    const known = this.#sessions.get(session_id);
    if (known !== undefined && this.now_ms() - known.loaded_ms < FRESH_MS) return known;
    const loaded = await this.load(session_id);
    const live: LiveSession = { heads: known?.heads ?? [], audited: known?.audited ?? false, ...loaded, loaded_ms: this.now_ms() };
    // Newest last: the first of the map is the one that was loaded longest ago.
    this.#sessions.delete(session_id);
    this.#sessions.set(session_id, live);
    if (this.#sessions.size > SESSIONS_MAX) {
      const [oldest] = this.#sessions.keys();
      if (oldest !== undefined) this.#sessions.delete(oldest);
    }
    return live;
  }

  noteHead(live: LiveSession, head: HeadSample): void {
    live.heads.push(head);
    if (live.heads.length > HEADS_KEPT) live.heads.shift();
  }

  forget(session_id: string): void {
    this.#sessions.delete(session_id);
  }

  forgetCandidate(candidate_id: string): void {
    for (const [id, { session }] of this.#sessions) if (session.candidate_id === candidate_id) this.#sessions.delete(id);
  }
}
