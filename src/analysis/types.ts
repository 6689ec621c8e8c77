/**
 * What analysis says of one frame of one camera, and how an analyser is built. Pure data: the JSON of
 * `GET /api/cameras/{id}/analysis` is a FrameAnalysis. Boxes are `[x, y, width, height]`, points and boxes in pixels of the
 * decoded frame, angles in degrees. What could not be known is absent (or null where the field itself is promised), never
 * invented. The indicators are heuristics over visible behaviour, not facts about a person: docs/indicators.md.
 */
import type { Signals } from './signals.js';
import type { Box, FrameResult, Gaze, HeadPose, Keypoint, DetectedObject, ModelSlot, SequenceResult, SequenceRow } from '../inference/results.js';

/** In the order in which a payload carries them; the receiver adds its risk score up in that order. */
export const INDICATOR_NAMES = ['stress', 'anxiety', 'deception', 'nervousness'] as const;
export type IndicatorName = (typeof INDICATOR_NAMES)[number];
/** Only those that could be measured, each 0..1. */
export type Indicators = Partial<Record<IndicatorName, number>>;

export type RiskLevel = 'MINIMAL' | 'LOW' | 'MEDIUM' | 'HIGH' | 'CRITICAL';
export type Severity = 'LOW' | 'MEDIUM' | 'HIGH' | 'CRITICAL';

/** What the action network says of one person's last 3.2 s. */
export interface ActionReading {
  /** The most probable label. */
  label: string;
  /** Its probability, 0..1. */
  score: number;
  /** Label → probability, sums to 1. */
  labels: Record<string, number>;
}

/** How far the camera's last seconds lie from its own baseline. */
export interface AnomalyReading {
  /** 0..1; 0.5 is the 99th percentile of the baseline itself. Formula: src/analysis/anomaly.ts. */
  score: number;
  /** Root mean square reconstruction error, in robust deviations of the baseline. */
  error: number;
  /** Kind of what is unusual, the group of features with the largest part of the error. */
  type: string;
}

export interface AnalysedFace {
  box: Box;
  /** 0..1 */
  score: number;
  /** Label → probability, sums to 1. */
  emotions?: Record<string, number>;
  gaze?: Gaze;
  head?: HeadPose;
  eye_openness?: [left: number, right: number];
  /** The subject this face belongs to; the same id as its person's where there is one. */
  track_id?: number;
}

export interface AnalysedPerson {
  /** 0..1 */
  score: number;
  box: Box;
  keypoints: Keypoint[];
  track_id?: number;
  /** Absent until the person has been followed for 3.2 s. */
  action?: ActionReading;
  /** This person's own indicators. */
  indicators?: Indicators;
}

/** An anomaly that is present in this frame, an item of the callback's `analysis_results.anomalies`. */
export interface FrameAnomaly {
  type: string;
  /** 0..1 */
  score: number;
}

/** Words for a reader, in the contract's four fields; a word that nothing measured stands for is absent. */
export interface EventContext {
  emotion?: string;
  posture?: string;
  gaze?: string;
  movement?: string;
}

/** A candidate for a callback. Once per episode: hysteresis and a cool-down per camera and type are already applied. */
export interface AnalysisEvent {
  kind: 'behavioral_detection' | 'anomaly_alert';
  /** The contract's `detection_type` or `anomaly_type`, e.g. `stress_indicators`, `unusual_movement`. */
  type: string;
  /** The contract's `category`, e.g. `emotional`. */
  category: string;
  /** ISO 8601 with milliseconds, UTC: the frame that raised it. */
  frame_timestamp: string;
  seq: number;
  /** The subject it is about; absent where it is about the scene. */
  track_id?: number;
  /** 0..1 */
  confidence: number;
  /** Deviation from this camera's own baseline, 0..1; absent in warm-up or with the baseline switched off. */
  deviation?: number;
  severity: Severity;
  /** 0..1: the frame's risk score; of an anomaly alert the larger of that and the anomaly's score. */
  risk_score: number;
  context: EventContext;
  /** Names of what spoke for it, e.g. `stress_markers`, `unusual_movement`. */
  indicators: string[];
  /** How long the episode had lasted when the event was raised. */
  duration_seconds: number;
}

/** How far the camera's own baseline has come. */
export interface BaselineState {
  state: 'off' | 'learning' | 'ready';
  samples: number;
  /** Samples needed before the anomaly score appears. */
  needed: number;
  /** The long baseline, over days; absent where there is none (a camera outside of the daemon). */
  history?: { subject: string; state: 'learning' | 'ready'; samples: number; needed: number; days: number };
}

