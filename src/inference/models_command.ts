/** `sightline models list | check | convert` as functions; printing is the command line's. Nothing here runs a network. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { convertGraph } from '../../models/convert/networks.js';
import { readTfjsGraph } from '../../models/convert/tfjs_graph.js';
import { decodeModel, encodeModel, signature, type ValueSpec } from '../../models/onnx/codec.js';
import { SightlineError } from '../errors.js';
import { DECODERS, type DecoderKind } from './decoders/index.js';
import type { DecoderContext, Outputs } from './decoders/types.js';
import type { Manifest, Network, Stage } from './manifest.js';
import type { ModelSlot } from './results.js';
import { checkUserEntry } from './user_entry.js';
import { entryBeside, wrapUserModel } from './user_models.js';

export interface ModelListing {
  id: string;
  slot: ModelSlot;
  produces: Stage;
  file: string;
  /** null: the file is not there. */
  bytes: number | null;
  /** null: the file is not there, or the manifest has no checksum. */
  checksum_ok: boolean | null;
  decoder: string;
  source: string;
  /** e.g. `uint8 [batch, 512, 512, 3]`. */
  input: string;
}

const sourceText = ({ source }: Network): string => (source.kind === 'crop' ? `crops of ${source.of}` : source.kind === 'frame' ? 'frames' : 'windows');
const inputText = ({ source, input }: Network): string =>
  source.kind === 'window' ? `float32 [batch, ${input.height > 1 ? `${input.height}, ` : ''}${input.width}]` : `uint8 [batch, ${input.height}, ${input.width}, 3]`;

/** What is declared and what is there. */
export function list(manifest: Manifest): ModelListing[] {
  return manifest.networks.map((network) => {
    const there = existsSync(network.file);
    return {
      id: network.id,
      slot: network.slot,
      produces: network.produces,
      file: network.file,
      bytes: there ? statSync(network.file).size : null,
      checksum_ok: there && network.sha256 !== undefined ? checksum(network.file) === network.sha256 : null,
      decoder: network.decoder.name,
      source: sourceText(network),
      input: inputText(network),
    };
  });
}

const checksum = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

export interface ModelCheck {
  id: string;
  ok: boolean;
  /** What is wrong, a sentence each. */
  problems: string[];
  inputs: ValueSpec[];
  outputs: ValueSpec[];
}

/** Which decoders a stage may have. */
const KINDS: Readonly<Record<Stage, DecoderKind | null>> = {
  objects: 'detection', faces: 'detection', persons: 'pose', mesh: 'mesh', iris: 'iris', emotions: 'label', gaze: 'gaze', action: 'label', anomaly: null,
};

/** File, checksum, format, input and outputs of each network against the manifest; the decoder is tried on zeros of the declared shapes. */
export function check(manifest: Manifest): ModelCheck[] {
  return manifest.networks.map((network) => {
    const result: ModelCheck = { id: network.id, ok: false, problems: [], inputs: [], outputs: [] };
    try {
      inspect(network, result);
    } catch (error) {
      if (!(error instanceof SightlineError)) throw error;
      result.problems.push(`${error.code}: ${error.message}`);
    }
    result.ok = result.problems.length === 0;
    return result;
  });
}

function inspect(network: Network, result: ModelCheck): void {
  const name = path.basename(network.file);
  if (!existsSync(network.file)) throw new SightlineError('MODEL_MISSING', `${network.id}: expected the file "${name}"; set-up makes the default ones`);
  const bytes = readFileSync(network.file);
  const sum = createHash('sha256').update(bytes).digest('hex');
  if (network.sha256 !== undefined && sum !== network.sha256) result.problems.push(`MODEL_CHECKSUM: ${name}: expected sha256 ${network.sha256}, got ${sum}`);
  const { inputs, outputs } = signature(decodeModel(bytes, name));
  Object.assign(result, { inputs, outputs });
  checkInputs(network, inputs, result.problems);
  tryDecoder(network, outputs);
}

