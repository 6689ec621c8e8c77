/**
 * The action network and its training: one GRU layer over the steps, a linear layer on its last state, softmax. Gates in the
 * order of the ONNX GRU operator (update z, reset r, candidate h), with linear_before_reset = 1:
 *   z = σ(x Wz + h Rz + b), r = σ(x Wr + h Rr + b), c = tanh(x Wh + bh + r ∘ (h Rh + rbh)), h' = (1 − z) ∘ c + z ∘ h.
 * Row-major float32 all through; weights are [input × 3·hidden], so that one step is rows added to rows.
 */
import type { Random } from './random.js';

export interface Shape {
  steps: number;
  inputs: number;
  hidden: number;
  labels: number;
}

export interface Weights {
  /** [inputs × 3·hidden] */
  input: Float32Array;
  /** [hidden × 3·hidden] */
  recurrent: Float32Array;
  /** [3·hidden] */
  input_bias: Float32Array;
  /** [3·hidden]; that of the candidate lies inside the reset gate's product */
  recurrent_bias: Float32Array;
  /** [hidden × labels] */
  output: Float32Array;
  /** [labels] */
  output_bias: Float32Array;
}

export const WEIGHT_NAMES = ['input', 'recurrent', 'input_bias', 'recurrent_bias', 'output', 'output_bias'] as const;

export function zeroWeights({ inputs, hidden, labels }: Shape): Weights {
  return {
    input: new Float32Array(inputs * 3 * hidden), recurrent: new Float32Array(hidden * 3 * hidden),
    input_bias: new Float32Array(3 * hidden), recurrent_bias: new Float32Array(3 * hidden),
    output: new Float32Array(hidden * labels), output_bias: new Float32Array(labels),
  };
}

export function randomWeights(shape: Shape, random: Random): Weights {
  const weights = zeroWeights(shape);
  const fill = (array: Float32Array, size: number): void => {
    for (let i = 0; i < array.length; i += 1) array[i] = random.normal() * size;
  };
  fill(weights.input, 0.5 / Math.sqrt(shape.inputs));
  fill(weights.recurrent, 0.7 / Math.sqrt(shape.hidden));
  fill(weights.output, 1 / Math.sqrt(shape.hidden));
  // Begins by remembering.
  weights.input_bias.fill(0.5, 0, shape.hidden);
  return weights;
}

/** out[row] += Σ left[row, i] · right[i], skipping zeros (a hidden keypoint is all zeros). */
function multiplyAdd(left: Float32Array, leftAt: number, n: number, right: Float32Array, width: number, out: Float32Array, outAt: number): void {
  for (let i = 0; i < n; i += 1) {
    const factor = left[leftAt + i] as number;
    if (factor === 0) continue;
    const from = i * width;
    for (let j = 0; j < width; j += 1) out[outAt + j] = (out[outAt + j] as number) + factor * (right[from + j] as number);
  }
}

