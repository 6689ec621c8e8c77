import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';
import type { AnalysisEvent, FrameAnalysis } from '../../src/analysis/types.js';
import { attribute, eventBody, frameAnalysisBody, type BuildSettings } from '../../src/delivery/build.js';
import { payloadCheck } from '../../src/delivery/payloads.js';
import { localTimestamps } from '../../src/delivery/timestamps.js';
import { alert, detection, frame } from '../fixtures/delivery_world.js';

const check = payloadCheck();
const valid = (body: unknown): boolean => 'result_type' in check(body);
const settings: BuildSettings = { session_id: 'run-1', timestamp: localTimestamps('Pacific/Auckland') };

const ANALYSIS: FrameAnalysis = {
  frame_timestamp: '2025-11-14T01:30:00.678Z',
  seq: 7,
  width: 640,
  height: 360,
  faces: [],
  persons: [],
  objects: [],
  action: null,
  anomaly: null,
  indicators: { stress: 0.1 + 0.2, anxiety: 1.0000000000000002, deception: NaN, nervousness: 0 },
  indicator_coverage: {},
  anomalies: [{ type: 'unusual_movement', score: 0.93 }],
  risk_score: 0.4,
  risk_level: 'MEDIUM', signals: {},
  baseline: { state: 'ready', samples: 300, needed: 300 },
  missing: [],
  events: [],
};
const EVENT: AnalysisEvent = {
  kind: 'behavioral_detection',
  type: 'stress_indicators',
  category: 'emotional',
  frame_timestamp: '2025-11-14T01:30:00.678Z',
  seq: 7,
  confidence: 0.87,
  deviation: 0.65,
  severity: 'HIGH',
  risk_score: 0.89,
  context: { emotion: 'fear', posture: 'tense' },
  indicators: ['stress_markers'],
  duration_seconds: 4.5,
};

t.test('timestamps are naive local time of the receiver', (t) => {
  const table: [zone: string, utc: string, local: string][] = [
    ['UTC', '2025-11-14T14:30:00.999Z', '2025-11-14 14:30:00'],
    ['Pacific/Auckland', '2025-11-14T14:30:00Z', '2025-11-15 03:30:00'],
    ['Asia/Kathmandu', '2025-11-14T14:30:00Z', '2025-11-14 20:15:00'],
    ['America/St_Johns', '2025-01-01T00:00:00Z', '2024-12-31 20:30:00'],
    // Berlin: 02:00 is skipped on 30 March 2025, 02:00 to 03:00 comes twice on 26 October.
    ['Europe/Berlin', '2025-03-30T00:59:59Z', '2025-03-30 01:59:59'],
    ['Europe/Berlin', '2025-03-30T01:00:00Z', '2025-03-30 03:00:00'],
    ['Europe/Berlin', '2025-10-26T00:30:00Z', '2025-10-26 02:30:00'],
    ['Europe/Berlin', '2025-10-26T01:30:00Z', '2025-10-26 02:30:00'],
    ['Europe/Berlin', '2025-10-26T02:00:00Z', '2025-10-26 03:00:00'],
    // Auckland: clocks go forward at 02:00 on 28 September 2025.
    ['Pacific/Auckland', '2025-09-27T13:59:59Z', '2025-09-28 01:59:59'],
    ['Pacific/Auckland', '2025-09-27T14:00:00Z', '2025-09-28 03:00:00'],
    ['Australia/Lord_Howe', '2025-10-04T15:30:00Z', '2025-10-05 02:30:00'],
    ['UTC', '2024-02-29T23:59:59.999Z', '2024-02-29 23:59:59'],
    ['UTC', '0099-01-01T00:00:00Z', '0099-01-01 00:00:00'],
  ];
  for (const [zone, utc, local] of table) t.equal(localTimestamps(zone)(Date.parse(utc)), local, `${utc} in ${zone}`);
  for (const zone of ['Mars/Olympus', '', 'local']) t.throws(() => localTimestamps(zone), { code: 'CONFIG_INVALID' }, zone);
  t.throws(() => localTimestamps('UTC')(NaN), { code: 'DELIVERY_PAYLOAD_INVALID' });
  t.end();
});

