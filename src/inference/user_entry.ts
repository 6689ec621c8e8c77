/**
 * What is said of a user's own model: the entry beside it (`model.json` beside `model.onnx`), completed by what its shapes suggest. Everything guessed is
 * said, so that it can be put right.
 */
import { Type, type Static } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import type { ValueSpec } from '../../models/onnx/codec.js';
import { SightlineError } from '../errors.js';
import type { ModelSlot } from './results.js';

const closed = { additionalProperties: false } as const;
const numbers = Type.Union([Type.Number(), Type.Array(Type.Number(), { minItems: 1, maxItems: 3 })]);
const size = Type.Integer({ minimum: 8, maximum: 2048 });

export const UserEntrySchema = Type.Object(
  {
    /** The picture input's name; needed when there are several inputs. */
    input: Type.Optional(Type.String({ minLength: 1 })),
    width: Type.Optional(size),
    height: Type.Optional(size),
    layout: Type.Optional(Type.Union([Type.Literal('nhwc'), Type.Literal('nchw')])),
    colour: Type.Optional(Type.Union([Type.Literal('rgb'), Type.Literal('bgr'), Type.Literal('grey')])),
    /** Values of black and white as the model wants them, e.g. [0, 1] or [-1, 1]. */
    range: Type.Optional(Type.Tuple([Type.Number(), Type.Number()])),
    /** value = (x − mean) / std with x in `range`: one number or one a channel, in the model's channel order. */
    mean: Type.Optional(numbers),
    std: Type.Optional(numbers),
    fit: Type.Optional(Type.Union([Type.Literal('letterbox'), Type.Literal('stretch')])),
    pad: Type.Optional(Type.Integer({ minimum: 0, maximum: 255 })),
    /** Side of a crop over the larger side of the box it is around. */
    scale: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 10 })),
    /** pose: `frame` for a model that finds several people by itself, `crop` for one that wants one person. */
    source: Type.Optional(Type.Union([Type.Literal('frame'), Type.Literal('crop')])),
    decoder: Type.Optional(Type.Object({ name: Type.String({ minLength: 1 }) }, { additionalProperties: true })),
    max_per_frame: Type.Optional(Type.Integer({ minimum: 1, maximum: 64 })),
  },
  closed,
);
export type UserEntry = Static<typeof UserEntrySchema>;

/** @throws MODEL_MANIFEST listing all problems; `where` names the entry */
export function checkUserEntry(entry: unknown, where: string): UserEntry {
  const problems = [...Value.Errors(UserEntrySchema, entry)].slice(0, 10).map(({ path, message }) => `${path === '' ? '/' : path}: ${message}`);
  if (!Value.Check(UserEntrySchema, entry)) throw new SightlineError('MODEL_MANIFEST', `${where}: ${problems.join('; ')}`);
  return entry;
}

/** Class names that go with the usual emotion networks. */
const EMOTIONS: Readonly<Record<number, readonly string[]>> = {
  7: ['angry', 'disgust', 'fear', 'happy', 'sad', 'surprise', 'neutral'],
  8: ['neutral', 'happy', 'surprise', 'sad', 'angry', 'disgust', 'fear', 'contempt'],
};

type Decoder = { name: string } & Record<string, unknown>;

/** Shapes without the batch, of outputs that declare one; −1 is dynamic. */
const shapesOf = (outputs: readonly ValueSpec[]): number[][] => outputs.map(({ shape }) => (shape ?? []).slice(1).map((dim) => (typeof dim === 'number' ? dim : -1)));

function objectDecoder(outputs: readonly ValueSpec[]): Decoder | undefined {
  if (outputs.length >= 3 && outputs.some(({ name }) => /box/i.test(name)) && outputs.some(({ name }) => /score/i.test(name))) return { name: 'ssd' };
  const [shape = []] = shapesOf(outputs);
  const [first = -1, second = -1] = shape;
  if (shape.length !== 2) return undefined;
  if (second === 6 && first <= 1000) return { name: 'rows' };
  if (second === 85 || (second > 5 && first > second)) return second === 84 ? { name: 'yolov8' } : { name: 'yolov5' };
  return first > 4 && (second > first || second === -1) ? { name: 'yolov8' } : undefined;
}

function poseDecoder(outputs: readonly ValueSpec[]): Decoder | undefined {
  const [shape = []] = shapesOf(outputs);
  const text = shape.join('x');
  if (text === '17x3' || text === '1x17x3') return { name: 'movenet' };
  if (shape.length === 2 && shape[1] === 56 && (shape[0] ?? 0) <= 20) return { name: 'movenet_multipose' };
  if (shape.length === 2 && shape.includes(56)) return { name: 'yolov8_pose' };
  if (shape.length === 3 && shape[0] === 17) return { name: 'coco_heatmaps' };
  return shape.length === 3 && shape[2] === 17 ? { name: 'coco_heatmaps', channels_last: true } : undefined;
}

function gazeDecoder(outputs: readonly ValueSpec[]): Decoder | undefined {
  const shapes = shapesOf(outputs);
  const [shape = []] = shapes;
  if (shapes.length === 2 && shapes.every((one) => one.length === 1 && (one[0] ?? 0) > 3)) {
    return shape[0] === 28 ? { name: 'gaze_bins', bin_deg: 3, offset_deg: -42 } : { name: 'gaze_bins', bin_deg: 4, offset_deg: -180 };
  }
  if (shape.length !== 1) return undefined;
  return shape[0] === 3 ? { name: 'gaze_vector' } : shape[0] === 2 ? { name: 'gaze_angles' } : undefined;
}

