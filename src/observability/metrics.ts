/**
 * Metrics, pulled at the scrape: counters that stages keep anyway are read from their snapshots in `collect()`; only times and sizes, which
 * are gone when a scrape comes, are observed as they happen. docs/METRICS.md lists them all, a test compares.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** What a scrape asks of the stages; each is optional until its stage runs. */
export interface MetricSources {
  cameras(): { camera_id: number; state: string; frames: number; analysed_frames: number; drops: Record<string, number>; corrupt_frames: number; reconnects: number; frame_age_ms: number | null }[];
  /** Frames dropped after capture, by camera and reason. */
  drops(): { camera_id: number; reason: string; count: number }[];
  callbacks(): { backlog: number; oldest_age_s: number | null };
  evidence(): { events: number; frames: number; clips: number; missed: Record<string, number> };
  registry(): { state: string; problems: readonly unknown[] };
  slots(): { free: number; filling: number; ready: number; in_use: number };
  degradation(): { rung: number; slowed: readonly unknown[]; paused: readonly unknown[] };
  /** undefined: eye tracking is switched off. */
  eyes(): { clients: number; trackers: Record<string, number>; readings: Record<string, number>; failures: Record<string, number>; skipped: Record<string, number>; refused: Record<string, number> } | undefined;
  /** undefined: switched off. */
  calibration(): CalibrationFigures | undefined;
  providers(): { model: string; wanted: string; used: string; fallbacks: number; up: boolean; failures: number }[];
}

/** What the gaze calibration says of itself; counts are those since its start. */
export interface CalibrationFigures {
  ready: boolean;
  people: number;
  carried_per_s: number;
  recommended_fps: number;
  /** Pictures that wait for the networks. */
  waiting: number;
  frames: { stored: number; repeated: number; refused: Record<string, number> };
  sessions: Record<string, number>;
  fits: Record<string, number>;
  work: Record<string, number>;
}

export interface Metrics {
  content_type: string;
  /** The page of a scrape. */
  render(): Promise<string>;
  /** Names of a stage: capture, batch, decode, object, pose, ... */
  observeStage(stage: string, seconds: number): void;
  /** Packet to result. */
  observeLatency(seconds: number): void;
  observeBatch(model: string, rows: number): void;
  /** A calibration frame, arrival to gaze. */
  observeGaze(seconds: number): void;
  /** Counts what happened to a callback (delivered, failed_attempt, dead_letter, dropped, no_staff_id). */
  outcome(result_type: string, outcome: string): void;
  /** Name, type and help of every metric of ours, for docs/METRICS.md. */
  list(): Promise<{ name: string; type: string; help: string; labels: string[] }[]>;
  close(): void;
}

const CAMERA_STATES = ['connecting', 'streaming', 'stalled', 'backing_off', 'disabled', 'failed'];
/** Labels come from cameras and models; a bound keeps a fault from filling the page. */
const MAX_SERIES = 20_000;

