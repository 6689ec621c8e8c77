/** Haar cascades, in the child. Debian's opencv-data has the files; the npm package brings the same ones. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { SightlineError } from '../errors.js';
import type { Binding, Cascade } from './binding.js';
import { readGrey } from './pictures.js';
import type { CascadeAnswer, CascadeName, CascadeRequest } from './types.js';

const FILES: Record<CascadeName, string> = {
  face: 'haarcascade_frontalface_default.xml',
  profile: 'haarcascade_profileface.xml',
  eye: 'haarcascade_eye.xml',
  eye_spectacles: 'haarcascade_eye_tree_eyeglasses.xml',
};
const SCALE_STEP = 1.1;

const loaded = new Map<CascadeName, Cascade>();

export function cascadeOf(cv: Binding, name: CascadeName): Cascade {
  const known = loaded.get(name);
  if (known !== undefined) return known;
  const file = folders().map((folder) => path.join(folder, FILES[name])).find(existsSync);
  if (file === undefined) throw new SightlineError('OPENCV_UNAVAILABLE', `${FILES[name]} is not installed; Debian has it in opencv-data`);
  const cascade = new cv.CascadeClassifier(file);
  loaded.set(name, cascade);
  return cascade;
}

function folders(): string[] {
  const data = '/usr/share/opencv4/haarcascades';
  try {
    return [data, path.join(path.dirname(createRequire(import.meta.url).resolve('@u4/opencv4nodejs/package.json')), 'src/lib/haarcascades')];
  } catch {
    return [data];
  }
}

export function findObjects(cv: Binding, request: CascadeRequest): CascadeAnswer {
  const { mat, width, height } = readGrey(cv, request.picture);
  const { within } = request;
  const left = Math.max(0, Math.floor(within?.x ?? 0));
  const top = Math.max(0, Math.floor(within?.y ?? 0));
  const right = within === undefined ? width : Math.min(width, Math.ceil(within.x + within.width));
  const bottom = within === undefined ? height : Math.min(height, Math.ceil(within.y + within.height));
  if (right - left < 2 || bottom - top < 2) return { width, height, boxes: [] };
  const image = within === undefined ? mat : mat.getRegion(new cv.Rect(left, top, right - left, bottom - top));
  const { objects } = cascadeOf(cv, request.cascade).detectMultiScale(image, SCALE_STEP, request.min_neighbours, 0, new cv.Size(request.min_size, request.min_size));
  return { width, height, boxes: objects.map((box) => [box.x + left, box.y + top, box.width, box.height]) };
}
