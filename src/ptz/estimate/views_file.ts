/** `views.json`: a folder of pictures with the telemetry of each and the camera that took them. */
import { Type, type Static } from '@sinclair/typebox';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { problemsOf } from '../../config/problems.js';
import { SightlineError } from '../../errors.js';
import { AGAIN_MAX } from './options.js';
import type { PtzCamera, PtzView } from './types.js';

const number = (minimum: number, maximum: number) => Type.Number({ minimum, maximum });

export const CameraSchema = Type.Object(
  {
    width: Type.Integer({ minimum: 16, maximum: 16_384 }),
    height: Type.Integer({ minimum: 16, maximum: 16_384 }),
    hfov_deg: Type.Optional(number(0.5, 170)),
    fx: Type.Optional(number(1, 1e6)),
    fy: Type.Optional(number(1, 1e6)),
    cx: Type.Optional(number(-1e5, 1e5)),
    cy: Type.Optional(number(-1e5, 1e5)),
    k1: Type.Optional(number(-2, 2)),
  },
  { description: 'lens and sensor at zoom 1, in pixels: hfov_deg, or fx (and fy, cx, cy where they are known); k1 is the first radial term' },
);

export const ViewSchema = Type.Object(
  {
    image: Type.String({ minLength: 1, maxLength: 500 }),
    pan_deg: number(-720, 720),
    tilt_deg: number(-180, 180),
    roll_deg: Type.Optional(number(-360, 360)),
    zoom: Type.Optional(number(0, 100)),
    again: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 500 }), { maxItems: AGAIN_MAX, description: 'more pictures of the same pointing: what differs moves and is left out' })),
  },
  { description: 'a picture and its telemetry' },
);

export const ViewsFileSchema = Type.Object({ camera: CameraSchema, views: Type.Array(ViewSchema, { maxItems: 1000 }) });

export interface ViewsFolder {
  camera: PtzCamera;
  views: PtzView[];
}

const LARGEST_PICTURE_BYTES = 64 * 2 ** 20;

/** Pixels have their centres at whole numbers, so the middle of the picture lies at (width - 1) / 2. */
export function cameraOf(given: Static<typeof CameraSchema>, where = 'camera'): PtzCamera {
  const { width, height, hfov_deg, k1 = 0 } = given;
  const fx = given.fx ?? (hfov_deg === undefined ? undefined : width / 2 / Math.tan((hfov_deg / 2) * (Math.PI / 180)));
  if (fx === undefined) throw new SightlineError('PTZ_INPUT', `${where}: expected hfov_deg, or fx, received neither`);
  return { width, height, fx, fy: given.fy ?? fx, cx: given.cx ?? (width - 1) / 2, cy: given.cy ?? (height - 1) / 2, k1 };
}

/** Reads a folder with its pictures. Errors name the file and the field. */
export async function readViewsFolder(folder: string, what: string): Promise<ViewsFolder> {
  const file = path.join(folder, 'views.json');
  const value = await readJson(file, what);
  const problems = problemsOf(ViewsFileSchema, value);
  if (problems.length > 0) throw new SightlineError('PTZ_INPUT', `${what}: ${file}: ${problems.join('; ')}`);
  const { camera, views } = value as Static<typeof ViewsFileSchema>;
  return {
    camera: cameraOf(camera, `${what}: ${file}: camera`),
    views: await Promise.all(views.map(async ({ image, again, ...telemetry }, index) => ({
      name: image, picture: await readPicture(folder, image, `${what}: views[${index}].image`), ...telemetry,
      ...(again === undefined ? {} : { again: await Promise.all(again.map((one, at) => readPicture(folder, one, `${what}: views[${index}].again[${at}]`))) }),
    }))),
  };
}

async function readJson(file: string, what: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new SightlineError('PTZ_INPUT', `${what}: expected a folder with views.json, received ${file}, which cannot be read (${codeOf(error)})`, { cause: error });
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SightlineError('PTZ_INPUT', `${what}: ${file}: expected JSON, received text that does not parse`, { cause: error });
  }
}

async function readPicture(folder: string, image: string, where: string): Promise<Uint8Array> {
  const file = path.resolve(folder, image);
  if (path.relative(folder, file).startsWith('..')) throw new SightlineError('PTZ_INPUT', `${where}: expected a file below the folder, received ${image}`);
  try {
    const { size } = await stat(file);
    if (size > LARGEST_PICTURE_BYTES) throw new SightlineError('PTZ_INPUT', `${where}: expected at most ${LARGEST_PICTURE_BYTES} bytes, received ${image} with ${size}`);
    return await readFile(file);
  } catch (error) {
    if (error instanceof SightlineError) throw error;
    throw new SightlineError('PTZ_INPUT', `${where}: expected a picture, received ${image}, which cannot be read (${codeOf(error)})`, { cause: error });
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}

/** Two sets as if one camera had taken them, since one is estimated with: the shorter focal length is its own, and the other's a zoom, so that no zoom falls below 1. */
export function inOneCamera(references: ViewsFolder, queries: ViewsFolder): { camera: PtzCamera; references: PtzView[]; queries: PtzView[] } {
  const { camera } = references;
  const ratio = queries.camera.fx / camera.fx;
  const other_size = queries.camera.width !== camera.width || queries.camera.height !== camera.height;
  const zoomed = (views: readonly PtzView[], by: number): PtzView[] => views.map((view) => ({ ...view, zoom: Math.max(1, view.zoom ?? 1) * by }));
  if (Math.abs(ratio - 1) < 1e-6 || other_size) return { camera, references: references.views, queries: queries.views };
  if (ratio > 1) return { camera, references: references.views, queries: zoomed(queries.views, ratio) };
  return { camera: { ...camera, fx: camera.fx * ratio, fy: camera.fy * ratio }, references: zoomed(references.views, 1 / ratio), queries: queries.views };
}
