/**
 * The calibration service: sessions, frames, files, people's rights. It knows no HTTP. A database that is away does not keep the daemon from starting: calls are
 * answered CALIBRATION_STORE_FAILED and it is opened again later.
 */
import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import { sealingKeys } from '../../config/rules.js';
import { messageOf, SightlineError } from '../../errors.js';
import { openCalibrationStore, type CalibrationStore, type CalibrationStoreOptions } from '../../store/calibration/store.js';
import { Access } from './access.js';
import { iso } from './clock.js';
import { belongs, type CalibrationSettings, type ServiceContext } from './context.js';
import { FrameJournal } from './frame_journal.js';
import { Frames, type FrameAnswer } from './frames.js';
import { createGovernance } from './governance.js';
import { LiveSessions } from './live.js';
import { Looks } from './looks.js';
import { Pace, RATE_BY_LATENCY } from './pace.js';
import { createPreview } from './preview.js';
import { createRecords } from './records.js';
import { createResults } from './results.js';
import { createScreens } from './screens.js';
import { createSessions, loadLive } from './sessions.js';
import type { Caller, TokenVerifier } from './tokens.js';
import type { GazeSource, IncomingFrame, ServiceCounts, ServiceLog } from './types.js';
import { Vault } from './vault.js';
import type { WebhookEvent, WebhookTraces } from './webhooks.js';
import { Workplace } from './workplace.js';

/** Between two tries to open a database that is away. */
const OPEN_AGAIN_MS = 5_000;
const RETENTION_FIRST_MS = 60_000;
const REFUSALS_NOTED_A_MINUTE = 60;
const RETENTION_EVERY_MS = 6 * 3_600_000;

export interface CalibrationServiceOptions {
  settings: CalibrationSettings;
  store: CalibrationStoreOptions;
  tokens: TokenVerifier;
  gaze: GazeSource;
  log: ServiceLog;
  /** Calls without a token are this machine's own user's. */
  open_to_local: boolean;
  /** The token of the API, taken as an admin's. */
  api_token?: string | undefined;
  announce?(event: WebhookEvent): Promise<void>;
  /** What announced events left behind, also those of a former run or configuration. */
  traces?: WebhookTraces | undefined;
  /** What the webhooks are doing; undefined: there is no receiver. */
  webhooks?(): Promise<Record<string, unknown>>;
  /** A frame, arrival to gaze; for the metrics. */
  observeGaze?(seconds: number): void;
  now_ms?: () => number;
  uuid?: () => string;
}

/** What works only while the database is open. */
interface Opened {
  store: CalibrationStore;
  context: ServiceContext;
  sessions: ReturnType<typeof createSessions>;
  screens: ReturnType<typeof createScreens>;
  results: ReturnType<typeof createResults>;
  governance: ReturnType<typeof createGovernance>;
  preview: ReturnType<typeof createPreview>;
  frames: Frames;
}

/** Frames of one request. */
export interface FramesInput {
  /** Without it the candidate's newest open session, as the plan's batches have it. */
  session_id?: string | undefined;
  candidate_id: string;
  frames: readonly IncomingFrame[];
}

export class CalibrationService {
  readonly #options: CalibrationServiceOptions;
  readonly #vault: Vault;
  readonly #pace: Pace;
  readonly #now_ms: () => number;
  readonly #counts: ServiceCounts = { frames: { stored: 0, repeated: 0, refused: {} }, sessions: { created: 0, started: 0, resumed: 0, completed: 0, failed: 0 }, fits: {}, work: { here: 0, thread: 0, refused: 0 } };
  #opened: Opened | undefined;
  #opening: Promise<Opened> | undefined;
  #failed: { error: SightlineError; at_ms: number } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #refusals = { minute: 0, count: 0 };

