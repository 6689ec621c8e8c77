/** Whether a calibration may be used as it is: limits and reasons, all in one place. */
import type { FitError, FitReport, RobustReport, Verdict, VerdictReason } from './types.js';

/** docs/CALIBRATION.md gives the grounds for each. */
export const LIMITS = {
  /** The outlier test empties a target of two rows in 87 % of cases, of ten in less than 0.3 %. */
  rows_of_target_min: 10,
  kept_of_target_min: 3,
  /** A webcam gaze model is good to 4 to 6 degrees without, to 1 to 3 with a calibration. */
  point_accuracy_deg: 5,
  point_median_deg: 6,
  mean_accuracy_deg: 8,
  /** Eye to screen. */
  depth_min_mm: 200,
  depth_max_mm: 2_000,
  /** Beyond these the gaze model is shorter in one axis than in the other. */
  gain_ratio_min: 0.67,
  gain_ratio_max: 1.5,
} as const;

export interface VerdictInput {
  targets: FitReport['targets'];
  expected_targets: number;
  held_out: FitError;
  robust: RobustReport | null;
  /** z of the fitted translation. */
  depth_mm: number;
}

export interface Judgement {
  verdict: Verdict;
  repeat_targets: number[];
  reasons: VerdictReason[];
}

/** Refuse: the calibration says nothing about this person. Repeat: it does after these targets are recorded once more. */
export function judge(input: VerdictInput): Judgement {
  const whole = aboutWhole(input);
  const points = aboutTargets(input);
  const reasons = [...whole, ...points, ...aboutGain(input.robust)];
  const all = Array.from({ length: Math.max(input.expected_targets, input.targets.length) }, (_, target) => target);
  if (whole.length > 0) return { verdict: 'refuse', repeat_targets: all, reasons };
  const repeat = [...new Set(points.map(({ target }) => target).filter((target) => target !== null))].sort((a, b) => a - b);
  return { verdict: repeat.length > 0 ? 'repeat' : 'accept', repeat_targets: repeat, reasons };
}

function aboutWhole({ held_out, depth_mm, targets }: VerdictInput): VerdictReason[] {
  const reasons: VerdictReason[] = [];
  const say = (code: VerdictReason['code'], message: string) => reasons.push({ code, target: null, message });
  if (depth_mm > 0) say('depth_implausible', `the gazes run against the targets (left for right and up for down): the fit puts the eye ${depth_mm.toFixed(0)} mm behind the screen`);
  else if (-depth_mm < LIMITS.depth_min_mm || -depth_mm > LIMITS.depth_max_mm) say('depth_implausible', `expected the eye ${LIMITS.depth_min_mm} to ${LIMITS.depth_max_mm} mm from the screen, the fit says ${(-depth_mm).toFixed(0)} mm`);
  if (targets.length < 2) say('few_targets', `expected at least two targets, received ${targets.length}`);
  else if (held_out.accuracy_deg === null) say('unverifiable', 'no target can be told from the others, so the fit cannot be verified');
  else if (held_out.accuracy_deg > LIMITS.mean_accuracy_deg) say('inaccurate', `expected targets to be met within ${LIMITS.mean_accuracy_deg} degrees on average by a fit on the others, received ${held_out.accuracy_deg.toFixed(1)}`);
  return reasons;
}

function aboutTargets({ targets, expected_targets, held_out }: VerdictInput): VerdictReason[] {
  const reasons: VerdictReason[] = [];
  for (const { target, rows, kept } of targets) {
    const say = (code: VerdictReason['code'], message: string) => reasons.push({ code, target, message: `target ${target}: ${message}` });
    if (rows < LIMITS.rows_of_target_min) say('few_rows', `expected at least ${LIMITS.rows_of_target_min} rows, received ${rows}`);
    else if (kept < LIMITS.kept_of_target_min) say('few_rows', `expected at least ${LIMITS.kept_of_target_min} rows after the outlier test, ${kept} of ${rows} are left`);
    const point = held_out.points[target];
    if (point === undefined || point === null) continue;
    if (point.accuracy_deg > LIMITS.point_accuracy_deg) say('point_inaccurate', `expected to be met within ${LIMITS.point_accuracy_deg} degrees by a fit on the others, received ${point.accuracy_deg.toFixed(1)}`);
    if (point.median_deg > LIMITS.point_median_deg) say('point_imprecise', `expected half of the gazes within ${LIMITS.point_median_deg} degrees of their median, received ${point.median_deg.toFixed(1)}`);
  }
  for (let target = targets.length; target < expected_targets; target += 1) reasons.push({ code: 'target_missing', target, message: `target ${target}: expected rows, received none` });
  return reasons;
}

/** Said, but no reason to repeat: another recording will have the same gain. */
function aboutGain(robust: RobustReport | null): VerdictReason[] {
  if (robust === null || (robust.gain_ratio >= LIMITS.gain_ratio_min && robust.gain_ratio <= LIMITS.gain_ratio_max)) return [];
  return [{ code: 'gain_uneven', target: null, message: `the gaze model moves ${robust.gain_ratio.toFixed(2)} times as far on the screen upright as across, which one transform cannot follow` }];
}
