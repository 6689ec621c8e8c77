/** Where a PTZ camera really looks: reference and query in, offset out. */
import { Type } from '@sinclair/typebox';
import { OffsetRequestSchema } from '../../ptz/offset_request.js';
import type { HttpDeps } from '../deps.js';
import { ErrorSchema } from '../schemas.js';
import type { Server } from '../typed_server.js';

/** Pictures are large: 64 views of a megabyte, in base64. */
const BODY_LIMIT_BYTES = 96 * 2 ** 20;

const Angle = Type.Union([Type.Number(), Type.Null()]);
const Interval = Type.Union([Type.Object({ yaw: Type.Number(), pitch: Type.Number(), roll: Type.Number() }), Type.Null()], { description: 'half the width of the 95 % interval' });
const angles = { yaw_deg: Angle, pitch_deg: Angle, roll_deg: Angle, ci95_deg: Interval };

export const OffsetResultSchema = Type.Object(
  {
    status: Type.Union((['ok', 'drift', 'uncertain', 'refused'] as const).map((status) => Type.Literal(status)), { description: 'ok and drift are sure; uncertain decides nothing; refused has no numbers' }),
    reason: Type.String({ description: 'code; empty where nothing is to be said' }),
    detail: Type.String({ description: 'the reason in words' }),
    ...angles,
    zoom_ratio: Type.Union([Type.Number(), Type.Null()], { description: 'real focal length over the expected one' }),
    zoom_ci95: Type.Union([Type.Number(), Type.Null()]),
    k1: Type.Union([Type.Number(), Type.Null()], { description: 'radial term that the pictures show, beside the camera’s' }),
    k1_change: Type.Union([Type.Number(), Type.Null()], { description: 'of the queries, beyond the references: far from 0, the lens was changed or stands at another zoom or focus' }),
    inliers: Type.Integer(),
    spread: Type.Number({ description: 'share of the picture with inliers' }),
    view_scatter_deg: Type.Union([Type.Number(), Type.Null()], { description: 'between views, beyond their own intervals; null with one view' }),
    views: Type.Array(
      Type.Object({
        image: Type.String(), status: Type.String(), reason: Type.String(), references: Type.Array(Type.String()), ...angles, inliers: Type.Integer(), matches: Type.Integer(), spread: Type.Number(),
        moving_share: Type.Union([Type.Number(), Type.Null()], { description: 'share of the picture that moves between the pictures of its pointing, left out up to 0.5; null with one picture' }),
      }),
    ),
    timings: Type.Object({ features_ms: Type.Number(), matching_ms: Type.Number(), estimation_ms: Type.Number() }),
  },
  { description: 'offset = telemetry minus truth, in the mount frame at pan 0: yaw positive right, pitch up, roll counter-clockwise from behind' },
);

const errors = { 400: ErrorSchema, 401: ErrorSchema, 403: ErrorSchema, 404: ErrorSchema, 413: ErrorSchema, 503: ErrorSchema };

export function ptzOffsetRoutes(app: Server, { ptz_offset }: HttpDeps): void {
  app.post(
    '/api/ptz/offset',
    {
      bodyLimit: BODY_LIMIT_BYTES,
      schema: { summary: 'How far a PTZ camera is off: pictures or stored sets in, offset out', tags: ['ptz'], body: OffsetRequestSchema, response: { 200: OffsetResultSchema, ...errors } },
    },
    async (request) => ptz_offset.check(request.body),
  );
}
