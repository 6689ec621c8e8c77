/** Reads a telemetry message: flat, or inside `data`. What is missing stays missing; without an attitude a message is refused. */
import type { Attitude, TelemetrySample } from '../types.js';

/** Messages are a few hundred bytes. */
export const MAX_MESSAGE_BYTES = 65_536;

export type Parsed = { sample: Omit<TelemetrySample, 'mono_ms' | 'wall_ms'>; problem: null } | { sample: null; problem: string };

export function parseTelemetry(payload: Buffer): Parsed {
  if (payload.length > MAX_MESSAGE_BYTES) return refused(`expected at most ${MAX_MESSAGE_BYTES} bytes, received ${payload.length}`);
  let tree: unknown;
  try {
    tree = JSON.parse(payload.toString('utf8'));
  } catch {
    return refused('expected JSON, received text that does not parse');
  }
  if (!isRecord(tree)) return refused('expected a JSON object');
  const inner = isRecord(tree.data) ? tree.data : undefined;
  if (inner?.attitude !== undefined && tree.attitude !== undefined) {
    const both = [attitudeOf(inner.attitude), attitudeOf(tree.attitude)] as const;
    if (both[0] !== null && both[1] !== null && angularDistance(both[0], both[1]) > 0.01) return refused('attitude and data.attitude contradict each other');
  }
  const fields = inner?.attitude === undefined && tree.attitude !== undefined ? tree : (inner ?? tree);
  const attitude = attitudeOf(fields.attitude);
  if (attitude === null) {
    return refused(fields.attitude === undefined ? 'expected attitude {yaw, pitch, roll}, received none' : 'attitude: expected finite numbers yaw, pitch and roll in degrees');
  }
  const zoom_factor = within(fields.zoom_factor, 0.5, 1_000);
  const zoom = within(fields.zoom, 0, 1);
  if (zoom_factor === undefined) return refused('zoom_factor: expected a magnification from 0.5 to 1000');
  if (zoom === undefined) return refused('zoom: expected 0 to 1');
  return { sample: { attitude, field_of_view_h: fov(fields.field_of_view_h), field_of_view_v: fov(fields.field_of_view_v), zoom_factor, zoom }, problem: null };
}

function refused(problem: string): Parsed {
  return { sample: null, problem };
}

function attitudeOf(value: unknown): Attitude | null {
  if (!isRecord(value)) return null;
  const { yaw, pitch, roll } = value;
  if (!finite(yaw) || !finite(pitch) || !finite(roll)) return null;
  if (Math.abs(yaw) > 720 || Math.abs(pitch) > 360 || Math.abs(roll) > 360) return null;
  return { yaw, pitch, roll };
}

/** null = not said, undefined = nonsense. */
function within(value: unknown, min: number, max: number): number | null | undefined {
  if (value === undefined || value === null) return null;
  return finite(value) && value >= min && value <= max ? value : undefined;
}

/** 0 is what the camera service sends when it does not know. */
function fov(value: unknown): number | null {
  return finite(value) && value > 0 && value < 180 ? value : null;
}

function finite(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Largest difference of the three angles, degrees; differences are taken around the circle. */
export function angularDistance(a: Attitude, b: Attitude): number {
  return Math.max(turn(a.yaw, b.yaw), turn(a.pitch, b.pitch), turn(a.roll, b.roll));
}

/** Size of the difference of two angles, 0..180. */
export function turn(a: number, b: number): number {
  const difference = Math.abs(a - b) % 360;
  return difference > 180 ? 360 - difference : difference;
}
