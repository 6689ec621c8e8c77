import t from 'tap';
import { seeded } from '../../models/action/random.js';
import { createCameraAnalyser } from '../../src/analysis/analyser.js';
import { reconstructionError } from '../../src/analysis/anomaly.js';
import { FEATURE_COUNT } from '../../src/analysis/features.js';
import { riskLevel, riskScore } from '../../src/analysis/risk.js';
import type { AnalyserOptions, AnalysisEvent, CameraAnalyser, FrameAnalysis } from '../../src/analysis/types.js';
import type { FrameResult, SequenceResult, SequenceRow } from '../../src/inference/results.js';
import { AFRAID, fullFace, makeFace, makeFrame, makePerson, type PersonOptions } from '../fixtures/analysis_frames.js';

const STANDS = { standing: 0.9, walking: 0.1 };

/** The sequence models in TypeScript: everyone stands, anomaly as it is. */
function answer(rows: SequenceRow[]): SequenceResult[] {
  return rows.map(({ key, kind, input, parameters }) => {
    if (kind === 'action') return { key, kind, labels: STANDS };
    const [centre, scale, components] = parameters as [Float32Array, Float32Array, Float32Array];
    return { key, kind, error: reconstructionError({ centre, scale, components, error_median: 0, error_p99: 0, samples: 0 }, input).error };
  });
}

function run(analyser: CameraAnalyser, frames: FrameResult[]): FrameAnalysis[] {
  return frames.map((frame) => analyser.conclude(frame, answer(analyser.observe(frame))));
}

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);
const restless = (seq: number): PersonOptions => {
  const side = seq % 2 === 0 ? 0.4 : -0.4;
  return { x: 320 + side * 60, moved: { left_wrist: [side, -1.3], right_wrist: [-side, -1.3], left_elbow: [side, 0], right_elbow: [-side, 0], left_shoulder: [0, -0.25], right_shoulder: [0, -0.25] } };
};
/** A frightened, fidgeting person looking about. */
function alarmed(seq: number): FrameResult {
  const options = restless(seq);
  const turn = seq % 2 === 0 ? 25 : -25;
  return makeFrame(seq, {
    persons: [makePerson(options)],
    faces: [fullFace(options, { emotions: AFRAID, eye_openness: seq % 2 === 0 ? [0.05, 0.05] : [0.3, 0.3], head: { yaw_deg: turn, pitch_deg: 0, roll_deg: 0 }, gaze: { vector: [0, 0, -1], yaw_deg: -turn, pitch_deg: 0 } })],
  });
}
const calm = (seq: number): FrameResult => makeFrame(seq, { persons: [makePerson()], faces: [fullFace()], objects: [{ label: 'chair', score: 0.7, box: [1, 2, 3, 4] }] });
const empty = (seq: number): FrameResult => makeFrame(seq);

t.test('a frame with nobody in it says so and invents nothing', async (t) => {
  const [found] = run(createCameraAnalyser(), [empty(0)]);
  t.strictSame(found, {
    frame_timestamp: '2025-11-14T14:30:00.000Z', seq: 0, width: 640, height: 480, faces: [], persons: [], objects: [], action: null, anomaly: null,
    indicators: {}, indicator_coverage: {}, anomalies: [], risk_score: 0, risk_level: 'MINIMAL', signals: {}, baseline: { state: 'learning', samples: 0, needed: 300 },
    missing: [], events: [],
  });
});

t.test('what the models saw is passed on, with the id of its subject', async (t) => {
  const frame = makeFrame(0, { persons: [makePerson({ x: 150 }), makePerson({ x: 480 })], faces: [fullFace({ x: 480 }), makeFace({ x: 330 })], missing: ['object'] });
  const [found] = run(createCameraAnalyser(), [frame]) as [FrameAnalysis];
  t.match(found.faces, frame.faces);
  t.match(found.persons, frame.persons);
  t.strictSame(found.missing, ['object']);
  t.equal(found.faces[0]?.track_id, found.persons[1]?.track_id);
  t.equal(new Set([...found.faces, ...found.persons].map((item) => item.track_id)).size, 3);
  t.notOk('emotions' in (found.faces[1] as object), 'a face without emotions gets none');
});