function checkInputs(network: Network, inputs: readonly ValueSpec[], problems: string[]): void {
  const { width, height, tensor } = network.input;
  const window = network.source.kind === 'window';
  const own = window ? (network.produces === 'anomaly' ? [width] : [height, width]) : [height, width, 3];
  const wanted = [{ tensor, type: window ? 'float32' : 'uint8', shape: own }, ...(network.extra_inputs ?? []).map((extra) => ({ ...extra, type: 'float32' }))];
  for (const { tensor: name, type, shape } of wanted) {
    const found = inputs.find((input) => input.name === name);
    const text = `${type} [batch, ${shape.join(', ')}]`;
    const dims = (found?.shape ?? []).slice(1);
    const fits = found?.type === type && dims.length === shape.length && dims.every((dim, axis) => typeof dim === 'string' || dim === shape[axis]);
    if (!fits) problems.push(`input "${name}": expected ${text}, got ${found === undefined ? 'no such input' : `${found.type} [${(found.shape ?? []).join(', ')}]`}`);
    if (found?.shape?.[0] !== undefined && typeof found.shape[0] === 'number' && found.shape[0] !== network.max_batch) {
      problems.push(`input "${name}": expected a dynamic batch, got ${found.shape[0]} (max_batch is ${network.max_batch})`);
    }
  }
  const unknown = inputs.filter((input) => !wanted.some(({ tensor: name }) => name === input.name));
  if (unknown.length > 0) problems.push(`inputs: expected ${wanted.map(({ tensor: name }) => name).join(', ')}, got ${unknown.map(({ name }) => name).join(', ')} as well`);
}

/** Zeros of the declared shapes (batch 1) through the decoder: what is wrong with them is an error about shapes. Outputs of open size are left to the first run. */
function tryDecoder(network: Network, outputs: readonly ValueSpec[]): void {
  const kind = KINDS[network.produces];
  if (kind === null) return;
  const table: Readonly<Record<string, unknown>> = DECODERS[kind];
  const decode = Object.hasOwn(table, network.decoder.name) ? (table[network.decoder.name] as (outputs: Outputs, item: number, context: DecoderContext) => unknown) : undefined;
  if (decode === undefined) throw new SightlineError('MODEL_DECODER', `${network.id}: expected one of ${Object.keys(table).join(', ')}, got "${network.decoder.name}"`);
  // A direction of no length says nothing of shapes, hence ones for gaze.
  const value = kind === 'gaze' ? 1 : 0;
  const tensors: Outputs = {};
  for (const { name, shape } of outputs) {
    const dims = (shape ?? []).map((dim, axis) => (typeof dim === 'number' ? dim : axis === 0 ? 1 : -1));
    if (dims.length === 0 || dims.includes(-1)) return;
    tensors[name] = { data: new Float32Array(dims.reduce((product, size) => product * size, 1)).fill(value), dims };
  }
  decode(tensors, 0, { width: network.input.width, height: network.input.height, params: network.decoder });
}

export interface ConvertOptions {
  /** A TensorFlow.js graph model (.json) or the user's ONNX model. */
  source: string;
  /** The ONNX file to write. */
  out: string;
  /** ONNX only: the slot it is for. */
  slot?: ModelSlot;
  /** ONNX only: its entry; without it the one beside the model. */
  entry?: unknown;
  /** TFJS only: values of black and white, by default 0 and 1. */
  range?: [number, number];
  /** Needed for ONNX. */
  standard?: Manifest;
}

export interface Converted {
  out: string;
  bytes: number;
  sha256: string;
  inputs: ValueSpec[];
  outputs: ValueSpec[];
  /** ONNX only: the manifest's entry that goes with it. */
  network: Network | null;
  guessed: string[];
}

/**
 * Writes an ONNX file that takes uint8 NHWC RGB.
 * @throws MODEL_CONVERT, MODEL_FORMAT, MODEL_MISSING, MODEL_MANIFEST
 */
export function convert(options: ConvertOptions): Converted {
  const { source, out, slot, standard, range: [black, white] = [0, 1] } = options;
  if (!existsSync(source)) throw new SightlineError('MODEL_MISSING', `expected the file "${path.basename(source)}"`);
  if (path.extname(source).toLowerCase() === '.json') {
    const unit = (white - black) / 255;
    if (!(unit > 0)) throw new SightlineError('MODEL_CONVERT', `range: expected two rising numbers, got ${black} and ${white}`);
    const model = convertGraph(readTfjsGraph(source), path.basename(source, '.json'), { offset: [-black / unit], scale: [unit] });
    return written(out, encodeModel(model), null, []);
  }
  if (slot === undefined || standard === undefined) throw new SightlineError('REQUEST_INVALID', 'slot: expected the slot that the ONNX model is for');
  const entry = options.entry === undefined ? entryBeside(source) : checkUserEntry(options.entry, 'entry');
  const { model, network, guessed } = wrapUserModel(slot, source, entry, standard);
  return written(out, encodeModel(model), network, guessed);
}

function written(out: string, bytes: Uint8Array, network: Network | null, guessed: string[]): Converted {
  writeFileSync(out, bytes);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const { inputs, outputs } = signature(decodeModel(bytes, path.basename(out)));
  return { out, bytes: bytes.length, sha256, inputs, outputs, network: network === null ? null : { ...network, file: out, sha256 }, guessed };
}
