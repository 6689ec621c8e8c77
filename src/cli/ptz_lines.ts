/** What the PTZ commands print: documents for scripts, lines for people. */
import type { CollectReport, RunReport } from '../ptz/monitor.js';
import type { Recorded } from '../ptz/results/journal.js';
import { resultDocument, type ResultDocument } from '../ptz/results/document.js';
import type { DeviceOutcome } from '../ptz/types.js';

export function checkDocument(outcome: DeviceOutcome): ResultDocument {
  return resultDocument(outcome);
}

export function historyDocument(results: readonly Recorded[]): { results: ResultDocument[] } {
  return { results: results.map(resultDocument) };
}

export function checkLines({ row, status, reason, detail, alert, duration_ms }: DeviceOutcome): string[] {
  const head = `${alert || !row.success ? '✗' : '✓'} ${row.deployment_name}/${row.device_id}: ${status}${reason === '' ? '' : ` (${reason})`}, ${(duration_ms / 1000).toFixed(1)} s`;
  const angles = row.success ? [`  yaw ${row.yaw_offset.toFixed(4)}°, pitch ${row.pitch_offset.toFixed(4)}°, roll ${row.roll_offset.toFixed(4)}°`] : [];
  return [head, ...angles, ...(detail === '' ? [] : [`  ${detail}`])];
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

export function historyLines(results: readonly Recorded[]): string[] {
  if (results.length === 0) return ['no results yet; "sightline ptz monitor" makes some'];
  return results.map(({ row, status, reason }) => {
    const when = new Date(row.timestamp_s * 1000).toISOString().replace('.000Z', 'Z');
    const angles = row.success ? `yaw ${row.yaw_offset.toFixed(3)}° pitch ${row.pitch_offset.toFixed(3)}° roll ${row.roll_offset.toFixed(3)}°` : (row.failure_log[0] ?? reason);
    return `${when}  ${`${row.deployment_name}/${row.device_id}`.padEnd(32)}  ${status.padEnd(9)}  ${angles}`;
  });
}
