import t from 'tap';
import type { AnalysisEvent } from '../../src/analysis/types.js';
import { BatchTally } from '../../src/delivery/batch_tally.js';
import { payloadCheck } from '../../src/delivery/payloads.js';

const event = (kind: AnalysisEvent['kind']) => ({ kind }) as AnalysisEvent;

t.test('a body every so many frames of a camera, each camera for itself', async (t) => {
  const tally = new BatchTally(3);
  const made = [0.2, 0.4, 0.9].map((stress, index) => {
    t.equal(tally.add(6, { indicators: {}, events: [] }), undefined, 'a camera that is forgotten in between begins anew');
    if (index === 1) tally.forget(6);
    return tally.add(5, { indicators: { stress }, events: index === 1 ? [event('behavioral_detection'), event('anomaly_alert')] : [] });
  });
  t.match(made, [undefined, undefined, { result_type: 'batch_complete', camera_id: 5, frames_processed: 3, analysis_summary: { high_confidence_detections: 1, alerts_generated: 1 } }]);
  t.equal(made[2]?.analysis_summary.avg_stress?.toFixed(6), '0.500000');
  t.same(payloadCheck()(made[2]), { result_type: 'batch_complete' }, 'the schema takes it');
  t.equal(tally.add(5, { indicators: { stress: 1 }, events: [] }), undefined, 'the next batch begins anew');
});

t.test('stress that was never measured is absent, not 0', async (t) => {
  const body = new BatchTally(1).add(5, { indicators: {}, events: [] });
  t.same(body, { result_type: 'batch_complete', camera_id: 5, frames_processed: 1, analysis_summary: { high_confidence_detections: 0, alerts_generated: 0 } });
});

t.test('switched off, as it is by default, there is none', async (t) => {
  const tally = new BatchTally(0);
  for (let n = 0; n < 1_000; n++) t.equal(tally.add(5, { indicators: {}, events: [] }), undefined);
});