export interface FrameAnalysis {
  /** ISO 8601 with milliseconds, UTC. */
  frame_timestamp: string;
  seq: number;
  width: number;
  height: number;
  faces: AnalysedFace[];
  persons: AnalysedPerson[];
  objects: DetectedObject[];
  /** Of the subject that `indicators` are about, else of the most surely read person; null while none is known. */
  action: ActionReading | null;
  /** null until the camera has a baseline. */
  anomaly: AnomalyReading | null;
  /** Those of the subject with the highest risk score in this frame; empty when nothing could be measured. */
  indicators: Indicators;
  /** The part of each indicator's weight that could be measured, 0..1; the same keys as `indicators`. */
  indicator_coverage: Indicators;
  /** The subject that `indicators` are about. */
  track_id?: number;
  anomalies: FrameAnomaly[];
  /** The receiver's formula over `indicators` and `anomalies`, bit for bit. */
  risk_score: number;
  risk_level: RiskLevel;
  /** What was measured of that subject, each in its own unit (docs/indicators.md). */
  signals: Signals;
  baseline: BaselineState;
  /** Models that gave nothing for this frame: what rests on them is absent. */
  missing: ModelSlot[];
  events: AnalysisEvent[];
}

export interface AnalyserOptions {
  /** Confidence from which a behavioural detection is raised, 0..1 (`detection.confidence_threshold`). Default 0.8. */
  confidence_threshold?: number;
  /** Score from which an anomaly is listed and an alert raised, 0..1 (`detection.alert_threshold`). Default 0.9. */
  alert_threshold?: number;
  /** false: no anomaly score, no deviation (`detection.baseline_enabled`). Default true. */
  baseline_enabled?: boolean;
  /** Switches indicators off one by one; one that is off is absent everywhere. Default: all on. */
  indicators?: Partial<Record<IndicatorName, boolean>>;
  /** Labels of the action network that raise a `behavioral_detection` of their own. Default: none. */
  action_detections?: readonly string[];
  /** Baseline samples (one a second) before the anomaly score appears. Default 300, at least 24 (a demonstration; a camera of its own wants minutes). */
  min_samples?: number;
  /** Time between two baseline samples. Default 1000. */
  sample_ms?: number;
  /** No second event of one type of this camera within this time. Default 60000. */
  cooldown_ms?: number;
  /** Subjects followed at once; the one unseen longest gives way. Default 16. */
  max_tracks?: number;
  /** How far a value lies above what is usual over days, 0..1; undefined while that is not known: then that of the last minutes is taken. */
  usual?: (name: IndicatorName, value: number) => number | undefined;
  /** The last fitted baseline, as `baseline()` gave it; a wrong shape is an error. */
  baseline?: BaselineSnapshot | undefined;
}

/** A fitted baseline in JSON, to keep over a restart. Arrays are row-major; `features` names the columns. */
export interface BaselineSnapshot {
  version: 1;
  features: string[];
  components_per_feature: number;
  samples: number;
  centre: number[];
  scale: number[];
  components: number[];
  /** Quantiles of the baseline's own error: median and 99 %. */
  error_median: number;
  error_p99: number;
}

export interface AnalyserStats {
  frames: number;
  /** Frames that came after a later one of the same camera: reported, but no window takes them. */
  late_frames: number;
  tracks: number;
  tracks_made: number;
  /** Tracks given up for a newer subject because `max_tracks` were followed. */
  tracks_evicted: number;
  baseline_samples: number;
  baseline_fits: number;
  events: number;
  /** Candidates held back, by reason. */
  suppressed: { cooldown: number };
}

/**
 * The analyser of one camera. For each frame: `observe`, run the rows it returns through the sequence models (or not at all),
 * then `conclude` with the answers. Several frames may be between the two calls (at most 32; older ones are concluded without
 * windows). Time is the frames' own; nothing here reads a clock, waits, or does I/O.
 */
export interface CameraAnalyser {
  /** Takes the frame into tracks and windows; returns the rows that are due. Keys are unique within this analyser. */
  observe(frame: FrameResult): SequenceRow[];
  /** Answers may be missing, partial or in any order; an unknown key is ignored. */
  conclude(frame: FrameResult, answers: readonly SequenceResult[]): FrameAnalysis;
  /** Forgets tracks and windows, keeps the baseline (the camera reconnected). A new handle or generation does it by itself. */
  reset(): void;
  /** The fitted baseline; null before the first fit. */
  baseline(): BaselineSnapshot | null;
  stats(): AnalyserStats;
  /** Other settings from now on, also for a cool-down that runs. */
  tune(tuning: Tuning): void;
}

/** What may change while an analyser works. */
export type Tuning = Required<Pick<AnalyserOptions, 'confidence_threshold' | 'alert_threshold' | 'cooldown_ms' | 'indicators'>>;
