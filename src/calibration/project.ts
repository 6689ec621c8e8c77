/** Gazes on the screen. */
import { SightlineError } from '../errors.js';
import { loadGeometry } from '../geometry/native.js';
import type { GeometryAddon, NativeGazeModel } from '../geometry/types.js';
import { truncatedPx } from './screen_targets.js';
import type { GazePoint, GazeQuery, ScreenSize, SfmTransform, TransformMatrix } from './types.js';

/** Numbers a gaze that the addon answers. */
const ANSWERED = 10;
export const QUERIES_MAX = 1_000_000;

/** Places gazes; without `sfm` a NPZ is enough. @throws CALIBRATION_QUERY_INVALID naming the query. */
export function projectGazes(model: { matrix: TransformMatrix; sfm: SfmTransform | null }, screen: ScreenSize, queries: readonly GazeQuery[], geometry: GeometryAddon = loadGeometry()): GazePoint[] {
  if (queries.length === 0) return [];
  const { matrix, sfm } = model;
  const gazes = Float64Array.from(queries.flatMap(({ gaze }, index) => checkGaze(gaze, index)));
  const native: NativeGazeModel = { sfm: sfm !== null, STransG: Float64Array.from(matrix.STransG.flat()), StG: Float64Array.from(matrix.StG.flat(2)) };
  if (sfm === null) return points(geometry.projectGaze(native, gazes), screen);
  const worlds = Float64Array.from(queries.flatMap(({ WTransG }, index) => checkWorld(WTransG, index)));
  const turned = { ...native, STransW: Float64Array.from(sfm.STransW.flat()), scaleWtG: sfm.scaleWtG, StW: Float64Array.from(sfm.StW.flat(2)) };
  return points(geometry.projectGaze(turned, gazes, worlds), screen);
}

function points(answers: Float64Array, screen: ScreenSize): GazePoint[] {
  const found: GazePoint[] = [];
  for (let at = 0; at < answers.length; at += ANSWERED) {
    const three = (from: number): [number, number, number] => [answers[at + from] ?? NaN, answers[at + from + 1] ?? NaN, answers[at + from + 2] ?? NaN];
    const FSgaze = three(6);
    found.push({ Sgaze: three(0), Sgaze2: three(3), FSgaze, nearest_target: answers[at + 9] ?? -1, FSgaze_px: truncatedPx(screen, FSgaze) });
  }
  return found;
}

/** Reads the JSON of queries: `[{gaze: [x, y, z], WTransG?: 16 numbers, flat or in four rows}]`. @throws CALIBRATION_QUERY_INVALID */
export function readQueries(text: string): GazeQuery[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(`expected JSON: ${error instanceof Error ? error.message : ''}`);
  }
  if (!Array.isArray(value)) throw invalid('expected an array');
  if (value.length > QUERIES_MAX) throw invalid(`expected at most ${QUERIES_MAX} gazes, received ${value.length}`);
  return value.map((entry: unknown, index) => {
    if (typeof entry !== 'object' || entry === null) throw invalid(`[${index}]: expected an object with gaze`);
    const { gaze, WTransG } = entry as { gaze?: unknown; WTransG?: unknown };
    const three = checkGaze(gaze, index) as [number, number, number];
    return WTransG === undefined || WTransG === null ? { gaze: three } : { gaze: three, WTransG: checkWorld(WTransG, index) };
  });
}

function checkGaze(gaze: unknown, index: number): number[] {
  if (!Array.isArray(gaze) || gaze.length !== 3 || !gaze.every(Number.isFinite)) throw invalid(`[${index}].gaze: expected three finite numbers`);
  if (gaze[2] === 0) throw invalid(`[${index}].gaze: expected z other than 0, such a gaze never meets the screen`);
  return gaze as number[];
}

function checkWorld(world: unknown, index: number): number[] {
  const flat: unknown[] = Array.isArray(world) ? (world as unknown[]).flat() : [];
  if (flat.length !== 16 || !flat.every(Number.isFinite)) throw invalid(`[${index}].WTransG: expected 16 finite numbers, row by row, which a fit with structure from motion needs`);
  return flat as number[];
}

function invalid(message: string): SightlineError {
  return new SightlineError('CALIBRATION_QUERY_INVALID', `queries${message.startsWith('[') ? '' : ': '}${message}`);
}
