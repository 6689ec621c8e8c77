/**
 * Trains the action network on generated motion, and writes models/trained/action.onnx and models/cards/action.md with its
 * held-out figures. `node dist/models/action/train.js [--out DIR] [--batches N]` from the repository root; a few minutes of one
 * core; the same seed and machine type give the same bytes.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ACTION_LABELS, STEP_FEATURES, WINDOW_STEPS } from '../../src/analysis/pose_window.js';
import { encodeModel } from '../onnx/codec.js';
import { modelCard } from './card.js';
import { evaluate, type Figures } from './evaluate.js';
import { HELD_OUT, TRAINING, windows } from './generate.js';
import { adam, backward, forward, randomWeights, scratchFor, WEIGHT_NAMES, zeroWeights, type Shape, type Weights } from './network.js';
import { actionModel } from './onnx.js';
import { seeded } from './random.js';

export const SHAPE: Shape = { steps: WINDOW_STEPS, inputs: STEP_FEATURES, hidden: 48, labels: ACTION_LABELS.length };
export const SEEDS = { weights: 11, training: 1_000_003, seen: 2_000_003, held_out: 3_000_017 } as const;
const BATCH = 64;
const HIGHEST_RATE = 4e-3;
const SMOOTHING = 0.05;
const AVERAGE = 0.995;

/**
 * Every batch is new motion, so nothing is seen twice. The rate warms up and then falls along a cosine.
 * @returns the running average of the weights, which is steadier than the last ones
 */
export function train(batches: number, report: (batch: number, loss: number) => void): Weights {
  const weights = randomWeights(SHAPE, seeded(SEEDS.weights));
  const average = zeroWeights(SHAPE);
  const gradient = zeroWeights(SHAPE);
  const scratch = scratchFor(SHAPE);
  const step = adam(SHAPE, 1);
  const source = windows(SEEDS.training, TRAINING);
  let running = Math.log(SHAPE.labels);
  for (let batch = 0; batch < batches; batch += 1) {
    let loss = 0;
    for (let i = 0; i < BATCH; i += 1) {
      const { label, row } = source.next().value;
      forward(SHAPE, weights, row, scratch);
      loss += backward(SHAPE, weights, row, label, SMOOTHING, scratch, gradient) / BATCH;
    }
    const rate = HIGHEST_RATE * Math.min(1, (batch + 1) / 50) * (0.02 + 0.98 * 0.5 * (1 + Math.cos((Math.PI * batch) / batches)));
    step(weights, gradient, BATCH, rate);
    const keep = Math.min(AVERAGE, batch / (batch + 10));
    for (const name of WEIGHT_NAMES) average[name].forEach((value, i) => { average[name][i] = value * keep + (weights[name][i] as number) * (1 - keep); });
    running = running * 0.98 + loss * 0.02;
    if ((batch + 1) % 100 === 0) report(batch + 1, running);
  }
  return average;
}

function figures(weights: Weights, seed: number, domain: typeof TRAINING, count: number): Figures {
  const scratch = scratchFor(SHAPE);
  const source = windows(seed, domain);
  return evaluate((row) => forward(SHAPE, weights, row, scratch), Array.from({ length: count }, () => source.next().value));
}

function main(): void {
  const { values } = parseArgs({ options: { out: { type: 'string', default: 'models' }, batches: { type: 'string', default: '1600' } } });
  const batches = Number(values.batches);
  if (!Number.isInteger(batches) || batches < 1) throw new Error(`--batches: expected a whole number above 0, received ${values.batches}`);
  const before = process.cpuUsage();
  const weights = train(batches, (batch, loss) => { console.log(`batch ${batch} of ${batches}, loss ${loss.toFixed(3)}`); });
  const cpu_s = process.cpuUsage(before).user / 1e6;
  const seen = figures(weights, SEEDS.seen, TRAINING, 4000);
  const heldOut = figures(weights, SEEDS.held_out, HELD_OUT, 4000);
  const model = encodeModel(actionModel(SHAPE, weights));
  for (const folder of ['trained', 'cards']) mkdirSync(join(values.out, folder), { recursive: true });
  writeFileSync(join(values.out, 'trained', 'action.onnx'), model);
  writeFileSync(join(values.out, 'cards', 'action.md'), modelCard({ batches, windows: batches * BATCH, bytes: model.length, seen, heldOut }));
  console.log(`accuracy: new motion of the training domain ${seen.accuracy.toFixed(4)}, held out ${heldOut.accuracy.toFixed(4)}; ${model.length} bytes, ${cpu_s.toFixed(0)} s of CPU`);
}

if (process.argv[1] !== undefined && import.meta.url === new URL(`file://${process.argv[1]}`).href) main();
