/** The README's table of measured figures, made from bench/results/*.json between two marks. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { AreaResult } from './area.js';

const BEGIN = '<!-- bench:begin -->';
const END = '<!-- bench:end -->';

/** Markdown of all recorded results; one row a claim, one line a machine. */
export function renderTable(results: AreaResult[]): string {
  const rows = results.flatMap((result) =>
    result.claims.map((claim) => `| ${claim.what} | ${claim.target} | ${claim.holds ? '' : '**missed:** '}${claim.measured} | ${machineOf(result)} | \`${result.area}\` |`),
  );
  return ['| what | target | measured | on | area |', '| --- | --- | --- | --- | --- |', ...rows].join('\n');
}

function machineOf({ machine }: AreaResult): string {
  const gpu = machine.gpu === null ? '' : `, ${machine.gpu.split(',')[0] ?? ''}`;
  // Results of before the field was recorded have none.
  const shielded = /^SCHED_(RR|FIFO)/.test((machine as Partial<typeof machine>).scheduler ?? '') ? `, ${machine.scheduler}` : '';
  return `${machine.cores} cores ${machine.cpu}${gpu}${shielded}, ${machine.date.slice(0, 10)}, ${machine.commit}`;
}

/** Puts the table into the README; does nothing without its marks. */
export async function writeReadmeTable(root: string): Promise<void> {
  const folder = path.join(root, 'bench/results');
  const files = (await readdir(folder)).filter((file) => file.endsWith('.json')).sort();
  const results = await Promise.all(files.map(async (file) => JSON.parse(await readFile(path.join(folder, file), 'utf8')) as AreaResult));
  const readme = path.join(root, 'README.md');
  const text = await readFile(readme, 'utf8');
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin < 0 || end < begin) return;
  await writeFile(readme, `${text.slice(0, begin + BEGIN.length)}\n${renderTable(results)}\n${text.slice(end)}`);
}