export function createMetrics(sources: Partial<MetricSources>, build: { version: string; simd: string; libav: string }): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const pulled = <L extends string>(name: string, help: string, labelNames: readonly L[], read: () => Iterable<[Record<L, string>, number]>) =>
    new Counter({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        let series = 0;
        for (const [labels, value] of read()) if (series++ < MAX_SERIES) this.inc(labels, value);
      },
    });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[], read: () => Iterable<[Record<L, string>, number]>) =>
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const [labels, value] of read()) this.set(labels, value);
      },
    });

  addCameraMetrics(sources, pulled, gauge);
  addDeliveryMetrics(sources, gauge);
  addEyeMetrics(sources, pulled, gauge);
  addCalibrationMetrics(sources, pulled, gauge);
  pulled('sightline_events_total', 'events kept', [], () => [[{}, sources.evidence?.().events ?? 0]]);
  pulled('sightline_evidence_total', 'pictures and clips of events written', ['kind'], () => [[{ kind: 'frame' }, sources.evidence?.().frames ?? 0], [{ kind: 'clip' }, sources.evidence?.().clips ?? 0]]);
  pulled('sightline_evidence_missed_total', 'events left without a picture or clip, by reason', ['reason'], () => Object.entries(sources.evidence?.().missed ?? {}).map(([reason, n]) => [{ reason }, n]));
  gauge('sightline_registry_up', '1 while the camera registry can be read', [], () => [[{}, sources.registry?.().state === 'ok' ? 1 : 0]]);
  gauge('sightline_registry_problems', 'rows of the camera registry that cannot be used', [], () => [[{}, sources.registry?.().problems.length ?? 0]]);
  gauge('sightline_degradation_rung', 'steps given up because the machine cannot keep up; 0 = none', [], () => [[{}, sources.degradation?.().rung ?? 0]]);
  gauge('sightline_degraded_cameras', 'cameras that get less than they want, by how', ['how'], () => {
    const { slowed, paused } = sources.degradation?.() ?? { slowed: [], paused: [] };
    return [[{ how: 'slowed' }, slowed.length], [{ how: 'paused' }, paused.length]];
  });
  gauge('sightline_slots', 'batch slots by state', ['state'], () => Object.entries(sources.slots?.() ?? {}).filter(([state]) => SLOT_STATES.has(state)).map(([state, n]) => [{ state }, n]));
  gauge('sightline_provider', '1 for the execution provider in use', ['model', 'wanted', 'used'], () => (sources.providers?.() ?? []).map(({ model, wanted, used }) => [{ model, wanted, used }, 1]));
  pulled('sightline_provider_fallbacks_total', 'times a wanted execution provider was given up', ['model'], () => (sources.providers?.() ?? []).map(({ model, fallbacks }) => [{ model }, fallbacks]));
  gauge('sightline_model_up', '1 = it runs; 0 = it is missing, or skipped because it failed too often', ['model'], () => (sources.providers?.() ?? []).map(({ model, up }) => [{ model }, up ? 1 : 0]));
  pulled('sightline_model_failures_total', 'failed runs of a model', ['model'], () => (sources.providers?.() ?? []).map(({ model, failures }) => [{ model }, failures]));
  gauge('sightline_build_info', '1; the labels say what runs', ['version', 'simd', 'libav'], () => [[build, 1]]);

  const stage = new Histogram({ name: 'sightline_stage_seconds', help: 'time a stage took', labelNames: ['stage'], registers, buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5] });
  const latency = new Histogram({ name: 'sightline_frame_latency_seconds', help: 'time from the packet of a frame to its result', registers, buckets: [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.27, 0.3, 0.4, 0.5, 1, 2.5] });
  const gaze = new Histogram({ name: 'sightline_calibration_frame_seconds', help: 'time from the arrival of a calibration frame to its gaze', registers, buckets: [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2] });
  const batch = new Histogram({ name: 'sightline_batch_size', help: 'rows of a batch', labelNames: ['model'], registers, buckets: [1, 2, 4, 8, 12, 16, 24, 32, 48, 64] });

  const callbacks = new Counter({ name: 'sightline_callbacks_total', help: 'callbacks by outcome', labelNames: ['result_type', 'outcome'], registers });

  return {
    content_type: registry.contentType,
    render: () => registry.metrics(),
    observeStage: (name, seconds) => stage.observe({ stage: name }, seconds),
    observeLatency: (seconds) => latency.observe(seconds),
    observeBatch: (model, rows) => batch.observe({ model }, rows),
    observeGaze: (seconds) => gaze.observe(seconds),
    outcome: (result_type, outcome) => callbacks.inc({ result_type, outcome }),
    async list() {
      const all = await registry.getMetricsAsJSON();
      const labelsOf = (name: string) => (registry.getSingleMetric(name) as unknown as { labelNames?: string[] }).labelNames ?? [];
      return all.map(({ name, type, help }) => ({ name, type: String(type), help, labels: labelsOf(name) })).sort((x, y) => (x.name < y.name ? -1 : 1));
    },
    close: () => registry.clear(),
  };
}

const SLOT_STATES = new Set(['free', 'filling', 'ready', 'in_use']);

type Add = <L extends string>(name: string, help: string, labels: readonly L[], read: () => Iterable<[Record<L, string>, number]>) => unknown;

function addCameraMetrics(sources: Partial<MetricSources>, counter: Add, gauge: Add): void {
  const cameras = () => sources.cameras?.() ?? [];
  const each = (value: (camera: ReturnType<MetricSources['cameras']>[number]) => number) => () =>
    cameras().map((camera): [{ camera_id: string }, number] => [{ camera_id: String(camera.camera_id) }, value(camera)]);
  counter('sightline_frames_total', 'decoded frames', ['camera_id'], each((camera) => camera.frames));
  counter('sightline_frames_analysed_total', 'frames handed to inference', ['camera_id'], each((camera) => camera.analysed_frames));
  counter('sightline_frames_corrupt_total', 'damaged frames, never analysed', ['camera_id'], each((camera) => camera.corrupt_frames));
  counter('sightline_camera_reconnects_total', 'times a camera was opened again', ['camera_id'], each((camera) => camera.reconnects));
  counter('sightline_frames_dropped_total', 'dropped frames by reason', ['camera_id', 'reason'], () => [
    ...cameras().flatMap(({ camera_id, drops }) => Object.entries(drops).map(([reason, n]): [{ camera_id: string; reason: string }, number] => [{ camera_id: String(camera_id), reason }, n])),
    ...(sources.drops?.() ?? []).map(({ camera_id, reason, count }): [{ camera_id: string; reason: string }, number] => [{ camera_id: String(camera_id), reason }, count]),
  ]);
  gauge('sightline_frame_age_seconds', 'age of the newest frame', ['camera_id'], () =>
    cameras().flatMap(({ camera_id, frame_age_ms }): [{ camera_id: string }, number][] => (frame_age_ms === null ? [] : [[{ camera_id: String(camera_id) }, frame_age_ms / 1000]])),
  );
  gauge('sightline_cameras', 'cameras by state', ['state'], () => {
    const counts = new Map(CAMERA_STATES.map((state) => [state, 0]));
    for (const { state } of cameras()) counts.set(state, (counts.get(state) ?? 0) + 1);
    return [...counts].map(([state, n]): [{ state: string }, number] => [{ state }, n]);
  });
}