/** out[i] += Σ_j right[i, j] · left[j], the product with the transpose. */
function multiplyTransposed(left: Float32Array, leftAt: number, width: number, right: Float32Array, n: number, out: Float32Array, outAt: number): void {
  for (let i = 0; i < n; i += 1) {
    const from = i * width;
    let sum = 0;
    for (let j = 0; j < width; j += 1) sum += (left[leftAt + j] as number) * (right[from + j] as number);
    out[outAt + i] = (out[outAt + i] as number) + sum;
  }
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Working memory of one window; reused from window to window. */
export interface Scratch {
  /** [(steps + 1) × hidden] */
  states: Float32Array;
  /** [steps × 3·hidden]: z, r, c */
  gates: Float32Array;
  /** [steps × hidden]: h Rh + rbh, before the reset gate */
  inner: Float32Array;
  probabilities: Float32Array;
}

export function scratchFor({ steps, hidden, labels }: Shape): Scratch {
  return {
    states: new Float32Array((steps + 1) * hidden), gates: new Float32Array(steps * 3 * hidden),
    inner: new Float32Array(steps * hidden), probabilities: new Float32Array(labels),
  };
}

/** Fills `scratch`; its `probabilities` are the answer to the row [steps × inputs]. */
export function forward(shape: Shape, weights: Weights, row: Float32Array, scratch: Scratch): Float32Array {
  const { steps, inputs, hidden: H, labels } = shape;
  const { states, gates, inner, probabilities } = scratch;
  const hiddenPart = new Float32Array(3 * H);
  states.fill(0, 0, H);
  for (let step = 0; step < steps; step += 1) {
    const g = step * 3 * H;
    const h = step * H;
    gates.set(weights.input_bias, g);
    multiplyAdd(row, step * inputs, inputs, weights.input, 3 * H, gates, g);
    hiddenPart.set(weights.recurrent_bias);
    multiplyAdd(states, h, H, weights.recurrent, 3 * H, hiddenPart, 0);
    for (let j = 0; j < H; j += 1) {
      const z = sigmoid((gates[g + j] as number) + (hiddenPart[j] as number));
      const r = sigmoid((gates[g + H + j] as number) + (hiddenPart[H + j] as number));
      const m = hiddenPart[2 * H + j] as number;
      const c = Math.tanh((gates[g + 2 * H + j] as number) + r * m);
      gates[g + j] = z;
      gates[g + H + j] = r;
      gates[g + 2 * H + j] = c;
      inner[h + j] = m;
      states[h + H + j] = (1 - z) * c + z * (states[h + j] as number);
    }
  }
  probabilities.set(weights.output_bias);
  multiplyAdd(states, steps * H, H, weights.output, labels, probabilities, 0);
  softmax(probabilities);
  return probabilities;
}

function softmax(values: Float32Array): void {
  const highest = values.reduce((a, b) => Math.max(a, b), -Infinity);
  let sum = 0;
  for (let i = 0; i < values.length; i += 1) {
    values[i] = Math.exp((values[i] as number) - highest);
    sum += values[i] as number;
  }
  for (let i = 0; i < values.length; i += 1) values[i] = (values[i] as number) / sum;
}

/**
 * Back-propagation through time of the cross entropy of one window, after `forward`. Adds to `gradient`.
 * @param smoothing part of the probability spread over all labels, so that the network stays less sure than its data
 * @returns the loss in nats
 */
export function backward(shape: Shape, weights: Weights, row: Float32Array, label: number, smoothing: number, scratch: Scratch, gradient: Weights): number {
  const { steps, inputs, hidden: H, labels } = shape;
  const { states, gates, inner, probabilities } = scratch;
  const logits = new Float32Array(labels);
  for (let k = 0; k < labels; k += 1) logits[k] = (probabilities[k] as number) - smoothing / labels - (k === label ? 1 - smoothing : 0);
  const dh = new Float32Array(H);
  outer(states, steps * H, H, logits, 0, labels, gradient.output);
  accumulate(gradient.output_bias, logits, 0);
  multiplyTransposed(logits, 0, labels, weights.output, H, dh, 0);
  const dGate = new Float32Array(3 * H);
  const dHidden = new Float32Array(3 * H);
  for (let step = steps - 1; step >= 0; step -= 1) {
    const g = step * 3 * H;
    const h = step * H;
    for (let j = 0; j < H; j += 1) {
      const z = gates[g + j] as number;
      const r = gates[g + H + j] as number;
      const c = gates[g + 2 * H + j] as number;
      const d = dh[j] as number;
      const dc = d * (1 - z) * (1 - c * c);
      const dz = d * ((states[h + j] as number) - c) * z * (1 - z);
      const dr = dc * (inner[h + j] as number) * r * (1 - r);
      dGate[j] = dz;
      dGate[H + j] = dr;
      dGate[2 * H + j] = dc;
      dHidden[j] = dz;
      dHidden[H + j] = dr;
      dHidden[2 * H + j] = dc * r;
      dh[j] = d * z;
    }
    outer(row, step * inputs, inputs, dGate, 0, 3 * H, gradient.input);
    outer(states, h, H, dHidden, 0, 3 * H, gradient.recurrent);
    accumulate(gradient.input_bias, dGate, 0);
    accumulate(gradient.recurrent_bias, dHidden, 0);
    multiplyTransposed(dHidden, 0, 3 * H, weights.recurrent, H, dh, 0);
  }
  return -Math.log(Math.max(1e-12, probabilities[label] as number));
}

function outer(left: Float32Array, leftAt: number, n: number, right: Float32Array, rightAt: number, width: number, out: Float32Array): void {
  for (let i = 0; i < n; i += 1) {
    const factor = left[leftAt + i] as number;
    if (factor === 0) continue;
    const to = i * width;
    for (let j = 0; j < width; j += 1) out[to + j] = (out[to + j] as number) + factor * (right[rightAt + j] as number);
  }
}

function accumulate(out: Float32Array, values: Float32Array, from: number): void {
  for (let j = 0; j < out.length; j += 1) out[j] = (out[j] as number) + (values[from + j] as number);
}

/** Adam with the gradient cut to `clip` in norm; `gradient` is a sum over `count` windows and is zeroed. */
export function adam(shape: Shape, clip: number): (weights: Weights, gradient: Weights, count: number, rate: number) => void {
  const first = zeroWeights(shape);
  const second = zeroWeights(shape);
  let time = 0;
  return (weights, gradient, count, rate) => {
    time += 1;
    let norm = 0;
    for (const name of WEIGHT_NAMES) for (const value of gradient[name]) norm += (value / count) ** 2;
    const factor = Math.min(1, clip / (Math.sqrt(norm) + 1e-12)) / count;
    const correction = rate * (Math.sqrt(1 - 0.999 ** time) / (1 - 0.9 ** time));
    for (const name of WEIGHT_NAMES) {
      const [w, g, m, v] = [weights[name], gradient[name], first[name], second[name]];
      for (let i = 0; i < w.length; i += 1) {
        const d = (g[i] as number) * factor;
        m[i] = 0.9 * (m[i] as number) + 0.1 * d;
        v[i] = 0.999 * (v[i] as number) + 0.001 * d * d;
        w[i] = (w[i] as number) - (correction * (m[i] as number)) / (Math.sqrt(v[i] as number) + 1e-8);
      }
      g.fill(0);
    }
  };
}
