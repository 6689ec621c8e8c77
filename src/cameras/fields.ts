/** The fields of a registered camera: one schema for the registry, the HTTP API and the command line. */
import { Type, type TSchema } from '@sinclair/typebox';
import { problemsOf } from '../config/problems.js';
import { SightlineError } from '../errors.js';
import { parseStreamUrl } from './stream_url.js';
import type { CameraChange, NewCamera } from './types.js';

const closed = { additionalProperties: false } as const;
 
const CONTROL = /[\u0000-\u001f\u007f]/;

export const Nullable = <T extends TSchema>(schema: T, description?: string) =>
  Type.Union([schema, Type.Null()], description === undefined ? {} : { description });
export const Id = (description: string) => Type.Integer({ minimum: 1, maximum: 2_147_483_647, description });

export const cameraFields = {
  camera_name: Type.String({ minLength: 1, maxLength: 255, description: 'name shown to people' }),
  url: Type.String({ minLength: 1, maxLength: 4096, secret: true, description: 'rtsp://, rtsps://, v4l2:// or /dev/videoN, file:// or a path, lavfi:' }),
  transport: Nullable(Type.Union([Type.Literal('tcp'), Type.Literal('udp')]), 'RTSP transport; null = capture.transport'),
  priority: Type.Integer({ minimum: 1, maximum: 10, description: '10 is the most important' }),
  location: Nullable(Type.String({ minLength: 1, maxLength: 255 }), 'where it is'),
  outlet_id: Nullable(Id('outlet'), 'outlet'),
  staff_id: Nullable(Id('staff'), 'who is seen here, if that is always the same person'),
  analysis_fps: Nullable(Type.Number({ minimum: 0.1, maximum: 60 }), 'analysed frames per second; null = processing.fps'),
  enabled: Type.Boolean({ description: 'false = registered, not run' }),
};
const { camera_name, url, ...others } = cameraFields;

export const NewCameraSchema = Type.Object(
  { camera_id: Id('camera id'), camera_name, url, ...Type.Partial(Type.Object(others)).properties },
  { ...closed, description: 'a camera to register' },
);
export const CameraChangeSchema = Type.Partial(Type.Object(cameraFields), { ...closed, minProperties: 1, description: 'fields to change' });

/** The value as a new camera, texts trimmed. Throws CAMERA_INVALID with every problem; no part of the URL is in the message. */
export function checkNewCamera(value: unknown): NewCamera {
  return check<NewCamera>(NewCameraSchema, value);
}

export function checkCameraChange(value: unknown): CameraChange {
  return check<CameraChange>(CameraChangeSchema, value);
}

function check<T extends CameraChange>(schema: TSchema, value: unknown): T {
  const trimmed = trimTexts(value);
  const problems = problemsOf(schema, trimmed);
  if (problems.length > 0) throw new SightlineError('CAMERA_INVALID', problems.join('; '), { details: { problems } });
  const camera = trimmed as T;
  for (const field of ['camera_name', 'location'] as const) {
    if (CONTROL.test(camera[field] ?? '')) throw new SightlineError('CAMERA_INVALID', `${field}: expected text without control characters`);
  }
  if (camera.url !== undefined) parseStreamUrl(camera.url);
  return camera;
}

function trimTexts(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]): [string, unknown] => [key, typeof item === 'string' ? item.trim() : item]));
}
