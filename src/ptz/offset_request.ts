/** An offset check as it is asked for over HTTP: pictures, or the ids of stored sets. */
import { Type, type Static } from '@sinclair/typebox';
import { SightlineError } from '../errors.js';
import type { OffsetEngine, OffsetOptions, OffsetResult, PtzView } from './estimate/types.js';
import { AGAIN_MAX } from './estimate/options.js';
import { CameraSchema, cameraOf, inOneCamera } from './estimate/views_file.js';
import type { StoredQuery, StoredSets } from './stored_sets.js';

const closed = { additionalProperties: false } as const;
const degrees = (description: string, limit: number) => Type.Number({ minimum: -limit, maximum: limit, description });

const GivenViewSchema = Type.Object(
  {
    image: Type.String({ minLength: 1, maxLength: 24 * 2 ** 20, description: 'the encoded picture (PNG, JPEG, ...) in base64' }),
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'how the answer names it' })),
    pan_deg: degrees('pan (yaw) of the telemetry, positive to the right', 720),
    tilt_deg: degrees('tilt (pitch) of the telemetry, positive up', 180),
    roll_deg: Type.Optional(degrees('roll of the telemetry, 0 without', 360)),
    zoom: Type.Optional(Type.Number({ minimum: 0, maximum: 100, description: 'magnification; below 1 the 0..1 scale of the command' })),
    again: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 24 * 2 ** 20 }), { maxItems: AGAIN_MAX, description: 'more pictures of the same pointing, some time apart: what differs moves and is left out' }),
    ),
  },
  { ...closed, description: 'a picture and its telemetry' },
);

const setFields = {
  device_id: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'a device of devices.yaml: its stored views' })),
  views: Type.Optional(Type.Array(GivenViewSchema, { maxItems: 64, description: 'or the views themselves' })),
};

export const OffsetRequestSchema = Type.Object(
  {
    camera: Type.Optional(Type.Object(CameraSchema.properties, { ...closed, description: 'needed where the reference has views; a stored reference set has its own' })),
    reference: Type.Object(setFields, { ...closed, description: 'what the camera saw when its telemetry was right' }),
    query: Type.Object(
      { ...setFields, scan: Type.Optional(Type.String({ minLength: 10, maxLength: 40, description: 'time stamp of a stored query; the newest without it' })) },
      { ...closed, description: 'what it sees now' },
    ),
    method: Type.Optional(Type.Union([Type.Literal('sift'), Type.Literal('akaze'), Type.Literal('orb')], { description: 'features; orb is the fast choice' })),
    threshold_deg: Type.Optional(Type.Number({ minimum: 0, maximum: 90, description: 'default 0.5, for a stored reference set that of the settings' })),
    ignore: Type.Optional(
      Type.Object(
        Object.fromEntries((['top', 'bottom', 'left', 'right'] as const).map((edge) => [edge, Type.Optional(Type.Number({ minimum: 0, maximum: 0.95, description: 'share of the picture' }))])),
        { ...closed, description: 'margins of the picture that are not looked at; default none, for a stored reference set those of the settings' },
      ),
    ),
    max_references: Type.Optional(Type.Integer({ minimum: 1, maximum: 64, description: 'references that a query is compared with; default 8' })),
  },
  { ...closed, description: 'an offset check' },
);

export type OffsetRequest = Static<typeof OffsetRequestSchema>;

export interface OffsetChecks {
  /** Errors: REQUEST_INVALID, PTZ_INPUT, OPENCV_*, those of stored sets. Refusals are results. */
  check(request: OffsetRequest): Promise<OffsetResult>;
  close(): Promise<void>;
}

/** Checks at a time; more would only wait for the same child process. */
const AT_ONCE = 2;
const DEADLINE_MS = 180_000;

export function createOffsetChecks(engine: OffsetEngine, sets: StoredSets): OffsetChecks {
  let running = 0;
  return {
    async check(request) {
      if (running >= AT_ONCE) throw new SightlineError('OPENCV_BUSY', `${running} offset checks run already; expected fewer than ${AT_ONCE}`);
      running++;
      try {
        const signal = AbortSignal.timeout(DEADLINE_MS);
        const { views, options } = await referenceOf(request, sets, signal);
        const query = await viewsOf('query', request.query, () => sets.query(request.query.device_id ?? '', request.query.scan, signal));
        // A camera that the request names is that of all its views.
        const own = request.camera === undefined ? query.camera : undefined;
        const { camera, references, queries } = inOneCamera({ camera: options.camera, views }, { camera: own ?? options.camera, views: query.views });
        return await engine.estimateOffset(references, queries, { ...options, camera, ...wishesOf(request), signal });
      } finally {
        running--;
      }
    },
    close: () => engine.close(),
  };
}

/** Reference views, and what they are to be compared with unless the request says otherwise. */
async function referenceOf({ reference, camera, method }: OffsetRequest, sets: StoredSets, signal: AbortSignal): Promise<{ views: PtzView[]; options: OffsetOptions }> {
  if (reference.device_id !== undefined && reference.views === undefined) {
    const { views, options } = await sets.reference(reference.device_id, signal);
    if (method !== undefined && method !== options.method) throw new SightlineError('REQUEST_INVALID', `method: expected ${options.method}, with which the reference set was made, received ${method}`);
    return { views, options: camera === undefined ? options : { ...options, camera: cameraOf(camera) } };
  }
  const { views } = await viewsOf('reference', reference, async () => ({ views: [] }));
  if (camera === undefined) throw new SightlineError('REQUEST_INVALID', 'camera: expected an object with width, height and hfov_deg or fx, since the reference has views of its own; received none');
  return { views, options: { camera: cameraOf(camera) } };
}

async function viewsOf(what: string, given: OffsetRequest['query'], stored: () => Promise<StoredQuery>): Promise<StoredQuery> {
  if ((given.device_id === undefined) === (given.views === undefined)) throw new SightlineError('REQUEST_INVALID', `${what}: expected either device_id or views, received ${given.views === undefined ? 'neither' : 'both'}`);
  if (given.views === undefined) return stored();
  const views = given.views.map(({ image, name, again, ...telemetry }, index) => ({
    name: name ?? `${what} ${index + 1}`, picture: bytesOf(image, `${what}.views.${index}.image`), ...telemetry,
    ...(again === undefined ? {} : { again: again.map((one, at) => bytesOf(one, `${what}.views.${index}.again.${at}`)) }),
  }));
  return { views };
}

function bytesOf(image: string, where: string): Uint8Array {
  if (!/^[A-Za-z0-9+/_-]+={0,2}\s*$/.test(image)) throw new SightlineError('REQUEST_INVALID', `${where}: expected base64, received text of ${image.length} characters that is not`);
  return Buffer.from(image, 'base64');
}

function wishesOf({ threshold_deg, ignore, max_references, method }: OffsetRequest): Partial<OffsetOptions> {
  return {
    ...(method === undefined ? {} : { method }),
    ...(threshold_deg === undefined ? {} : { threshold_deg }),
    ...(ignore === undefined ? {} : { ignore }),
    ...(max_references === undefined ? {} : { max_references }),
  };
}
