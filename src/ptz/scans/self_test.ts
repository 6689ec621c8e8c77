/**
 * A new reference set tests itself: each view against the whole set has to give zero, and each view against its neighbours alone has to agree with their telemetry. What a
 * view cannot tell (sky, a wall) is said and counts for nothing; a set in which nothing can be told, or which contradicts itself, is refused.
 */
import { SightlineError } from '../../errors.js';
import type { EstimateOffset, OffsetOptions, PtzView } from '../estimate/types.js';

export interface SelfTest {
  views: number;
  /** Views that a query can be compared with. */
  usable: number;
  unusable: { name: string; reason: string }[];
  /** Largest offset of a view against the set that holds it, degrees. */
  zero_deg: number;
  /** Views that overlap others: largest offset against those alone, degrees; null = no two views overlap. */
  neighbours_deg: number | null;
  neighbours: number;
}

/** Reference against reference: numerics only. */
const ZERO_DEG = 0.02;
/** Views that one estimate is asked about. */
const QUERIES = 16;

export async function selfTest(views: readonly PtzView[], estimate: EstimateOffset, options: OffsetOptions): Promise<SelfTest> {
  const unusable: SelfTest['unusable'] = [];
  let zero_deg = 0;
  for (let at = 0; at < views.length; at += QUERIES) {
    const some = await estimate(views, views.slice(at, at + QUERIES), options);
    unusable.push(...some.views.filter(({ status }) => status === 'refused').map(({ image, reason }) => ({ name: image, reason })));
    zero_deg = Math.max(zero_deg, largest(some));
  }
  const used = views.filter(({ name }) => !unusable.some((one) => one.name === name));
  const report: SelfTest = { views: views.length, usable: used.length, unusable, zero_deg, neighbours_deg: null, neighbours: 0 };
  if (used.length === 0) throw unusableSet(`no view can be compared with itself: ${[...new Set(unusable.map(({ reason }) => reason))].join(', ')}`);
  if (report.zero_deg > ZERO_DEG) throw unusableSet(`the set against itself gives ${report.zero_deg.toFixed(4)}° instead of 0`);
  for (const view of used) {
    options.signal?.throwIfAborted();
    const others = used.filter((one) => one !== view);
    const alone = others.length === 0 ? undefined : await estimate(others, [view], options);
    if (alone === undefined || alone.status === 'refused') continue;
    report.neighbours += 1;
    report.neighbours_deg = Math.max(report.neighbours_deg ?? 0, largest(alone));
    if (alone.status === 'drift') {
      throw unusableSet(`${view.name} against its neighbours is ${largest(alone).toFixed(3)}° off: its telemetry contradicts theirs, or the lens data are wrong`);
    }
  }
  return report;
}

function largest({ yaw_deg, pitch_deg, roll_deg }: { yaw_deg: number | null; pitch_deg: number | null; roll_deg: number | null }): number {
  return Math.max(Math.abs(yaw_deg ?? 0), Math.abs(pitch_deg ?? 0), Math.abs(roll_deg ?? 0));
}

function unusableSet(why: string): SightlineError {
  return new SightlineError('PTZ_REFERENCE_UNUSABLE', `reference set: ${why}`);
}
