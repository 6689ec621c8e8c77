/** What a person reads of a test run. */
import type { FileResult } from './tap_reader.js';

export interface JobReport extends FileResult {
  name: string;
  duration_ms: number;
  /** Shown only with a failure. */
  stderr: string;
  left_behind: boolean;
}

/** One line for a job that passed; with failures, those in full below it. */
export function jobLines({ name, duration_ms, passed, failed, skipped, stderr, left_behind }: JobReport): string {
  const counts = [`${passed} passed`, ...(failed.length > 0 ? [`${failed.length} failed`] : []), ...(skipped.length > 0 ? [`${skipped.length} skipped`] : [])];
  const note = left_behind ? ' (left processes behind; they were killed)' : '';
  const lines = [`${failed.length > 0 ? '✘' : '✔'} ${name}: ${counts.join(', ')} (${(duration_ms / 1000).toFixed(1)} s)${note}`];
  for (const { name: test, output } of failed) lines.push(indent(`✘ ${test}\n${indent(output.trimEnd())}`));
  if (failed.length > 0 && stderr.trim() !== '') lines.push(indent(`stderr of ${name}:\n${indent(stderr.trimEnd())}`));
  return lines.join('\n');
}

/** Failures once more by name, skips with their reasons, and as the last line the counts. */
export function summary(reports: readonly JobReport[]): string {
  const passed = reports.reduce((sum, report) => sum + report.passed, 0);
  const failed = reports.flatMap((report) => report.failed);
  const skipped = reports.flatMap((report) => report.skipped);
  return [
    '',
    ...skipped.map(({ name, reason }) => `skipped: ${name}: ${reason}`),
    ...failed.map(({ name }) => `failed: ${name}`),
    `${passed} passed, ${failed.length} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`,
  ].join('\n');
}

function indent(text: string): string {
  return text.split('\n').map((line) => (line === '' ? '' : `  ${line}`)).join('\n');
}
