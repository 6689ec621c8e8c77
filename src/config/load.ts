/** Reads the configuration: defaults, then the file, then the environment; checks everything and lists all problems at once. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { TSchema } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { SightlineError } from '../errors.js';
import { withCredentials } from './credentials.js';
import { calibrationSecrets } from './calibration.js';
import { problemsOf } from './problems.js';
import { crossProblems } from './rules.js';
import { ConfigSchema, type Config } from './schema.js';

export interface LoadOptions {
  /** Path of config.json; without it the file is left out. */
  file?: string | undefined;
  /** The environment; an empty variable counts as not set. */
  env: Readonly<Record<string, string | undefined>>;
  /** What relative paths start from. */
  cwd: string;
}

type Tree = Record<string, unknown>;
interface EnvField {
  path: string[];
  names: string[];
  type: string | undefined;
  secret: boolean;
}

/** A complete, checked, frozen configuration. Throws CONFIG_INVALID with every problem on a line of its own. */
export function loadConfig({ file, env, cwd }: LoadOptions): Config {
  const tree = file === undefined ? {} : readTree(resolve(cwd, file), file);
  const { problems, sources } = applyEnv(tree, withCredentials(env));
  const value = withDefaults(ConfigSchema, tree);
  problems.push(...problemsOf(ConfigSchema, value, sources));
  if (problems.length === 0) problems.push(...crossProblems(value as Config));
  if (problems.length > 0) {
    const title = `the configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:`;
    throw new SightlineError('CONFIG_INVALID', [title, ...problems].join('\n  '), { details: { problems } });
  }
  const config = value as { -readonly [K in keyof Config]: Config[K] };
  config.state_dir = resolve(cwd, config.state_dir);
  if (config.models.dir !== undefined) config.models = { ...config.models, dir: resolve(cwd, config.models.dir) };
  return freeze(config);
}

/** Fills what is left out. Sections are made here: a `default: {}` in the schema would make TypeBox copy, and so lose, a list in their place. */
export function withDefaults(schema: TSchema, tree: unknown): unknown {
  addSections(schema, tree);
  return Value.Default(schema, tree);
}

function addSections(schema: TSchema, tree: unknown): void {
  if (typeof tree !== 'object' || tree === null || Array.isArray(tree)) return;
  const { properties = {} } = schema as { properties?: Record<string, TSchema> };
  for (const [key, leaf] of Object.entries(properties)) {
    if (leaf.properties === undefined) continue;
    (tree as Tree)[key] ??= (tree as Tree)[key] === null ? null : {};
    addSections(leaf, (tree as Tree)[key]);
  }
}

function readTree(path: string, shown: string): Tree {
  let source: string;
  try {
    source = readFileSync(path, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new SightlineError('CONFIG_INVALID', `--config: expected a readable file, received ${shown} (${code})`, { cause: error });
  }
  let tree: unknown;
  try {
    tree = JSON.parse(source);
  } catch (error) {
    // Not `cause`: V8's message quotes the text around the fault, which may be a password.
    throw new SightlineError('CONFIG_INVALID', `${shown}${faultyLine(source, error)}: expected JSON, received text that does not parse`);
  }
  if (typeof tree !== 'object' || tree === null || Array.isArray(tree)) throw new SightlineError('CONFIG_INVALID', `${shown}: expected a JSON object`);
  return tree as Tree;
}

/** " line N" where V8 says the position, or quotes a piece of the source that is found there once. */
function faultyLine(source: string, error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  const stated = /position (\d+)/.exec(message)?.[1];
  const quoted = /, (?:\.\.\.)?"([\s\S]*)"(?:\.\.\.)? is not valid JSON$/.exec(message)?.[1];
  const start = quoted === undefined ? -1 : source.indexOf(quoted);
  const position = stated !== undefined ? Number(stated) : start < 0 ? -1 : Math.min(source.length, start + (message.includes('..."') ? 10 : 0));
  if (position < 0) return '';
  return ` line ${source.slice(0, position).split('\n').length}`;
}

/** Puts the variables into the tree under their keys. Text that is no number stays text, so that the schema reports it. */
function applyEnv(tree: Tree, env: LoadOptions['env']): { problems: string[]; sources: Map<string, string> } {
  const problems: string[] = [];
  const sources = new Map<string, string>();
  for (const { path, names, type, secret } of envFields(ConfigSchema)) {
    const given = names.filter((name) => (env[name] ?? '') !== '');
    const [name] = given;
    if (name === undefined) continue;
    const different = given.find((other) => env[other] !== env[name]);
    if (different !== undefined) problems.push(`${different}: expected the same value as ${name}, received another one${secret ? '' : ` (${env[different] ?? ''})`}`);
    setAt(tree, path, coerce(env[name] ?? '', type));
    sources.set(path.join('.'), name);
  }
  return { problems, sources };
}

export function envFields(schema: TSchema, path: string[] = []): EnvField[] {
  const { properties, env, type, secret } = schema as TSchema & { properties?: Record<string, TSchema>; env?: string[]; secret?: boolean };
  if (properties !== undefined) return Object.entries(properties).flatMap(([key, leaf]) => envFields(leaf, [...path, key]));
  return env === undefined ? [] : [{ path, names: env, type: type as string | undefined, secret: secret === true }];
}

function coerce(text: string, type: string | undefined): unknown {
  if (type === 'number' || type === 'integer') return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text.trim()) ? Number(text) : text;
  if (type === 'boolean') return /^(true|1|yes|on)$/i.test(text) ? true : /^(false|0|no|off)$/i.test(text) ? false : text;
  return text;
}

function setAt(tree: Tree, path: string[], value: unknown): void {
  const [key, ...rest] = path;
  if (key === undefined) return;
  if (rest.length === 0) {
    tree[key] = value;
    return;
  }
  tree[key] ??= {};
  const child = tree[key];
  if (typeof child === 'object' && child !== null && !Array.isArray(child)) setAt(child as Tree, rest, value); // else the schema reports the section
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(freeze);
  return Object.freeze(value);
}

/** The configuration for people: secrets as `***`, URLs without user-info. */
export function shownConfig(config: Config): unknown {
  return show(ConfigSchema, config);
}

function show(schema: TSchema, value: unknown): unknown {
  const { properties, secret, rule } = schema as TSchema & { properties?: Record<string, TSchema>; secret?: boolean; rule?: string };
  if (secret === true) return '***';
  if (rule === 'http_url' && typeof value === 'string') return maskedUrl(value);
  if (properties === undefined) return value;
  const tree = value as Tree;
  return Object.fromEntries(Object.entries(properties).filter(([key]) => tree[key] !== undefined).map(([key, leaf]) => [key, show(leaf, tree[key])]));
}

function maskedUrl(value: string): string {
  const url = new URL(value);
  if (url.username !== '' || url.password !== '') {
    url.username = '***';
    url.password = '';
  }
  return url.href;
}

/** Values that must not be logged. */
export function secretsOf(config: Config): string[] {
  const secrets = [config.php_system.auth_token, config.server.api_token, config.database.password, config.database.encryption_key, config.detection.baseline_key, ...calibrationSecrets(config.calibration)];
  return secrets.filter((secret) => secret !== undefined);
}