t.test('a frame analysis becomes a body of the contract', (t) => {
  const body = frameAnalysisBody({ camera_id: 5, staff_id: 42 }, ANALYSIS, settings);
  t.same(body, {
    result_type: 'frame_analysis',
    session_id: 'run-1',
    camera_id: 5,
    staff_id: 42,
    frame_timestamp: '2025-11-14 14:30:00',
    analysis_results: { indicators: { stress: 0.1 + 0.2, anxiety: 1, nervousness: 0 }, anomalies: [{ type: 'unusual_movement', score: 0.93 }] },
  });
  t.same(Object.keys(body.analysis_results.indicators), ['stress', 'anxiety', 'nervousness'], 'in the order in which the receiver adds them up');
  t.ok(valid(body));
  const nobody = frameAnalysisBody({ camera_id: 5, staff_id: null }, { ...ANALYSIS, indicators: {}, anomalies: [] }, { ...settings, unknown_staff_id: 9 });
  t.notOk('staff_id' in nobody, 'the stand-in is not for frame analyses');
  t.ok(valid(nobody));
  t.throws(() => frameAnalysisBody({ camera_id: 5, staff_id: null }, { ...ANALYSIS, frame_timestamp: 'never' }, settings), { code: 'DELIVERY_PAYLOAD_INVALID' });
  t.end();
});

t.test('events become detections and alerts, with the staff_id of the camera, else the stand-in, else none', (t) => {
  const own = eventBody({ camera_id: 5, staff_id: 42 }, EVENT, { ...settings, unknown_staff_id: 9 }, 'evidence/5/a.jpg');
  t.same(own, {
    attributed: true,
    body: {
      result_type: 'behavioral_detection',
      staff_id: 42,
      camera_id: 5,
      detection_type: 'stress_indicators',
      category: 'emotional',
      confidence: 0.87,
      deviation: 0.65,
      timestamp: '2025-11-14 14:30:00',
      context: { emotion: 'fear', posture: 'tense' },
      frame_path: 'evidence/5/a.jpg',
    },
  });
  t.ok(valid(own.body));
  const stand_in = eventBody({ camera_id: 5, staff_id: null }, { ...EVENT, kind: 'anomaly_alert' }, { ...settings, unknown_staff_id: 9 });
  t.same(stand_in, {
    attributed: true,
    body: {
      result_type: 'anomaly_alert',
      staff_id: 9,
      camera_id: 5,
      anomaly_type: 'stress_indicators',
      severity: 'HIGH',
      risk_score: 0.89,
      indicators: ['stress_markers'],
      evidence: { timestamp: '2025-11-14 14:30:00', duration_seconds: 4.5 },
    },
  });
  t.ok(valid(stand_in.body));
  const undeviating = { ...EVENT };
  delete undeviating.deviation;
  const nobody = eventBody({ camera_id: 5, staff_id: null }, undeviating, settings);
  t.equal(nobody.attributed, false);
  t.notOk('staff_id' in nobody.body);
  t.notOk('deviation' in nobody.body, 'what is not known is absent, not null');
  t.notOk(valid(nobody.body), 'and the contract does not take it');
  t.ok(valid(attribute(nobody.body, 3)));
  t.end();
});