function addEyeMetrics(sources: Partial<MetricSources>, counter: Add, gauge: Add): void {
  const eyes = () => sources.eyes?.();
  const each = <L extends string>(label: L, counts: Record<string, number> | undefined) => Object.entries(counts ?? {}).map(([key, n]): [Record<L, string>, number] => [{ [label]: key } as Record<L, string>, n]);
  gauge('sightline_eye_clients', 'clients of live eye tracking that are connected', [], () => [[{}, eyes()?.clients ?? 0]]);
  gauge('sightline_eye_trackers', 'sources that are followed for eye tracking, by state', ['state'], () => each('state', eyes()?.trackers));
  counter('sightline_eye_readings_total', 'frames searched for eyes, by what was found', ['reason'], () => each('reason', eyes()?.readings));
  counter('sightline_eye_failures_total', 'outages of sources and failed searches of eye tracking', ['code'], () => each('code', eyes()?.failures));
  counter('sightline_eye_skipped_total', 'eye_data messages that a client did not get', ['reason'], () => each('reason', eyes()?.skipped));
  counter('sightline_eye_refused_total', 'clients of eye tracking that were sent away', ['reason'], () => each('reason', eyes()?.refused));
}

function addCalibrationMetrics(sources: Partial<MetricSources>, counter: Add, gauge: Add): void {
  const calibration = () => sources.calibration?.();
  const each = <L extends string>(label: L, counts: Record<string, number> | undefined) => Object.entries(counts ?? {}).map(([key, n]): [Record<L, string>, number] => [{ [label]: key } as Record<L, string>, n]);
  gauge('sightline_calibration_up', '1 while the calibration database is open', [], () => [[{}, calibration()?.ready === true ? 1 : 0]]);
  gauge('sightline_calibration_people', 'people who calibrate now', [], () => [[{}, calibration()?.people ?? 0]]);
  gauge('sightline_calibration_recommended_fps', 'frames a second that each of them is told to send', [], () => [[{}, calibration()?.recommended_fps ?? 0]]);
  gauge('sightline_calibration_carried_fps', 'pictures a second that the networks carry, as far as is known', [], () => [[{}, calibration()?.carried_per_s ?? 0]]);
  gauge('sightline_calibration_queue', 'calibration pictures that wait for the networks', [], () => [[{}, calibration()?.waiting ?? 0]]);
  counter('sightline_calibration_frames_total', 'calibration frames by what became of them', ['outcome'], () => {
    const { stored = 0, repeated = 0, refused } = calibration()?.frames ?? {};
    return [[{ outcome: 'stored' }, stored], [{ outcome: 'repeated' }, repeated], ...each('outcome', refused)];
  });
  counter('sightline_calibration_sessions_total', 'calibration sessions by what happened to them', ['event'], () => each('event', calibration()?.sessions));
  counter('sightline_calibration_fits_total', 'fits of completed sessions by verdict', ['verdict'], () => each('verdict', calibration()?.fits));
  counter('sightline_calibration_work_total', 'work on whole sessions (fits, files, replays, ...): on the main thread, on the thread for large ones, refused because too much waited for that', ['place'], () => each('place', calibration()?.work));
}

function addDeliveryMetrics(sources: Partial<MetricSources>, gauge: Add): void {
  const callbacks = () => sources.callbacks?.();
  gauge('sightline_callback_backlog', 'callbacks waiting', [], () => [[{}, callbacks()?.backlog ?? 0]]);
  gauge('sightline_callback_oldest_age_seconds', 'age of the oldest callback waiting', [], () => [[{}, callbacks()?.oldest_age_s ?? 0]]);
}
