/** The camera registry, what cameras are doing and what they show. */
import { Type } from '@sinclair/typebox';
import { shownUrl } from '../../cameras/stream_url.js';
import type { CameraChange, CameraRecord } from '../../cameras/types.js';
import { SightlineError } from '../../errors.js';
import type { HttpDeps } from '../deps.js';
import {
  AnalysisSchema, CameraChangeSchema, CameraIdParams, CameraSchema, CameraStatusSchema, CameraStatusesSchema, DryRunQuery, DryRunSchema, ErrorSchema, NewCameraSchema, ProbeRequestSchema, ProbeSchema, RegistrySchema, SnapshotQuery,
} from '../schemas.js';
import type { Server } from '../typed_server.js';
import { shareSnapshots } from '../thumbnails.js';

const errors = { 400: ErrorSchema, 401: ErrorSchema, 403: ErrorSchema };
const missing = { ...errors, 404: ErrorSchema };
const DEFAULT_QUALITY = 85;

export function cameraRoutes(app: Server, { cameras, analysis }: HttpDeps): void {
  const tags = ['cameras'];
  const snapshot = shareSnapshots((id, options) => cameras.snapshot(id, options));
  const shown = (camera: CameraRecord): CameraRecord => ({ ...camera, url: shownUrl(camera.url) });
  const registered = async (id: number): Promise<CameraRecord> => {
    const camera = await cameras.get(id);
    if (camera === undefined) throw new SightlineError('CAMERA_NOT_FOUND', `camera_id: expected a registered camera, received ${id}`);
    return camera;
  };

  const tried = async (camera: CameraRecord, changes_stream: boolean) => ({ dry_run: true as const, camera: shown(camera), probe: changes_stream ? await cameras.probe(camera.url, camera.transport) : null });

  app.get('/api/registry', { schema: { summary: 'Where the cameras come from, and how that goes', tags, response: { 200: RegistrySchema, ...errors } } }, async () => cameras.registry());
  app.get('/api/cameras', { schema: { summary: 'All cameras and what they are doing', tags, response: { 200: CameraStatusesSchema, ...errors } } }, async () => ({
    cameras: cameras.statuses(),
  }));
  app.post(
    '/api/cameras',
    {
      schema: {
        summary: 'Register a camera; it starts at once (dry_run=true: only check and probe it)', tags, body: NewCameraSchema, querystring: DryRunQuery,
        response: { 200: DryRunSchema, 201: CameraSchema, ...errors, 409: ErrorSchema, 503: ErrorSchema },
      },
    },
    async (request, reply) => {
      if (request.query.dry_run === 'true') return reply.code(200).send(await tried(await cameras.preview(request.body), true));
      const camera = await cameras.add(request.body);
      return reply.code(201).header('location', `/api/cameras/${camera.camera_id}`).send(shown(camera));
    },
  );
  app.post(
    '/api/cameras/probe',
    { schema: { summary: 'Try a stream without registering it', tags, body: ProbeRequestSchema, response: { 200: ProbeSchema, ...errors } } },
    async (request) => cameras.probe(request.body.url, request.body.transport ?? null),
  );
  app.get(
    '/api/cameras/:id',
    { schema: { summary: 'A camera: its registration and what it is doing', tags, params: CameraIdParams, response: { 200: CameraDetailSchema, ...missing } } },
    async (request) => {
      const camera = await registered(request.params.id);
      return { ...shown(camera), status: cameras.statuses().find((status) => status.camera_id === camera.camera_id) ?? null };
    },
  );
  app.patch(
    '/api/cameras/:id',
    {
      schema: {
        summary: 'Change a camera; only this one starts anew, and only when it has to (dry_run=true: only check and probe it)', tags, params: CameraIdParams, body: CameraChangeSchema, querystring: DryRunQuery,
        response: { 200: Type.Union([DryRunSchema, CameraSchema]), ...missing, 409: ErrorSchema, 503: ErrorSchema },
      },
    },
    async (request) => {
      const change = request.body as CameraChange;
      if (request.query.dry_run !== 'true') return shown(await cameras.update(request.params.id, change));
      return tried(await cameras.preview(change, request.params.id), change.url !== undefined || change.transport !== undefined);
    },
  );
  app.delete(
    '/api/cameras/:id',
    { schema: { summary: 'Stop and forget a camera', tags, params: CameraIdParams, response: { 204: Type.Null({ description: 'gone' }), ...missing } } },
    async (request, reply) => {
      await cameras.remove(request.params.id);
      return reply.code(204).send(null);
    },
  );
  app.get(
    '/api/cameras/:id/snapshot.jpg',
    {
      schema: {
        summary: 'The newest frame as a JPEG', tags, produces: ['image/jpeg'], params: CameraIdParams, querystring: SnapshotQuery,
        response: { 200: { description: 'JPEG', content: { 'image/jpeg': { schema: Type.Any() } } }, ...missing, 503: ErrorSchema },
      },
    },
    async (request, reply) => {
      const { width, quality } = request.query;
      const jpeg = await snapshot(request.params.id, { max_width: width ?? 0, quality: quality ?? DEFAULT_QUALITY });
      if (jpeg === null) throw new SightlineError('CAMERA_NO_FRAME', `camera ${request.params.id} has not delivered a frame yet`);
      return reply.header('content-type', 'image/jpeg').send(jpeg);
    },
  );
  app.get(
    '/api/cameras/:id/analysis',
    { schema: { summary: 'What the newest analysed frame shows', tags, params: CameraIdParams, response: { 200: AnalysisSchema, ...missing, 503: ErrorSchema } } },
    async (request) => {
      const { camera_id } = await registered(request.params.id);
      const newest = analysis.newest(camera_id);
      if (newest === undefined) throw new SightlineError('CAMERA_NO_FRAME', `no frame of camera ${camera_id} has been analysed yet`);
      return { camera_id, ...newest };
    },
  );
}

const CameraDetailSchema = Type.Object(
  { ...CameraSchema.properties, status: Type.Union([CameraStatusSchema, Type.Null()], { description: 'what it is doing; null in the moment of a change' }) },
  { description: 'a camera; url is shown without its credentials' },
);
