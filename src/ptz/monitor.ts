/** A run over devices: each is checked and recorded by itself, then the rows go to Athena in one statement; Slack hears of each as it comes. */
import { randomUUID } from 'node:crypto';
import { SightlineError } from '../errors.js';
import { checkDevice, type CheckDeps } from './check.js';
import { collectReference, type Collected, type CollectDeps } from './scans/collect.js';
import type { PtzDevice } from './config/devices.js';
import { inLanes } from './lanes.js';
import { slackText, type Slack } from './notify/slack.js';
import type { Athena } from './results/athena.js';
import type { Journal, Recorded } from './results/journal.js';
import type { QueryOptions } from './scans/extract.js';

export interface MonitorDeps extends CheckDeps {
  journal: Journal;
  /** null = rows stay in the embedded database. */
  athena: Athena | null;
  /** null = nobody is told. */
  slack: Slack | null;
}

/** What went out of the machine, in words: `off`, `N rows`, or what failed. */
export interface Sent {
  count: number;
  failure: string | null;
}

export interface RunReport {
  run_id: string;
  started_at: string;
  duration_s: number;
  devices: number;
  counts: Record<'ok' | 'drift' | 'uncertain' | 'refused' | 'failed', number>;
  athena: Sent | null;
  slack: Sent | null;
  results: Recorded[];
}

/** Rows that an earlier run could not write go along, at most so many. */
const ROWS_AT_ONCE = 1_000;
/** Older news is none. */
const NEWS_S = 24 * 3_600;
const MESSAGES_AT_ONCE = 200;
/** History that has been published is kept so long. */
const KEEP_S = 400 * 86_400;

/** Does not reject for a failing device, nor for Athena or Slack: the report says so. */
export async function runMonitor(devices: readonly PtzDevice[], deps: MonitorDeps, options: { query?: Omit<QueryOptions, 'signal'>; signal: AbortSignal }): Promise<RunReport> {
  const { journal, log, settings } = deps;
  const { signal } = options;
  const start_ms = performance.now();
  const report: RunReport = {
    run_id: randomUUID(), started_at: new Date().toISOString(), duration_s: 0, devices: devices.length, counts: { ok: 0, drift: 0, uncertain: 0, refused: 0, failed: 0 }, athena: null, slack: null, results: [],
  };
  await journal.startRun(report.run_id, Date.now(), devices.length);
  let telling: Promise<void> = Promise.resolve();
  await inLanes(devices, settings.monitoring.concurrency, signal, async (device) => {
    const outcome = await checkDevice(device, deps, { run_id: report.run_id, query: options.query ?? {}, keep: true, signal });
    const worth = settings.slack.notify === 'all' || outcome.alert || !outcome.row.success;
    const recorded = await journal.record(outcome, { athena: deps.athena !== null, slack: deps.slack !== null && worth });
    report.results.push(recorded);
    report.counts[outcome.status] += 1;
    const { status, reason, row } = outcome;
    log.info({ deployment: row.deployment_name, device: row.device_id, status, reason, yaw_deg: row.yaw_offset, pitch_deg: row.pitch_offset, roll_deg: row.roll_offset, ms: Math.round(outcome.duration_ms) }, 'PTZ device checked');
    // One after the other, beside the checks: an alert does not wait for the slowest camera.
    telling = telling.then(() => tell(deps, report, signal));
  }).finally(() => telling);
  report.athena = await publish(deps, signal);
  await tell(deps, report, signal);
  const order = new Map(devices.map(({ deployment, device_id }, index) => [`${deployment}/${device_id}`, index]));
  report.results.sort((a, b) => (order.get(`${a.row.deployment_name}/${a.row.device_id}`) ?? 0) - (order.get(`${b.row.deployment_name}/${b.row.device_id}`) ?? 0));
  report.duration_s = Math.round(performance.now() - start_ms) / 1000;
  await journal.finishRun(report.run_id, Date.now());
  await journal.prune(Math.floor(Date.now() / 1000) - KEEP_S);
  return report;
}

/** One statement with the rows of this run and those that an earlier one left. */
export async function publish({ athena, journal, log }: Pick<MonitorDeps, 'athena' | 'journal' | 'log'>, signal: AbortSignal): Promise<Sent | null> {
  if (athena === null) return null;
  const waiting = await journal.unpublished(ROWS_AT_ONCE);
  try {
    await athena.insert(waiting.map(({ row }) => row), signal);
    await journal.published(waiting.map(({ id }) => id));
    return { count: waiting.length, failure: null };
  } catch (error) {
    const failure = sayOf(error);
    log.error({ rows: waiting.length, why: failure }, 'results stay here until the next run: Athena did not take them');
    return { count: 0, failure };
  }
}

/** Sends what has not been sent. After a failure the rest waits for the next run. */
async function tell({ slack, journal, log }: MonitorDeps, report: RunReport, signal: AbortSignal): Promise<void> {
  if (slack === null || (report.slack?.failure ?? null) !== null) return;
  const sent = (report.slack ??= { count: 0, failure: null });
  for (const recorded of await journal.unnotified(Math.floor(Date.now() / 1000) - NEWS_S, MESSAGES_AT_ONCE)) {
    try {
      await slack.send(slackText(recorded), signal);
      await journal.notified(recorded.id);
      sent.count += 1;
    } catch (error) {
      sent.failure = sayOf(error);
      log.error({ why: sent.failure }, 'Slack messages stay here until the next run');
      return;
    }
  }
}

function sayOf(error: unknown): string {
  return error instanceof SightlineError ? `${error.code}: ${error.message}` : error instanceof Error && error.name === 'AbortError' ? 'stopped' : 'INTERNAL: an unexpected fault';
}

export interface CollectReport {
  started_at: string;
  duration_s: number;
  devices: number;
  collected: Collected[];
  failed: { deployment: string; device_id: string; code: string; message: string }[];
}

/** Collects the references of devices, several at once; a failed one leaves its former set as it was and stops nobody. */
export async function runCollect(devices: readonly PtzDevice[], deps: CollectDeps, signal: AbortSignal): Promise<CollectReport> {
  const start_ms = performance.now();
  const report: CollectReport = { started_at: new Date().toISOString(), duration_s: 0, devices: devices.length, collected: [], failed: [] };
  await inLanes(devices, deps.settings.monitoring.concurrency, signal, async (device) => {
    const { deployment, device_id } = device;
    try {
      const collected = await collectReference(device, deps, signal);
      report.collected.push(collected);
      deps.log.info({ deployment, device: device_id, frames: collected.frames, skipped: collected.skipped.length, usable: collected.self_test.usable }, 'PTZ reference collected');
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof SightlineError)) deps.log.error({ deployment, device: device_id, err: error }, 'a PTZ reference collection failed unexpectedly');
      const [code, message] = error instanceof SightlineError ? [error.code, error.message] : ['INTERNAL', 'an unexpected fault; the log has the cause'];
      report.failed.push({ deployment, device_id, code, message });
      deps.log.warn({ deployment, device: device_id, code, why: message }, 'PTZ reference not collected');
    }
  });
  signal.throwIfAborted();
  report.duration_s = Math.round(performance.now() - start_ms) / 1000;
  return report;
}
