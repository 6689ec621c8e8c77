/** The analyser of one camera: types.ts says what it promises; here its parts are put together. */
import type { FrameResult, SequenceResult, SequenceRow } from '../inference/results.js';
import { anomalyRow, anomalyScore, reconstructionError, unusualGroups, type AnomalyParameters } from './anomaly.js';
import { sightingsOf, type Sighting } from './association.js';
import { Baseline } from './baseline.js';
import { Episodes } from './episodes.js';
import { FeatureWindow, summarise } from './features.js';
import { raiseEvents, type SubjectReading } from './raise.js';
import { riskLevel, riskScore } from './risk.js';
import { checkOptions, type Settings } from './settings.js';
import { Subject } from './subject.js';
import { Tracker, type Track } from './tracker.js';
import type { ActionReading, AnalysedFace, AnalysedPerson, AnalyserOptions, AnalyserStats, AnomalyReading, BaselineSnapshot, CameraAnalyser, FrameAnalysis, Tuning } from './types.js';

/** Frames between observe and conclude; the oldest gives way. */
const PENDING_FRAMES = 32;
/** A subject unseen for this long is forgotten; its next appearance is someone new. */
const TRACK_TIMEOUT_US = 3_000_000;

/** What observe leaves for conclude. */
interface Pending {
  t_us: number;
  subjects: SubjectReading[];
  face_tracks: (number | undefined)[];
  person_tracks: (number | undefined)[];
  vector?: Float32Array;
  parameters?: AnomalyParameters;
  /** Row key → subject; undefined stands for the anomaly row. */
  rows: Map<number, Subject | undefined>;
}

interface AnomalyAnswer {
  reading: AnomalyReading;
  /** Groups of features with their part of the error, the largest first. */
  groups: { type: string; part: number }[];
}

/**
 * @throws CONFIG_INVALID for an option out of range, REQUEST_INVALID for a baseline of another shape
 */
export function createCameraAnalyser(options: AnalyserOptions = {}): CameraAnalyser {
  return new Analyser(checkOptions(options));
}

