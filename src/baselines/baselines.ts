/**
 * What is usual for a person (where an id is known) or a camera, over the last `baseline_days` days: one profile a day on the disk, and in memory
 * today's and the sum of those before, for a bounded number of subjects. Time is that of the frames and of `tick`.
 *
 *   take (each frame) ─▶ today ──(a new day, every few minutes)──▶ disk ──(once a day)──▶ summary of each person ─▶ baseline_update
 */
import { robustDeviation } from '../analysis/baseline.js';
import type { IndicatorName } from '../analysis/types.js';
import type { StoreTransaction } from '../store/store.js';
import { createDays } from './days.js';
import { groupOf, Profile } from './profile.js';
import type { BaselineSize, Repository, StoredDay } from './repository.js';
import type { BaselineSummary, HistoryState, Observation, RobustValue, Subject } from './types.js';

/** Between two samples of a subject. */
const SAMPLE_MS = 1_000;
/** What a crash may lose of today. */
const SAVE_MS = 300_000;
/** Medians are worked out anew at most so often, in samples. */
const STATS_SAMPLES = 60;

export interface BaselinesOptions {
  repository: Repository;
  /** Days it looks back, today included. */
  days: number;
  /** Samples before it says anything. */
  needed: number;
  /** Subjects held in memory. */
  subjects_max: number;
  bytes_max: number;
  /** Zone in which a day ends (IANA name). */
  timezone: string;
  /**
   * Takes a summary for the receiver. `told` belongs into the transaction that stores it: a crash between the two would tell the day twice.
   * `stored`: that has been done; `unwanted`: there is nobody to tell; `later`: it could not be stored and is offered again.
   */
  onUpdate(summary: BaselineSummary, told: (within: StoreTransaction) => Promise<void>): Promise<'stored' | 'unwanted' | 'later'>;
  log: { info(fields: Record<string, unknown>, message: string): void; warn(fields: Record<string, unknown>, message: string): void };
}

interface Entry {
  subject: Subject;
  day: string;
  /** The latest day it has been in. */
  newest: string;
  today: Profile;
  /** Sum of the days before; undefined until it is loaded. */
  past: Profile | undefined;
  past_days: number;
  /** `past` is to be read again: days have been forgotten. */
  stale: boolean;
  /** What an earlier run kept of today is part of `today`. */
  whole: boolean;
  sampled_ms: number;
  used_ms: number;
  saved_ms: number;
  dirty: boolean;
  said_ready: boolean;
  stats: { samples: number; values: Map<string, RobustValue | undefined> };
}

export interface BaselinesStatus extends BaselineSize {
  in_memory: number;
  /** Frames of subjects that found no room in memory. */
  dropped: number;
  updates: number;
  last_day: string | null;
}

export class Baselines {
  readonly #options: BaselinesOptions;
  readonly #days: ReturnType<typeof createDays>;
  readonly #entries = new Map<Subject, Entry>();
  /** Days that are over and not yet on the disk. */
  readonly #closed: (StoredDay & { subject: Subject; whole: boolean })[] = [];
  #day: string | null = null;
  #dropped = 0;
  #updates = 0;
  #ticking: Promise<void> | undefined;

  constructor(options: BaselinesOptions) {
    this.#options = options;
    this.#days = createDays(options.timezone);
  }

  /** Takes a frame's measurements; samples are taken once a second. */
  take(subject: Subject, observation: Observation): void {
    const entry = this.#entry(subject, observation.wall_ms);
    if (entry === undefined) return;
    const day = this.#days.of(observation.wall_ms);
    if (day !== entry.day) this.#turn(entry, day);
    entry.used_ms = observation.wall_ms;
    entry.today.frames += 1;
    entry.dirty = true;
    // A clock that was set back must not stop the sampling.
    if (Math.abs(observation.wall_ms - entry.sampled_ms) < SAMPLE_MS) return;
    entry.sampled_ms = observation.wall_ms;
    entry.today.sample(observation);
    if (!entry.said_ready && this.#stateOf(entry).state === 'ready') {
      entry.said_ready = true;
      this.#options.log.info({ subject, samples: this.#samples(entry), days: this.#dayCount(entry) }, 'baseline is ready');
    }
  }

