/**
 * The user's own models in place of the default networks of their slots. Each is wrapped so that it takes uint8 NHWC RGB like ours, and kept in the state
 * folder under a name made of its content, so that this is done once.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { inlineExternalData } from '../../models/convert/external_data.js';
import { padHeatmaps, wrapPictureModel, WRAPPED_INPUT, type PictureInput } from '../../models/convert/wrap.js';
import { wrapAutoencoder } from '../../models/convert/wrap_autoencoder.js';
import { decodeModel, encodeModel, signature, type ValueSpec } from '../../models/onnx/codec.js';
import type { ModelProto } from '../../models/onnx/types.js';
import { SightlineError } from '../errors.js';
import { checkManifest, type Manifest, type Network } from './manifest.js';
import { requireOnnx } from './model_formats.js';
import type { ModelSlot } from './results.js';
import { checkUserEntry, completeEntry, isPictureSlot, type CompleteEntry, type PictureSlot, type UserEntry } from './user_entry.js';

export interface WrappedModel {
  model: ModelProto;
  network: Network;
  /** What was guessed, a sentence each; empty when the entry says everything. */
  guessed: string[];
}

/** What each slot's network produces. */
const PRODUCES = { object: 'objects', pose: 'persons', emotion: 'emotions', gaze: 'gaze', action: 'action', anomaly: 'anomaly' } as const;

function pictureInput(slot: PictureSlot, entry: CompleteEntry, spec: ValueSpec): PictureInput {
  const { type } = spec;
  if (type !== 'uint8' && type !== 'float32' && type !== 'float16' && type !== 'int32') {
    throw new SightlineError('MODEL_FORMAT', `${slot} model: input "${spec.name}": expected uint8, int32, float16 or float32, got ${type}`);
  }
  const batch = spec.shape?.[0];
  if (typeof batch === 'number' && batch > 1) {
    throw new SightlineError('MODEL_FORMAT', `${slot} model: input "${spec.name}": expected a dynamic batch or a batch of 1, got ${batch}; export it with a dynamic batch`);
  }
  const [black, white] = entry.range;
  const unit = (white - black) / 255;
  // (black + unit·byte − mean) / std, as (byte − a) / b.
  const each = <T>(make: (mean: number, std: number) => T): T[] => Array.from({ length: Math.max(entry.mean.length, entry.std.length) }, (_, at) => make(entry.mean[at] ?? entry.mean[0] ?? 0, entry.std[at] ?? entry.std[0] ?? 1));
  const side = Math.max(entry.width, entry.height);
  return {
    tensor: entry.input,
    dtype: type,
    layout: entry.layout,
    colour: entry.colour,
    width: entry.width,
    height: entry.height,
    // Crops are square; a narrower model looks at the middle of one.
    outer: entry.source === 'crop' ? { width: side, height: side } : { width: entry.width, height: entry.height },
    mean: each((mean) => (mean - black) / unit),
    std: each((_, std) => std / unit),
    batch: batch === 1 ? 1 : 'dynamic',
  };
}

function pictureNetwork(slot: PictureSlot, entry: CompleteEntry, input: PictureInput): Network {
  const { width, height } = input.outer;
  const of = slot === 'pose' ? 'objects' : 'faces';
  return {
    id: `user-${slot}`,
    produces: PRODUCES[slot],
    slot,
    file: '',
    source: entry.source === 'frame' ? { kind: 'frame' } : { kind: 'crop', of, scale: entry.scale, rotate: slot !== 'pose' },
    input: { tensor: WRAPPED_INPUT, width, height, fit: entry.fit, pad: entry.pad },
    decoder: entry.decoder,
    max_per_frame: entry.max_per_frame,
    items_per_frame: entry.source === 'frame' ? 1 : 1.5,
    max_batch: input.batch === 1 ? 1 : 16,
  };
}

function wrapPicture(slot: PictureSlot, model: ModelProto, said: UserEntry): WrappedModel {
  const { inputs, outputs } = signature(model);
  const guessed: string[] = [];
  const entry = completeEntry(slot, said, inputs, outputs, guessed);
  if (entry.source === 'crop' && slot === 'object') throw new SightlineError('MODEL_MANIFEST', 'object model: source: an object model runs on frames');
  const input = pictureInput(slot, entry, inputs.find(({ name }) => name === entry.input) as ValueSpec);
  // Points would be off; labels and directions have no place in the picture.
  const narrow = slot === 'pose' && entry.width !== entry.height && entry.source === 'crop';
  const halves = new Set(outputs.filter(({ type }) => type === 'float16').map(({ name }) => name));
  wrapPictureModel(model, input);
  const decoder = { ...entry.decoder };
  for (const [key, value] of Object.entries(decoder)) if (key !== 'name' && typeof value === 'string' && halves.has(value)) decoder[key] = `${value}_float32`;
  if (narrow) {
    const [heat] = signature(model).outputs;
    const [, channels, height, width] = heat?.shape ?? [];
    if (decoder.name !== 'coco_heatmaps' || decoder['channels_last'] === true || heat === undefined || typeof channels !== 'number' || typeof height !== 'number' || typeof width !== 'number') {
      throw new SightlineError('MODEL_FORMAT', `${slot} model: expected a square input for a pose network on crops (or heat maps [batch, 17, h, w]), got ${entry.width}x${entry.height}`);
    }
    decoder['output'] = padHeatmaps(model, heat.name, channels, width, height);
  }
  return { model, network: pictureNetwork(slot, { ...entry, decoder }, input), guessed };
}

