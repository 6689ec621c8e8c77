/** Devices whose pictures somebody else puts into a folder: the pictures and `views.json` with their telemetry, as `ptz offset` reads them. */
import { SightlineError } from '../../errors.js';
import { pictureFormat } from '../camera/png.js';
import type { PtzCamera } from '../estimate/types.js';
import { readViewsFolder } from '../estimate/views_file.js';
import type { CapturedFrame } from '../types.js';

/** @throws PTZ_INPUT naming file and field, PTZ_FRAME_FAILED when there is no picture in it */
export async function readViews(folder: string): Promise<{ camera: PtzCamera; frames: CapturedFrame[] }> {
  const { camera, views } = await readViewsFolder(folder, 'folder');
  if (views.length === 0) throw new SightlineError('PTZ_FRAME_FAILED', `${folder}/views.json: expected at least one view, found none`);
  const mono_ms = performance.now();
  const wall_ms = Date.now();
  const frames = views.map(({ name, picture, again = [], pan_deg, tilt_deg, roll_deg = 0, zoom = 1 }): CapturedFrame => {
    const bytes = Buffer.from(picture as Uint8Array);
    const format = pictureFormat(bytes);
    if (format === undefined || /[/\\]/.test(name)) throw new SightlineError('PTZ_FRAME_FAILED', `${folder}/${name}: expected a PNG or JPEG picture beside views.json`);
    return {
      file_name: name,
      frame: { picture: bytes, format, from_mono_ms: mono_ms, to_mono_ms: mono_ms, wall_ms },
      telemetry: {
        attitude: { yaw: pan_deg, pitch: tilt_deg, roll: roll_deg }, field_of_view_h: null, field_of_view_v: null, zoom_factor: zoom >= 1 ? zoom : null, zoom: zoom < 1 ? zoom : null, mono_ms, wall_ms,
      },
      commanded: null,
      again: again.flatMap((one) => {
        const further = Buffer.from(one);
        const kind = pictureFormat(further);
        return kind === undefined ? [] : [{ picture: further, format: kind }];
      }),
    };
  });
  return { camera, frames };
}
