/** PTZ monitoring: the devices, and what was found so far. */
import { Type } from '@sinclair/typebox';
import type { HttpDeps } from '../deps.js';
import { ErrorSchema } from '../schemas.js';
import type { Server } from '../typed_server.js';

const errors = { 400: ErrorSchema, 401: ErrorSchema, 403: ErrorSchema };
const closed = { additionalProperties: false } as const;
const DEFAULT_LIMIT = 100;

const Nullable = <S extends Parameters<typeof Type.Union>[0][number]>(schema: S, description: string) => Type.Union([schema, Type.Null()], { description });
const Status = Type.Union((['ok', 'drift', 'uncertain', 'refused', 'failed'] as const).map((status) => Type.Literal(status)), { description: 'ok, drift, uncertain, refused, or failed' });
const Degrees = (description: string) => Type.Number({ description: `${description}, degrees, telemetry minus truth` });

const ResultSchema = Type.Object(
  {
    id: Type.Optional(Type.Integer()),
    run_id: Type.String(),
    deployment_name: Type.String(),
    device_id: Type.String(),
    timestamp: Type.String({ description: 'ISO 8601, UTC' }),
    pitch_offset: Degrees('pitch'),
    yaw_offset: Degrees('yaw'),
    roll_offset: Degrees('roll'),
    mode: Type.Union([Type.Literal('passive'), Type.Literal('active')]),
    capture_positions: Type.Array(Type.Object({ pan: Type.Number(), tilt: Type.Number(), zoom: Type.Number() })),
    files_location: Type.String({ description: 'where the pictures and the whole result are kept' }),
    success: Type.Boolean({ description: 'an offset could be told' }),
    failure_log: Type.String(),
    status: Status,
    reason: Type.String({ description: 'stable code where there is something to say' }),
    detail: Type.String(),
    alert: Type.Boolean({ description: 'beyond the threshold with its whole interval' }),
    ci95_deg: Nullable(Type.Object({ yaw: Type.Number(), pitch: Type.Number(), roll: Type.Number() }), 'half the width of the 95 % interval'),
    zoom_ratio: Nullable(Type.Number(), 'real focal length over the expected one'),
    zoom_ci95: Nullable(Type.Number(), 'half the width of its 95 % interval'),
    inliers: Type.Integer(),
    spread: Type.Number({ description: 'share of the picture with inliers' }),
    views: Type.Array(Type.Any(), { description: 'what each picture says' }),
    duration_ms: Type.Integer(),
  },
  { description: 'the check of a device' },
);

const DevicesSchema = Type.Object({
  configured: Type.Boolean({ description: 'is there a devices.yaml?' }),
  devices: Type.Array(
    Type.Object({
      deployment_name: Type.String(),
      device_id: Type.String(),
      variant: Type.String(),
      access: Type.String({ description: 'kubernetes, direct or folder' }),
      mode: Type.String({ description: 'passive or active' }),
      reference_stops: Type.Integer(),
      newest: Nullable(ResultSchema, 'the newest check; null = none yet'),
    }),
  ),
});

const Name = (description: string) => Type.Optional(Type.String({ minLength: 1, maxLength: 255, description }));
const ResultsQuery = Type.Object(
  {
    deployment: Name('only of this deployment'),
    device: Name('only of this device: camera, or deployment/camera'),
    status: Type.Optional(Status),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, description: 'at most so many, default 100' })),
    before: Type.Optional(Type.Integer({ minimum: 1, description: 'only results with a lower id' })),
  },
  closed,
);
const ResultsSchema = Type.Object({ results: Type.Array(ResultSchema), next_before: Nullable(Type.Integer(), 'before of the next page; null = there is none') });

export function ptzResultRoutes(app: Server, { ptz_records: records }: HttpDeps): void {
  const tags = ['ptz'];
  app.get('/api/ptz/devices', { schema: { summary: 'PTZ cameras that are monitored, with their newest check', tags, response: { 200: DevicesSchema, ...errors } } }, async () => records.devices());
  app.get('/api/ptz/results', { schema: { summary: 'Checks of PTZ cameras, newest first', tags, querystring: ResultsQuery, response: { 200: ResultsSchema, ...errors } } }, async (request) => {
    const { deployment, device, status, limit = DEFAULT_LIMIT, before } = request.query;
    // A camera of another deployment than the one asked for.
    if (deployment !== undefined && device?.includes('/') === true && !device.startsWith(`${deployment}/`)) return { results: [], next_before: null };
    const devices = device === undefined ? undefined : [deployment === undefined || device.includes('/') ? device : `${deployment}/${device}`];
    return records.results({ devices, deployments: device !== undefined || deployment === undefined ? undefined : [deployment], status, limit, before });
  });
}
