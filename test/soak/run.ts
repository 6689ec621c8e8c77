/**
 * `npm run soak -- NAME [--short] [--set name=value]...`: runs one soak and writes its report to build/soak/NAME.json and NAME.txt; `npm run soak -- --list`
 * lists them. Exit 0 when every claim holds, 1 when one does not or the run failed, 2 for bad usage.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { SOAKS } from './list.js';
import type { SoakReport } from './soak.js';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { short: { type: 'boolean', default: false }, list: { type: 'boolean', default: false }, set: { type: 'string', multiple: true, default: [] } },
    allowPositionals: true,
  });
  const [name] = positionals;
  const soak = SOAKS.find((one) => one.name === name);
  if (values.list || soak === undefined) {
    if (!values.list && name !== undefined) console.error(`there is no soak "${name}"`);
    for (const one of SOAKS) console.log(`${one.name.padEnd(14)} ${one.about}`);
    return values.list ? 0 : 2;
  }
  const reason = soak.unavailable?.(root);
  if (reason !== undefined) {
    console.error(`${soak.name} can't be run here: ${reason}`);
    return 1;
  }
  const scratch = await mkdtemp(path.join(tmpdir(), `sightline-soak-${soak.name}-`));
  const started = new Date();
  try {
    const report = await soak.run({ root, short: values.short, settings: settingsOf(values.set), scratch, log: (line) => { console.log(`${stamp(started)} ${line}`); } });
    return await conclude(soak.name, soak.about, started, report);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function settingsOf(given: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    given.map((text): [string, number] => {
      const [name = '', value = ''] = text.split('=', 2);
      if (name === '' || value.trim() === '' || !Number.isFinite(Number(value))) throw new Error(`--set: expected name=number, received "${text}"`);
      return [name, Number(value)];
    }),
  );
}

async function conclude(name: string, about: string, started: Date, { claims, figures }: SoakReport): Promise<number> {
  const seconds = Math.round((Date.now() - started.getTime()) / 1000);
  const lines = [
    `${name}: ${about}`,
    `${started.toISOString()}, ${seconds} s, Node ${process.version}, ${availableParallelism()} cores`,
    ...claims.map(({ holds, what, measured, target }) => `${holds ? 'holds ' : 'MISSED'}  ${what}: ${measured} (${target})`),
    ...Object.entries(figures).map(([key, value]) => `        ${key}: ${typeof value === 'number' ? Number(value.toPrecision(6)) : value}`),
  ];
  console.log(`\n${lines.join('\n')}`);
  const folder = path.join(root, 'build/soak');
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, `${name}.json`), `${JSON.stringify({ name, about, started_at: started.toISOString(), seconds, claims, figures }, null, 2)}\n`);
  await writeFile(path.join(folder, `${name}.txt`), `${lines.join('\n')}\n`);
  return claims.every(({ holds }) => holds) ? 0 : 1;
}

function stamp(started: Date): string {
  return `[${((Date.now() - started.getTime()) / 1000).toFixed(1).padStart(7)} s]`;
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  return 1;
});