t.test('the schemas take the bodies of the contract and nothing that the receiver would trip over', (t) => {
  for (const body of [frame(1), detection(1), alert(1)]) t.ok(valid(body), body.result_type);
  t.ok(valid({ result_type: 'batch_complete', camera_id: 5, frames_processed: 300, analysis_summary: { avg_stress: 0.45, high_confidence_detections: 5, alerts_generated: 1 } }));
  t.ok(valid({ result_type: 'baseline_update', staff_id: 4, baseline_data: { emotions: { neutral: 0.7 }, total_frames: 9 }, period_start: '2025-10-01', period_end: '2025-10-31' }));
  t.ok(valid({ result_type: 'baseline_update', staff_id: 4, baseline_data: {} }));
  const faults: [base: object, change: Record<string, unknown>][] = [
    [frame(1), { camera_id: '5' }],
    [frame(1), { camera_id: 5.5 }],
    [frame(1), { camera_id: 0 }],
    [frame(1), { camera_id: 2 ** 31 }],
    [frame(1), { staff_id: null }],
    [frame(1), { session_id: '' }],
    [frame(1), { frame_timestamp: '2025-11-14T14:30:00Z' }],
    [frame(1), { frame_timestamp: '2025-11-14 24:00:00' }],
    [frame(1), { frame_timestamp: '2025-13-14 14:30:00' }],
    [frame(1), { frame_timestamp: 1763130600 }],
    [frame(1), { extra: 1 }],
    [frame(1), { analysis_results: { indicators: { stress: 1.2 }, anomalies: [] } }],
    [frame(1), { analysis_results: { indicators: { stress: null }, anomalies: [] } }],
    [frame(1), { analysis_results: { indicators: { stress: NaN }, anomalies: [] } }],
    [frame(1), { analysis_results: { indicators: { Stress: 0.5 }, anomalies: [] } }],
    [frame(1), { analysis_results: { indicators: [], anomalies: 'none' } }],
    [frame(1), { analysis_results: { indicators: {}, anomalies: [null] } }],
    [detection(1), { staff_id: undefined }],
    [detection(1), { confidence: 87 }],
    [detection(1), { deviation: -0.1 }],
    [detection(1), { detection_type: 'stress indicators' }],
    [detection(1), { context: { mood: 'x' } }],
    [detection(1), { frame_path: '../../etc/passwd' }],
    [detection(1), { frame_path: 'a/../b.jpg' }],
    [detection(1), { frame_path: 'a\nb.jpg' }],
    [alert(1), { severity: 'high' }],
    [alert(1), { severity: 'SEVERE' }],
    [alert(1), { risk_score: Infinity }],
    [alert(1), { indicators: 'all' }],
    [alert(1), { evidence: { timestamp: '2025-11-14 14:30:00', duration_seconds: -1 } }],
  ];
  for (const [base, change] of faults) t.match(check({ ...base, ...change }), { problem: /./ }, JSON.stringify(change));
  for (const body of [null, undefined, 5, 'x', [], {}, { result_type: 'other' }, { result_type: 'toString' }]) t.match(check(body), { problem: /^result_type: expected one of/ });
  const secret = check({ ...detection(1), context: { emotion: 'x'.repeat(200) } });
  t.notMatch(secret, { problem: /xxx/ }, 'a problem does not repeat the value');
  t.ok(valid({ ...detection(1), frame_path: 'evidence/..hidden/a..b.jpg' }), 'dots inside a name are fine');
  t.end();
});

t.test("the contract document's own examples fit the schemas", { skip: existsSync('../shared/seeds') ? false : 'the contract document is not here' }, (t) => {
  const text = readFileSync('../shared/seeds/004_659f19c84bd06471.txt', 'utf8');
  const examples = [...text.matchAll(/```python\n(\{[\s\S]*?\n\})\n```/g)].map(([, python = '']) => JSON.parse(python.replace(/#.*$/gm, '')) as { result_type?: string });
  const bodies = examples.filter(({ result_type }) => result_type !== undefined);
  t.same(bodies.map(({ result_type }) => result_type), ['frame_analysis', 'behavioral_detection', 'anomaly_alert', 'batch_complete']);
  for (const body of bodies) t.match(check(body), { result_type: body.result_type });
  t.end();
});