t.test('indicators appear after warm-up, and the risk score is theirs', async (t) => {
  const analyses = run(createCameraAnalyser(), range(0, 60).map(alarmed));
  t.strictSame(analyses[5]?.indicators, {}, 'one second is too short');
  const last = analyses.at(-1) as FrameAnalysis;
  t.strictSame(Object.keys(last.indicators), ['stress', 'anxiety', 'deception', 'nervousness'], 'in payload order');
  for (const value of Object.values(last.indicators)) t.ok(value >= 0 && value <= 1);
  t.equal(last.risk_score, riskScore(last.indicators, last.anomalies.length));
  t.equal(last.risk_level, riskLevel(last.risk_score));
  t.equal(last.track_id, last.persons[0]?.track_id);
  t.strictSame(last.persons[0]?.indicators, last.indicators);
  const quiet = run(createCameraAnalyser(), range(0, 60).map(calm)).at(-1) as FrameAnalysis;
  for (const [name, value] of Object.entries(quiet.indicators)) t.ok(value < 0.15 && value < (last.indicators[name as 'stress'] as number), `${name} of a calm person is ${value}`);
});

t.test('after a person has left, their indicators are gone', async (t) => {
  const analyses = run(createCameraAnalyser(), [...range(0, 60).map(alarmed), ...range(60, 3).map(empty)]);
  t.strictSame([analyses.at(-1)?.indicators, analyses.at(-1)?.action, analyses.at(-1)?.risk_score], [{}, null, 0]);
});

t.test('of several people the one at highest risk is reported', async (t) => {
  const both = (seq: number): FrameResult => {
    const frame = alarmed(seq);
    return { ...frame, persons: [makePerson({ x: 60, torso: 60 }), ...frame.persons], faces: [...frame.faces, fullFace({ x: 60, torso: 60 })] };
  };
  const last = run(createCameraAnalyser(), range(0, 60).map(both)).at(-1) as FrameAnalysis;
  t.equal(last.track_id, last.persons[1]?.track_id);
  t.strictSame(last.indicators, last.persons[1]?.indicators);
  t.notSame(last.persons[0]?.indicators, last.persons[1]?.indicators);
});

t.test('an indicator that is switched off appears nowhere', async (t) => {
  const analyses = run(createCameraAnalyser({ indicators: { deception: false, stress: false }, confidence_threshold: 0.3 }), range(0, 80).map(alarmed));
  t.strictSame(Object.keys(analyses.at(-1)?.indicators ?? {}), ['anxiety', 'nervousness']);
  const types = analyses.flatMap(({ events }) => events.map(({ type }) => type));
  t.ok(types.includes('anxiety_indicators'));
  t.notOk(types.includes('stress_indicators') || types.includes('suspicious_behavior'));
  t.notMatch(JSON.stringify(analyses), /deception|stress/);
});

t.test('indicators and cool-down change while it works, and what it has seen stays', async (t) => {
  const tuned = { confidence_threshold: 0.6, alert_threshold: 0.9, cooldown_ms: 3_600_000, indicators: {} };
  const alarms = (analyser: CameraAnalyser, from: number): string[] => run(analyser, [...range(from, 150).map(calm), ...range(from + 150, 150).map(alarmed)]).flatMap(({ events }) => events.map(({ type }) => type));
  const [changed, unchanged] = [createCameraAnalyser(tuned), createCameraAnalyser(tuned)];
  for (const analyser of [changed, unchanged]) t.ok(alarms(analyser, 0).includes('anxiety_indicators'));
  changed.tune({ ...tuned, cooldown_ms: 1_000, indicators: { stress: false } });
  const later = alarms(changed, 300);
  t.ok(later.includes('anxiety_indicators'), 'the hour is over');
  t.notOk(later.includes('stress_indicators'));
  t.strictSame(alarms(unchanged, 300), []);
  t.equal(changed.stats().frames, 600);
});

t.test('action: asked at 5 Hz once the window is full, reported while fresh', async (t) => {
  const analyser = createCameraAnalyser({ baseline_enabled: false });
  const asked = range(0, 60).map((seq) => analyser.observe(makeFrame(seq, { persons: [makePerson({ x: 320 + seq })] }, 10)));
  t.equal(asked.findIndex((rows) => rows.length > 0), 29, 'half a step before 3 s are whole');
  t.equal(asked.slice(29).filter((rows) => rows.length === 1).length, 16, 'every second frame of 31');
  t.strictSame([asked[29]?.[0]?.kind, asked[29]?.[0]?.input.length], ['action', 16 * 85]);
  const keys = asked.flat().map(({ key }) => key);
  t.equal(new Set(keys).size, keys.length);

  const analyses = run(createCameraAnalyser(), [...range(0, 20).map(calm), ...range(20, 10).map((seq) => makeFrame(seq, { faces: [fullFace()] }))]);
  t.equal(analyses[14]?.action, null);
  t.strictSame(analyses[15]?.action, { label: 'standing', score: 0.9, labels: STANDS });
  t.strictSame(analyses[15]?.persons[0]?.action, analyses[15]?.action);
  t.equal(analyses[24]?.action?.label, 'standing', 'a second after the last pose');
  t.equal(analyses[25]?.action, null, 'no longer');
});

