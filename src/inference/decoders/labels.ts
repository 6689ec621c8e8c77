/** Classifiers: a row of numbers → label and probability. */
import { SightlineError } from '../../errors.js';
import { itemOf, output, softmax, stringParam } from './tensors.js';
import type { LabelDecoder } from './types.js';

/**
 * Output [batch, labels]. Parameters: `labels` (names, required), `values` `logits`, `probabilities` or `auto` (default: probabilities when the row is within 0..1 and sums
 * to 1 within 0.02, else logits). The result sums to 1; it is empty when the row has NaN: the model said nothing.
 */
export const labelRow: LabelDecoder = (outputs, item, context) => {
  const { labels } = context.params;
  if (!Array.isArray(labels) || labels.length === 0) throw new SightlineError('MODEL_MANIFEST', 'decoder "softmax": expected labels, a list of names');
  const found = output(outputs, context, 'output', 'probabilities', [['batch', labels.length], ['batch', 1, labels.length], ['batch', labels.length, 1, 1], ['batch', 1, 1, labels.length]]);
  const row = Array.from(itemOf(found, item));
  if (!row.every((value) => !Number.isNaN(value))) return {};
  const sum = row.reduce((total, value) => total + value, 0);
  const looks = row.every((value) => value >= 0 && value <= 1) && Math.abs(sum - 1) <= 0.02;
  const kind = stringParam(context, 'values', 'auto');
  const probabilities = kind === 'probabilities' || (kind === 'auto' && looks) ? row.map((value) => value / sum) : softmax(row);
  if (!probabilities.every(Number.isFinite)) return {};
  return Object.fromEntries(labels.map((label, index) => [String(label), probabilities[index] ?? 0]));
};
