/** Web calibration: sessions, screens, frames and completion, under the paths of the plan and as the existing clients call them. */
import multipart from '@fastify/multipart';
import { Type } from '@sinclair/typebox';
import type { IncomingFrame } from '../../calibration/service/types.js';
import { problemsOf } from '../../config/problems.js';
import { SightlineError } from '../../errors.js';
import { calibrationAccess, type CalibrationAccess } from '../calibration/access.js';
import { imageOf } from '../calibration/images.js';
import {
  BatchAnswerSchema, BatchBody, CandidateParams, CompleteBody, ConsentBody, ConsentSchema, CreatedSessionSchema, CreateSessionBody, DetectBody, DetectedSchema, ErrorSchema, FrameAnswerSchema, FrameBody, LinkBody, LinkedSchema,
  LinkQuery, PingSchema, ResumedSchema, ResumeBody, SavedScreenSchema, ScreenBody, ScreenInfoSchema, SessionParams, SessionStatusSchema, StartBody, StartedSchema, UploadFields, Whole,
} from '../calibration/schemas.js';
import type { HttpDeps } from '../deps.js';
import type { Server } from '../typed_server.js';
import { calibrationDataRoutes } from './calibration_data.js';
import { calibrationLookRoutes } from './calibration_look.js';
import { calibrationStreamRoute } from './calibration_stream.js';

const errors = { 401: ErrorSchema, 403: ErrorSchema, 422: ErrorSchema, 429: ErrorSchema, 503: ErrorSchema };
const missing = { ...errors, 400: ErrorSchema, 404: ErrorSchema };
const tags = ['calibration'];
/** Metadata and the like are small; only frames get the large limit. */
const SMALL_BODY_BYTES = 64 * 1024;
const KIB = 1024;

export async function calibrationRoutes(app: Server, deps: HttpDeps): Promise<void> {
  const access = await calibrationAccess(app, deps);
  const frame_bytes = (deps.calibration?.body_limit_kib ?? 1) * KIB;
  await app.register(multipart, { throwFileSizeLimit: true, limits: { fileSize: frame_bytes, files: 1, fields: 20, fieldSize: 4 * KIB, parts: 21, headerPairs: 50 } });
  sessionRoutes(app, access);
  screenRoutes(app, access);
  frameRoutes(app, access, frame_bytes);
  calibrationDataRoutes(app, access);
  calibrationLookRoutes(app, access, frame_bytes);
  calibrationStreamRoute(app, access, frame_bytes);
  for (const url of ['/api/calibration/*', '/api/screen/*', '/api/ping']) {
    // Asked by browsers before they send something to another origin; the origin was checked by the guard.
    app.options(url, { schema: { hide: true } }, async (_request, reply) =>
      reply.code(204).headers({ 'access-control-allow-methods': 'GET, POST, DELETE', 'access-control-allow-headers': 'authorization, content-type', 'access-control-max-age': '600' }).send(),
    );
  }
}

