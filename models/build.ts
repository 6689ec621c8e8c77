/**
 * Makes the default networks: reads the TensorFlow.js models that come inside the npm package @vladmandic/human, writes ONNX files. Idempotent:
 * a file whose checksum is the manifest's stays. `node dist/models/build.js` is the command that set-up calls; `--write-manifest` takes the checksums
 * of what was made into models/manifest.json (after the converter has changed), `--root DIR` works on another checkout.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { SightlineError } from '../src/errors.js';
import { convertNetwork, NETWORKS } from './convert/networks.js';
import { readTfjsGraph } from './convert/tfjs_graph.js';
import { encodeModel } from './onnx/codec.js';

export interface BuildOptions {
  /** Folder of the package's models: <name>.json, <name>.bin. */
  source: string;
  /** Folder for the ONNX files; made when missing. */
  out: string;
  /** Expected sha256 by file name; a file without one is made and not compared. */
  checksums: Readonly<Record<string, string>>;
  log?: (line: string) => void;
}

export interface BuiltModel {
  name: string;
  file: string;
  sha256: string;
  bytes: number;
  /** false: it was there already. */
  made: boolean;
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/**
 * Converts what is missing or differs from its checksum. A file appears complete or not at all.
 * @throws MODEL_MISSING when the package's models are not there, MODEL_CONVERT when one can't be converted, MODEL_CHECKSUM when the
 *   result is not what the manifest was written for (another version of the package)
 */
export function buildDefaultModels(options: BuildOptions): BuiltModel[] {
  const { source, out, checksums, log = () => undefined } = options;
  mkdirSync(out, { recursive: true });
  return NETWORKS.map((network) => {
    const name = `${network.name}.onnx`;
    const file = join(out, name);
    const expected = checksums[name];
    if (expected !== undefined && existsSync(file)) {
      const bytes = readFileSync(file);
      if (sha256(bytes) === expected) return { name: network.name, file, sha256: expected, bytes: bytes.length, made: false };
    }
    const from = join(source, `${network.name}.json`);
    if (!existsSync(from)) throw new SightlineError('MODEL_MISSING', `${network.name}.json: expected it in the models folder of @vladmandic/human; run npm install`);
    const bytes = encodeModel(convertNetwork(network, readTfjsGraph(from)));
    const sum = sha256(bytes);
    if (expected !== undefined && sum !== expected) {
      throw new SightlineError('MODEL_CHECKSUM', `${name}: expected sha256 ${expected}, the conversion gave ${sum}; @vladmandic/human is not the version this manifest was written for`);
    }
    const partial = `${file}.${process.pid}.part`;
    writeFileSync(partial, bytes);
    renameSync(partial, file);
    log(`${name}: converted, ${(bytes.length / 2 ** 20).toFixed(1)} MiB`);
    return { name: network.name, file, sha256: sum, bytes: bytes.length, made: true };
  });
}

/** Checksums by base name of the files in a manifest. */
export function manifestChecksums(manifest: { networks: { file: string; sha256?: string }[] }): Record<string, string> {
  return Object.fromEntries(manifest.networks.flatMap(({ file, sha256: sum }) => (sum === undefined ? [] : [[file.split('/').pop() ?? file, sum]])));
}

/** The folder of the package's models, as Node resolves it from here. */
export function humanModels(): string {
  return join(dirname(createRequire(import.meta.url).resolve('@vladmandic/human')), '..', 'models');
}

/** The project's root, from dist/models or from models. */
export function projectRoot(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const parent = resolve(here, '..');
  return existsSync(join(parent, 'package.json')) && !parent.endsWith('dist') ? parent : resolve(parent, '..');
}

function main(): void {
  const { values } = parseArgs({ options: { root: { type: 'string', default: projectRoot() }, 'write-manifest': { type: 'boolean', default: false } } });
  const { root, 'write-manifest': write } = values;
  const manifestFile = join(root, 'models', 'manifest.json');
  const manifest = JSON.parse(readFileSync(manifestFile, 'utf8')) as { networks: { file: string; sha256?: string }[] };
  const built = buildDefaultModels({
    source: humanModels(),
    out: join(root, 'models', 'weights'),
    checksums: write ? {} : manifestChecksums(manifest),
    log: (line) => console.log(line),
  });
  if (!write) return;
  const sums = new Map(built.map((model) => [`${model.name}.onnx`, model.sha256]));
  for (const network of manifest.networks) {
    const sum = sums.get(network.file.split('/').pop() ?? '');
    if (sum !== undefined) network.sha256 = sum;
  }
  writeFileSync(manifestFile, `${JSON.stringify(manifest, null, 2)}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    main();
  } catch (error) {
    console.error(error instanceof SightlineError ? `${error.code}: ${error.message}` : error);
    process.exitCode = 1;
  }
}
