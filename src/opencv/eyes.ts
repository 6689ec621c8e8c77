/**
 * Faces and eyes of one picture, in the child: the picture is decoded once, and only the largest face is searched for eyes. Parameters are those that clients of
 * the eye-tracking protocol know: steps of 1.1, 5 neighbours, faces from 30 and eyes from 20 pixels.
 */
import type { Binding, Cascade, Mat } from './binding.js';
import { cascadeOf } from './cascades.js';
import { readGrey } from './pictures.js';
import type { Box, EyesAnswer, EyesRequest, SeenFace } from './types.js';

const SCALE_STEP = 1.1;
const NEIGHBOURS = 5;
/** Eyes lie in this upper part of a face's box; below it are nostrils and the corners of the mouth, which the eye cascade takes for eyes. */
const EYE_PART = 0.62;

interface Part {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** With `near` the face is looked for around that place only, and in the whole picture when it is not there. */
export function findEyes(cv: Binding, { picture, min_face, min_eye, near }: EyesRequest): EyesAnswer {
  const { mat, data, width, height } = readGrey(cv, picture);
  const whole = { x: 0, y: 0, width, height };
  const search = (cascade: Cascade, part: Part, size: number, image = mat): Box[] => detect(cv, cascade, image, part, size);

  let frontal: Box[] = [];
  let searched_whole = near === undefined;
  if (near !== undefined) frontal = search(cascadeOf(cv, 'face'), around(near, width, height), Math.max(min_face, Math.round(near[2] * 0.6)));
  if (frontal.length === 0) {
    frontal = search(cascadeOf(cv, 'face'), whole, min_face);
    searched_whole = true;
  }
  const faces: SeenFace[] = frontal.map((box) => ({ box, turned: false }));
  if (faces.length === 0) {
    // The profile cascade knows faces turned to one side; the other side is found in the mirrored picture.
    const profile = cascadeOf(cv, 'profile');
    const seen = search(profile, whole, min_face);
    const boxes = seen.length > 0 ? seen : search(profile, whole, min_face, mat.flip(1)).map((box): Box => [width - box[0] - box[2], box[1], box[2], box[3]]);
    faces.push(...boxes.map((box) => ({ box, turned: true })));
  }
  faces.sort((a, b) => b.box[2] - a.box[2]);
  const [main] = faces;
  const eyes = main === undefined || main.turned ? [] : eyesOf(cv, main.box, min_eye, search);
  return { width, height, brightness: brightnessOf(data), searched_whole, faces, eyes };
}

/** At most one eye on each side of the face. A cascade made for spectacles is asked when the usual one does not find both. */
function eyesOf(cv: Binding, [x, y, width, height]: Box, min_eye: number, search: (cascade: Cascade, part: Part, size: number) => Box[]): Box[] {
  const part = { x, y, width, height: Math.round(height * EYE_PART) };
  const middle = x + width / 2;
  const found: { left: Box | undefined; right: Box | undefined } = { left: undefined, right: undefined };
  for (const name of ['eye', 'eye_spectacles'] as const) {
    for (const box of search(cascadeOf(cv, name), part, min_eye)) {
      const centre = box[0] + box[2] / 2;
      // Something in the very middle is the bridge of the nose; something half as wide as the face is no eye.
      if (Math.abs(centre - middle) < width * 0.06 || box[2] > width * 0.5) continue;
      const side = centre < middle ? 'left' : 'right';
      found[side] ??= box;
    }
    if (found.left !== undefined && found.right !== undefined) break;
  }
  return [found.left, found.right].filter((box) => box !== undefined);
}

function detect(cv: Binding, cascade: Cascade, image: Mat, part: Part, size: number): Box[] {
  if (part.width < size || part.height < size) return [];
  const region = part.x === 0 && part.y === 0 && part.width === image.cols && part.height === image.rows ? image : image.getRegion(new cv.Rect(part.x, part.y, part.width, part.height));
  const { objects } = cascade.detectMultiScale(region, SCALE_STEP, NEIGHBOURS, 0, new cv.Size(size, size));
  return objects.map((box) => [box.x + part.x, box.y + part.y, box.width, box.height]);
}

/** Room for a face that has moved by two thirds of its width since. */
function around([x, y, width, height]: Box, limit_x: number, limit_y: number): Part {
  const left = Math.max(0, Math.floor(x - width * 0.66));
  const top = Math.max(0, Math.floor(y - height * 0.66));
  const right = Math.min(limit_x, Math.ceil(x + width * 1.66));
  const bottom = Math.min(limit_y, Math.ceil(y + height * 1.66));
  return { x: left, y: top, width: Math.max(0, right - left), height: Math.max(0, bottom - top) };
}

/** Mean of a grid of pixels, 0 to 255. */
function brightnessOf(data: Uint8Array): number {
  const step = Math.max(1, Math.floor(data.length / 4_096));
  let sum = 0;
  let count = 0;
  for (let at = 0; at < data.length; at += step) {
    sum += data[at] ?? 0;
    count++;
  }
  return count === 0 ? 0 : sum / count;
}
