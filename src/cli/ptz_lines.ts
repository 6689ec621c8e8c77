/** What the PTZ commands print: documents for scripts, lines for people. */
import type { CollectReport, RunReport } from '../ptz/monitor.js';
import type { Recorded } from '../ptz/results/journal.js';
import { resultDocument, type ResultDocument } from '../ptz/results/document.js';
import type { OffsetResult } from '../ptz/estimate/types.js';
import type { DeviceOutcome } from '../ptz/types.js';

export function checkDocument(outcome: DeviceOutcome): ResultDocument {
  return resultDocument(outcome);
}

export function historyDocument(results: readonly Recorded[]): { results: ResultDocument[] } {
  return { results: results.map(resultDocument) };
}

export function checkLines({ row, status, reason, detail, alert, estimate, duration_ms }: DeviceOutcome): string[] {
  const head = `${alert || !row.success ? '✗' : '✓'} ${row.deployment_name}/${row.device_id}: ${status}${reason === '' ? '' : ` (${reason})`}, ${(duration_ms / 1000).toFixed(1)} s`;
  return [head, ...(row.success && estimate !== null ? [`  ${anglesLine(estimate)}`, `  ${zoomLine(estimate)}, ${estimate.inliers} matches`] : []), ...(detail === '' ? [] : [`  ${detail}`])];
}

export function runLines(report: RunReport): string[] {
  const counts = Object.entries(report.counts).filter(([, count]) => count > 0).map(([status, count]) => `${count} ${status}`);
  const sent = [report.athena, report.slack].map((way, index) => {
    const name = index === 0 ? 'Athena' : 'Slack';
    if (way === null) return `${name} off`;
    return way.failure === null ? `${name} ${way.count}` : `${name} failed: ${way.failure}`;
  });
  return [...report.results.flatMap(checkLines), `${report.devices} devices in ${report.duration_s.toFixed(1)} s: ${counts.join(', ')}; ${sent.join(', ')}`];
}

export function collectLines({ collected, failed, devices, duration_s }: CollectReport): string[] {
  return [
    ...collected.map(({ deployment, device_id, frames, self_test, skipped, location }) =>
      `✓ ${deployment}/${device_id}: ${frames} views, ${self_test.usable} usable${skipped.length === 0 ? '' : `, ${skipped.length} stops left out`}, against itself ${self_test.zero_deg.toFixed(4)}°, neighbours ${self_test.neighbours_deg === null ? 'none' : `${self_test.neighbours_deg.toFixed(4)}°`} → ${location}`),
    ...failed.map(({ deployment, device_id, code, message }) => `✗ ${deployment}/${device_id}: ${code}: ${message}`),
    `${devices} devices in ${duration_s.toFixed(1)} s: ${collected.length} collected, ${failed.length} failed`,
  ];
}

/** `filtered`: were only some of the results asked for? */
export function historyLines(results: readonly Recorded[], filtered: boolean): string[] {
  if (results.length === 0) return [filtered ? 'no results of these devices with this status; without --device, --deployment and --status all are shown' : 'no results yet; "sightline ptz monitor" makes some'];
  return results.map(({ row, status, reason, estimate }) => {
    const when = new Date(row.timestamp_s * 1000).toISOString().replace('.000Z', 'Z');
    const angles = row.success && estimate !== null ? anglesLine(estimate) : (row.failure_log[0] ?? reason);
    return `${when}  ${`${row.deployment_name}/${row.device_id}`.padEnd(32)}  ${status.padEnd(9)}  ${angles}`;
  });
}

/** The three angles with their 95 % intervals. */
export function anglesLine({ yaw_deg, pitch_deg, roll_deg, ci95_deg }: OffsetResult): string {
  // `+ 0` takes the sign from a rounded zero.
  const angle = (name: string, value: number | null, half: number | undefined): string => `${name} ${(Number((value ?? 0).toFixed(4)) + 0).toFixed(4)}° ± ${(half ?? 0).toFixed(4)}°`;
  return [angle('yaw', yaw_deg, ci95_deg?.yaw), angle('pitch', pitch_deg, ci95_deg?.pitch), angle('roll', roll_deg, ci95_deg?.roll)].join(', ');
}

/** The focal length over the expected one. */
export function zoomLine({ zoom_ratio, zoom_ci95 }: OffsetResult): string {
  return `zoom ${(zoom_ratio ?? 1).toFixed(5)} ± ${(zoom_ci95 ?? 0).toFixed(5)}`;
}
