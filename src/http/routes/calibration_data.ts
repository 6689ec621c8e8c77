/** Calibrations for other systems, for support and for the people whose they are. */
import { Type } from '@sinclair/typebox';
import type { CalibrationAccess } from '../calibration/access.js';
import { AuditQuery, CandidateParams, DownloadQuery, ErrorSchema, IdParams, MissingSchema, VerifySchema, Whole } from '../calibration/schemas.js';
import type { Server } from '../typed_server.js';
import { SightlineError } from '../../errors.js';

const errors = { 401: ErrorSchema, 403: ErrorSchema, 422: ErrorSchema, 429: ErrorSchema, 503: ErrorSchema };
const missing = { ...errors, 404: ErrorSchema };
const tags = ['calibration'];
const rights = ['calibration data'];
const AUDIT_ENTRIES = 100;
/** Of answers that come as bytes: they may have megabytes, and were written where that holds up nobody. */
const JSON_TYPE = 'application/json; charset=utf-8';

export function calibrationDataRoutes(app: Server, access: CalibrationAccess): void {
  readingRoutes(app, access);
  supportRoutes(app, access);
  rightsRoutes(app, access);
}

function readingRoutes(app: Server, { service, caller }: CalibrationAccess): void {
  app.get(
    '/api/calibration/:candidate_id',
    { schema: { summary: 'The state of a candidate\'s newest calibration', tags, params: CandidateParams, response: { 200: Whole('state of the newest session, and what is stored'), ...missing } } },
    async (request) => (await service().results()).candidate(caller(request), request.params.candidate_id),
  );
  app.get(
    '/api/calibration/verify/:candidate_id',
    { schema: { summary: 'Is there a calibration of this candidate? 404 when not, with the same fields', tags, params: CandidateParams, response: { 200: VerifySchema, ...errors, 404: MissingSchema } } },
    async (request, reply) => {
      const found = await (await service().results()).verify(caller(request), request.params.candidate_id);
      if (found.exists) return found;
      const message = 'Calibration not found';
      return reply.code(404).send({ ...found, detail: message, error: { code: 'CALIBRATION_NOT_FOUND', message } });
    },
  );
  app.get(
    '/api/calibration/download/:candidate_id',
    {
      schema: {
        summary: 'The three files of a candidate', tags, params: CandidateParams, querystring: DownloadQuery,
        response: { 200: { description: 'the files by name, or a ZIP archive', content: { 'application/json': { schema: Whole('file name → content') }, 'application/zip': { schema: Type.Any() } } }, ...missing },
      },
    },
    async (request, reply) => {
      const { candidate_id } = request.params;
      const { format = 'json', csv = 'exact' } = request.query;
      const names = { screen: `${candidate_id}_screen_info.json`, csv: `${candidate_id}_calibration.csv`, npz: `${candidate_id}_transform_matrix.npz` };
      const files = await (await service().results()).files(caller(request), candidate_id, { csv, format, names });
      if (format === 'json') return reply.type(JSON_TYPE).send(written(files));
      const filename = encodeURIComponent(`${candidate_id}_calibration.zip`).replaceAll("'", '%27');
      return reply.header('content-type', 'application/zip').header('content-disposition', `attachment; filename="calibration.zip"; filename*=UTF-8''${filename}`).send(bytes(files));
    },
  );
}

function supportRoutes(app: Server, { service, caller }: CalibrationAccess): void {
  app.get(
    '/api/calibration/diagnostics/:id',
    { schema: { summary: 'How a session went: frames by target, stability, light, detection', tags, params: IdParams, response: { 200: Whole('the session and its frames in figures'), ...missing } } },
    async (request) => (await service().results()).diagnostics(caller(request), request.params.id),
  );
  app.post(
    '/api/calibration/validate/:id',
    { bodyLimit: 1024, schema: { summary: 'Make the files anew from the stored frames and compare', tags, params: IdParams, response: { 200: Whole('valid, or the problems'), ...missing } } },
    async (request) => (await (await service().results()).validate(caller(request), request.params.id)) as unknown as Record<string, unknown>,
  );
  app.get(
    '/api/calibration/replay/:id',
    { schema: { summary: 'A session frame by frame, with where its own fit puts each gaze', tags, params: IdParams, response: { 200: Whole('the frames in their order and the report'), ...missing } } },
    async (request, reply) => reply.type(JSON_TYPE).send(written(await (await service().results()).replay(caller(request), request.params.id))),
  );
}

function rightsRoutes(app: Server, { service, caller }: CalibrationAccess): void {
  app.delete(
    '/api/calibration/:candidate_id',
    { schema: { summary: 'Delete everything that is stored of a candidate', tags: rights, params: CandidateParams, response: { 200: Whole('how much was deleted'), ...errors } } },
    async (request) => (await service().governance()).delete(caller(request), request.params.candidate_id),
  );
  app.get(
    '/api/calibration/export/:candidate_id',
    { schema: { summary: 'Everything that is stored of a candidate, to take elsewhere', tags: rights, params: CandidateParams, response: { 200: Whole('screen, files, sessions with frames, consents, audit log'), ...errors } } },
    async (request, reply) => {
      const data = await (await service().governance()).export(caller(request), request.params.candidate_id);
      return reply.type(JSON_TYPE).header('content-disposition', 'attachment; filename="calibration-export.json"').send(written(data));
    },
  );
  app.post(
    '/api/calibration/anonymise/:candidate_id',
    { bodyLimit: 1024, schema: { summary: 'Keep the calibration, forget whose it is', tags: rights, params: CandidateParams, response: { 200: Whole('the new, meaningless id'), ...missing } } },
    async (request) => (await service().governance()).anonymise(caller(request), request.params.candidate_id),
  );
  app.get(
    '/api/calibration/admin/audit',
    { schema: { summary: 'The audit log, oldest first', tags: rights, querystring: AuditQuery, response: { 200: Whole('entries'), ...errors } } },
    async (request) => {
      const { candidate_id, after = 0, limit = AUDIT_ENTRIES } = request.query;
      return { entries: await (await service().governance()).auditLog(caller(request), { candidate_id, after, limit }) };
    },
  );
  app.post(
    '/api/calibration/admin/retention',
    { bodyLimit: 1024, schema: { summary: 'Delete what is past its retention now and not at the next turn of the job', tags: rights, response: { 200: Whole('how much was deleted'), ...errors } } },
    async (request) => (await service().governance()).runRetention(caller(request)),
  );
  app.get(
    '/api/calibration/admin/webhooks',
    { schema: { summary: 'Webhooks: what waits, and the last attempts', tags: rights, response: { 200: Whole('backlog, state and log'), ...errors } } },
    async (request) => {
      const asked = caller(request);
      if (asked.role !== 'admin') throw new SightlineError('FORBIDDEN', 'webhooks_read: expected a token of the role admin');
      return service().webhooks();
    },
  );
}

/** The same memory. */
function bytes({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** JSON that is written already, in the place of the object that a route describes. */
function written(json: Uint8Array): Record<string, unknown> {
  return bytes(json) as unknown as Record<string, unknown>;
}
