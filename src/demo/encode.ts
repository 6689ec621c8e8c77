/**
 * Makes the demo clips, and clips for tests and the bench. A program of its own, because of beamcoder (see media.ts):
 *   node dist/src/demo/encode.js               the demo clips that are missing or whose recipe has changed
 *   node dist/src/demo/encode.js --check       exit code 0 when nothing is to be made, 3 otherwise
 *   node dist/src/demo/encode.js --test JSON   one clip, options as of encodeTestClip()
 * Results and errors go to stderr; stdout has only what beamcoder's native code prints.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { SightlineError } from '../errors.js';
import { DEMO_CLIPS } from './cameras.js';
import { frameCount, paintFrame, picturesOf, type PreparedPicture, type PreparedPictures } from './compose.js';
import { encodeFrames, loadBeamcoder, pixelFormat, preparePicture, type Beamcoder } from './media.js';
import { DEMO_CAMERAS, PICTURES, type Clip, type ClipCodec, type PictureName, type Shot } from './scenes.js';

/** Raised when compose.ts or media.ts make other frames from the same scenes. */
const RECIPE_VERSION = 1;
const ASSETS = 'node_modules/@vladmandic/human/assets';

/** The root of the repository: the nearest folder above this file with a package.json. */
function rootFolder(): string {
  for (let folder = path.dirname(fileURLToPath(import.meta.url)); ; folder = path.dirname(folder)) {
    if (existsSync(path.join(folder, 'package.json')) || folder === path.dirname(folder)) return folder;
  }
}

export interface TestClipOptions {
  /** Where it goes; Matroska. */
  file: string;
  codec: ClipCodec;
  /** 16..4096, even; multiples of 8 for MJPEG. */
  width: number;
  height: number;
  /** 1..60 */
  fps: number;
  /** 0.1..600 */
  seconds: number;
  /** Access units from key frame to key frame; default one second. */
  gop?: number;
  /** Bits per second; default 200 000. */
  bit_rate?: number;
}

const TEST_CLIP_TIMEOUT_MS = 300_000;

/**
 * Encodes a clip of people that the models recognise, moving (a slow pan, then portraits that come and go), in a child process. No B-frames. Rejects with the child's
 * words when beamcoder isn't built, a size is not possible or the folder doesn't exist. Returns `options.file`.
 */
export async function encodeTestClip(options: TestClipOptions): Promise<string> {
  checkTestClip(options);
  const program = fileURLToPath(import.meta.url);
  await promisify(execFile)(process.execPath, [program, '--test', JSON.stringify({ ...options, file: path.resolve(options.file) })], {
    timeout: TEST_CLIP_TIMEOUT_MS, maxBuffer: 16 * 1024 * 1024,
  });
  return options.file;
}

function checkTestClip({ codec, width, height, fps, seconds }: TestClipOptions): void {
  const unit = codec === 'mjpeg' ? 8 : 2;
  const fits = (size: number): boolean => size >= 16 && size <= 4096 && size % unit === 0;
  if (!fits(width) || !fits(height)) throw new SightlineError('REQUEST_INVALID', `expected a size of 16..4096 in multiples of ${unit}, received ${width}x${height}`);
  if (!Number.isInteger(fps) || fps < 1 || fps > 60) throw new SightlineError('REQUEST_INVALID', `fps: expected an integer of 1..60, received ${fps}`);
  if (!(seconds >= 0.1 && seconds <= 600)) throw new SightlineError('REQUEST_INVALID', `seconds: expected 0.1..600, received ${seconds}`);
}

/** The scene of test clips: two faces for the first half, five people on a sofa for the second. */
function testShots(seconds: number): Shot[] {
  return [
    {
      seconds: seconds / 2,
      layers: [
        { picture: 'room', tile: [0, 0, 1, 1], views: [[705, 205, 320]] },
        { picture: 'man', tile: [0.05, 0.1, 0.44, 0.8], views: [[8, 349, 140], [14, 352, 140]] },
        { picture: 'brown_hair', tile: [0.51, 0.1, 0.44, 0.8], views: [[481, 352, 142], [484, 350, 138]] },
      ],
    },
    { seconds: seconds / 2, layers: [{ picture: 'sofa', tile: [0, 0, 1, 1], views: [[308, 124, 160], [340, 130, 160]] }] },
  ];
}

