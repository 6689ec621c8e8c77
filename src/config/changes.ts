/** What differs between two configurations, by dotted key, and which of it takes effect without a restart. Pure. */
import type { TSchema } from '@sinclair/typebox';
import { ConfigSchema, type Config } from './schema.js';

/** Keys that take effect at once; every other one needs a restart. */
const LIVE: ReadonlySet<string> = new Set([
  'cameras.max_concurrent',
  'cameras.priority_threshold',
  'processing.fps',
  'processing.degradation',
  'processing.min_fps',
  'detection.confidence_threshold',
  'detection.alert_threshold',
  'logging.level',
  'logging.summary_interval_s',
]);

export interface Changes {
  /** In force from now on. */
  applied: string[];
  needs_restart: string[];
}

/** Compares leaf by leaf; lists count as one leaf. */
export function changesBetween(before: Config, after: Config): Changes {
  const changed = leaves(ConfigSchema, []).filter((path) => JSON.stringify(at(before, path)) !== JSON.stringify(at(after, path)));
  const keys = changed.map((path) => path.join('.'));
  // The frame pool has room for the cameras of the start: more of them need a larger one.
  const live = (key: string): boolean => LIVE.has(key) && (key !== 'cameras.max_concurrent' || after.cameras.max_concurrent <= before.cameras.max_concurrent);
  return { applied: keys.filter(live), needs_restart: keys.filter((key) => !live(key)) };
}

/** `before` with the values of `after` under the given keys; frozen like both. */
export function withKeys(before: Config, after: Config, keys: readonly string[]): Config {
  const made = structuredClone(before) as Record<string, unknown>;
  for (const key of keys) {
    const path = key.split('.');
    const last = path.pop() ?? '';
    const section = path.reduce<Record<string, unknown>>((tree, name) => tree[name] as Record<string, unknown>, made);
    section[last] = at(after, [...path, last]);
  }
  return freeze(made as Config);
}

function leaves(schema: TSchema, path: string[]): string[][] {
  const { properties } = schema as { properties?: Record<string, TSchema> };
  if (properties === undefined) return [path];
  return Object.entries(properties).flatMap(([key, leaf]) => leaves(leaf, [...path, key]));
}

function at(tree: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], tree);
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(freeze);
  return Object.freeze(value);
}
