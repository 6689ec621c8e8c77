/**
 * Looks at pictures that came as files: decoded natively on the worker's own thread, then the same stage graph as camera frames, cut down to what a
 * gaze needs (faces → mesh → iris, or the user's own gaze network). Pictures of one task share the networks' runs.
 */
import type { CaptureAddon, PoolInput, Still } from '../capture/types.js';
import { messageOf } from '../errors.js';
import type { Network, Stage } from './manifest.js';
import type { StillsAnswer } from './protocol.js';
import type { Face, FrameResult, Light, StillResult } from './results.js';
import { StageGraph, type RunNetwork } from './stages.js';

type StillAddon = Pick<CaptureAddon, 'decodeStill' | 'releaseStill' | 'stillTensor' | 'cropStill' | 'placement'>;

export interface StillStageOptions {
  networks: Network[];
  inputs: PoolInput[];
  /** Items of one run, by network. */
  batch: Record<string, number>;
  addon: StillAddon;
  run: RunNetwork;
  available(network: string): boolean;
  now_us(): number;
}

const NEEDED: ReadonlySet<Stage> = new Set<Stage>(['faces', 'mesh', 'iris', 'gaze']);
/** Every so many pixels in each direction are enough for a mean. */
const LIGHT_STEP = 2;
/** Values beside these count as lost in the dark or in the light. */
const DARK = 16;
const BRIGHT = 240;

interface Opened {
  still: Still;
  width: number;
  height: number;
}

export class StillStage {
  readonly #options: StillStageOptions;
  readonly #graph: StageGraph;
  readonly #inputs: PoolInput[];
  readonly #tensors = new Map<number, Uint8Array>();
  #opened: Opened[] = [];