function wrapWindow(slot: 'action' | 'anomaly', model: ModelProto, said: UserEntry, standard: Network): WrappedModel {
  const { inputs, outputs } = signature(model);
  const { width, height } = standard.input;
  const wanted = slot === 'action' ? [height, width] : [width];
  const [input] = inputs;
  const shape = (input?.shape ?? []).slice(1);
  if (inputs.length !== 1 || input?.type !== 'float32' || shape.length !== wanted.length || !shape.every((dim, axis) => typeof dim === 'string' || dim === wanted[axis])) {
    throw new SightlineError('MODEL_FORMAT', `${slot} model: expected one float32 input [batch, ${wanted.join(', ')}], got ${inputs.map((one) => `"${one.name}" ${one.type} [${(one.shape ?? []).join(', ')}]`).join(', ')}`);
  }
  const max_batch = input.shape?.[0] === 1 ? 1 : standard.max_batch;
  const rest = { ...standard };
  delete rest.sha256;
  if (slot === 'anomaly') {
    return { model: wrapAutoencoder(model, input.name, outputs[0]?.name ?? '', standard), network: { ...rest, id: 'user-anomaly', max_batch }, guessed: [] };
  }
  const decoder = said.decoder ?? { ...standard.decoder };
  const guessed = said.decoder === undefined ? [`decoder ${JSON.stringify(decoder)}`] : [];
  return { model, network: { ...rest, id: 'user-action', input: { ...standard.input, tensor: input.name }, decoder, max_batch }, guessed };
}

/**
 * Wraps one model for a slot. Pure but for reading the model.
 * @param standard the default manifest: what window models are fed with comes from there
 */
export function wrapUserModel(slot: ModelSlot, file: string, entry: UserEntry, standard: Manifest): WrappedModel {
  requireOnnx(file, slot);
  if (!existsSync(file)) throw new SightlineError('MODEL_MISSING', `${slot} model: expected the file "${path.basename(file)}" in the models folder`);
  const model = inlineExternalData(decodeModel(readFileSync(file), path.basename(file)), file);
  if (isPictureSlot(slot)) return wrapPicture(slot, model, entry);
  const own = standard.networks.find((network) => network.produces === slot);
  if (own === undefined) throw new SightlineError('MODEL_MANIFEST', `${slot} model: the default manifest has no network to take the window from`);
  return wrapWindow(slot, model, entry, own);
}

/** The entry beside a model: the same name with .json; none is an empty entry. */
export function entryBeside(file: string): UserEntry {
  const beside = `${file.slice(0, file.length - path.extname(file).length)}.json`;
  if (!existsSync(beside)) return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(beside, 'utf8'));
  } catch (cause) {
    throw new SightlineError('MODEL_MANIFEST', `${path.basename(beside)}: expected JSON`, { cause });
  }
  return checkUserEntry(parsed, path.basename(beside));
}

export interface UserModelsOptions {
  /** Folder that relative file names are in. */
  dir: string;
  /** ONNX file by slot. */
  files: Partial<Record<ModelSlot, string | undefined>>;
  /** Where wrapped models are kept; made when missing. */
  cache_dir: string;
  log: { info(fields: Record<string, unknown>, message: string): void };
}

/** The default manifest with the user's models in their places. Errors: MODEL_FORMAT, MODEL_MISSING, MODEL_MANIFEST. */
export function withUserModels(standard: Manifest, options: UserModelsOptions): Manifest {
  let networks = [...standard.networks];
  for (const [slot, name] of Object.entries(options.files) as [ModelSlot, string | undefined][]) {
    if (name === undefined || name === '') continue;
    const file = path.resolve(options.dir, name);
    const wrapped = wrapUserModel(slot, file, existsSync(file) ? entryBeside(file) : {}, standard);
    const bytes = encodeModel(wrapped.model);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const kept = path.join(options.cache_dir, `${slot}-${sha256.slice(0, 16)}.onnx`);
    keep(kept, bytes);
    options.log.info({ slot, file: path.basename(file), decoder: wrapped.network.decoder.name, guessed: wrapped.guessed }, wrapped.guessed.length > 0 ? 'own model, parts of its description guessed' : 'own model');
    networks = place(networks, { ...wrapped.network, file: kept, sha256 });
  }
  return checkManifest({ version: 1, networks }, options.cache_dir);
}

function keep(file: string, bytes: Uint8Array): void {
  if (existsSync(file)) return;
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(`${file}.${process.pid}.part`, bytes);
  renameSync(`${file}.${process.pid}.part`, file);
}

/** In the place of the network that produces the same; a gaze model has none and comes before the windows, so that faces and mesh are there. */
function place(networks: Network[], own: Network): Network[] {
  const at = networks.findIndex((network) => network.produces === own.produces);
  if (at >= 0) return networks.map((network, index) => (index === at ? own : network));
  const windows = networks.findIndex((network) => network.source.kind === 'window');
  return windows < 0 ? [...networks, own] : [...networks.slice(0, windows), own, ...networks.slice(windows)];
}
