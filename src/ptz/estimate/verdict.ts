/** From the addon's estimate to what is said: status, reason, and a sentence for people. */
import type { NativeOffset, NativeVerdict } from '../../geometry/types.js';
import type { Angles, OffsetReason, OffsetResult, OffsetStatus, OffsetTimings, ViewOffset } from './types.js';

const DEGREES = 180 / Math.PI;
/** Cells into which the addon divides a picture. */
const CELLS = 12 * 7;
const Z95 = 1.959963984540054;

/** Why a query is out, before or in the estimate. */
export interface QueryOutcome {
  image: string;
  /** Position among the queries of the estimate; undefined when it did not get that far. */
  at: number | undefined;
  reason: OffsetReason;
  references: string[];
  matches: number;
  /** Features of the smaller side, to tell no overlap from a wrong camera. */
  features: number;
  moving_share: number | null;
}

export const DETAILS: Record<OffsetReason, string> = {
  '': '',
  no_references: 'there is no reference view',
  no_queries: 'there is no query view',
  no_candidate: 'no reference looks near to where telemetry says that the query looks',
  no_zoom_band: 'no reference near the query has its zoom',
  unreadable_image: 'a picture cannot be read',
  wrong_size: 'a picture has another size than the camera: wrong camera or wrong stream',
  too_few_features: 'a picture shows too little to compare (dark, blurred, covered, or empty sky)',
  no_overlap: 'query and references have next to nothing in common: another camera, another place, or no overlap',
  inconsistent: 'what query and references have in common does not fit a rotation: another camera, a camera that was moved, or a repeating pattern',
  poor_spread: 'what query and references have in common lies in too small a part of the picture',
  too_large: 'the rotation found is larger than any offset that would be believed',
  interval_over_threshold: 'the interval reaches over the threshold',
  views_disagree: 'the views contradict each other by far more than their own uncertainty: telemetry is not consistent, or a view shows something else',
  features_failed: 'the OpenCV process failed over a picture',
};

/** Matches that are fewer than this share of the features are what chance gives. */
const CHANCE_SHARE = 0.06;

function reasonOfVerdict(verdict: NativeVerdict, { matches, features }: QueryOutcome): OffsetReason {
  switch (verdict) {
    case 'used': return '';
    case 'few_matches': return 'no_overlap';
    case 'inconsistent': return matches < CHANCE_SHARE * features ? 'no_overlap' : 'inconsistent';
    case 'poor_spread': return 'poor_spread';
    case 'too_large': return 'too_large';
  }
}

export function refusal(reason: OffsetReason, views: ViewOffset[], timings: OffsetTimings): OffsetResult {
  return {
    status: 'refused', reason, detail: DETAILS[reason],
    yaw_deg: null, pitch_deg: null, roll_deg: null, ci95_deg: null, zoom_ratio: null, zoom_ci95: null, k1: null, k1_change: null,
    inliers: 0, spread: 0, view_scatter_deg: null, views, timings,
  };
}

export function viewsOf(outcomes: readonly QueryOutcome[], estimate: NativeOffset | undefined): ViewOffset[] {
  return outcomes.map((outcome) => {
    const { image, references, at, moving_share } = outcome;
    const native = at === undefined ? undefined : estimate?.views[at];
    const empty: ViewOffset = {
      image, status: 'refused', reason: outcome.reason, references, yaw_deg: null, pitch_deg: null, roll_deg: null, ci95_deg: null,
      inliers: 0, matches: outcome.matches, spread: 0, moving_share,
    };
    if (native === undefined) return empty;
    const covered = { ...empty, inliers: native.inliers, spread: rounded(native.cells / CELLS, 3) };
    if (native.verdict !== 'used') return { ...covered, reason: reasonOfVerdict(native.verdict, outcome) };
    const deviations = [0, 4, 8].map((index) => Math.sqrt(native.covariance[index] ?? 0) * Z95);
    return {
      ...covered, status: 'used', reason: '', ...anglesDeg(native.angles),
      ci95_deg: { yaw: degrees(deviations[0]), pitch: degrees(deviations[1]), roll: degrees(deviations[2]) },
    };
  });
}

export function judge(estimate: NativeOffset, views: ViewOffset[], threshold_deg: number, timings: OffsetTimings): OffsetResult {
  if (estimate.verdict !== 'used') return refusal(commonReason(views), views, timings);
  const { yaw_deg, pitch_deg, roll_deg } = anglesDeg(estimate.angles);
  const ci95_deg: Angles = { yaw: degrees(estimate.half_interval[0]), pitch: degrees(estimate.half_interval[1]), roll: degrees(estimate.half_interval[2]) };
  const angles = { yaw: [yaw_deg, ci95_deg.yaw], pitch: [pitch_deg, ci95_deg.pitch], roll: [roll_deg, ci95_deg.roll] } as const;
  const { status, reason } = statusOf(Object.values(angles), threshold_deg, estimate.disagree);
  const ratio = Math.exp(estimate.log_zoom);
  return {
    status, reason, detail: reason === '' ? sureOf(angles, threshold_deg) : DETAILS[reason], yaw_deg, pitch_deg, roll_deg, ci95_deg,
    zoom_ratio: rounded(ratio, 7),
    zoom_ci95: rounded(ratio * Z95 * estimate.log_zoom_deviation, 7),
    k1: rounded(estimate.k1, 5),
    k1_change: rounded(estimate.k1_change, 5),
    inliers: estimate.inliers,
    spread: rounded(estimate.cells / CELLS, 3),
    view_scatter_deg: views.filter((view) => view.status === 'used').length > 1 ? degrees(estimate.scatter) : null,
    views,
    timings,
  };
}

/** Sure only when the whole interval of each angle lies on one side of the threshold. */
export function statusOf(angles: readonly (readonly [value: number, half: number])[], threshold_deg: number, disagree: boolean): { status: OffsetStatus; reason: OffsetReason } {
  if (disagree) return { status: 'uncertain', reason: 'views_disagree' };
  if (angles.some(([value, half]) => Math.abs(value) - half > threshold_deg)) return { status: 'drift', reason: '' };
  if (angles.every(([value, half]) => Math.abs(value) + half <= threshold_deg)) return { status: 'ok', reason: '' };
  return { status: 'uncertain', reason: 'interval_over_threshold' };
}

/** What an interval on one side of the threshold says, in words. */
function sureOf(angles: Record<keyof Angles, readonly [value: number, half: number]>, threshold_deg: number): string {
  const beyond = Object.entries(angles).flatMap(([name, [value, half]]) => (Math.abs(value) - half > threshold_deg ? [name] : []));
  return beyond.length === 0 ? `all angles lie within ±${threshold_deg}° with their whole intervals` : `${beyond.join(' and ')} beyond ±${threshold_deg}° with the whole interval`;
}

/** What most views were refused for; of equals, the first. */
export function commonReason(views: readonly ViewOffset[]): OffsetReason {
  const counts = new Map<OffsetReason, number>();
  for (const { reason } of views) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 'no_queries';
}

function anglesDeg({ yaw, pitch, roll }: { yaw: number; pitch: number; roll: number }): { yaw_deg: number; pitch_deg: number; roll_deg: number } {
  return { yaw_deg: degrees(yaw), pitch_deg: degrees(pitch), roll_deg: degrees(roll) };
}

function degrees(radians: number | undefined): number {
  return rounded((radians ?? 0) * DEGREES, 6);
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits)) + 0;
}