  constructor(options: StillStageOptions) {
    this.#options = options;
    const networks = options.networks.filter((network) => NEEDED.has(network.produces));
    this.#inputs = options.inputs.filter((input) => networks.some((network) => network.id === input.name));
    this.#graph = new StageGraph({
      ...options,
      networks,
      inputs: this.#inputs,
      eyes: true,
      addon: {
        batchTensor: (_batch, input) => this.#tensor(input),
        cropRows: (_batch, rows, matrices, dest, width, height, pad) => { this.#crop(rows, matrices, dest, width, height, pad); },
        placement: (width, height, input) => options.addon.placement(width, height, input),
      },
    });
  }

  /** One result a file, in their order. Never rejects because of a file. */
  async run(files: readonly Uint8Array[]): Promise<StillsAnswer> {
    const started = this.#options.now_us();
    const results: StillResult[] = new Array<StillResult>(files.length);
    const places: number[] = [];
    this.#opened = [];
    files.forEach((file, index) => {
      try {
        this.#opened.push(this.#options.addon.decodeStill(file));
        places.push(index);
      } catch (error) {
        results[index] = { ok: false, code: 'not_a_picture', message: messageOf(error) };
      }
    });
    const decode_us = this.#options.now_us() - started;
    try {
      const answer = await this.#graph.frames(0, this.#opened.map((still, row) => rowOf(still, row)));
      answer.frames.forEach((frame, row) => {
        results[places[row] as number] = this.#result(frame, row, answer.failures.length === 0 ? undefined : answer.failures[0]?.message);
      });
      // Under names of their own: a crop of one picture is not a batch's.
      const stage_us = Object.fromEntries(Object.entries({ ...answer.stage_us, decode: decode_us }).map(([stage, us]) => [`still_${stage}`, us]));
      return { kind: 'stills', results, stage_us, batches: answer.batches, failures: answer.failures };
    } finally {
      for (const { still } of this.#opened) this.#options.addon.releaseStill(still);
      this.#opened = [];
    }
  }

  #result(frame: FrameResult, row: number, failure: string | undefined): StillResult {
    if (frame.missing.length > 0) return { ok: false, code: 'unavailable', message: `a network failed: ${failure ?? 'no reason given'}` };
    const faces = frame.faces;
    const face = faces.reduce<Face | undefined>((best, other) => (best === undefined || area(other) > area(best) ? other : best), undefined);
    const { width, height } = frame;
    return { ok: true, width, height, faces, nearest: face === undefined ? -1 : faces.indexOf(face), light: this.#light(row, frame, face) };
  }

  /** The pictures of this task as one tensor. */
  #tensor(input: number): Uint8Array {
    const spec = this.#inputs[input];
    if (spec === undefined) throw new Error(`stills: no input ${input}`);
    const each = spec.width * spec.height * 3;
    let tensor = this.#tensors.get(input);
    if (tensor === undefined || tensor.length < each * this.#opened.length) {
      tensor = new Uint8Array(each * this.#opened.length);
      this.#tensors.set(input, tensor);
    }
    this.#opened.forEach(({ still }, row) => { this.#options.addon.stillTensor(still, spec, (tensor).subarray(row * each, (row + 1) * each)); });
    return tensor;
  }

  /** Crops lie row by row; those of a picture that follow each other are one call. */
  #crop(rows: Int32Array, matrices: Float32Array, dest: Uint8Array, width: number, height: number, pad: number): void {
    const each = width * height * 3;
    for (let start = 0; start < rows.length; ) {
      let end = start + 1;
      while (end < rows.length && rows[end] === rows[start]) end++;
      const opened = this.#opened[rows[start] as number];
      if (opened === undefined) throw new Error(`stills: no picture ${rows[start]}`);
      this.#options.addon.cropStill(opened.still, matrices.subarray(start * 6, end * 6), dest.subarray(start * each, end * each), width, height, pad);
      start = end;
    }
  }

  /** Brightness where the face is (without one, of the whole picture), from the detector's own input. */
  #light(row: number, frame: FrameResult, face: Face | undefined): Light {
    const spec = this.#inputs[0];
    const tensor = this.#tensors.get(0);
    if (spec === undefined || tensor === undefined) return { mean: 0, spread: 0, lost: 1 };
    const at = this.#options.addon.placement(frame.width, frame.height, spec);
    const [x, y, width, height] = face?.box ?? [0, 0, frame.width, frame.height];
    const from = [Math.floor(x * at.scale_x + at.x), Math.floor(y * at.scale_y + at.y)] as const;
    const to = [Math.ceil((x + width) * at.scale_x + at.x), Math.ceil((y + height) * at.scale_y + at.y)] as const;
    const pixels = tensor.subarray(row * spec.width * spec.height * 3);
    return lightOf(pixels, spec.width, [Math.max(0, from[0]), Math.max(0, from[1])], [Math.min(spec.width, to[0]), Math.min(spec.height, to[1])]);
  }
}

function lightOf(pixels: Uint8Array, stride: number, from: readonly [number, number], to: readonly [number, number]): Light {
  let count = 0;
  let sum = 0;
  let squares = 0;
  let lost = 0;
  for (let y = from[1]; y < to[1]; y += LIGHT_STEP) {
    for (let x = from[0]; x < to[0]; x += LIGHT_STEP) {
      const at = (y * stride + x) * 3;
      const luma = 0.299 * (pixels[at] ?? 0) + 0.587 * (pixels[at + 1] ?? 0) + 0.114 * (pixels[at + 2] ?? 0);
      count++;
      sum += luma;
      squares += luma * luma;
      if (luma < DARK || luma > BRIGHT) lost++;
    }
  }
  if (count === 0) return { mean: 0, spread: 0, lost: 1 };
  const mean = sum / count;
  return { mean, spread: Math.sqrt(Math.max(0, squares / count - mean * mean)), lost: lost / count };
}

function area({ box }: Face): number {
  return box[2] * box[3];
}

/** What a camera's row would say, for a picture. */
function rowOf({ width, height }: Opened, row: number): Parameters<StageGraph['frames']>[1][number] {
  return { row, camera: 0, generation: 0, seq: row, pts_us: 0, packet_us: 0, wall_ms: 0, ready_us: 0, width, height };
}