t.test('answers: none, partial, unknown, twice, in any order', async (t) => {
  const analyser = createCameraAnalyser();
  for (const seq of range(0, 15)) analyser.conclude(calm(seq), answer(analyser.observe(calm(seq))));
  const two = (seq: number): FrameResult => ({ ...calm(seq), persons: [makePerson(), makePerson({ x: 100 })] });
  analyser.observe(two(15));
  t.equal(analyser.conclude(two(15), []).action, null, 'the model failed: absent');
  const rows = analyser.observe(calm(16));
  t.equal(rows.length, 1);
  const key = rows[0]?.key as number;
  const found = analyser.conclude(calm(16), [{ key: 12345, kind: 'action', labels: { falling: 1 } }, { key, kind: 'action' }, { key, kind: 'action', labels: STANDS }]);
  t.equal(found.action?.label, 'standing');
  const next = analyser.observe(calm(17));
  const after = analyser.observe(calm(18));
  const second = analyser.conclude(calm(18), answer(after));
  const first = analyser.conclude(calm(17), next.map(({ key: k }) => ({ key: k, kind: 'action' as const, labels: { bending: 1 } })));
  t.equal(second.action?.label, 'standing');
  t.equal(first.seq, 17);
  t.equal(analyser.conclude(calm(17), []).seq, 17, 'concluding twice, or what was never observed, still reports the frame');
  t.strictSame(analyser.conclude(calm(99), []).indicators, {});
});

t.test('late frames and frames of an older generation enter no window', async (t) => {
  const analyser = createCameraAnalyser();
  run(analyser, range(0, 30).map(alarmed));
  const late = run(analyser, [alarmed(12), { ...alarmed(31), generation: 0 }]);
  t.strictSame(late.map(({ indicators }) => indicators), [{}, {}]);
  t.match(analyser.stats(), { late_frames: 2, frames: 32 });
  const [next] = run(analyser, [alarmed(32)]);
  t.ok(Object.keys(next?.indicators ?? {}).length > 0, 'those after them carry on');
});

t.test('of frames under way only so many are remembered', async (t) => {
  const analyser = createCameraAnalyser();
  run(analyser, range(0, 30).map(alarmed));
  for (const seq of range(30, 33)) analyser.observe(alarmed(seq));
  t.notOk('track_id' in (analyser.conclude(alarmed(30), []).persons[0] as object), 'the oldest gave way');
  t.ok('track_id' in (analyser.conclude(alarmed(31), []).persons[0] as object));
});

t.test('a new generation starts afresh, the baseline stays', async (t) => {
  const analyser = createCameraAnalyser({ min_samples: 64 });
  run(analyser, range(0, 5 * 75).map(calm));
  t.equal(analyser.stats().baseline_fits, 1);
  const [first] = run(analyser, [{ ...calm(0), generation: 2 }]);
  t.strictSame(first?.indicators, {});
  t.equal(first?.baseline.state, 'ready');
  t.equal(analyser.stats().tracks, 1);
});

t.test('a camera taken out and in again, or one that counts anew, is followed again', async (t) => {
  const analyser = createCameraAnalyser();
  run(analyser, range(0, 30).map(alarmed));
  const later = (seq: number, more: Partial<FrameResult>): FrameResult => ({ ...alarmed(seq), packet_us: 60_000_000 + seq * 200_000, ...more });
  const again = run(analyser, range(0, 20).map((seq) => later(seq, { camera: 7, generation: 0 })));
  t.strictSame(again[0]?.indicators, {}, 'another handle starts afresh, whatever its generation');
  t.ok(Object.keys(again.at(-1)?.indicators ?? {}).length > 0);
  const anew = run(analyser, [later(1, { camera: 7, generation: 0, packet_us: 64_200_000 })]);
  t.ok(Object.keys(anew[0]?.indicators ?? {}).length > 0, 'a number seen before, but a later arrival');
  t.equal(analyser.stats().late_frames, 0);
  run(analyser, [alarmed(31)]);
  t.equal(analyser.stats().late_frames, 1, 'the old handle is late');
});

