/**
 * The stage graph of one batch of frames: frame-level networks on the slot's tensors, then crops taken natively from the retained frames (crops of
 * many cameras share a run), then what follows from those. Networks run in the manifest's order; a network that fails leaves its fields
 * absent and the rest goes on. Runs on an inference worker's thread; owns one crop buffer a network, allocated once.
 */
import type { BatchRow, CaptureAddon, PoolInput } from '../capture/types.js';
import { boxCrop, clipBox, eyeCrop, faceCrop, mapBox, mapPoints, unplace, type Affine } from './decoders/crops.js';
import { detectionDecoder, gazeDecoder, irisDecoder, labelDecoder, meshDecoder, poseDecoder } from './decoders/index.js';
import type { DecoderContext, Outputs } from './decoders/types.js';
import { FaceWork, FrameWork, toFrameResult } from './frame_work.js';
import type { Network, Stage } from './manifest.js';
import type { FramesAnswer, NetworkFailure } from './protocol.js';
import type { Box } from './results.js';

export type StageAddon = Pick<CaptureAddon, 'batchTensor' | 'cropRows' | 'placement'>;

/** Runs a network; the input must not change before the promise settles. */
export type RunNetwork = (network: Network, input: Uint8Array, items: number) => Promise<Outputs>;

export interface StageGraphOptions {
  /** In dependency order, as checkManifest() has seen to. */
  networks: Network[];
  /** Frame-level inputs of the slot pool, in its order. */
  inputs: PoolInput[];
  /** Items of one run, by network. */
  batch: Record<string, number>;
  addon: StageAddon;
  run: RunNetwork;
  /** false: the network could not be opened. */
  available(network: string): boolean;
  now_us(): number;
  /** Keep where the eyes are (still pictures). */
  eyes?: boolean;
}

/** One item of a crop-level network: which row of the batch, where in its frame, and what becomes of the output. */
interface Crop {
  row: number;
  matrix: Affine;
  take(outputs: Outputs, item: number, context: DecoderContext): void;
}

/** What a stage's outputs become, and what it needs. */
interface Running {
  batch: number;
  frames: FrameWork[];
  answer: FramesAnswer;
}

export class StageGraph {
  readonly #options: StageGraphOptions;
  readonly #crops = new Map<string, Uint8Array>();

  constructor(options: StageGraphOptions) {
    this.#options = options;
  }

