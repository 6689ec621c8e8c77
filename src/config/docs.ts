/** docs/CONFIG.md and config.sample.json, made from the schema; a test compares them. */
import type { TSchema } from '@sinclair/typebox';
import { LIVE } from './changes.js';
import { withDefaults } from './load.js';
import { describe } from './problems.js';
import { ConfigSchema } from './schema.js';

type Documented = TSchema & { properties?: Record<string, Documented>; env?: string[]; secret?: boolean; rule?: string };

const INTRO = `# Configuration

Made from src/config/schema.ts by \`npx sightline docs .\`; a test compares the two.

Values come from the defaults, then from the file given with \`--config\`, then from the environment. An empty variable counts as not set.
Unknown keys are errors, and all problems are listed at once. \`sightline config check\` checks, \`sightline config print\` shows what is in
force, \`sightline config schema\` prints the JSON schema. Relative paths start at the working directory. \`config.sample.json\` at the root of
the clone has every key that has a default.

Cameras are not in this file but in the registry: the camera table of the database where one is configured, else the embedded one;
\`sightline cameras add|import\`, \`/api/cameras\`.

A reload (\`systemctl reload sightline\`, SIGHUP, \`POST /api/config/reload\`) puts these keys into force at once, every other one at the next start:
${LIVE.map((key) => `\`${key}\``).join(', ')}. \`cameras.max_concurrent\` counts only up to its value at the start, and calibration tables that
lie in the database of the cameras stay where they are until the next start; the answer names the keys that wait for it.
`;

/** The markdown page. */
export function renderConfigDocs(): string {
  const sections = Object.entries(ConfigSchema.properties as Record<string, Documented>).map(([key, schema]) => {
    if (schema.properties === undefined) return { title: 'Top level', about: '', rows: [row(key, schema)] };
    return { title: key, about: String(schema.description ?? ''), rows: rows(schema, key) };
  });
  const tables = sections.map(({ title, about, rows: lines }) =>
    [`## ${title}`, ...(about === '' ? [] : ['', `${about.charAt(0).toUpperCase()}${about.slice(1)}.`]), '', '| key | what it takes | default | environment | meaning |', '| --- | --- | --- | --- | --- |', ...lines, ''].join('\n'),
  );
  return [INTRO, ...tables].join('\n');
}

/** The sample file: every key with a default, at its default. */
export function renderSampleConfig(): string {
  return JSON.stringify(withDefaults(ConfigSchema, {}), null, 2) + '\n';
}

function rows(schema: Documented, prefix: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, leaf]) => (leaf.properties === undefined ? [row(`${prefix}.${key}`, leaf)] : rows(leaf, `${prefix}.${key}`)));
}

function row(path: string, leaf: Documented): string {
  const value = leaf.default === undefined ? '–' : `\`${JSON.stringify(leaf.default)}\``;
  const env = leaf.env === undefined ? '' : leaf.env.map((name) => `\`${name}\``).join(', ');
  const takes = leaf.secret === true ? 'text, never shown' : describe(leaf);
  return `| \`${path}\` | ${takes} | ${value} | ${env} | ${String(leaf.description ?? '')} |`;
}