t.test('jumps of the stream clock and bursts of arrival do not disturb', async (t) => {
  const jumping = (seq: number): FrameResult => ({ ...alarmed(seq), pts_us: seq < 30 ? 9e9 + seq * 200_000 : (seq % 7) * 200_000 });
  const bursts = (seq: number): FrameResult => ({ ...alarmed(seq), packet_us: 5_000_000 + Math.floor(seq / 2) * 400_000 });
  const leaping = (seq: number): FrameResult => ({ ...alarmed(seq), pts_us: seq * 200_000 + (seq < 30 ? 0 : 3_600_000_000) });
  const plain = run(createCameraAnalyser(), range(0, 60).map(alarmed)).at(-1)?.indicators;
  for (const frames of [jumping, bursts, leaping]) {
    const analyser = createCameraAnalyser();
    const found = run(analyser, range(0, 60).map(frames)).at(-1)?.indicators;
    t.equal(analyser.stats().tracks_made, 1, 'the person stays the same');
    for (const [name, value] of Object.entries(plain ?? {})) t.ok(Math.abs((found?.[name as 'stress'] ?? 9) - value) < 0.05, name);
  }
});

t.test('events: one per episode and type, with what they rest on', async (t) => {
  const options: AnalyserOptions = { confidence_threshold: 0.6, cooldown_ms: 60_000 };
  const analyser = createCameraAnalyser(options);
  const analyses = run(analyser, [...range(0, 50).map(calm), ...range(50, 150).map(alarmed), ...range(200, 150).map(calm), ...range(350, 300).map(alarmed)]);
  const events = analyses.flatMap((analysis) => analysis.events);
  const anxiety = events.filter(({ type }) => type === 'anxiety_indicators');
  t.equal(anxiety.length, 2, 'two episodes over a minute apart');
  const [first] = anxiety as [AnalysisEvent];
  t.match(first, { kind: 'behavioral_detection', category: 'emotional', severity: 'LOW', frame_timestamp: /^2025-11-14T14:30:1\d\.\d{3}Z$/, track_id: Number, context: { emotion: 'fear', movement: 'fidgeting' } });
  t.ok(first.confidence >= 0.6 && first.confidence <= 1);
  t.strictSame(first.indicators[0], 'anxiety_markers');
  t.notOk('deviation' in first, 'no deviation in warm-up');
  t.equal(analyser.stats().events, events.length);
  for (const { type, confidence, seq } of events) t.ok(confidence >= 0.6, `${type} at ${seq}`);
  t.strictSame(run(createCameraAnalyser({ confidence_threshold: 0.6 }), range(0, 100).map(calm)).flatMap(({ events: none }) => none), []);
});

t.test('deviation comes with a baseline', async (t) => {
  const analyses = run(createCameraAnalyser({ confidence_threshold: 0.6 }), [...range(0, 5 * 80).map(calm), ...range(400, 100).map(alarmed)]);
  const [event] = analyses.flatMap(({ events }) => events).filter(({ kind }) => kind === 'behavioral_detection');
  t.ok(event?.deviation !== undefined && event.deviation > 0.5 && event.deviation <= 1, `${event?.deviation}`);
});

t.test('labels of the action network raise detections where asked for', async (t) => {
  const raised = (options: AnalyserOptions): string[] => run(createCameraAnalyser(options), range(0, 40).map(calm)).flatMap(({ events }) => events.map(({ type, category }) => `${type} ${category}`));
  t.strictSame(raised({}), []);
  t.strictSame(raised({ action_detections: ['standing'] }), ['standing movement']);
  t.strictSame(raised({ action_detections: ['walking'] }), []);
});

/** A lively but ordinary place: one person pottering about. */
function ordinary(random: ReturnType<typeof seeded>): (seq: number) => FrameResult {
  let x = 320;
  return (seq) => {
    x = Math.min(420, Math.max(220, x + random.normal() * 6));
    const options = { x, moved: { left_wrist: [random.normal() * 0.05, random.normal() * 0.05] as [number, number] } };
    return makeFrame(seq, { persons: [makePerson(options)], faces: [fullFace(options)] });
  };
}