  async frames(batch: number, rows: BatchRow[]): Promise<FramesAnswer> {
    const running: Running = {
      batch,
      frames: rows.map((row) => new FrameWork(row)),
      answer: { kind: 'frames', frames: [], stage_us: {}, batches: {}, failures: [] },
    };
    const failed = new Set<Stage>();
    for (const network of this.#options.networks) {
      if (network.source.kind === 'window') continue;
      const started = this.#options.now_us();
      const failure = await this.#stage(network, running, failed);
      running.answer.stage_us[network.produces] = this.#options.now_us() - started;
      if (failure === null) continue;
      failed.add(network.produces);
      running.answer.failures.push(failure);
      for (const frame of running.frames) frame.missing.add(network.slot);
    }
    running.answer.frames = running.frames.map((frame) => toFrameResult(frame, this.#options.eyes === true));
    return running.answer;
  }

  async #stage(network: Network, running: Running, failed: Set<Stage>): Promise<NetworkFailure | null> {
    if (!this.#options.available(network.id)) return { network: network.id, message: 'not loaded', skipped: true };
    // Persons are found without an object model too: on the whole frame.
    if (network.source.kind === 'crop' && network.source.of !== 'objects' && failed.has(network.source.of)) {
      return { network: network.id, message: `no ${network.source.of} to work on`, skipped: true };
    }
    try {
      if (network.source.kind === 'frame') await this.#frameLevel(network, running);
      else await this.#cropLevel(network, this.#collect(network, running.frames), running);
      return null;
    } catch (error) {
      return { network: network.id, message: (error instanceof Error ? error.message : String(error)).slice(0, 300) };
    }
  }

  async #frameLevel(network: Network, running: Running): Promise<void> {
    const input = this.#options.inputs.findIndex((candidate) => candidate.name === network.id);
    const spec = this.#options.inputs[input];
    if (!spec) throw new Error(`${network.id}: no such input of the slot pool`);
    const tensor = this.#options.addon.batchTensor(running.batch, input);
    const item_bytes = spec.width * spec.height * 3;
    const context = contextOf(network);
    await this.#inRuns(network, running, running.frames.length, async (start, items) => {
      const outputs = await this.#options.run(network, tensor.subarray(start * item_bytes, (start + items) * item_bytes), items);
      for (let item = 0; item < items; item++) {
        const frame = running.frames[start + item];
        if (!frame) continue;
        const at = this.#options.addon.placement(frame.row.width, frame.row.height, spec);
        takeFrameLevel(network, frame, outputs, item, context, unplace(at));
      }
    });
  }

  async #cropLevel(network: Network, crops: Crop[], running: Running): Promise<void> {
    const context = contextOf(network);
    const { width, height, pad } = network.input;
    await this.#inRuns(network, running, crops.length, async (start, items) => {
      const chunk = crops.slice(start, start + items);
      const buffer = this.#buffer(network).subarray(0, items * width * height * 3);
      const matrices = Float32Array.from(chunk.flatMap((crop) => crop.matrix));
      const cropping = this.#options.now_us();
      this.#options.addon.cropRows(running.batch, Int32Array.from(chunk, (crop) => crop.row), matrices, buffer, width, height, pad);
      running.answer.stage_us.crops = (running.answer.stage_us.crops ?? 0) + this.#options.now_us() - cropping;
      const outputs = await this.#options.run(network, buffer, items);
      for (const [item, crop] of chunk.entries()) crop.take(outputs, item, context);
    });
  }

  /** Splits `total` items into runs of at most the network's batch size. */
  async #inRuns(network: Network, running: Running, total: number, run: (start: number, items: number) => Promise<void>): Promise<void> {
    const size = this.#batchOf(network);
    for (let start = 0; start < total; start += size) {
      const items = Math.min(size, total - start);
      await run(start, items);
      (running.answer.batches[network.id] ??= []).push(items);
    }
  }

  #batchOf(network: Network): number {
    return Math.max(1, Math.min(network.max_batch, this.#options.batch[network.id] ?? 1));
  }

  #buffer(network: Network): Uint8Array {
    let buffer = this.#crops.get(network.id);
    if (!buffer) {
      buffer = new Uint8Array(this.#batchOf(network) * network.input.width * network.input.height * 3);
      this.#crops.set(network.id, buffer);
    }
    return buffer;
  }

  /** The crops that a network works on, in the order of the rows. */
  #collect(network: Network, frames: FrameWork[]): Crop[] {
    switch (network.produces) {
      case 'persons':
        return frames.flatMap((frame) => personCrops(network, frame));
      case 'mesh':
        return faceCrops(network, frames, (face, matrix, outputs, item, context) => {
          const mesh = meshDecoder(network.decoder.name)(outputs, item, context);
          face.mesh = mesh.score >= numberParam(context, 'min_score', 0) ? { points: mesh.points, matrix } : null;
        });
      case 'iris':
        return frames.flatMap((frame) => frame.faces.flatMap((face) => irisCrops(network, frame, face)));
      case 'emotions':
        return faceCrops(network, frames, (face, _matrix, outputs, item, context) => {
          face.emotions = labelDecoder(network.decoder.name)(outputs, item, context);
        });
      case 'gaze':
        return faceCrops(network, frames, (face, matrix, outputs, item, context) => {
          face.setGaze(gazeDecoder(network.decoder.name)(outputs, item, context), matrix);
        });
      case 'objects':
      case 'faces':
      case 'action':
      case 'anomaly':
        throw new Error(`${network.id}: ${network.produces} can not be made from crops`);
    }
  }
}

