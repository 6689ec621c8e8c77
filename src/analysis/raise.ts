/** Which events a frame raises: thresholds, episodes and cool-downs over the readings of its subjects and of the scene. */
import type { Episodes, Raised } from './episodes.js';
import { ACTION_CATEGORY, anomalySeverity, contextOf, detectionConfidence, DETECTIONS, detectionSeverity, GROUP_FROM, MARKERS, markersOf, strongSignals } from './events.js';
import type { IndicatorReading } from './indicators.js';
import type { Settings } from './settings.js';
import type { Signals } from './signals.js';
import type { Subject } from './subject.js';
import type { ActionReading, AnalysisEvent, FrameAnalysis, IndicatorName } from './types.js';

/** One subject of one frame. */
export interface SubjectReading {
  subject: Subject;
  signals: Signals;
  reading: IndicatorReading;
  action?: ActionReading;
}

export interface RaiseInput {
  t_us: number;
  /** Complete but for its events. */
  analysis: FrameAnalysis;
  subjects: readonly SubjectReading[];
  settings: Settings;
  episodes: Episodes;
  /** Groups of features by their part of the anomaly's error. */
  groups: readonly { type: string; part: number }[];
  deviation: (name: IndicatorName, value: number) => number | undefined;
}

/** The subject of whom the value is highest, and that value; undefined where none has one. */
function highest(subjects: readonly SubjectReading[], valueOf: (subject: SubjectReading) => number | undefined): { who: SubjectReading; value: number } | undefined {
  let best: { who: SubjectReading; value: number } | undefined;
  for (const who of subjects) {
    const value = valueOf(who);
    if (value !== undefined && (best === undefined || value > best.value)) best = { who, value };
  }
  return best;
}

export function raiseEvents(input: RaiseInput): AnalysisEvent[] {
  return [...indicatorEvents(input), ...actionEvents(input), ...anomalyEvents(input)];
}

function event(input: RaiseInput, raised: Raised, who: SubjectReading | undefined, own: Pick<AnalysisEvent, 'kind' | 'type' | 'category' | 'confidence' | 'severity' | 'indicators'> & { deviation?: number | undefined; risk_score?: number }): AnalysisEvent {
  const { deviation, ...rest } = own;
  return {
    frame_timestamp: input.analysis.frame_timestamp,
    seq: input.analysis.seq,
    ...(who === undefined ? {} : { track_id: who.subject.id }),
    risk_score: input.analysis.risk_score,
    context: who === undefined ? {} : contextOf(who.signals, who.subject.mainEmotion(), who.action),
    duration_seconds: raised.duration_us / 1e6,
    ...rest,
    ...(deviation === undefined ? {} : { deviation }),
  };
}

function indicatorEvents(input: RaiseInput): AnalysisEvent[] {
  const { t_us, subjects, settings, episodes } = input;
  return DETECTIONS.flatMap((detection) => {
    const best = highest(subjects, ({ reading }) => detectionConfidence(reading, detection));
    const raised = episodes.update(detection.type, t_us, best?.value, settings.confidence_threshold);
    if (raised === undefined || best === undefined) return [];
    const value = best.who.reading.indicators[detection.indicator] as number;
    return [event(input, raised, best.who, {
      kind: 'behavioral_detection', type: detection.type, category: detection.category, confidence: best.value,
      deviation: input.deviation(detection.indicator, value), severity: detectionSeverity(best.value),
      indicators: [MARKERS[detection.indicator], ...strongSignals(best.who.signals)],
    })];
  });
}

function actionEvents(input: RaiseInput): AnalysisEvent[] {
  const { t_us, subjects, settings, episodes } = input;
  return settings.action_detections.flatMap((label) => {
    const best = highest(subjects, ({ action }) => (action?.label === label ? action.score : undefined));
    const raised = episodes.update(label, t_us, best?.value, settings.confidence_threshold);
    if (raised === undefined || best === undefined) return [];
    return [event(input, raised, best.who, {
      kind: 'behavioral_detection', type: label, category: ACTION_CATEGORY, confidence: best.value, severity: detectionSeverity(best.value), indicators: [label],
    })];
  });
}

function anomalyEvents(input: RaiseInput): AnalysisEvent[] {
  const { t_us, analysis, settings, episodes } = input;
  // One episode whatever the kind: the leading group of features may change while it lasts.
  const raised = episodes.update('anomaly_alert', t_us, analysis.anomaly?.score, settings.alert_threshold);
  if (raised === undefined || analysis.anomaly === null) return [];
  const { score, type } = analysis.anomaly;
  const who = input.subjects.find(({ subject }) => subject.id === analysis.track_id);
  return [event(input, raised, who, {
    kind: 'anomaly_alert', type, category: 'anomaly', confidence: score, deviation: score, severity: anomalySeverity(score, analysis.risk_level),
    risk_score: Math.max(analysis.risk_score, score),
    indicators: [...input.groups.filter(({ part }) => part >= GROUP_FROM).map((group) => group.type), ...markersOf(analysis.indicators)],
  })];
}
