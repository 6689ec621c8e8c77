/**
 * What the daemon learns of cameras and people over days, joined to the path of a frame: who is on duty, baselines, the anomaly models of an
 * earlier run, and the daily update for the receiver.
 */
import type { AnalyserOptions, BaselineSnapshot, FrameAnalysis } from './analysis/types.js';
import { Baselines } from './baselines/baselines.js';
import { createRepository, type Repository } from './baselines/repository.js';
import type { BaselineSummary, Subject } from './baselines/types.js';
import { createRoster, type Roster } from './cameras/roster.js';
import { encryptionKey } from './config/rules.js';
import type { Config } from './config/schema.js';
import { baselineBody } from './delivery/build.js';
import type { Delivery } from './delivery/types.js';
import type { StoreDb, StoreTransaction } from './store/store.js';
import { createVault, stateKey } from './store/vault.js';

const MIB = 1024 * 1024;

export interface LearningOptions {
  db: StoreDb;
  config: Config;
  delivery: Pick<Delivery, 'enqueue'>;
  log: { info(fields: Record<string, unknown>, message: string): void; warn(fields: Record<string, unknown>, message: string): void };
}

/** A camera as learning sees it. */
export interface WatchedCamera {
  camera_id: number;
  /** As registered. */
  staff_id: number | null;
}

export class Learning {
  readonly baselines: Baselines;
  readonly #options: LearningOptions;
  readonly #repository: Repository;
  #roster: Roster;
  readonly #subjects = new Map<number, Subject>();
  /** Of an earlier run, until its camera is seen. */
  readonly #models = new Map<number, BaselineSnapshot>();
  /** Fitted since the last tick. */
  readonly #fitted = new Map<number, BaselineSnapshot>();
  #unreadable = 0;

  /** @throws STATE_KEY */
  constructor(options: LearningOptions) {
    this.#options = options;
    const { config, db, log } = options;
    const { detection, php_system, state_dir } = config;
    const given = detection.baseline_key === undefined ? undefined : encryptionKey(detection.baseline_key);
    this.#repository = createRepository(db, createVault(given ?? stateKey(state_dir)), () => {
      this.#unreadable += 1;
      if (this.#unreadable === 1) log.warn({}, 'a baseline on the disk cannot be opened: it is damaged, or was written with another key; it is left alone and learnt anew');
    });
    this.#roster = createRoster(config.staff.roster, php_system.timezone);
    this.baselines = new Baselines({
      repository: this.#repository,
      days: detection.baseline_days,
      needed: detection.baseline_samples,
      subjects_max: detection.baseline_subjects,
      bytes_max: detection.baseline_max_mib * MIB,
      timezone: php_system.timezone,
      onUpdate: (summary, told) => this.#update(summary, told),
      log,
    });
  }

  /** Reads the anomaly models of an earlier run; before the first frame. */
  async load(): Promise<void> {
    for (const [camera_id, model] of await this.#repository.models()) this.#models.set(camera_id, model as BaselineSnapshot);
  }

  /** Baselines on the disk that could not be opened since the start. */
  get unreadable(): number {
    return this.#unreadable;
  }

  /** Another roster from now on. */
  follow(roster: Config['staff']['roster']): void {
    this.#roster = createRoster(roster, this.#options.config.php_system.timezone);
  }

  /** Who is seen at the camera at that time; null = nobody in particular. */
  staffAt({ camera_id, staff_id }: WatchedCamera, wall_ms: number): number | null {
    return this.#roster.staffAt(camera_id, wall_ms) ?? staff_id;
  }

  /** What a new analyser of that camera is given. */
  analyser(camera_id: number): Pick<AnalyserOptions, 'usual' | 'baseline'> {
    const baseline = this.#models.get(camera_id);
    this.#models.delete(camera_id);
    return {
      usual: (name, value) => {
        const subject = this.#subjects.get(camera_id);
        return subject === undefined ? undefined : this.baselines.deviation(subject, name, value);
      },
      ...(baseline === undefined ? {} : { baseline }),
    };
  }

  /** Before a frame of the camera is analysed: whose baseline it is held against. */
  meet(camera_id: number, staff_id: number | null): void {
    this.#subjects.set(camera_id, staff_id === null ? `camera:${camera_id}` : `staff:${staff_id}`);
  }

  /** Takes an analysed frame, and says in it how far the baseline has come. */
  take(camera_id: number, analysis: FrameAnalysis, wall_ms: number): void {
    const subject = this.#subjects.get(camera_id);
    if (subject === undefined || !this.#options.config.detection.baseline_enabled) return;
    // An empty scene is no one's behaviour.
    if (analysis.track_id !== undefined) {
      this.baselines.take(subject, { wall_ms, indicators: analysis.indicators, signals: analysis.signals, emotions: analysis.faces.find(({ track_id }) => track_id === analysis.track_id)?.emotions });
    }
    analysis.baseline.history = this.baselines.state(subject);
  }

  /** A camera's anomaly model was fitted anew; it is kept at the next tick. */
  fitted(camera_id: number, model: BaselineSnapshot | null): void {
    if (model !== null) this.#fitted.set(camera_id, model);
  }

  /** Forgets cameras that are no longer registered. */
  keepOnly(camera_ids: ReadonlySet<number>): void {
    for (const camera_id of this.#subjects.keys()) if (!camera_ids.has(camera_id)) this.#subjects.delete(camera_id);
  }

  /** Every few seconds. */
  async tick(wall_ms: number): Promise<void> {
    await this.#saveModels(wall_ms);
    await this.baselines.tick(wall_ms);
  }

  async stop(wall_ms: number): Promise<void> {
    await this.#saveModels(wall_ms);
    await this.baselines.stop(wall_ms);
  }

  async #saveModels(wall_ms: number): Promise<void> {
    for (const [camera_id, model] of this.#fitted) {
      await this.#repository.saveModel(camera_id, model, wall_ms);
      this.#fitted.delete(camera_id);
    }
  }

  async #update(summary: BaselineSummary, told: (within: StoreTransaction) => Promise<void>): Promise<'stored' | 'unwanted' | 'later'> {
    const result = await this.#options.delivery.enqueue(baselineBody(summary), { camera_id: null, kind: 'baseline_update', companion: told });
    if (result.stored) return 'stored';
    // Without a receiver there is nobody to tell; that is no reason to offer it for ever.
    return result.reason === 'no_target' ? 'unwanted' : 'later';
  }
}
