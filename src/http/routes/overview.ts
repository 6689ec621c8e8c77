/** Everything that the operations page shows of the moment, in one answer: one request every other second instead of one for each camera. */
import { type Static, Type } from '@sinclair/typebox';
import type { FrameAnalysis } from '../../analysis/types.js';
import type { HttpDeps } from '../deps.js';
import { ErrorSchema } from '../schemas.js';
import type { Server } from '../typed_server.js';

/** Viewers within this time get the same answer. */
const SHARED_MS = 500;
/** More than these make a thumbnail unreadable. */
const MARKS_MAX = 24;

const MarkSchema = Type.Object(
  {
    kind: Type.Union([Type.Literal('face'), Type.Literal('person'), Type.Literal('object')]),
    box: Type.Array(Type.Number(), { minItems: 4, maxItems: 4, description: '[x, y, width, height] in shares of the picture, 0..1' }),
    label: Type.String(),
    score: Type.Number(),
  },
  { description: 'something to draw over the picture' },
);
type Mark = Static<typeof MarkSchema>;
const Nullable = <T extends ReturnType<typeof Type.Number> | ReturnType<typeof Type.String> | ReturnType<typeof Type.Integer>>(schema: T) => Type.Union([schema, Type.Null()]);
const CameraViewSchema = Type.Object({
  camera_id: Type.Integer(),
  camera_name: Type.String(),
  state: Type.String(),
  reason: Type.String(),
  fps: Type.Number(),
  expected_fps: Nullable(Type.Number()),
  frame_age_ms: Nullable(Type.Number()),
  drops: Type.Integer({ description: 'dropped frames since the start, all reasons' }),
  width: Type.Integer(),
  height: Type.Integer(),
  location: Nullable(Type.String()),
  analysed_at: Nullable(Type.String()),
  risk_level: Nullable(Type.String()),
  risk_score: Nullable(Type.Number()),
  baseline: Nullable(Type.String()),
  marks: Type.Array(MarkSchema),
});
const SampleSchema = Type.Object({
  at_ms: Type.Integer({ description: 'milliseconds since 1970' }),
  frames_per_s: Type.Number(),
  p50_ms: Nullable(Type.Number()),
  p99_ms: Nullable(Type.Number()),
  fill: Type.Record(Type.String(), Type.Number(), { description: 'by network: mean size of its batches over their target size' }),
  dropped: Type.Integer(),
  backlog: Type.Integer(),
});
export const OverviewSchema = Type.Object(
  {
    version: Type.String(),
    at: Type.String({ description: 'ISO 8601, UTC' }),
    ready: Type.Boolean(),
    reasons: Type.Array(Type.String()),
    cameras: Type.Array(CameraViewSchema),
    pipeline: Type.Object({
      frames_per_s: Type.Number(),
      p50_ms: Nullable(Type.Number()),
      p99_ms: Nullable(Type.Number()),
      drops: Type.Record(Type.String(), Type.Integer()),
      providers: Type.Record(Type.String(), Type.String(), { description: 'network → execution provider in use' }),
      slowed: Type.Integer({ description: 'cameras analysed less often than wanted, because the machine cannot keep up' }),
      paused: Type.Integer({ description: 'cameras not analysed at all, for the same reason' }),
    }),
    callbacks: Type.Object({
      backlog: Type.Integer(),
      delivered: Type.Integer(),
      failed: Type.Integer(),
      dead_letters: Type.Integer(),
      oldest_age_s: Nullable(Type.Number()),
      targets: Type.Array(Type.Object({ url: Type.String(), state: Type.String(), last_status: Nullable(Type.Integer()), last_error: Nullable(Type.String()) })),
    }),
    samples: Type.Array(SampleSchema, { description: 'of the last hour, oldest first' }),
  },
  { description: 'what the operations page shows' },
);
type Moment = Omit<Static<typeof OverviewSchema>, 'samples'>;

const Query = Type.Object({ since: Type.Optional(Type.Integer({ minimum: 0, description: 'only samples later than this, milliseconds since 1970' })) }, { additionalProperties: false });

export function overviewRoutes(app: Server, deps: HttpDeps): void {
  let moment: { made_ms: number; value: Moment } | undefined;
  const now = (): Moment => {
    const at_ms = performance.now();
    if (moment === undefined || at_ms - moment.made_ms > SHARED_MS) moment = { made_ms: at_ms, value: momentOf(deps) };
    return moment.value;
  };
  app.get(
    '/api/overview',
    { schema: { summary: 'Everything the operations page shows, in one answer', tags: ['pipeline'], querystring: Query, response: { 200: OverviewSchema, 400: ErrorSchema, 401: ErrorSchema, 403: ErrorSchema } } },
    async (request) => ({ ...now(), samples: deps.history.since(request.query.since ?? 0) }),
  );
}

function momentOf({ version, health, cameras, analysis, pipeline, callbacks }: HttpDeps): Moment {
  const { ok, reasons } = health.ready();
  const flow = pipeline.snapshot();
  const { backlog, delivered, failed, dead_letters, oldest_age_s, targets } = callbacks.summary();
  return {
    version,
    at: new Date().toISOString(),
    ready: ok,
    reasons,
    cameras: cameras.statuses().map((camera) => {
      const newest = analysis.newest(camera.camera_id);
      const { camera_id, camera_name, state, reason, fps, expected_fps, frame_age_ms, width, height, location } = camera;
      return {
        camera_id, camera_name, state, reason, fps, expected_fps, frame_age_ms, width, height, location,
        drops: Object.values(camera.drops).reduce((total, count) => total + count, 0),
        analysed_at: newest?.frame_timestamp ?? null,
        risk_level: newest?.risk_level ?? null,
        risk_score: newest?.risk_score ?? null,
        baseline: newest?.baseline.state ?? null,
        marks: newest === undefined ? [] : marksOf(newest),
      };
    }),
    pipeline: {
      frames_per_s: flow.frames_per_s,
      p50_ms: flow.latency_ms.p50,
      p99_ms: flow.latency_ms.p99,
      drops: flow.drops,
      providers: Object.fromEntries(Object.entries(flow.providers).map(([network, { used }]) => [network, used])),
      slowed: flow.degradation.slowed.length,
      paused: flow.degradation.paused.length,
    },
    callbacks: {
      backlog, delivered, failed, dead_letters, oldest_age_s,
      targets: targets.map(({ url, state, last_status, last_error }) => ({ url, state, last_status, last_error })),
    },
  };
}

/** Boxes in shares of the picture: what is drawn fits a thumbnail of any size. */
function marksOf({ width, height, faces, persons, objects }: FrameAnalysis): Mark[] {
  const share = ([x, y, w, h]: readonly [number, number, number, number]) => [x / width, y / height, w / width, h / height].map((value) => Math.round(value * 1e4) / 1e4);
  const marks: Mark[] = [
    ...faces.map((face) => ({ kind: 'face' as const, box: share(face.box), label: topOf(face.emotions), score: face.score })),
    ...persons.map((person) => ({ kind: 'person' as const, box: share(person.box), label: person.action?.label ?? '', score: person.score })),
    ...objects.filter(({ label }) => label !== 'person').map((object) => ({ kind: 'object' as const, box: share(object.box), label: object.label, score: object.score })),
  ];
  return marks.slice(0, MARKS_MAX);
}

function topOf(labels: Record<string, number> | undefined): string {
  return Object.entries(labels ?? {}).sort(([, a], [, b]) => b - a)[0]?.[0] ?? '';
}
