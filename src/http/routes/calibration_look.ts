/** What the calibration page asks beyond the plan: looking without keeping, a target anew, the newest sessions. */
import { Type } from '@sinclair/typebox';
import { Nullable } from '../../cameras/fields.js';
import type { CalibrationAccess } from '../calibration/access.js';
import { imageOf } from '../calibration/images.js';
import { ErrorSchema, LookAnswerSchema, LookBody, SessionParams, TargetIndex } from '../calibration/schemas.js';
import type { Server } from '../typed_server.js';

const errors = { 401: ErrorSchema, 403: ErrorSchema, 422: ErrorSchema, 429: ErrorSchema, 503: ErrorSchema };
const missing = { ...errors, 400: ErrorSchema, 404: ErrorSchema };
const tags = ['calibration'];

const RedoBody = Type.Object({ target_index: TargetIndex }, { additionalProperties: false });
const RedoneSchema = Type.Object({ session_id: Type.String(), target_index: Type.Integer(), removed_frames: Type.Integer(), next_frame_index: Type.Integer() }, { description: 'the target has no frames any more' });
const SessionsSchema = Type.Object(
  {
    sessions: Type.Array(
      Type.Object({
        session_id: Type.String(), status: Type.String(), created_at: Type.String(), completed_at: Nullable(Type.String(), 'null = it is not completed'), frames: Type.Integer(),
        verdict: Nullable(Type.String(), 'of the fit: accept, repeat or refuse; null before the completion'), accuracy_deg: Nullable(Type.Number(), 'each target by a fit on the others; null = not known'),
      }),
    ),
  },
  { description: 'the newest sessions, without the candidates' },
);

export function calibrationLookRoutes(app: Server, { service, caller }: CalibrationAccess, bodyLimit: number): void {
  app.post(
    '/api/calibration/look',
    { bodyLimit, schema: { summary: 'Look at frames without keeping anything: the check before, and held-out points after a calibration', tags, body: LookBody, response: { 200: LookAnswerSchema, ...missing, 409: ErrorSchema, 413: ErrorSchema } } },
    async (request) => {
      const { session_id, candidate_id, frames } = request.body;
      const incoming = frames.map(({ frame_data, frame_index, target_index, target_position: { x, y } }, at) => ({ frame_index, target_index, target_position: { x, y }, image: imageOf(frame_data, `frames.${at}.frame_data`) }));
      return { results: await (await service().preview()).look(caller(request), { session_id, candidate_id, frames: incoming }), recommended_fps: service().ping().recommended_fps };
    },
  );
  app.post(
    '/api/calibration/session/:id/redo',
    { schema: { summary: 'Forget the frames of a target, to record it anew', tags, params: SessionParams, body: RedoBody, response: { 200: RedoneSchema, ...missing, 409: ErrorSchema } } },
    async (request) => (await service().preview()).redo(caller(request), request.params.id, request.body.target_index),
  );
  app.get(
    '/api/calibration/admin/sessions',
    { schema: { summary: 'The newest sessions and how they went, without the candidates', tags, response: { 200: SessionsSchema, ...errors } } },
    async (request) => ({ sessions: await (await service().preview()).newest(caller(request)) }),
  );
}