t.test('anomaly: silent until there is a baseline, low in the ordinary, one alert for what is not', async (t) => {
  const usual = ordinary(seeded(77));
  const analyser = createCameraAnalyser({ min_samples: 120 });
  const before = run(analyser, range(0, 5 * 130).map(usual));
  t.equal(before[500]?.anomaly, null);
  t.strictSame(before.at(-1)?.baseline, { state: 'ready', samples: 126, needed: 120 });
  const after = run(analyser, range(650, 500).map(usual));
  const scores = after.map(({ anomaly }) => anomaly?.score as number);
  t.ok(scores.every((score) => score >= 0 && score <= 1));
  t.ok(scores.filter((score) => score > 0.5).length < 25, `${scores.filter((score) => score > 0.5).length} of 500 above 0.5`);
  t.strictSame(after.flatMap(({ events }) => events), []);
  const crowd = (seq: number): FrameResult => makeFrame(seq, { persons: range(0, 6).map((i) => makePerson({ x: 60 + 100 * i, moved: { left_wrist: [0, -1.4 - 0.2 * (seq % 2)], right_wrist: [0, -1.4] } })) });
  const odd = run(analyser, range(1150, 100).map(crowd));
  const events = odd.flatMap(({ events: raised }) => raised).filter(({ kind }) => kind === 'anomaly_alert');
  t.equal(events.length, 1);
  t.match(events[0], { category: 'anomaly', type: /^unusual_/, severity: /^(HIGH|CRITICAL)$/ });
  t.ok((events[0]?.confidence as number) >= 0.9 && (events[0]?.risk_score as number) >= 0.9);
  t.ok(events[0]?.indicators.includes(events[0].type));
  const last = odd.at(-1) as FrameAnalysis;
  t.strictSame(last.anomalies, [{ type: last.anomaly?.type, score: last.anomaly?.score }]);
  t.equal(last.risk_score, riskScore(last.indicators, 1), 'an anomaly counts in the risk score');
  t.equal(last.baseline.samples, odd[20]?.baseline.samples, 'and is not learnt');
});

t.test('a baseline outlives its analyser', async (t) => {
  const usual = ordinary(seeded(3));
  const first = createCameraAnalyser({ min_samples: 64 });
  t.equal(first.baseline(), null);
  run(first, range(0, 5 * 75).map(usual));
  const baseline = JSON.parse(JSON.stringify(first.baseline())) as NonNullable<AnalyserOptions['baseline']>;
  const analyses = run(createCameraAnalyser({ baseline }), range(0, 30).map(usual));
  t.type(analyses.at(-1)?.anomaly?.score, 'number');
  t.throws(() => createCameraAnalyser({ baseline: { ...baseline, centre: [] } }), { code: 'REQUEST_INVALID' });
});

t.test('anomaly rows carry the camera’s parameters, and gaps are filled', async (t) => {
  const analyser = createCameraAnalyser({ min_samples: 64 });
  run(analyser, range(0, 5 * 75).map(calm));
  const [row] = analyser.observe(empty(375)).filter(({ kind }) => kind === 'anomaly') as [SequenceRow];
  t.strictSame(row.parameters?.map(({ length }) => length), [FEATURE_COUNT, FEATURE_COUNT, FEATURE_COUNT * 8]);
  t.ok(row.input.every(Number.isFinite));
  t.equal(analyser.conclude(empty(375), [{ key: row.key, kind: 'anomaly', error: NaN }]).anomaly, null, 'a broken answer is none');
});

t.test('options out of range are refused, all at once', async (t) => {
  t.throws(() => createCameraAnalyser({ confidence_threshold: 2, min_samples: 3, max_tracks: 0 }), { code: 'CONFIG_INVALID', message: /confidence_threshold.*min_samples.*max_tracks/ });
  t.throws(() => createCameraAnalyser({ alert_threshold: NaN }), { code: 'CONFIG_INVALID' });
});

t.test('ten thousand frames and a thousand people leave it bounded', async (t) => {
  const analyser = createCameraAnalyser({ min_samples: 64, max_tracks: 8 });
  const size = (): number => JSON.stringify(analyser.baseline()).length;
  const heap: number[] = [];
  for (let seq = 0; seq < 10_000; seq += 1) {
    const x = 50 + (Math.floor(seq / 10) % 12) * 400;
    const frame = { ...makeFrame(seq, { persons: [makePerson({ x })], faces: [fullFace({ x })] }, 25), width: 5000 };
    const rows = analyser.observe(frame);
    // One in ten is never concluded.
    if (seq % 10 !== 0) analyser.conclude(frame, answer(rows));
    if (seq === 5000 || seq === 9999) {
      globalThis.gc?.();
      heap.push(process.memoryUsage().heapUsed);
    }
  }
  const stats = analyser.stats();
  t.equal(stats.tracks_made, 1000);
  t.ok(stats.tracks <= 8);
  t.ok(size() < 20_000);
  t.ok((heap[1] as number) - (heap[0] as number) < 30e6, `${((heap[1] as number) - (heap[0] as number)) / 1e6} MB more after the second half`);
});
