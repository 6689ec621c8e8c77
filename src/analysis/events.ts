/** Candidates for behavioural detections and anomaly alerts, with simple thresholds; what they rest on is in one table. */
import { strength, SIGNAL_NAMES, type SignalName, type Signals } from './signals.js';
import type { IndicatorReading } from './indicators.js';
import type { ActionReading, EventContext, IndicatorName, Indicators, RiskLevel, Severity } from './types.js';

/**
 * Detections of the indicators. `suspicious_behavior` never rests on `deception` alone: one of the others has to be as strong.
 */
export const DETECTIONS = [
  { type: 'stress_indicators', category: 'emotional', indicator: 'stress', needs_another: false },
  { type: 'anxiety_indicators', category: 'emotional', indicator: 'anxiety', needs_another: false },
  { type: 'nervous_behavior', category: 'behavioral', indicator: 'nervousness', needs_another: false },
  { type: 'suspicious_behavior', category: 'behavioral', indicator: 'deception', needs_another: true },
] as const satisfies readonly { type: string; category: string; indicator: IndicatorName; needs_another: boolean }[];

/** Category of detections that an action label raises; their type is the label. */
export const ACTION_CATEGORY = 'movement';

/** What an indicator is called among an alert's `indicators`, from MARKER_FROM on. */
export const MARKERS: Readonly<Record<IndicatorName, string>> = {
  stress: 'stress_markers', anxiety: 'anxiety_markers', deception: 'deception_signals', nervousness: 'nervousness_markers',
};
export const MARKER_FROM = 0.5;
/** A group of features is named among an anomaly's `indicators` when it has this part of the error. */
export const GROUP_FROM = 0.25;

/** value × coverage: the part of all the evidence the formula asks for that was seen and speaks for it. */
export function indicatorConfidence({ indicators, coverage }: IndicatorReading, name: IndicatorName): number | undefined {
  const value = indicators[name];
  return value === undefined ? undefined : value * (coverage[name] as number);
}

/** Confidence of a detection of the table above; undefined when it can't be known. */
export function detectionConfidence(reading: IndicatorReading, detection: (typeof DETECTIONS)[number]): number | undefined {
  const own = indicatorConfidence(reading, detection.indicator);
  if (own === undefined || !detection.needs_another) return own;
  const others = DETECTIONS.filter((other) => other.indicator !== detection.indicator).map((other) => indicatorConfidence(reading, other.indicator) ?? 0);
  return Math.min(own, Math.max(...others));
}

/** As the receiver grades a detection: HIGH from 0.9; below its own alert limit of 0.8 it is LOW. */
export function detectionSeverity(confidence: number): Severity {
  return confidence >= 0.9 ? 'HIGH' : confidence >= 0.8 ? 'MEDIUM' : 'LOW';
}

/** CRITICAL only when what is seen of the people is grave as well: unusual alone is not dangerous. */
export function anomalySeverity(score: number, level: RiskLevel): Severity {
  if (score >= 0.98 && (level === 'HIGH' || level === 'CRITICAL')) return 'CRITICAL';
  return score >= 0.9 ? 'HIGH' : score >= 0.7 ? 'MEDIUM' : 'LOW';
}

export function markersOf(indicators: Indicators): string[] {
  return (Object.entries(indicators) as [IndicatorName, number][]).filter(([, value]) => value >= MARKER_FROM).map(([name]) => MARKERS[name]);
}

/** Signals at least half way up their scale. */
export function strongSignals(signals: Signals): SignalName[] {
  return SIGNAL_NAMES.filter((name) => isStrong(signals, name));
}

function isStrong(signals: Signals, name: SignalName): boolean {
  const value = signals[name];
  return value !== undefined && strength(name, value) >= 0.5;
}

/** Words for what was measured; a word whose measurement is absent is absent. */
export function contextOf(signals: Signals, emotion: string | undefined, action: ActionReading | undefined): EventContext {
  const context: EventContext = {};
  if (emotion !== undefined) context.emotion = emotion;
  if (signals.posture_tension !== undefined) context.posture = isStrong(signals, 'posture_tension') ? 'tense' : 'relaxed';
  if (isStrong(signals, 'gaze_aversion')) context.gaze = 'avoiding';
  else if (signals.gaze_dispersion !== undefined) context.gaze = isStrong(signals, 'gaze_dispersion') ? 'scanning' : 'steady';
  if (isStrong(signals, 'fidgeting')) context.movement = 'fidgeting';
  else if (action !== undefined && action.score >= 0.5) context.movement = action.label;
  else if (signals.fidgeting !== undefined) context.movement = 'calm';
  return context;
}