function sessionRoutes(app: Server, { service, caller }: CalibrationAccess): void {
  const bodyLimit = SMALL_BODY_BYTES;
  app.get('/api/ping', { schema: { summary: 'Is the server there, and how fast may frames come', tags, response: { 200: PingSchema, 503: ErrorSchema } } }, async () => {
    const { rates, ...rest } = service().ping();
    return { ...rest, rates: [...rates] };
  });
  app.post(
    '/api/calibration/session/create',
    { bodyLimit, schema: { summary: 'Create a session', tags, body: CreateSessionBody, response: { 200: CreatedSessionSchema, ...errors } } },
    async (request) => (await service().sessions()).create(caller(request), request.body),
  );
  app.get(
    '/api/calibration/session/:id',
    { schema: { summary: 'The state of a session; one that is unknown is answered too', tags, params: SessionParams, response: { 200: SessionStatusSchema, ...errors } } },
    async (request) => (await service().sessions()).status(caller(request), request.params.id),
  );
  app.post(
    '/api/calibration/session/:id/resume',
    { bodyLimit, schema: { summary: 'Take up an interrupted session', tags, params: SessionParams, response: { 200: ResumedSchema, ...missing } } },
    async (request) => (await service().sessions()).resume(caller(request), request.params.id),
  );
  app.post(
    '/api/calibration/session/resume',
    { bodyLimit, schema: { summary: 'Take up an interrupted session, named in the body, or the newest one of a candidate', tags, body: ResumeBody, response: { 200: ResumedSchema, ...missing } } },
    async (request) => {
      const { session_id, candidate_id } = request.body;
      const sessions = await service().sessions();
      if (session_id !== undefined) return sessions.resume(caller(request), session_id);
      if (candidate_id !== undefined) return sessions.resumeOf(caller(request), candidate_id);
      throw new SightlineError('REQUEST_INVALID', 'session_id: expected a session, or a candidate_id, received neither');
    },
  );
  app.post(
    '/api/calibration/session/:id/link',
    { bodyLimit, schema: { summary: 'Link a session to an interview', tags, params: SessionParams, querystring: LinkQuery, response: { 200: LinkedSchema, ...missing } } },
    async (request) => (await service().sessions()).link(caller(request), request.params.id, request.query.interview_id),
  );
  app.post(
    '/api/calibration/session/link',
    { bodyLimit, schema: { summary: 'Link a session, named in the body, to an interview', tags, body: LinkBody, response: { 200: LinkedSchema, ...missing } } },
    async (request) => (await service().sessions()).link(caller(request), request.body.session_id, request.body.interview_id),
  );
  app.post(
    '/api/calibration/consent',
    { bodyLimit, schema: { summary: 'Give or withdraw the consent to process biometric data', tags, body: ConsentBody, response: { 200: ConsentSchema, ...errors } } },
    async (request) => (await service().sessions()).giveConsent(caller(request), request.body.candidate_id, request.body),
  );
  app.post(
    '/api/calibration/start',
    { bodyLimit, schema: { summary: 'Begin: the screen is known, the targets are told', tags, body: StartBody, response: { 200: StartedSchema, ...missing } } },
    async (request) => (await service().sessions()).start(caller(request), request.body),
  );
}

function screenRoutes(app: Server, { service, caller }: CalibrationAccess): void {
  const bodyLimit = SMALL_BODY_BYTES;
  app.post(
    '/api/screen/info',
    { bodyLimit, schema: { summary: 'Store the screen of a candidate', tags, body: ScreenBody, response: { 200: SavedScreenSchema, ...errors } } },
    async (request) => (await service().screens()).save(caller(request), request.body),
  );
  app.get(
    '/api/screen/info/:candidate_id',
    { schema: { summary: 'The stored screen of a candidate', tags, params: CandidateParams, response: { 200: ScreenInfoSchema, ...missing } } },
    async (request) => (await service().screens()).get(caller(request), request.params.candidate_id),
  );
  app.post(
    '/api/screen/detect',
    { bodyLimit, schema: { summary: 'Complete and check screen information without storing it', tags, body: DetectBody, response: { 200: DetectedSchema, ...errors } } },
    async (request) => (await service().screens()).detect(request.body),
  );
}

