import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';
import { receiverAnswer } from '../../src/demo/receiver_rules.js';
import { alert, detection, frame } from '../fixtures/delivery_world.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const ask = (body: string | Uint8Array, change: { method?: string; token?: string | undefined } = {}) =>
  receiverAnswer({ method: 'POST', token: 'tok', ...change, body: typeof body === 'string' ? bytes(body) : body }, 'tok', () => 7);
const post = (body: unknown) => ask(JSON.stringify(body));
const without = (body: object, name: string): object => Object.fromEntries(Object.entries(body).filter(([key]) => key !== name));

t.test('method, then token, then body, with the texts of the original', (t) => {
  for (const method of ['GET', 'HEAD', 'PUT', 'OPTIONS']) t.same(ask('', { method, token: undefined }), { status: 405, body: { success: false, error: 'Only POST requests allowed' } });
  for (const token of [undefined, '', 'Tok', 'tok ']) t.same(ask('', { token }), { status: 401, body: { success: false, error: 'Unauthorized' } });
  const no_json = ['', ' ', 'x', '{"a":1', '{}', '[]', '0', '0.0', '-0', 'null', 'false', '""', '"0"', '\ufeff{"a":1}', '{"a":"\\ud800"}', '['.repeat(512) + ']'.repeat(512)];
  for (const body of no_json) t.same(ask(body), { status: 400, body: { success: false, error: 'Invalid JSON payload' } }, JSON.stringify(body.slice(0, 20)));
  t.match(ask(Uint8Array.of(0x22, 0xff, 0x22)), { status: 400, body: { error: 'Invalid JSON payload' } });
  t.match(ask(Uint8Array.of(0x1f, 0x8b, 8, 0)), { status: 400, body: { error: 'Invalid JSON payload' } }, 'compressed');
  for (const body of ['5', '"text"', 'true', '[1]', '{"a":1}', '['.repeat(511) + ']'.repeat(511), `[${JSON.stringify(frame(1))}]`, '{"result_type":null}']) {
    t.same(ask(body), { status: 400, body: { success: false, error: 'Unknown result type: unknown' } }, body.slice(0, 20));
  }
  t.match(post({ result_type: 'constructor' }), { status: 400, body: { error: 'Unknown result type: constructor' } });
  t.end();
});

t.test('required fields: the first missing one, null counts as missing', (t) => {
  const table: [object, string[]][] = [
    [frame(1), ['session_id', 'camera_id', 'frame_timestamp', 'analysis_results']],
    [detection(1), ['staff_id', 'camera_id', 'detection_type', 'confidence']],
    [alert(1), ['staff_id', 'camera_id', 'anomaly_type', 'severity']],
    [{ result_type: 'baseline_update', staff_id: 1, baseline_data: {} }, ['staff_id', 'baseline_data']],
  ];
  for (const [body, names] of table) {
    t.match(post(body), { status: 200, body: { success: true } });
    for (const name of names) {
      const expected = { status: 400, body: { success: false, error: `Missing required field: ${name}` } };
      t.same(post(without(body, name)), expected);
      t.same(post({ ...body, [name]: null }), expected);
    }
    t.match(post({ result_type: (body as { result_type: string }).result_type }), { body: { error: `Missing required field: ${names[0]}` } });
  }
  t.match(post({ ...detection(1), confidence: 0 }), { status: 200 });
  t.match(post({ result_type: 'batch_complete' }), { status: 200, body: { frames_processed: 0 } });
  t.end();
});

t.test('successes say what the original says', (t) => {
  t.match(post(detection(1)), { status: 200, result_type: 'behavioral_detection', body: { success: true, message: 'Behavioral detection recorded', detection_id: '7' } });
  t.match(post(alert(1)).body, { message: 'Anomaly alert generated', alert_id: '7', requires_investigation: true });
  t.match(post({ ...alert(1), severity: 'MEDIUM' }).body, { requires_investigation: false });
  t.match(post({ ...alert(1), severity: 'high' }).body, { requires_investigation: false }, 'taken in lower case, and not looked into');
  t.match(post({ result_type: 'batch_complete', frames_processed: 300 }).body, { message: 'Batch processing complete', frames_processed: 300 });
  t.end();
});

t.test('PHP type errors are 500 with an empty body', (t) => {
  const results = (analysis_results: unknown) => post({ ...frame(1), analysis_results });
  for (const bad of ['text', 5, true, { anomalies: 'none' }, { anomalies: 3 }, { indicators: { stress: 'much' } }, { indicators: { stress: {} } }, { indicators: { stress: '' } }]) t.same(results(bad), { status: 500, body: null }, JSON.stringify(bad));
  for (const good of [{}, [], { anomalies: null }, { anomalies: { a: 1, b: 2 } }, { indicators: { stress: '0.5' } }, { indicators: { stress: null } }, { indicators: { stress: true } }]) t.match(results(good), { status: 200 }, JSON.stringify(good));
  t.match(results({ anomalies: { a: 1, b: 2 } }).body, { risk_score: 0.2 });
  t.end();
});

t.test('values that the database refuses are 500', (t) => {
  const refused: [object, Record<string, unknown>][] = [
    [frame(1), { camera_id: 'cam_5' }],
    [detection(1), { staff_id: 0 }],
    [detection(1), { confidence: 100 }],
    [detection(1), { timestamp: '2025-11-14T14:30:00Z' }],
    [detection(1), { timestamp: 1763130600 }],
    [detection(1), { timestamp: '' }],
    [alert(1), { severity: 'SEVERE' }],
    [alert(1), { risk_score: 'high' }],
  ];
  for (const [body, change] of refused) t.match(post({ ...body, ...change }), { status: 500, body: { error: 'Internal server error' } }, JSON.stringify(change));
  for (const change of [{ timestamp: '2025-11-14T14:30:00' }, { timestamp: '2025-11-14 14:30:00.678' }, { confidence: 87 }, { confidence: '0.87' }, { camera_id: '5' }, { camera_id: 5.7 }]) t.match(post({ ...detection(1), ...change }), { status: 200 }, JSON.stringify(change));
  t.end();
});

t.test('scores are those of the original, bit for bit', { skip: existsSync('../shared/interop/risk_score_vectors.json') ? false : 'the vectors are not here' }, (t) => {
  const { vectors } = JSON.parse(readFileSync('../shared/interop/risk_score_vectors.json', 'utf8')) as { vectors: { name: string; analysis_results_text: string; risk_score: number; risk_level: string }[] };
  t.equal(vectors.length, 34);
  for (const { name, analysis_results_text, risk_score, risk_level } of vectors) {
    const { body } = ask(`{"result_type":"frame_analysis","session_id":"s","camera_id":1,"frame_timestamp":"x","analysis_results":${analysis_results_text}}`);
    t.same({ score: body?.['risk_score'], level: body?.['risk_level'] }, { score: risk_score, level: risk_level }, name);
  }
  t.end();
});
