/** The single camera test of the contract: what is sent goes through a PHP receiver into MariaDB, and the contract's own queries find it there. */
import { join } from 'node:path';
import t from 'tap';
import { createDelivery } from '../../src/delivery/delivery.js';
import { openStore } from '../../src/store/store.js';
import { alert, detection, frame, SETTINGS } from '../fixtures/delivery_world.js';
import { until } from '../fixtures/capture.js';
import { mariadbMissing, startMariadb } from '../fixtures/mariadb.js';
import { phpMissing, RECEIVER_TABLES, startPhpReceiver } from '../fixtures/php_receiver.js';

const TOKEN = 'integration-token';
const CAMERA = 5;
const FRAMES = 4;
const quiet = { error: () => undefined, warn: () => undefined, info: () => undefined };
const LIMIT_MS = 60_000;

t.test('one camera: each result type reaches its table over a PHP receiver', { skip: phpMissing() || mariadbMissing(), timeout: 180_000 }, async (t) => {
  const db = await startMariadb();
  t.teardown(() => db.close());
  for (const table of RECEIVER_TABLES) await db.query(table);
  const receiver = await startPhpReceiver({ token: TOKEN, database: db });
  t.teardown(() => receiver.stop());
  const store = await openStore({ file: join(t.testdir(), 'a.db'), log: quiet });
  const delivery = createDelivery({ store, log: quiet, settings: { ...SETTINGS, php_system: { ...SETTINGS.php_system, callback_url: receiver.url, auth_token: TOKEN } } });
  await delivery.start();
  t.teardown(async () => {
    await delivery.stop(500);
    await store.close();
  });
  const bodies = [...Array.from({ length: FRAMES }, (_, n) => ({ ...frame(CAMERA, n), staff_id: 42 })), { ...detection(CAMERA), confidence: 0.87 }, { ...alert(CAMERA), severity: 'HIGH' as const }];
  for (const body of bodies) await delivery.enqueue(body, { camera_id: CAMERA, kind: body.result_type });
  await until('delivery', () => delivery.status().delivered === bodies.length, LIMIT_MS);
  t.match(delivery.status(), { backlog: 0, failed: 0 });

  // "Verification queries" of the contract, as it has them.
  t.same(await db.query('SELECT COUNT(*) AS stored FROM cv_analysis_results WHERE created_at > NOW() - INTERVAL 1 HOUR'), [{ stored: 1 }], 'a row a person and day');
  t.match(await db.query('SELECT staff_id, camera_id, total_frames_analyzed, behavioral_indicators FROM cv_analysis_results'), [
    { staff_id: 42, camera_id: CAMERA, total_frames_analyzed: FRAMES, behavioral_indicators: { stress: 0.65 } },
  ]);
  t.match(await db.query('SELECT * FROM cv_behavioral_detections ORDER BY detection_timestamp DESC LIMIT 10'), [{ camera_id: CAMERA, staff_id: 42, detection_type: 'stress_indicators', confidence_score: '0.870' }]);
  t.match(await db.query('SELECT * FROM cv_behavioral_alerts WHERE alert_timestamp > NOW() - INTERVAL 1 HOUR ORDER BY alert_type'), [
    { camera_id: CAMERA, alert_type: 'stress_indicators', severity: 'MEDIUM', requires_investigation: 1 }, { camera_id: CAMERA, alert_type: 'suspicious_behavior', severity: 'HIGH', requires_investigation: 1 },
  ], 'the alert, and the one that the receiver makes of a detection of 0.8 and more');
  const log = await db.query<{ idempotency_key: string }>('SELECT idempotency_key FROM callback_log');
  t.equal(new Set(log.map(({ idempotency_key }) => idempotency_key)).size, bodies.length, 'each callback once');
});
