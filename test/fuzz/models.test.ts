/** Damaged model files in the real runtime, in a process of its own: opened or refused with words, no crash, no hang. A failure names the file, the seed and the attempt. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { fuzzFactor, longer, seed } from '../fixtures/fuzz.js';
import { meanModel } from '../fixtures/tiny_onnx.js';

const CHILD = fileURLToPath(new URL('../fixtures/models_child.js', import.meta.url));
const LIMIT_MS = 60_000;
/** Far above what one file takes, so that only what hangs reaches it. */
const HANG_MS = 120_000;

/** The counts of the child; rejects with what is needed to do it again. */
async function damaged(file: string, seed: number, count: number): Promise<Record<string, number>> {
  const child = spawn(process.execPath, [CHILD, file, String(seed), String(count), String(longer(LIMIT_MS))], { stdio: ['ignore', 'pipe', 'pipe'] });
  const hang = setTimeout(() => child.kill('SIGKILL'), HANG_MS);
  let [said, words] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    hang.refresh();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => { words = (words + text).slice(-4_000); });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  clearTimeout(hang);
  const last = said.trim().split('\n').at(-1) ?? '';
  if (code !== 0) throw new Error(`${path.basename(file)}, seed ${seed}, attempt ${last}: ${signal ?? `exit code ${code}`} ${words}`);
  return JSON.parse(last) as Record<string, number>;
}

t.setTimeout(longer(560_000));

for (const [name, runs] of [['tiny', 2_000], ['blazeface', 300]] as const) {
  const weights = path.resolve(`models/weights/${name}.onnx`);
  const absent = name === 'tiny' || existsSync(weights) ? false : 'the models are not converted: npm run setup';
  t.test(`${name}: a damaged file is opened or refused`, { skip: absent }, async (t) => {
    let file = weights;
    if (name === 'tiny') writeFileSync((file = path.join(t.testdir(), 'tiny.onnx')), meanModel());
    const wanted = runs * fuzzFactor();
    const counts = await damaged(file, seed().seed ?? Date.now() % 2 ** 31, wanted);
    t.ok((counts['tried'] ?? 0) > 0, JSON.stringify(counts));
    if (counts['tried'] === wanted) for (const what of ['unreadable', 'refused']) t.ok((counts[what] ?? 0) > 0, `some ${what}`);
  });
}