  /** How far a value lies above what is usual, 0..1 (see robustDeviation); undefined in warm-up. */
  deviation(subject: Subject, name: IndicatorName, value: number): number | undefined {
    const entry = this.#entries.get(subject);
    if (entry === undefined || this.#stateOf(entry).state !== 'ready') return undefined;
    const usual = this.#robust(entry, name);
    return usual === undefined || usual.count < this.#options.needed / 2 ? undefined : robustDeviation(value, usual);
  }

  state(subject: Subject): HistoryState {
    const entry = this.#entries.get(subject);
    return entry === undefined ? { subject, state: 'learning', samples: 0, needed: this.#options.needed, days: 0 } : this.#stateOf(entry);
  }

  /** Baselines held in memory, with the medians of their indicators. */
  list(): (HistoryState & { values: Record<string, RobustValue> })[] {
    return [...this.#entries.values()].map((entry) => ({
      ...this.#stateOf(entry),
      values: Object.fromEntries(this.#all(entry).names.flatMap((name): [string, RobustValue][] => {
        const value = this.#robust(entry, name);
        return value === undefined ? [] : [[name, value]];
      })),
    }));
  }

  async status(): Promise<BaselinesStatus> {
    return { ...(await this.#options.repository.size()), in_memory: this.#entries.size, dropped: this.#dropped, updates: this.#updates, last_day: this.#day };
  }

  /** Loads, saves, and once a day forgets what is too old and offers the updates. Called every few seconds; one run at a time. */
  tick(wall_ms: number): Promise<void> {
    this.#ticking ??= this.#run(wall_ms).finally(() => { this.#ticking = undefined; });
    return this.#ticking;
  }

  /** Writes what is in memory. */
  async stop(wall_ms: number): Promise<void> {
    await this.#ticking?.catch(() => undefined);
    await this.#load();
    await this.#save(wall_ms, true);
  }

  async #run(wall_ms: number): Promise<void> {
    const { repository, days, bytes_max } = this.#options;
    await this.#load();
    const full = this.#entries.size >= 0.9 * this.#options.subjects_max;
    await this.#save(wall_ms, full);
    if (full) this.#evict();
    const today = this.#days.of(wall_ms);
    if (today === this.#day) return;
    // Whoever was not seen since midnight still has the old day open.
    for (const entry of this.#entries.values()) if (entry.day < today) this.#turn(entry, today);
    await this.#save(wall_ms, true);
    // One day more than `past` takes: the update is about whole days.
    const forgotten = await repository.prune(this.#days.before(today, days), bytes_max);
    for (const entry of this.#entries.values()) entry.stale = true;
    await this.#load();
    const complete = await this.#offer(today);
    if (this.#day !== null) this.#options.log.info({ day: today, forgotten_days: forgotten, subjects: this.#entries.size }, 'baselines: a new day');
    if (complete) this.#day = today;
  }

  /** Offers the summaries of persons with samples since their last one. @returns whether all were taken */
  async #offer(today: string): Promise<boolean> {
    const { repository, days } = this.#options;
    const last = this.#days.before(today, 1);
    let complete = true;
    for (const { subject, last_day } of await repository.unsent(last)) {
      const stored = await repository.days(subject, this.#days.before(today, days), last);
      const summary = summarise(subject, stored);
      const taken = summary === undefined ? 'unwanted' : await this.#options.onUpdate(summary, (within) => repository.sent(subject, last_day, within));
      if (taken === 'unwanted') await repository.sent(subject, last_day);
      if (taken === 'later') complete = false;
      if (taken === 'stored') this.#updates += 1;
    }
    return complete;
  }

  #entry(subject: Subject, wall_ms: number): Entry | undefined {
    const known = this.#entries.get(subject);
    if (known !== undefined) return known;
    if (this.#entries.size >= this.#options.subjects_max) {
      this.#dropped += 1;
      return undefined;
    }
    const entry: Entry = {
      subject, day: this.#days.of(wall_ms), newest: this.#days.of(wall_ms), today: new Profile(), past: undefined, past_days: 0, stale: false, whole: false, sampled_ms: -Infinity, used_ms: wall_ms, saved_ms: wall_ms, dirty: false, said_ready: false,
      stats: { samples: -1, values: new Map() },
    };
    this.#entries.set(subject, entry);
    return entry;
  }

  #turn(entry: Entry, day: string): void {
    if (entry.dirty) this.#closed.push({ subject: entry.subject, day: entry.day, profile: entry.today, whole: entry.whole });
    // Until it is read again the day before counts to the past; what was not loaded yet will come with the loading.
    entry.past?.merge(entry.today);
    if (entry.past !== undefined && entry.today.samples > 0) entry.past_days += 1;
    // Only a clock that was set back meets a day that has been kept before.
    const known = day <= entry.newest;
    Object.assign(entry, { day, newest: known ? entry.newest : day, today: new Profile(), dirty: false, whole: entry.whole && !known, stale: entry.stale || known });
  }

  async #load(): Promise<void> {
    const { repository, days } = this.#options;
    for (const entry of this.#entries.values()) {
      if (entry.past !== undefined && !entry.stale) continue;
      const { day } = entry;
      const past = new Profile();
      let past_days = 0;
      let own: Profile | undefined;
      for (const stored of await repository.days(entry.subject, this.#days.before(day, days - 1), day)) {
        if (stored.day === day) own = stored.profile;
        else {
          past.merge(stored.profile);
          past_days += stored.profile.samples > 0 ? 1 : 0;
        }
      }
      // It turned meanwhile: the next loading knows the new day.
      if (entry.day !== day) continue;
      if (own !== undefined && !entry.whole) entry.today.merge(own);
      Object.assign(entry, { past, past_days, whole: true, stale: false });
      entry.stats.samples = -1;
      entry.said_ready ||= this.#stateOf(entry).state === 'ready';
    }
  }

  /** Writes closed days, and today's of whom it is due. */
  async #save(now_ms: number, all: boolean): Promise<void> {
    const due = [...this.#entries.values()].filter((entry) => entry.dirty && entry.whole && (all || Math.abs(now_ms - entry.saved_ms) >= SAVE_MS));
    const closed = this.#closed.splice(0);
    try {
      for (const one of closed) {
        // A day that an earlier run had begun is added to, not written over.
        if (!one.whole) for (const { profile } of await this.#options.repository.days(one.subject, one.day, one.day)) one.profile.merge(profile);
        one.whole = true;
      }
      await this.#options.repository.save([...closed, ...due.map(({ subject, day, today }) => ({ subject, day, profile: today }))], now_ms);
    } catch (error) {
      this.#closed.unshift(...closed.slice(0, this.#options.subjects_max));
      throw error;
    }
    for (const entry of due) Object.assign(entry, { dirty: false, saved_ms: now_ms });
  }

  #evict(): void {
    const clean = [...this.#entries.values()].filter((entry) => !entry.dirty).sort((a, b) => a.used_ms - b.used_ms);
    for (const { subject } of clean.slice(0, Math.ceil(this.#options.subjects_max / 5))) this.#entries.delete(subject);
  }

  #stateOf(entry: Entry): HistoryState {
    const samples = this.#samples(entry);
    const { needed } = this.#options;
    return { subject: entry.subject, state: entry.past !== undefined && samples >= needed ? 'ready' : 'learning', samples, needed, days: this.#dayCount(entry) };
  }

  #samples(entry: Entry): number {
    return entry.today.samples + (entry.past?.samples ?? 0);
  }

  #dayCount(entry: Entry): number {
    return entry.past_days + (entry.today.samples > 0 ? 1 : 0);
  }

  #robust(entry: Entry, name: string): RobustValue | undefined {
    const samples = this.#samples(entry);
    const { stats } = entry;
    if (stats.samples < 0 || samples - stats.samples >= STATS_SAMPLES || samples < stats.samples) entry.stats = { samples, values: new Map() };
    const { values } = entry.stats;
    if (!values.has(name)) values.set(name, this.#all(entry).robust(name));
    return values.get(name);
  }

  #all({ past, today }: Entry): Profile {
    const all = new Profile();
    if (past !== undefined) all.merge(past);
    all.merge(today);
    return all;
  }
}

function summarise(subject: Subject, stored: readonly StoredDay[]): BaselineSummary | undefined {
  const [first, last] = [stored[0], stored.at(-1)];
  const staff_id = Number(subject.slice('staff:'.length));
  if (first === undefined || last === undefined || !Number.isInteger(staff_id)) return undefined;
  const all = new Profile();
  for (const { profile } of stored) all.merge(profile);
  const metrics = all.names.flatMap((name) => {
    const value = all.robust(name);
    return value === undefined ? [] : [{ name, group: groupOf(name), value }];
  });
  return { staff_id, period_start: first.day, period_end: last.day, days: stored.length, samples: all.samples, frames: all.frames, metrics };
}
