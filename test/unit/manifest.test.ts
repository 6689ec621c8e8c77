import { readFileSync } from 'node:fs';
import t from 'tap';
import { COMPONENTS } from '../../src/analysis/anomaly.js';
import { FEATURE_COUNT } from '../../src/analysis/features.js';
import { ACTION_LABELS, STEP_FEATURES, WINDOW_STEPS } from '../../src/analysis/pose_window.js';
import { DECODERS } from '../../src/inference/decoders/index.js';
import { checkManifest, loadManifest, type Manifest } from '../../src/inference/manifest.js';
import { MODEL_SLOTS } from '../../src/inference/results.js';

const raw = () => JSON.parse(readFileSync('models/manifest.json', 'utf8')) as Manifest;

t.test('the default manifest is sound and serves every slot', async (t) => {
  const manifest = await loadManifest('models/manifest.json', 'models');
  t.same(new Set(manifest.networks.map(({ slot }) => slot)), new Set(MODEL_SLOTS));
  const known = new Set(Object.values(DECODERS).flatMap((table) => Object.keys(table)));
  for (const { id, file, decoder, produces, sha256 } of manifest.networks) {
    t.ok(file.startsWith('/') && file.endsWith('.onnx'), id);
    if (produces !== 'anomaly') t.ok(known.has(decoder.name), `${id}: ${decoder.name}`);
    if (file.includes('/weights/') && produces !== 'anomaly') t.ok(sha256, `${id} has a checksum`);
  }
});

t.test('the window networks fit what analysis makes', async (t) => {
  const { networks } = raw();
  const action = networks.find(({ produces }) => produces === 'action');
  t.same([action?.input.height, action?.input.width], [WINDOW_STEPS, STEP_FEATURES]);
  t.same(action?.decoder['labels'], ACTION_LABELS);
  const anomaly = networks.find(({ produces }) => produces === 'anomaly');
  t.equal(anomaly?.input.width, FEATURE_COUNT);
  t.same(anomaly?.extra_inputs?.map(({ shape }) => shape), [[FEATURE_COUNT], [FEATURE_COUNT], [FEATURE_COUNT, COMPONENTS]]);
});

t.test('a wrong manifest is refused with everything that is wrong', async (t) => {
  const broken = raw();
  Object.assign(broken.networks[0]?.input ?? {}, { width: 0, shape: [1] });
  t.throws(() => checkManifest(broken, '.'), { code: 'MODEL_MANIFEST', message: /\/networks\/0\/input\/shape.*\/networks\/0\/input\/width|\/networks\/0\/input\/width.*\/networks\/0\/input\/shape/ });
  const order = raw();
  order.networks.reverse();
  t.throws(() => checkManifest(order, '.'), { code: 'MODEL_MANIFEST', message: /mesh: crops of faces, which no earlier network produces/ });
  const twice = raw();
  twice.networks.push({ ...(twice.networks[0] as Manifest['networks'][number]), id: 'again' });
  t.throws(() => checkManifest(twice, '.'), { code: 'MODEL_MANIFEST', message: /two networks produce objects/ });
  t.throws(() => checkManifest(null, '.'), { code: 'MODEL_MANIFEST' });
  await t.rejects(loadManifest('package-lock.json', '.'), { code: 'MODEL_MANIFEST' });
  await t.rejects(loadManifest('absent.json', '.'), { code: 'MODEL_MANIFEST', message: /absent\.json/ });
});
