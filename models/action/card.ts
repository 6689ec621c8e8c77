/** The action network's model card, written by its training. */
import { ACTION_LABELS, STEP_FEATURES, STEP_US, WINDOW_STEPS } from '../../src/analysis/pose_window.js';
import type { Figures } from './evaluate.js';
import { HELD_OUT, TRAINING, type Domain } from './generate.js';

export interface CardInput {
  batches: number;
  windows: number;
  bytes: number;
  seen: Figures;
  heldOut: Figures;
}

const percent = (part: number): string => (part * 100).toFixed(1);

function domainRow(domain: Domain): string {
  const [least, most] = domain.proportions.map((part) => Math.round(part * 100));
  return `| ${domain.name} | ${least} to ${most} % from the adult mean | ${domain.elevation.join(' to ')}° | ${domain.azimuths.map((sector) => sector.join('..')).join(', ')}° |`;
}

function perLabel({ confusion }: Figures): string[] {
  return ACTION_LABELS.map((label, k) => {
    const row = confusion[k] as number[];
    const hits = row[k] as number;
    const truth = row.reduce((a, b) => a + b, 0);
    const answers = confusion.reduce((sum, counts) => sum + (counts[k] as number), 0);
    return `| ${label} | ${percent(hits / truth)} | ${answers === 0 ? 'none' : percent(hits / answers)} | ${row.join(' | ')} |`;
  });
}

export function modelCard({ batches, windows, bytes, seen, heldOut }: CardInput): string {
  return `# Action network

Written by \`node dist/models/action/train.js\`; do not edit. File: models/trained/action.onnx, ${bytes} bytes.

One GRU layer of 48 over ${WINDOW_STEPS} steps of ${STEP_US / 1000} ms, then a linear layer and softmax. Input \`poses\` [batch, ${WINDOW_STEPS}, ${STEP_FEATURES}] as
src/analysis/pose_window.ts makes it from the 17 COCO keypoints; output \`probabilities\` [batch, ${ACTION_LABELS.length}] in the order of the table below.

It has seen generated motion only (models/action/generate.ts: a kinematic skeleton, random bodies, cameras, frame rates, noise, dropped and
hidden keypoints); no recording of a person is in it. The figures are for such motion: they show that it carries over to bodies and
camera directions it was not trained on, not how well it does on a given real camera. Expect less there, and no more than a hint.

Trained on ${windows} windows, none seen twice (${batches} batches of 64, Adam, label smoothing 0.05, averaged weights).

| domain | body lengths | camera height | camera directions (0° = from the front) |
| --- | --- | --- | --- |
${domainRow(TRAINING)}
${domainRow(HELD_OUT)}

Accuracy on ${seen.windows} new windows of the training domain: ${percent(seen.accuracy)} %.
Held-out accuracy on ${heldOut.windows} windows: ${percent(heldOut.accuracy)} %.

Held out, by label (recall and precision in %, then the answers; rows are the truth):

| label | recall | precision | ${ACTION_LABELS.join(' | ')} |
| --- | --- | --- | ${ACTION_LABELS.map(() => '---').join(' | ')} |
${perLabel(heldOut).join('\n')}
`;
}