function emotionDecoder(outputs: readonly ValueSpec[]): Decoder | undefined {
  const [shape = []] = shapesOf(outputs);
  const labels = EMOTIONS[shape.filter((length) => length !== 1)[0] ?? 0];
  return labels === undefined ? undefined : { name: 'softmax', labels };
}

const GUESSES = { object: objectDecoder, pose: poseDecoder, gaze: gazeDecoder, emotion: emotionDecoder } as const;
export type PictureSlot = keyof typeof GUESSES;
export const isPictureSlot = (slot: ModelSlot): slot is PictureSlot => slot in GUESSES;

/** Mean and deviation of ImageNet, of values in 0..1. */
const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/** An entry with nothing left open. */
export type CompleteEntry = Required<Pick<UserEntry, 'input' | 'width' | 'height' | 'layout' | 'colour' | 'range' | 'fit' | 'pad' | 'scale' | 'source' | 'max_per_frame'>> & {
  decoder: Decoder;
  mean: number[];
  std: number[];
};

const listOf = (value: number | number[]): number[] => (typeof value === 'number' ? [value] : value);

/**
 * @param entry what the user said; wins over every guess
 * @param guessed collects one sentence a guess
 * @throws MODEL_FORMAT when the input is no picture, MODEL_MANIFEST when something can't be guessed and is not said
 */
export function completeEntry(slot: PictureSlot, entry: UserEntry, inputs: readonly ValueSpec[], outputs: readonly ValueSpec[], guessed: string[]): CompleteEntry {
  const input = entry.input === undefined ? inputs[0] : inputs.find(({ name }) => name === entry.input);
  const listed = inputs.map(({ name, type, shape }) => `"${name}" ${type} [${(shape ?? []).join(', ')}]`).join(', ');
  if (input === undefined || inputs.length > 1) throw new SightlineError('MODEL_FORMAT', `${slot} model: expected one picture input, got ${listed === '' ? 'none' : listed}`);
  const shape = input.shape ?? [];
  if (shape.length !== 4) throw new SightlineError('MODEL_FORMAT', `${slot} model: expected an input of rank 4 (a picture), got ${listed}`);
  const guess = <T>(what: string, said: T | undefined, value: T): T => {
    if (said === undefined) guessed.push(`${what} ${JSON.stringify(value)}`);
    return said ?? value;
  };
  const few = (dim: unknown): boolean => dim === 1 || dim === 3;
  const layout = entry.layout ?? (few(shape[1]) && !few(shape[3]) ? 'nchw' : few(shape[3]) ? 'nhwc' : undefined);
  if (layout === undefined) throw new SightlineError('MODEL_MANIFEST', `${slot} model: layout: expected nhwc or nchw, it can't be told from ${listed}`);
  const [h, w, c] = layout === 'nchw' ? [shape[2], shape[3], shape[1]] : [shape[1], shape[2], shape[3]];
  const fallback = { object: 640, pose: 192, gaze: 224, emotion: 64 }[slot];
  const side = (what: 'width' | 'height', dim: string | number | undefined): number => (typeof dim === 'number' && dim > 0 ? dim : guess(what, entry[what], fallback));
  const bytes = input.type === 'uint8' || input.type === 'int32';
  const torch = layout === 'nchw' && slot !== 'object';
  const range = bytes ? ([0, 255] as [number, number]) : guess('range', entry.range, [0, 1] as [number, number]);
  const norm = bytes || entry.range !== undefined || c === 1 || !torch ? { mean: [0], std: [1] } : IMAGENET;
  const decoder = entry.decoder ?? GUESSES[slot](outputs);
  if (decoder === undefined) {
    throw new SightlineError('MODEL_MANIFEST', `${slot} model: decoder: it can't be told from the outputs ${outputs.map(({ name, shape: dims }) => `"${name}" [${(dims ?? []).join(', ')}]`).join(', ')}; name one in the entry`);
  }
  if (entry.decoder === undefined) guessed.push(`decoder ${JSON.stringify(decoder)}`);
  const alone = slot === 'object' || decoder.name === 'movenet_multipose' || decoder.name === 'yolov8_pose';
  return {
    input: input.name,
    width: side('width', w),
    height: side('height', h),
    layout,
    colour: c === 1 ? 'grey' : (entry.colour ?? 'rgb'),
    range,
    mean: bytes ? [0] : listOf(entry.mean ?? (norm === IMAGENET ? guess('mean', undefined, norm.mean) : norm.mean)),
    std: bytes ? [1] : listOf(entry.std ?? (norm === IMAGENET ? guess('std', undefined, norm.std) : norm.std)),
    fit: entry.fit ?? 'letterbox',
    pad: entry.pad ?? (slot === 'object' ? 114 : 0),
    scale: entry.scale ?? (slot === 'pose' ? 1.25 : slot === 'gaze' ? 1.5 : 1.4),
    source: entry.source ?? (alone ? 'frame' : 'crop'),
    decoder,
    max_per_frame: entry.max_per_frame ?? (slot === 'object' ? 40 : 8),
  };
}
