/** What differs between two configurations, by dotted key, and which of it takes effect without a restart. Pure. */
import type { TSchema } from '@sinclair/typebox';
import { ConfigSchema, type Config } from './schema.js';

/** Keys that take effect at once, `section.*` for all of a section; every other one needs a restart. */
export const LIVE: readonly string[] = [
  'cameras.load_from_database',
  'cameras.max_concurrent',
  'cameras.priority_threshold',
  'cameras.registry_poll_s',
  'processing.fps',
  'processing.degradation',
  'processing.min_fps',
  'detection.confidence_threshold',
  'detection.alert_threshold',
  'detection.cooldown_s',
  'detection.indicators.*',
  'database.*',
  'registry.*',
  'logging.level',
  'logging.summary_interval_s',
  'staff.roster',
];

export interface Changes {
  /** In force from now on. */
  applied: string[];
  /** Not in force before a restart, or not in all that they mean. */
  needs_restart: string[];
}

/**
 * Compares leaf by leaf; lists count as one leaf.
 * @param before what is in force
 * @param started what the daemon was started with: what it was made for at the start stays so
 */
export function changesBetween(before: Config, after: Config, started: Config = before): Changes {
  const changed = (from: Config): string[] => leaves(ConfigSchema, []).filter((path) => JSON.stringify(at(from, path)) !== JSON.stringify(at(after, path))).map((path) => path.join('.'));
  // The frame pool has room for the cameras of the start: more of them need a larger one.
  const applies = (key: string): boolean => isLive(key) && (key !== 'cameras.max_concurrent' || after.cameras.max_concurrent <= started.cameras.max_concurrent);
  const calibration = [started, after].some((config) => config.calibration.enabled);
  const shared = (key: string): boolean => calibration && SHARED.has(key) && [started, after].some((config) => at(config, ['calibration', ...key.split('.')]) === undefined);
  return { applied: changed(before).filter(applies), needs_restart: changed(started).filter((key) => !applies(key) || shared(key)) };
}

/** Of the database of the cameras: the calibration tables, opened once, lie there too where calibration.database does not say otherwise. */
const SHARED: ReadonlySet<string> = new Set(['host', 'port', 'user', 'password', 'name'].map((name) => `database.${name}`));

function isLive(key: string): boolean {
  return LIVE.some((live) => live === key || (live.endsWith('.*') && key.startsWith(live.slice(0, -1))));
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