function testClip({ file, codec, width, height, fps, seconds, gop = fps, bit_rate = 200_000 }: TestClipOptions): Clip {
  return { file: path.basename(file), codec, width, height, fps, gop, bit_rate, shake_px: 1, shots: testShots(seconds) };
}

async function encodeClip(beamcoder: Beamcoder, root: string, clip: Clip, file: string, prepared: Map<string, PreparedPicture>): Promise<void> {
  const format = pixelFormat(clip.codec);
  const pictures: Partial<Record<PictureName, PreparedPicture>> = {};
  for (const name of picturesOf(clip)) {
    const key = `${name} ${format}`;
    const picture = prepared.get(key) ?? (await preparePicture(beamcoder, path.join(root, ASSETS, PICTURES[name].photo), PICTURES[name], format));
    prepared.set(key, picture);
    pictures[name] = picture;
  }
  const ready: PreparedPictures = pictures;
  await encodeFrames(beamcoder, file, clip, frameCount(clip), (index, screen) => paintFrame(clip, index, ready, screen));
}

/** What a clip is made of; equal recipes give equal clips. */
function recipeOf(clip: Clip): string {
  const pictures = picturesOf(clip).map((name) => PICTURES[name]);
  return createHash('sha256').update(JSON.stringify([RECIPE_VERSION, clip, pictures])).digest('hex');
}

interface Made {
  recipe: string;
  bytes: number;
}

/** The demo clips that have to be made: missing, cut short, or of another recipe. */
async function clipsToMake(folder: string): Promise<{ wanted: Clip[]; made: Record<string, Made> }> {
  let made: Record<string, Made> = {};
  try {
    made = JSON.parse(await readFile(path.join(folder, 'recipes.json'), 'utf8')) as Record<string, Made>;
  } catch {
    // None yet, or damaged: all are made again.
  }
  const wanted: Clip[] = [];
  for (const { clip } of DEMO_CAMERAS) {
    const bytes = await stat(path.join(folder, clip.file)).then(({ size }) => size, () => -1);
    const known = made[clip.file];
    if (known === undefined || known.recipe !== recipeOf(clip) || known.bytes !== bytes) wanted.push(clip);
  }
  return { wanted, made };
}

/** True when every demo clip is there as its recipe says. Takes milliseconds and doesn't load beamcoder. */
export async function demoIsMade(root: string): Promise<boolean> {
  return (await clipsToMake(path.join(root, DEMO_CLIPS))).wanted.length === 0;
}

/** Makes the demo clips that are missing; an interrupted run goes on with the next clip. */
export async function encodeDemo(root: string, say: (line: string) => void): Promise<void> {
  const folder = path.join(root, DEMO_CLIPS);
  await mkdir(folder, { recursive: true });
  const { wanted, made } = await clipsToMake(folder);
  if (wanted.length === 0) return;
  const beamcoder = loadBeamcoder();
  const prepared = new Map<string, PreparedPicture>();
  for (const clip of wanted) {
    const started = Date.now();
    const file = path.join(folder, clip.file);
    await encodeClip(beamcoder, root, clip, file, prepared);
    const { size } = await stat(file);
    made[clip.file] = { recipe: recipeOf(clip), bytes: size };
    const record = path.join(folder, 'recipes.json');
    await writeFile(`${record}.part`, JSON.stringify(made, null, 2));
    await rename(`${record}.part`, record);
    say(`${clip.file}: ${frameCount(clip)} frames, ${Math.round(size / 1024)} KiB, ${((Date.now() - started) / 1000).toFixed(1)} s`);
  }
}

async function main(words: string[]): Promise<void> {
  const root = rootFolder();
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  if (words[0] === '--test' && words[1] !== undefined) {
    const options = JSON.parse(words[1]) as TestClipOptions;
    checkTestClip(options);
    await encodeClip(loadBeamcoder(), root, testClip(options), options.file, new Map());
  } else if (words[0] === '--check') {
    process.exitCode = (await demoIsMade(root)) ? 0 : 3;
  } else {
    await encodeDemo(root, say);
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(process.argv.slice(2)).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 1;
  });
}
