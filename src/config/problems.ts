/** Turns what the schema finds into `path: expected X, received Y`, never with the value of a secret. */
import type { TSchema } from '@sinclair/typebox';
import { Value, ValueErrorType } from '@sinclair/typebox/value';
import { maskUrls } from '../observability/redact.js';
import { RULES } from './rules.js';

interface Leaf extends TSchema {
  secret?: boolean;
  rule?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minProperties?: number;
  minItems?: number;
  maxItems?: number;
  /** In words what a text has to look like, where a pattern says it to machines alone. */
  'x-expected'?: string;
  anyOf?: Leaf[];
  const?: unknown;
  items?: Leaf;
  properties?: Record<string, Leaf>;
}

/**
 * All problems of `value`, in the order of the schema. `sources` says which environment variable a path came from; it is then named first,
 * because that is where the user has to look.
 */
export function problemsOf(schema: TSchema, value: unknown, sources: ReadonlyMap<string, string> = new Map()): string[] {
  const found = new Map<string, string>();
  for (const error of Value.Errors(schema, value)) {
    const path = dotted(error.path);
    if (found.has(path)) continue;
    if (error.type === ValueErrorType.ObjectAdditionalProperties) found.set(path, `${path}: no such key${suggestion(schema, path)}`);
    else found.set(path, problem(path, sources, describe(error.schema), received(error.value, leafAt(schema, path)?.secret === true, isCounted(error.schema))));
  }
  for (const { path, leaf, item } of texts(schema, value, '')) {
    const expected = leaf.rule === undefined || found.has(path) ? undefined : RULES[leaf.rule]?.(item);
    if (expected !== undefined) found.set(path, problem(path, sources, expected, received(item, leaf.secret === true)));
  }
  return [...found.values()];
}

function problem(path: string, sources: ReadonlyMap<string, string>, expected: string, got: string): string {
  const variable = sources.get(path);
  const where = path === '' ? 'value' : path;
  return `${variable === undefined ? where : `${variable} (${where})`}: expected ${expected}, received ${got}`;
}

/** What a field takes, in words. */
export function describe(leaf: Leaf): string {
  if (leaf.anyOf?.every((option) => option.const !== undefined) === true) return `one of ${leaf.anyOf.map((option) => JSON.stringify(option.const)).join(', ')}`;
  if (leaf.anyOf !== undefined) return leaf.anyOf.map(describe).join(' or ');
  switch (leaf.type) {
    case 'null':
      return 'null';
    case 'integer':
      return `an integer from ${leaf.minimum} to ${leaf.maximum}`;
    case 'number':
      return `a number from ${leaf.minimum} to ${leaf.maximum}`;
    case 'boolean':
      return 'true or false';
    case 'string':
      return leaf['x-expected'] ?? `text of ${leaf.minLength ?? 0} to ${leaf.maxLength ?? 'any number of'} characters`;
    case 'array':
      if (leaf.items?.properties === undefined) return `a list of different ${leaf.items === undefined ? 'values' : describe(leaf.items).replace('one of ', '')}`;
      return `a list of ${leaf.maxItems === undefined ? '' : `${leaf.minItems ?? 0} to ${leaf.maxItems} `}objects with ${Object.keys(leaf.items.properties).join(', ')}`;
    default:
      return leaf.minProperties === undefined ? 'an object' : `an object with at least ${leaf.minProperties} field`;
  }
}

/** Where the words of a list say how many it may have. */
function isCounted({ maxItems, items }: Leaf): boolean {
  return maxItems !== undefined && items?.properties !== undefined;
}

/** What came, in words. */
function received(value: unknown, secret: boolean, counted = false): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (typeof value === 'number' && !Number.isFinite(value)) return 'no finite number';
  if (typeof value === 'object') return Array.isArray(value) ? (counted ? `a list of ${value.length}` : 'a list') : 'an object';
  if (secret) return typeof value === 'string' ? `a text of ${value.length} characters` : `a ${typeof value}`;
  const shown = JSON.stringify(typeof value === 'string' ? maskUrls(value) : value);
  return shown.length > 60 ? `${shown.slice(0, 57)}..."` : shown;
}

function dotted(pointer: string): string {
  return pointer.slice(1).split('/').map((part) => part.replace(/~1/g, '/').replace(/~0/g, '~')).join('.');
}

function leafAt(schema: Leaf, path: string): Leaf | undefined {
  let leaf: Leaf | undefined = schema;
  for (const part of path.split('.')) leaf = leaf?.properties?.[part];
  return leaf;
}

function* texts(schema: Leaf, value: unknown, path: string): Generator<{ path: string; leaf: Leaf; item: string }> {
  if (schema.properties === undefined) {
    if (typeof value === 'string') yield { path, leaf: schema, item: value };
    if (schema.items !== undefined && Array.isArray(value)) for (const [index, item] of value.entries()) yield* texts(schema.items, item, `${path}.${index}`);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [key, leaf] of Object.entries(schema.properties)) {
    yield* texts(leaf, (value as Record<string, unknown>)[key], path === '' ? key : `${path}.${key}`);
  }
}

/** Paths of all fields. */
export function paths(schema: TSchema, prefix = ''): string[] {
  const { properties } = schema as Leaf;
  if (properties === undefined) return [prefix];
  return Object.entries(properties).flatMap(([key, leaf]) => paths(leaf, prefix === '' ? key : `${prefix}.${key}`));
}

/** " (did you mean X?)": a key of the same name in another section, or the nearest spelling. */
function suggestion(schema: Leaf, path: string): string {
  const all = [...new Set([...paths(schema), ...Object.keys(schema.properties ?? {})])];
  const parts = path.split('.');
  const key = parts.pop() ?? '';
  const parent = parts.join('.');
  const siblings = all.filter((other) => other.startsWith(parent) && other.slice(0, Math.max(0, other.lastIndexOf('.'))) === parent);
  const near = (others: string[]) =>
    others
      .map((other): [string, number] => [other, distance(key.toLowerCase(), other.slice(other.lastIndexOf('.') + 1).toLowerCase())])
      .filter(([, d]) => d <= Math.max(1, Math.floor(key.length / 4)))
      .sort((a, b) => a[1] - b[1])[0]?.[0];
  const best = near(siblings) ?? near(all);
  return best === undefined ? '' : ` (did you mean ${best}?)`;
}

/** Levenshtein distance; letters in another order count once. */
function distance(a: string, b: string): number {
  if (a !== b && [...a].sort().join('') === [...b].sort().join('')) return 1;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