function frameRoutes(app: Server, { service, caller }: CalibrationAccess, bodyLimit: number): void {
  app.post(
    '/api/calibration/frame',
    { bodyLimit, schema: { summary: 'Look at one frame and keep its gaze', tags, body: FrameBody, response: { 200: FrameAnswerSchema, ...missing, 409: ErrorSchema, 413: ErrorSchema } } },
    async (request) => {
      const { session_id, candidate_id } = request.body;
      return one(await service().frames(caller(request), { session_id, candidate_id, frames: [incoming(request.body, 'frame_data')] }));
    },
  );
  app.post(
    '/api/calibration/frames/batch',
    { bodyLimit, schema: { summary: 'Look at several frames; without session_id they go to the candidate\'s open session', tags, body: BatchBody, response: { 200: BatchAnswerSchema, ...missing, 409: ErrorSchema, 413: ErrorSchema } } },
    async (request) => {
      const { session_id, candidate_id, frames } = request.body;
      const named = session_id ?? frames.find((frame) => frame.session_id !== undefined)?.session_id;
      const { answers, recommended_fps, session_id: used } = await service().frames(caller(request), { session_id: named, candidate_id, frames: frames.map(tolerant) });
      return { session_id: used, batch_size: answers.length, successful_frames: answers.filter(({ success }) => success).length, results: answers, recommended_fps, guidance: answers.at(-1)?.guidance ?? null };
    },
  );
  app.post(
    '/api/calibration/frame/upload',
    {
      bodyLimit: bodyLimit + 64 * KIB,
      // The form is read and checked by the handler: a stream is no value yet.
      validatorCompiler: () => () => true,
      schema: {
        summary: 'Look at one frame, sent as a form', tags, consumes: ['multipart/form-data'],
        body: Type.Object({ ...UploadFields.properties, frame: Type.Unsafe<unknown>({ type: 'string', format: 'binary', description: 'the picture file' }) }),
        response: { 200: FrameAnswerSchema, ...missing, 409: ErrorSchema, 413: ErrorSchema },
      },
    },
    async (request) => {
      if (!request.isMultipart()) throw new SightlineError('REQUEST_INVALID', 'content-type: expected multipart/form-data, received another one');
      const fields: Record<string, unknown> = {};
      let image: Uint8Array | undefined;
      for await (const part of request.parts()) {
        if (part.type === 'file') {
          const bytes = await part.toBuffer();
          if (part.fieldname === 'frame') image = new Uint8Array(bytes);
        } else fields[part.fieldname] = numeric(part.fieldname, part.value);
      }
      const problems = problemsOf(UploadFields, fields);
      if (image === undefined || image.length === 0) problems.push('frame: expected a picture file, received none');
      if (problems.length > 0) throw new SightlineError('REQUEST_INVALID', problems.join('; '));
      const { session_id, candidate_id, frame_index, target_index, target_x, target_y, timestamp } = fields as { session_id: string; candidate_id: string; frame_index: number; target_index: number; target_x: number; target_y: number; timestamp?: string };
      const frame: IncomingFrame = { frame_index, target_index, target_position: { x: target_x, y: target_y }, image: image as Uint8Array, timestamp };
      return one(await service().frames(caller(request), { session_id, candidate_id, frames: [frame] }));
    },
  );
  app.post(
    '/api/calibration/complete',
    { bodyLimit: SMALL_BODY_BYTES, schema: { summary: 'Fit, make the three files, end the session', tags, body: CompleteBody, response: { 200: Whole('statistics, checksums and the report of the fit'), ...missing } } },
    async (request) => (await (await service().results()).complete(caller(request), request.body.session_id, request.body.candidate_id)) as unknown as Record<string, unknown>,
  );
}

type Answers = Awaited<ReturnType<ReturnType<CalibrationAccess['service']>['frames']>>;

function one({ answers, recommended_fps }: Answers) {
  const [answer] = answers;
  if (answer === undefined) throw new SightlineError('INTERNAL', 'a frame came back without an answer');
  return { ...answer, recommended_fps };
}

function incoming(frame: { frame_data: string; frame_index: number; target_index: number; target_position: { x: number; y: number }; timestamp?: string | number | undefined }, field: string): IncomingFrame {
  const { frame_data, frame_index, target_index, target_position: { x, y }, timestamp } = frame;
  return { frame_index, target_index, target_position: { x, y }, image: imageOf(frame_data, field), timestamp };
}

/** Of a batch: a frame whose text is no base64 is answered by itself and does not take the others with it. */
function tolerant(frame: Parameters<typeof incoming>[0]): IncomingFrame {
  try {
    return incoming(frame, 'frame_data');
  } catch (error) {
    if (!(error instanceof SightlineError)) throw error;
    const { frame_index, target_index, target_position: { x, y }, timestamp } = frame;
    return { frame_index, target_index, target_position: { x, y }, image: new Uint8Array(), fault: error.message, timestamp };
  }
}

function numeric(name: string, value: unknown): unknown {
  const number = ['frame_index', 'target_index', 'target_x', 'target_y'].includes(name) && typeof value === 'string' && /^-?\d+(\.\d+)?(e-?\d+)?$/i.test(value);
  return number ? Number(value) : value;
}