class Analyser implements CameraAnalyser {
  readonly #settings: Settings;
  readonly #tracker: Tracker<Subject>;
  readonly #features = new FeatureWindow();
  readonly #baseline: Baseline;
  readonly #episodes: Episodes;
  readonly #pending = new Map<number, Pending>();
  readonly #timeline = new Timeline();
  /** Of the newest frame observed, what tells whether another came after it. */
  #last: Order | undefined;
  #key = 0;
  #frames = 0;
  #late = 0;
  #events = 0;
  #concluded_us = -Infinity;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#tracker = new Tracker({ max_tracks: settings.max_tracks, timeout_us: TRACK_TIMEOUT_US }, (id) => new Subject(id));
    this.#baseline = new Baseline({ enabled: settings.baseline_enabled, min_samples: settings.min_samples, sample_us: settings.sample_ms * 1000, ...(settings.baseline === undefined ? {} : { snapshot: settings.baseline }) });
    this.#episodes = new Episodes(settings.cooldown_ms * 1000);
  }

  observe(frame: FrameResult): SequenceRow[] {
    this.#frames += 1;
    const last = this.#last;
    if (last !== undefined && isLate(frame, last)) {
      this.#late += 1;
      return [];
    }
    if (last !== undefined && !isSameStream(frame, last)) this.reset();
    this.#last = { camera: frame.camera, generation: frame.generation, packet_us: frame.packet_us, seq: frame.seq };
    const t_us = this.#timeline.advance(frame);
    const sightings = sightingsOf(frame);
    const made = this.#tracker.made;
    const tracks = this.#tracker.update(t_us, sightings);
    const pending = this.#see(t_us, frame, sightings, tracks);
    this.#features.push(summarise(t_us, frame, sightings, {
      arrivals: this.#tracker.made - made,
      speeds: tracks.flatMap((track) => (track === undefined ? [] : [speedOf(track)])),
      limb_speeds: tracks.flatMap((track) => (track === undefined ? [] : [track.subject.limbSpeed])),
    }));
    const vector = this.#features.vector();
    if (vector !== undefined) pending.vector = vector;
    this.#pending.set(frame.seq, pending);
    const oldest = this.#pending.keys().next().value;
    if (this.#pending.size > PENDING_FRAMES && oldest !== undefined) this.#pending.delete(oldest);
    return this.#rows(t_us, pending);
  }

  conclude(frame: FrameResult, answers: readonly SequenceResult[]): FrameAnalysis {
    const pending = this.#last !== undefined && isSameStream(frame, this.#last) ? this.#pending.get(frame.seq) : undefined;
    if (pending !== undefined) this.#pending.delete(frame.seq);
    const anomaly = pending === undefined ? null : this.#answers(pending, answers);
    const subjects = pending?.subjects ?? [];
    for (const subject of subjects) {
      const action = subject.subject.action((pending as Pending).t_us);
      if (action !== undefined) subject.action = action;
    }
    const lead = leadOf(subjects);
    const indicators = lead?.reading.indicators ?? {};
    const anomalies = anomaly !== null && anomaly.reading.score >= this.#settings.alert_threshold ? [{ type: anomaly.reading.type, score: anomaly.reading.score }] : [];
    const risk_score = riskScore(indicators, anomalies.length);
    const analysis: FrameAnalysis = {
      frame_timestamp: new Date(frame.wall_ms).toISOString(),
      seq: frame.seq,
      width: frame.width,
      height: frame.height,
      faces: frame.faces.map((face, i) => withTrack(face, pending?.face_tracks[i])),
      persons: frame.persons.map((person, i) => describePerson(withTrack(person, pending?.person_tracks[i]), subjects)),
      objects: frame.objects,
      action: lead?.action ?? surestAction(subjects),
      anomaly: anomaly?.reading ?? null,
      indicators,
      indicator_coverage: lead?.reading.coverage ?? {},
      ...(lead === undefined ? {} : { track_id: lead.subject.id }),
      anomalies,
      risk_score,
      risk_level: riskLevel(risk_score),
      signals: lead?.signals ?? {},
      baseline: this.#baseline.state(),
      missing: frame.missing,
      events: [],
    };
    // A frame concluded after a later one is reported, but has no say in episodes and baseline.
    if (pending === undefined || pending.t_us <= this.#concluded_us) return analysis;
    this.#concluded_us = pending.t_us;
    analysis.events = raiseEvents({
      t_us: pending.t_us, analysis, subjects, settings: this.#settings, episodes: this.#episodes, groups: anomaly?.groups ?? [],
      deviation: (name, value) => (this.#settings.baseline_enabled ? (this.#settings.usual?.(name, value) ?? this.#baseline.deviation(name, value)) : undefined),
    });
    this.#events += analysis.events.length;
    this.#baseline.take(pending.t_us, pending.vector, indicators, anomalies.length > 0);
    analysis.baseline = this.#baseline.state();
    return analysis;
  }

  reset(): void {
    this.#tracker.clear();
    this.#features.clear();
    this.#pending.clear();
    this.#episodes.close();
  }

  baseline(): BaselineSnapshot | null {
    return this.#baseline.snapshot();
  }

  tune(tuning: Tuning): void {
    Object.assign(this.#settings, checkOptions({ ...this.#settings, ...tuning }));
    this.#episodes.coolDown(this.#settings.cooldown_ms * 1000);
  }

  stats(): AnalyserStats {
    return {
      frames: this.#frames, late_frames: this.#late, tracks: this.#tracker.tracks.length, tracks_made: this.#tracker.made,
      tracks_evicted: this.#tracker.evicted, baseline_samples: this.#baseline.state().samples, baseline_fits: this.#baseline.fits,
      events: this.#events, suppressed: { cooldown: this.#episodes.suppressed },
    };
  }

  #see(t_us: number, frame: FrameResult, sightings: readonly Sighting[], tracks: readonly (Track<Subject> | undefined)[]): Pending {
    const pending: Pending = {
      t_us, subjects: [], rows: new Map(),
      face_tracks: frame.faces.map(() => undefined), person_tracks: frame.persons.map(() => undefined),
    };
    sightings.forEach((sighting, i) => {
      const track = tracks[i];
      if (track === undefined) return;
      track.subject.see(t_us, sighting);
      if (sighting.face_index !== undefined) pending.face_tracks[sighting.face_index] = track.id;
      if (sighting.person_index !== undefined) pending.person_tracks[sighting.person_index] = track.id;
      const { signals, reading } = track.subject.measure(t_us, this.#settings.indicators);
      pending.subjects.push({ subject: track.subject, signals, reading });
    });
    return pending;
  }

  #rows(t_us: number, pending: Pending): SequenceRow[] {
    const rows: SequenceRow[] = [];
    const add = (row: Omit<SequenceRow, 'key'>, subject: Subject | undefined): void => {
      this.#key += 1;
      pending.rows.set(this.#key, subject);
      rows.push({ key: this.#key, ...row });
    };
    for (const { subject } of pending.subjects) {
      const input = subject.actionRow(t_us);
      if (input !== undefined) add({ kind: 'action', input }, subject);
    }
    const parameters = this.#baseline.parameters;
    if (parameters !== undefined && pending.vector !== undefined) {
      pending.parameters = parameters;
      add({ kind: 'anomaly', input: anomalyRow(parameters, pending.vector), parameters: [parameters.centre, parameters.scale, parameters.components] }, undefined);
    }
    return rows;
  }

  #answers(pending: Pending, answers: readonly SequenceResult[]): AnomalyAnswer | null {
    let anomaly: AnomalyAnswer | null = null;
    for (const answer of answers) {
      if (!pending.rows.has(answer.key)) continue;
      const subject = pending.rows.get(answer.key);
      if (subject !== undefined) {
        if (answer.labels !== undefined) subject.answer(pending.t_us, answer.labels);
        continue;
      }
      if (answer.error === undefined || !Number.isFinite(answer.error) || answer.error < 0) continue;
      const { parameters, vector } = pending as Required<Pending>;
      const groups = unusualGroups(reconstructionError(parameters, vector).parts);
      anomaly = { reading: { score: anomalyScore(parameters, answer.error), error: Math.sqrt(answer.error), type: groups[0]?.type as string }, groups };
    }
    return anomaly;
  }
}

type Order = Pick<FrameResult, 'camera' | 'generation' | 'packet_us' | 'seq'>;

/** A camera that was taken out and in again has a new handle, one that was changed a new generation. */
function isSameStream(frame: Order, last: Order): boolean {
  return frame.camera === last.camera && frame.generation === last.generation;
}

/** By arrival, as a stream may begin to count anew; handles and generations only grow. */
function isLate(frame: Order, last: Order): boolean {
  if (frame.camera !== last.camera) return frame.camera < last.camera;
  if (frame.generation !== last.generation) return frame.generation < last.generation;
  return frame.packet_us < last.packet_us || (frame.packet_us === last.packet_us && frame.seq <= last.seq);
}

/**
 * Time of the analyser, microseconds from its first frame. Distances are the stream's own while they agree with those of
 * arrival to half a second (arrival comes in bursts); a stream that jumps, loops or stands still is timed by arrival.
 */
class Timeline {
  #t_us = 0;
  #last: { pts_us: number; packet_us: number } | undefined;

  advance({ pts_us, packet_us }: FrameResult): number {
    if (this.#last !== undefined) {
      const stream = pts_us - this.#last.pts_us;
      const arrival = packet_us - this.#last.packet_us;
      this.#t_us += Math.max(1, stream > 0 && Math.abs(stream - arrival) < 500_000 ? stream : arrival);
    }
    this.#last = { pts_us, packet_us };
    return this.#t_us;
  }
}

/** The subject with the highest risk among those of whom an indicator is known; the longest followed of equals. */
function leadOf(subjects: readonly SubjectReading[]): SubjectReading | undefined {
  let lead: { subject: SubjectReading; risk: number } | undefined;
  for (const subject of subjects) {
    if (Object.keys(subject.reading.indicators).length === 0) continue;
    const risk = riskScore(subject.reading.indicators, 0);
    if (lead === undefined || risk > lead.risk || (risk === lead.risk && subject.subject.id < lead.subject.subject.id)) lead = { subject, risk };
  }
  return lead?.subject;
}

function surestAction(subjects: readonly SubjectReading[]): ActionReading | null {
  return subjects.reduce<ActionReading | null>((best, { action }) => (action !== undefined && (best === null || action.score > best.score) ? action : best), null);
}

function withTrack<T extends AnalysedFace | AnalysedPerson>(item: T, track_id: number | undefined): T {
  return track_id === undefined ? item : { ...item, track_id };
}

function describePerson(person: AnalysedPerson, subjects: readonly SubjectReading[]): AnalysedPerson {
  const own = person.track_id === undefined ? undefined : subjects.find(({ subject }) => subject.id === person.track_id);
  if (own === undefined) return person;
  return {
    ...person,
    ...(own.action === undefined ? {} : { action: own.action }),
    ...(Object.keys(own.reading.indicators).length === 0 ? {} : { indicators: own.reading.indicators }),
  };
}

/** Own heights a second. */
function speedOf({ velocity, person_box, face_box }: Track<Subject>): number {
  return Math.hypot(velocity.x, velocity.y) / Math.max(1, (person_box ?? face_box)?.[3] ?? 1);
}
