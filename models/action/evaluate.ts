/** Accuracy and confusion of an action classifier on generated windows. */
import { ACTION_LABELS } from '../../src/analysis/pose_window.js';
import type { LabelledWindow } from './generate.js';

export interface Figures {
  windows: number;
  /** Part of the windows whose most probable label is theirs, 0..1. */
  accuracy: number;
  /** confusion[truth][answer], counts */
  confusion: number[][];
}

/** @param classify probabilities of a row, in the order of ACTION_LABELS */
export function evaluate(classify: (row: Float32Array) => ArrayLike<number>, made: readonly LabelledWindow[]): Figures {
  const confusion = ACTION_LABELS.map(() => ACTION_LABELS.map(() => 0));
  let right = 0;
  for (const { label, row } of made) {
    const answer = highest(classify(row));
    const truth = confusion[label] as number[];
    truth[answer] = (truth[answer] as number) + 1;
    if (answer === label) right += 1;
  }
  return { windows: made.length, accuracy: right / made.length, confusion };
}

export function highest(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i += 1) if ((values[i] as number) > (values[best] as number)) best = i;
  return best;
}
