import Fastify from 'fastify';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import t, { type Test } from 'tap';
import { SightlineError } from '../../src/errors.js';
import type { HttpDeps } from '../../src/http/deps.js';
import { ptzOffsetRoutes } from '../../src/http/routes/ptz_offset.js';
import type { Server } from '../../src/http/typed_server.js';
import { compileValidator } from '../../src/http/validate.js';
import type { OffsetEngine, OffsetResult, PtzView } from '../../src/ptz/estimate/types.js';
import { createOffsetChecks } from '../../src/ptz/offset_request.js';
import type { StoredSets } from '../../src/ptz/stored_sets.js';

const RESULT: OffsetResult = {
  status: 'drift', reason: '', detail: 'd', yaw_deg: -2, pitch_deg: 0, roll_deg: 0, ci95_deg: { yaw: 0.1, pitch: 0.1, roll: 0.1 }, zoom_ratio: 1, zoom_ci95: 0, k1: 0, k1_change: 0, inliers: 9, spread: 0.5, view_scatter_deg: null,
  views: [{ image: 'query 1', status: 'used', reason: '', references: ['a'], yaw_deg: -2, pitch_deg: 0, roll_deg: 0, ci95_deg: { yaw: 0.1, pitch: 0.1, roll: 0.1 }, inliers: 9, matches: 10, spread: 0.5, moving_share: null }],
  timings: { features_ms: 1, matching_ms: 1, estimation_ms: 1 },
};
const CAMERA = { width: 1280, height: 720, hfov_deg: 60 };
const view = { image: Buffer.from('picture').toString('base64'), pan_deg: 1, tilt_deg: 2 };

interface World {
  asked: { references: readonly PtzView[]; queries: readonly PtzView[]; options: unknown }[];
  post: (payload: unknown) => Promise<{ status: number; body: { error?: { code: string; message: string } } & Partial<OffsetResult> }>;
}

async function world(t: Test, estimate?: OffsetEngine['estimateOffset']): Promise<World> {
  const asked: World['asked'] = [];
  const sets: StoredSets = {
    reference: async (device_id) => {
      if (device_id !== 'cam') throw new SightlineError('NOT_FOUND', `device: expected one of devices.yaml, received ${device_id}`);
      return { options: { camera: { width: 640, height: 480, fx: 500, fy: 500, cx: 319.5, cy: 239.5, k1: 0 }, method: 'akaze', threshold_deg: 0.4, ignore: { top: 0.1 } }, views: [{ name: 'stored', picture: new Uint8Array(1), pan_deg: 0, tilt_deg: 0 }] };
    },
    query: async (_id, scan) => ({ views: [{ name: scan ?? 'newest', picture: new Uint8Array(1), pan_deg: 0, tilt_deg: 0 }] }),
  };
  const engine: OffsetEngine = {
    estimateOffset: estimate ?? (async (references, queries, options) => {
      asked.push({ references, queries, options });
      return RESULT;
    }),
    extractFeatures: async () => { throw new Error('not asked'); },
    close: async () => undefined,
  };
  const app = Fastify().withTypeProvider<TypeBoxTypeProvider>() as unknown as Server;
  app.setValidatorCompiler(compileValidator as Parameters<typeof app.setValidatorCompiler>[0]);
  app.setErrorHandler<SightlineError>((error, _request, reply) => reply.code(error.status).send({ error: { code: error.code, message: error.message } }));
  ptzOffsetRoutes(app, { ptz_offset: createOffsetChecks(engine, sets) } as unknown as HttpDeps);
  t.teardown(() => app.close());
  return {
    asked,
    async post(payload) {
      const answer = await app.inject({ method: 'POST', url: '/api/ptz/offset', payload: payload as object });
      return { status: answer.statusCode, body: answer.json() };
    },
  };
}

t.test('pictures in, offset out', async (t) => {
  const { post, asked } = await world(t);
  const answer = await post({ camera: CAMERA, reference: { views: [view] }, query: { views: [{ ...view, name: 'now', zoom: 2 }] }, threshold_deg: 0.3, method: 'orb' });
  t.equal(answer.status, 200);
  t.same(answer.body, RESULT);
  const [first] = asked;
  t.match(first?.references[0], { name: 'reference 1', pan_deg: 1, tilt_deg: 2 });
  t.equal(Buffer.from(first?.references[0]?.picture as Uint8Array).toString(), 'picture');
  t.match(first?.queries[0], { name: 'now', zoom: 2 });
  t.match(first?.options, { method: 'orb', threshold_deg: 0.3, camera: { width: 1280, cx: 639.5 } });
});

t.test('ids of stored sets: their camera and their kind of features', async (t) => {
  const { post, asked } = await world(t);
  t.equal((await post({ reference: { device_id: 'cam' }, query: { device_id: 'cam', scan: '2025-01-01T00:00:00.000000' } })).status, 200);
  t.match(asked[0], { references: [{ name: 'stored' }], queries: [{ name: '2025-01-01T00:00:00.000000' }], options: { method: 'akaze', camera: { width: 640 }, threshold_deg: 0.4, ignore: { top: 0.1 } } });
  await post({ reference: { device_id: 'cam' }, query: { device_id: 'cam' }, threshold_deg: 0.2 });
  t.match(asked[1]?.options, { threshold_deg: 0.2, ignore: { top: 0.1 } }, 'the request wins over the settings');
  t.match(await post({ reference: { device_id: 'gone' }, query: { device_id: 'cam' } }), { status: 404, body: { error: { code: 'NOT_FOUND' } } });
  t.match(await post({ reference: { device_id: 'cam' }, query: { device_id: 'cam' }, method: 'sift' }), { status: 400, body: { error: { message: /method: expected akaze/ } } });
});

t.test('what is wrong is named', async (t) => {
  const { post } = await world(t);
  const refused = async (payload: unknown, message: RegExp) => t.match(await post(payload), { status: 400, body: { error: { code: 'REQUEST_INVALID', message } } });
  await refused({ query: { views: [view] } }, /reference/);
  await refused({ reference: { views: [view] }, query: { views: [view] } }, /camera: expected an object with width/);
  await refused({ camera: CAMERA, reference: {}, query: { views: [view] } }, /reference: expected either device_id or views, received neither/);
  await refused({ camera: CAMERA, reference: { views: [view], device_id: 'cam' }, query: { views: [view] } }, /received both/);
  await refused({ camera: CAMERA, reference: { views: [{ ...view, image: 'not base 64 !' }] }, query: { views: [view] } }, /reference\.views\.0\.image: expected base64/);
  await refused({ camera: CAMERA, reference: { views: [{ ...view, pan_deg: 'left' }] }, query: { views: [view] } }, /pan_deg: expected a number/);
});

t.test('a third check at the same time is refused', async (t) => {
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => { release = resolve; });
  let begun = 0;
  const { post } = await world(t, async () => {
    begun++;
    await gate;
    return RESULT;
  });
  const body = { camera: CAMERA, reference: { views: [view] }, query: { views: [view] } };
  const running = [post(body), post(body)];
  while (begun < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  t.match(await post(body), { status: 503, body: { error: { code: 'OPENCV_BUSY' } } });
  release();
  t.same((await Promise.all(running)).map(({ status }) => status), [200, 200]);
  t.equal((await post(body)).status, 200);
});
