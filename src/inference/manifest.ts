/**
 * The model manifest: which networks run, on what, and how their outputs are read. The stage graph follows from `source`: a network runs on
 * whole frames, on crops around the results of an earlier stage, or on windows over time. Every network takes uint8 RGB NHWC
 * (its own normalisation is inside the graph), except those over windows, which take float32.
 */
import { Type, type Static } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { SightlineError } from '../errors.js';

const closed = { additionalProperties: false } as const;

/** What a network produces; one network each. `objects`, `faces` run on frames, `persons` on frames or person crops. */
export const STAGES = ['objects', 'faces', 'persons', 'mesh', 'iris', 'emotions', 'gaze', 'action', 'anomaly'] as const;
export type Stage = (typeof STAGES)[number];

const Source = Type.Union([
  Type.Object({ kind: Type.Literal('frame') }, closed),
  Type.Object(
    {
      kind: Type.Literal('crop'),
      /** Stage whose results are cropped: persons among `objects`, `faces`, or the eyes of a `mesh`. */
      of: Type.Union([Type.Literal('objects'), Type.Literal('faces'), Type.Literal('mesh')]),
      /** Side of the square crop over the larger side of the box (or over the distance between the eye corners). */
      scale: Type.Number({ exclusiveMinimum: 0, maximum: 10 }),
      /** Turn the crop so that the eyes are level. */
      rotate: Type.Boolean(),
    },
    closed,
  ),
  Type.Object({ kind: Type.Literal('window') }, closed),
]);

const Decoder = Type.Unsafe<{ name: string; [parameter: string]: unknown }>(Type.Object({ name: Type.String({ minLength: 1 }) }, { additionalProperties: true }));

export const NetworkSchema = Type.Object(
  {
    id: Type.String({ pattern: '^[a-z0-9_-]{1,40}$' }),
    produces: Type.Union(STAGES.map((stage) => Type.Literal(stage))),
    /** The user's model slot that this network belongs to: what is reported missing when it fails. */
    slot: Type.Union((['emotion', 'pose', 'object', 'gaze', 'action', 'anomaly'] as const).map((slot) => Type.Literal(slot))),
    /** Relative to the manifest's folder; absolute after loading. */
    file: Type.String({ minLength: 1 }),
    sha256: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$' })),
    source: Source,
    input: Type.Object(
      {
        /** Name of the input tensor. */
        tensor: Type.String(),
        /** Pixels; of a window network: features by steps. */
        width: Type.Integer({ minimum: 1, maximum: 2048 }),
        height: Type.Integer({ minimum: 1, maximum: 2048 }),
        fit: Type.Union([Type.Literal('letterbox'), Type.Literal('stretch')]),
        pad: Type.Integer({ minimum: 0, maximum: 255 }),
      },
      closed,
    ),
    /** Further inputs, in order (the anomaly network's per-camera parameters). */
    extra_inputs: Type.Optional(Type.Array(Type.Object({ tensor: Type.String(), shape: Type.Array(Type.Integer({ minimum: 1 })) }, closed))),
    decoder: Decoder,
    /** Most items of one frame that are run, the surest first. */
    max_per_frame: Type.Integer({ minimum: 1, maximum: 64 }),
    /** Items a frame brings on average: what the layout measurement weighs this network with. */
    items_per_frame: Type.Number({ minimum: 0, maximum: 64 }),
    /** 1 for a model with a fixed batch dimension. */
    max_batch: Type.Integer({ minimum: 1, maximum: 64 }),
  },
  closed,
);
export type Network = Static<typeof NetworkSchema>;

export const ManifestSchema = Type.Object({ version: Type.Literal(1), networks: Type.Array(NetworkSchema, { minItems: 1, maxItems: 32 }) }, closed);
export type Manifest = Static<typeof ManifestSchema>;

/** Reads and checks a manifest; `file` of each network becomes absolute (relative to `weights_dir`). Errors: MODEL_MANIFEST. */
export async function loadManifest(file: string, weights_dir: string): Promise<Manifest> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new SightlineError('MODEL_MANIFEST', `${path.basename(file)}: expected a readable JSON file`, { cause: error });
  }
  return checkManifest(parsed, weights_dir);
}

/** All problems of a manifest at once. */
export function checkManifest(manifest: unknown, weights_dir: string): Manifest {
  const problems = [...Value.Errors(ManifestSchema, manifest)].slice(0, 20).map((problem) => `${problem.path || '/'}: ${problem.message}`);
  if (!Value.Check(ManifestSchema, manifest)) throw new SightlineError('MODEL_MANIFEST', `model manifest: ${problems.join('; ')}`);
  const produced = new Set<string>();
  for (const network of manifest.networks) {
    if (produced.has(network.produces)) problems.push(`two networks produce ${network.produces}`);
    if (network.source.kind === 'crop' && !produced.has(network.source.of)) {
      problems.push(`${network.id}: crops of ${network.source.of}, which no earlier network produces`);
    }
    produced.add(network.produces);
  }
  if (problems.length > 0) throw new SightlineError('MODEL_MANIFEST', `model manifest: ${problems.join('; ')}`);
  return { version: 1, networks: manifest.networks.map((network) => ({ ...network, file: path.resolve(weights_dir, network.file) })) };
}
