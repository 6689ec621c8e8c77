/** Devices whose pictures somebody else puts into a folder: the pictures and `views.json` with their telemetry, the same form that `ptz offset` reads. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Type, type Static } from '@sinclair/typebox';
import { problemsOf } from '../../config/problems.js';
import { SightlineError } from '../../errors.js';
import { pictureFormat } from '../camera/png.js';
import { lensOf } from '../config/devices.js';
import type { PtzCamera } from '../estimate/types.js';
import type { CapturedFrame } from '../types.js';

const ViewsSchema = Type.Object({
  camera: Type.Object({
    width: Type.Integer({ minimum: 16, maximum: 16_384 }),
    height: Type.Integer({ minimum: 16, maximum: 16_384 }),
    hfov_deg: Type.Optional(Type.Number({ minimum: 1, maximum: 170 })),
    fx: Type.Optional(Type.Number({ minimum: 1, maximum: 1e6 })),
    fy: Type.Optional(Type.Number({ minimum: 1, maximum: 1e6 })),
    cx: Type.Optional(Type.Number({ minimum: -16_384, maximum: 16_384 })),
    cy: Type.Optional(Type.Number({ minimum: -16_384, maximum: 16_384 })),
    k1: Type.Optional(Type.Number({ minimum: -2, maximum: 2 })),
  }),
  views: Type.Array(
    Type.Object({
      image: Type.String({ minLength: 1, maxLength: 255 }),
      pan_deg: Type.Number({ minimum: -720, maximum: 720 }),
      tilt_deg: Type.Number({ minimum: -360, maximum: 360 }),
      roll_deg: Type.Optional(Type.Number({ minimum: -360, maximum: 360 })),
      zoom: Type.Optional(Type.Number({ minimum: 0, maximum: 1_000 })),
    }),
    { maxItems: 500 },
  ),
});

/** @throws PTZ_FRAME_FAILED when the folder has no views, PTZ_TELEMETRY_INVALID when views.json is not what it should be */
export async function readViews(folder: string): Promise<{ camera: PtzCamera; frames: CapturedFrame[] }> {
  const file = path.join(folder, 'views.json');
  const tree = await readTree(file);
  const problems = [...new Set([...problemsOf(ViewsSchema, tree)])];
  const views = problems.length === 0 ? (tree as Static<typeof ViewsSchema>) : undefined;
  const camera = views === undefined ? null : lensOf(views.camera);
  if (views !== undefined && camera === null) problems.push('camera: expected hfov_deg or fx');
  if (views === undefined || camera === null) throw new SightlineError('PTZ_TELEMETRY_INVALID', [`${file} has problems:`, ...problems].join('\n  '));
  const frames = await Promise.all(views.views.map((view) => frameOf(folder, view)));
  if (frames.length === 0) throw new SightlineError('PTZ_FRAME_FAILED', `${file}: expected at least one view, found none`);
  return { camera, frames };
}

async function frameOf(folder: string, view: Static<typeof ViewsSchema>['views'][number]): Promise<CapturedFrame> {
  const file = path.join(folder, view.image);
  if (path.basename(view.image) !== view.image) throw new SightlineError('PTZ_TELEMETRY_INVALID', `${folder}/views.json: image: expected the name of a file beside it, received ${JSON.stringify(view.image)}`);
  let picture: Buffer;
  try {
    picture = await readFile(file);
  } catch (error) {
    throw new SightlineError('PTZ_FRAME_FAILED', `${file}: expected a readable picture (${error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'})`, { cause: error });
  }
  const format = pictureFormat(picture);
  if (format === undefined) throw new SightlineError('PTZ_FRAME_FAILED', `${file}: expected a PNG or JPEG picture`);
  const mono_ms = performance.now();
  const wall_ms = Date.now();
  const { pan_deg, tilt_deg, roll_deg = 0, zoom = 1 } = view;
  return {
    file_name: view.image,
    frame: { picture, format, from_mono_ms: mono_ms, to_mono_ms: mono_ms, wall_ms },
    telemetry: {
      attitude: { yaw: pan_deg, pitch: tilt_deg, roll: roll_deg }, field_of_view_h: null, field_of_view_v: null, zoom_factor: zoom >= 1 ? zoom : null, zoom: zoom < 1 ? zoom : null, mono_ms, wall_ms,
    },
    commanded: null,
  };
}

async function readTree(file: string): Promise<unknown> {
  let source: string;
  try {
    source = await readFile(file, 'utf8');
  } catch (error) {
    throw new SightlineError('PTZ_FRAME_FAILED', `${file}: expected a readable file (${error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'})`, { cause: error });
  }
  try {
    return JSON.parse(source) as unknown;
  } catch {
    throw new SightlineError('PTZ_TELEMETRY_INVALID', `${file}: expected JSON, received text that does not parse`);
  }
}