  constructor(options: CalibrationServiceOptions) {
    this.#options = options;
    this.#now_ms = options.now_ms ?? Date.now;
    const keys = options.settings.encryption_keys;
    this.#vault = new Vault(keys === undefined ? new Map() : (sealingKeys(keys) ?? new Map<string, Buffer>()));
    this.#pace = new Pace(options.gaze, this.#now_ms);
  }

  /** Opens the database, or leaves that for later where it is away; starts the retention job. */
  async start(): Promise<void> {
    await this.#open().catch(() => undefined);
    const turn = (wait_ms: number): void => {
      this.#timer = setTimeout(() => {
        void this.#retain().finally(() => { if (!this.#closed) turn(RETENTION_EVERY_MS); });
      }, wait_ms);
      this.#timer.unref();
    };
    turn(RETENTION_FIRST_MS);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    const opened = this.#opened ?? (await this.#opening?.catch(() => undefined));
    await opened?.context.journal.close();
    await opened?.context.workplace.close();
    await opened?.store.close();
  }

  /** Who asks. @throws UNAUTHORIZED */
  async caller(authorization: string | undefined): Promise<Caller> {
    try {
      return await this.#callerOf(authorization);
    } catch (error) {
      this.#noteRefusal();
      throw error;
    }
  }

  /** Into the audit log, at most so many a minute: it must not be a way to fill the disk. */
  #noteRefusal(): void {
    const minute = Math.floor(this.#now_ms() / 60_000);
    if (this.#refusals.minute !== minute) this.#refusals = { minute, count: 0 };
    this.#refusals.count++;
    if (this.#refusals.count > REFUSALS_NOTED_A_MINUTE || this.#opened === undefined) return;
    this.#opened.context.access.note({ actor: 'unknown', role: 'none' }, 'token_refused', 'denied', { candidate_id: null }).catch(() => undefined);
  }

  async #callerOf(authorization: string | undefined): Promise<Caller> {
    const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) {
      if (authorization === undefined && this.#options.open_to_local) return { actor: 'local', role: 'admin', candidate_id: null };
      throw new SightlineError('UNAUTHORIZED', 'Authorization: expected "Bearer" and a token');
    }
    if (this.#options.api_token !== undefined && same(token, this.#options.api_token)) return { actor: 'api_token', role: 'admin', candidate_id: null };
    return this.#options.tokens.verify(token);
  }

  sessions = async (): Promise<Opened['sessions']> => (await this.#open()).sessions;
  screens = async (): Promise<Opened['screens']> => (await this.#open()).screens;
  results = async (): Promise<Opened['results']> => (await this.#open()).results;
  preview = async (): Promise<Opened['preview']> => (await this.#open()).preview;
  governance = async (): Promise<Opened['governance']> => (await this.#open()).governance;

  /** One answer a frame; resolves when what was accepted is on the disk. @throws what concerns the whole request */
  async frames(caller: Caller, { session_id, candidate_id, frames }: FramesInput): Promise<{ answers: FrameAnswer[]; recommended_fps: number; session_id: string }> {
    const { context, frames: work } = await this.#open();
    const id = session_id ?? (await context.records.openSessionOf(candidate_id))?.session_id;
    if (id === undefined) throw new SightlineError('CALIBRATION_SESSION_NOT_FOUND', 'session_id: expected a session, or a candidate with an open one, received neither');
    const live = await context.live.get(id);
    const { session } = live;
    if (caller.candidate_id !== null && caller.candidate_id !== session.candidate_id) await context.access.check(caller, 'frames_add', { candidate_id: session.candidate_id, session_id: id });
    belongs(session, candidate_id);
    // Once a session and not once a frame: thirty entries a second would bury the others.
    if (!live.audited || caller.role === 'recording_bot' || caller.role === 'analyzer') {
      await context.access.check(caller, 'frames_add', { candidate_id, session_id: id, detail: 'first frames since the service started' });
      live.audited = true;
    }
    this.#pace.present(id);
    return { answers: await work.process(live, frames), recommended_fps: this.#pace.recommended(), session_id: id };
  }

  /** State of the webhooks, for admins. */
  async webhooks(): Promise<Record<string, unknown>> {
    return (await this.#options.webhooks?.()) ?? { url: null, backlog: 0, log: [] };
  }

  ping(): { status: 'ok'; server_time: string; server_time_ms: number; recommended_fps: number; rates: typeof RATE_BY_LATENCY } {
    const now = this.#now_ms();
    return { status: 'ok', server_time: iso(now), server_time_ms: now, recommended_fps: this.#pace.recommended(), rates: RATE_BY_LATENCY };
  }

  /** For the metrics and the diagnosis. */
  status(): ServiceCounts & ReturnType<Pace['state']> & { ready: boolean; where: string | null; recommended_fps: number; waiting: number } {
    const recommended_fps = this.#pace.recommended();
    return { ready: this.#opened !== undefined, where: this.#opened?.store.where ?? null, recommended_fps, waiting: this.#options.gaze.load().waiting, ...this.#pace.state(), ...this.#counts };
  }

  async #open(): Promise<Opened> {
    if (this.#opened !== undefined) return this.#opened;
    if (this.#closed) throw new SightlineError('CALIBRATION_STORE_FAILED', 'the calibration service has stopped');
    if (this.#failed !== undefined && this.#now_ms() - this.#failed.at_ms < OPEN_AGAIN_MS) throw this.#failed.error;
    this.#opening ??= this.#connect().finally(() => { this.#opening = undefined; });
    return this.#opening;
  }

  async #connect(): Promise<Opened> {
    const { log } = this.#options;
    try {
      const store = await openCalibrationStore(this.#options.store);
      this.#opened = this.#join(store);
      this.#failed = undefined;
      log.info({ where: store.where, sealed: this.#vault.active !== null }, 'calibration database open');
      return this.#opened;
    } catch (error) {
      const failure = error instanceof SightlineError ? error : new SightlineError('CALIBRATION_STORE_FAILED', messageOf(error), { cause: error });
      log.error({ code: failure.code, cause: failure.message }, 'the calibration database cannot be opened; it is tried again');
      this.#failed = { error: new SightlineError('CALIBRATION_STORE_FAILED', 'the calibration database is not available at the moment', { cause: failure }), at_ms: this.#now_ms() };
      throw this.#failed.error;
    }
  }

  #join(store: CalibrationStore): Opened {
    const { settings, log, gaze } = this.#options;
    const now_ms = this.#now_ms;
    const records = createRecords(store, this.#vault);
    const context: ServiceContext = {
      settings, records, gaze, log, now_ms,
      access: new Access(records, now_ms),
      journal: new FrameJournal({ store, vault: this.#vault, log, frames_per_session: settings.frames_per_session, now_ms }),
      live: new LiveSessions((session_id) => loadLive({ records }, session_id), now_ms),
      looks: new Looks(),
      workplace: new Workplace({ records, vault: this.#vault, store, setup: { store: this.#options.store, encryption_keys: settings.encryption_keys }, counts: this.#counts.work }),
      pace: this.#pace,
      counts: this.#counts,
      observeGaze: (seconds) => { this.#options.observeGaze?.(seconds); },
      uuid: this.#options.uuid ?? randomUUID,
      announce: async (event) => { await this.#options.announce?.(event); },
      traces: this.#options.traces,
    };
    return {
      store, context,
      sessions: createSessions(context), screens: createScreens(context), results: createResults(context), governance: createGovernance(context, store, this.#vault), preview: createPreview(context), frames: new Frames(context),
    };
  }

  async #retain(): Promise<void> {
    try {
      await (await this.governance()).runRetention(null);
    } catch (error) {
      this.#options.log.error({ err: error }, 'the retention of calibrations could not be enforced; it is tried again');
    }
  }
}

/** Over hashes, so that neither the time nor the length tells anything. */
function same(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