function takeFrameLevel(network: Network, frame: FrameWork, outputs: Outputs, item: number, context: DecoderContext, map: Affine): void {
  const { width, height } = frame.row;
  if (network.produces === 'persons') {
    for (const pose of poseDecoder(network.decoder.name)(outputs, item, context).slice(0, network.max_per_frame)) {
      frame.addPerson(pose.score, mapPoints(map, pose.keypoints, 3, false), null);
    }
    return;
  }
  const detections = detectionDecoder(network.decoder.name)(outputs, item, context);
  for (const detection of detections.slice(0, network.max_per_frame)) {
    const box = clipBox(mapBox(map, detection.box), width, height);
    if (!box) continue;
    if (network.produces === 'objects') frame.objects.push({ label: detection.label, score: detection.score, box });
    else {
      const landmarks = detection.landmarks && mapPoints(map, detection.landmarks, 2, false);
      frame.faces.push(new FaceWork(box, detection.score, landmarks));
    }
  }
}

/** Persons the object model saw, the surest first; the whole frame when it saw none but there is a face, or when there is no object model. */
function personCrops(network: Network, frame: FrameWork): Crop[] {
  if (network.source.kind !== 'crop') return [];
  const size = network.input.width;
  const { scale } = network.source;
  const boxes: { box: Box | null; crop: Box }[] = frame.objects
    .filter((object) => object.label === 'person')
    .slice(0, network.max_per_frame)
    .map((object) => ({ box: object.box, crop: object.box }));
  if (boxes.length === 0 && (frame.faces.length > 0 || frame.missing.has('object'))) {
    boxes.push({ box: null, crop: [0, 0, frame.row.width, frame.row.height] });
  }
  return boxes.map(({ box, crop }) => {
    const matrix = boxCrop(crop, box ? scale : 1, size);
    return {
      row: frame.row.row,
      matrix,
      take: (outputs, item, context) => {
        const pose = poseDecoder(network.decoder.name)(outputs, item, context)[0];
        if (pose) frame.addPerson(pose.score, mapPoints(matrix, pose.keypoints, 3, false), box);
      },
    };
  });
}

function faceCrops(
  network: Network,
  frames: FrameWork[],
  take: (face: FaceWork, matrix: Affine, outputs: Outputs, item: number, context: DecoderContext) => void,
): Crop[] {
  if (network.source.kind !== 'crop') return [];
  const { scale, rotate } = network.source;
  const crops: Crop[] = [];
  for (const frame of frames) {
    const faces = frame.faces.filter((face) => face.mesh !== null).slice(0, network.max_per_frame);
    for (const face of faces) {
      const matrix = faceCrop(face.box, face.landmarks, scale, rotate, network.input.width);
      crops.push({ row: frame.row.row, matrix, take: (outputs, item, context) => { take(face, matrix, outputs, item, context); } });
    }
  }
  return crops;
}

function irisCrops(network: Network, frame: FrameWork, face: FaceWork): Crop[] {
  if (!face.mesh || network.source.kind !== 'crop') return [];
  const { mesh } = face;
  const { scale } = network.source;
  return (['left', 'right'] as const).map((eye) => {
    const matrix = eyeCrop(mesh.points, mesh.matrix, eye, scale, network.input.width);
    return {
      row: frame.row.row,
      matrix,
      take: (outputs, item, context) => {
        const iris = irisDecoder(network.decoder.name)(outputs, item, context);
        face.iris[eye] = mapPoints(matrix, iris.points, 3, true);
      },
    };
  });
}

function contextOf(network: Network): DecoderContext {
  return { width: network.input.width, height: network.input.height, params: network.decoder };
}

function numberParam(context: DecoderContext, name: string, otherwise: number): number {
  const value = context.params[name];
  return typeof value === 'number' ? value : otherwise;
}
