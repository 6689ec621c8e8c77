import { readFileSync } from 'node:fs';
import t from 'tap';
import { FEATURES } from '../../src/analysis/features.js';
import { DETECTIONS } from '../../src/analysis/events.js';
import { INDICATOR_WEIGHTS, indicatorsOf, MIN_COVERAGE } from '../../src/analysis/indicators.js';
import { toBody, torsoLength } from '../../src/analysis/keypoints.js';
import { mainEmotion, measureSignals, SIGNAL_NAMES, SIGNALS, strength, subjectSample, type SignalName, type Signals, type SubjectSample } from '../../src/analysis/signals.js';
import { INDICATOR_NAMES } from '../../src/analysis/types.js';
import { AFRAID, CALM, fullFace, makePerson, type PersonOptions } from '../fixtures/analysis_frames.js';
import type { Face } from '../../src/inference/results.js';

/** Rows of the table after `<!-- table: NAME -->` in the document, cells without backticks. */
function tableOf(name: string): string[][] {
  const text = readFileSync('docs/indicators.md', 'utf8');
  const from = text.split(`<!-- table: ${name} -->`)[1];
  if (from === undefined) throw new Error(`docs/indicators.md has no table ${name}`);
  const lines = from.trimStart().split('\n');
  const end = lines.findIndex((line) => !line.startsWith('|'));
  return lines.slice(2, end === -1 ? undefined : end).map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim().replaceAll('`', '')));
}

function samples(count: number, at: (i: number) => { face?: Face; person?: PersonOptions }, gap_us = 200_000): SubjectSample[] {
  const made: SubjectSample[] = [];
  for (let i = 0; i < count; i += 1) {
    const { face, person } = at(i);
    const body = person === undefined ? undefined : toBody(makePerson(person).keypoints);
    made.push(subjectSample(i * gap_us, face, body, body === undefined ? undefined : torsoLength(body), made.at(-1)));
  }
  return made;
}

function near(t: { ok: (found: boolean, about: string) => unknown }, found: number | undefined, wanted: number, about: string, tolerance = 1e-6): void {
  t.ok(found !== undefined && Math.abs(found - wanted) <= tolerance, `${about}: ${found ?? 'absent'} is ${wanted}`);
}

t.test('the document has the tables of the code', async (t) => {
  t.strictSame(tableOf('signals').map((row) => row.slice(0, 4)), SIGNAL_NAMES.map((name) => [name, SIGNALS[name].unit, String(SIGNALS[name].calm), String(SIGNALS[name].strong)]));
  t.strictSame(tableOf('weights'), SIGNAL_NAMES.map((name) => [name, ...INDICATOR_NAMES.map((indicator) => String(INDICATOR_WEIGHTS[indicator][name] ?? ''))]));
  t.strictSame(tableOf('features').map((row) => row.slice(0, 3)), FEATURES.map(({ name, group, least_scale }) => [name, group, String(least_scale)]));
  t.strictSame(tableOf('detections').map((row) => row.slice(0, 3)), DETECTIONS.map(({ type, category, indicator }) => [type, category, indicator]));
});

t.test('weights of each indicator sum to 1', async (t) => {
  for (const name of INDICATOR_NAMES) near(t, Object.values(INDICATOR_WEIGHTS[name]).reduce((a, b) => a + b, 0), 1, name, 1e-12);
});

t.test('strength is linear between its ends and flat beyond', async (t) => {
  for (const [name, value, wanted] of [
    ['negative_affect', 0.5, 0.5], ['negative_affect', 0.1, 0], ['negative_affect', 1, 1], ['gaze_dispersion', 8.75, 0.25],
    ['posture_tension', 0.42, 0], ['posture_tension', 0.335, 0.5], ['posture_tension', 0.2, 1], ['posture_tension', 0.6, 0],
  ] as [SignalName, number, number][]) near(t, strength(name, value), wanted, `${name} ${value}`);
});

t.test('signals by hand', async (t) => {
  const half = measureSignals(samples(20, (i) => ({ face: fullFace({}, { emotions: i % 2 === 0 ? CALM : AFRAID }) })));
  near(t, half.negative_affect, (0.08 + 0.95) / 2, 'negative_affect');
  near(t, half.fear_affect, (0.02 + 0.7) / 2, 'fear_affect');
  near(t, half.mixed_affect, (2 * 0.08 + 0) / 2, 'mixed_affect');
  const apart = Object.keys(CALM).reduce((sum, label) => sum + ((CALM[label] as number) - (AFRAID[label] as number)) ** 2, 0);
  near(t, half.affect_change, Math.sqrt(apart) / 2, 'affect_change of two points is half their distance');
  near(t, half.eyes_shut, 0, 'eyes_shut');

  const eyes = measureSignals(samples(20, (i) => ({
    face: fullFace({}, { eye_openness: i % 4 === 0 ? [0.05, 0.1] : [0.3, 0.28], gaze: { vector: [0, 0, -1], yaw_deg: i % 2 === 0 ? 20 : -20, pitch_deg: 0 }, head: { yaw_deg: 10, pitch_deg: 0, roll_deg: i % 2 === 0 ? 3 : -3 } }),
  })));
  near(t, eyes.eyes_shut, 0.25, 'eyes_shut');
  near(t, eyes.gaze_dispersion, 20, 'gaze_dispersion');
  near(t, eyes.gaze_aversion, 0.5, 'gaze_aversion: 30° and 10° from the head');
  near(t, eyes.head_motion, 6 / 0.2, 'head_motion');

  const body = measureSignals(samples(20, (i) => ({ person: { x: 100 + i * 8, moved: { left_wrist: [0, i % 2 === 0 ? -0.1 : 0.1], right_wrist: [0.4, -1.2] } } })));
  // One of four limbs moves 0.2 torso in 0.2 s: root of 1/4.
  near(t, body.fidgeting, 0.5, 'fidgeting', 1e-5);
  near(t, body.self_touch, 1, 'self_touch: the right wrist is at the head');
  near(t, body.posture_tension, (1.45 * 3 + 1.5 * 2) / 5 - 1, 'posture_tension', 1e-5);
  near(t, body.body_sway, 0, 'body_sway: walking on a line is none', 1e-5);
  const walk = measureSignals(samples(20, (i) => ({ person: { x: 100 + i * 30, moved: { left_wrist: [0, i % 2 === 0 ? -0.1 : 0.1] } } })));
  t.notOk('fidgeting' in walk, 'the arms of a walking body swing');
  near(t, walk.body_sway, 0, 'body_sway of walking', 1e-5);
  const sway = measureSignals(samples(40, (i) => ({ person: { x: 300 + (i % 2 === 0 ? 16 : -16) } })));
  near(t, sway.body_sway, 0.2, 'body_sway', 0.002);
  near(t, sway.fidgeting, 0, 'fidgeting does not count the whole body moving', 1e-5);
});

t.test('what was not seen is absent', async (t) => {
  t.strictSame(measureSignals([]), {});
  t.strictSame(measureSignals(samples(20, () => ({}))), {});
  t.strictSame(measureSignals(samples(5, () => ({ face: fullFace(), person: {} }), 600_000)), {}, 'too few');
  t.strictSame(measureSignals(samples(12, () => ({ face: fullFace(), person: {} }), 150_000)), {}, 'too short');
  const noHead = measureSignals(samples(20, () => ({ face: { box: [0, 0, 10, 10], score: 1, gaze: { vector: [0, 0, -1], yaw_deg: 0, pitch_deg: 0 } } })));
  t.strictSame(Object.keys(noHead), ['gaze_dispersion']);
  const noHips = measureSignals(samples(20, () => ({ person: { hidden: ['left_hip', 'right_hip'] } })));
  t.notOk('posture_tension' in noHips, 'a neck is not measured against a guessed torso');
  t.ok('fidgeting' in noHips);
  const slow = measureSignals(samples(10, () => ({ face: fullFace(), person: {} }), 1_500_000));
  t.notOk('fidgeting' in slow || 'head_motion' in slow, 'no speed from samples far apart');
  t.ok('negative_affect' in slow);
  const other = measureSignals(samples(20, () => ({ face: fullFace({}, { emotions: { happy: 0.4, neutral: 0.6 } }) })));
  t.notOk('fear_affect' in other, 'a network without the label fear says nothing about fear');
});

t.test('the main emotion is that of the window, not of the last look', async (t) => {
  t.equal(mainEmotion(samples(10, (i) => (i === 9 ? { face: fullFace() } : i === 3 ? {} : { face: fullFace({}, { emotions: AFRAID }) }))), 'fear');
  t.equal(mainEmotion(samples(3, () => ({ person: {} }))), undefined);
});

t.test('head turning through ±180° turns the short way', async (t) => {
  const found = measureSignals(samples(20, (i) => ({ face: fullFace({}, { head: { yaw_deg: i % 2 === 0 ? 179 : -179, pitch_deg: 0, roll_deg: 0 } }) })));
  near(t, found.head_motion, 10, 'head_motion');
});

t.test('missing signals: renormalised down to the least coverage, then absent', async (t) => {
  const face: Signals = { negative_affect: 0.5, fear_affect: 0.275, eyes_shut: 0.08, head_motion: 15, gaze_dispersion: 5, gaze_aversion: 0.5, mixed_affect: 0.1, affect_change: 0.05 };
  const { indicators, coverage } = indicatorsOf(face);
  t.strictSame(Object.keys(indicators), ['stress', 'anxiety', 'deception'], 'in payload order, nervousness absent at 0.45');
  near(t, indicators.stress, (0.35 * 0.5) / 0.55, 'stress');
  near(t, coverage.stress, 0.55, 'coverage');
  near(t, indicators.anxiety, (0.3 * 0.5) / 0.55, 'anxiety');
  near(t, indicators.deception, (0.3 * 0.5) / 0.8, 'deception');
  t.strictSame(indicatorsOf({}), { indicators: {}, coverage: {} });
  t.equal(MIN_COVERAGE, 0.5);
  const edge: Signals = { fear_affect: 0.5, self_touch: 0.6, eyes_shut: 0.08 };
  t.equal(indicatorsOf({ ...edge, self_touch: 0.6 }).coverage.anxiety?.toFixed(2), '0.55');
  t.notOk('anxiety' in indicatorsOf({ fear_affect: 0.5, self_touch: 0.6 }).indicators, '0.45 is too little');
});

t.test('an indicator that is switched off is absent', async (t) => {
  const all: Signals = Object.fromEntries(SIGNAL_NAMES.map((name) => [name, SIGNALS[name].strong]));
  t.strictSame(Object.keys(indicatorsOf(all).indicators), [...INDICATOR_NAMES]);
  t.strictSame(Object.keys(indicatorsOf(all, { deception: false, stress: true }).indicators), ['stress', 'anxiety', 'nervousness']);
  for (const value of Object.values(indicatorsOf(all).indicators)) near(t, value, 1, 'all strong');
});

t.test('stronger signals never lower an indicator, nor does their order matter', async (t) => {
  const calm: Signals = Object.fromEntries(SIGNAL_NAMES.map((name) => [name, SIGNALS[name].calm]));
  for (const name of SIGNAL_NAMES) {
    let before = indicatorsOf(calm).indicators;
    for (let part = 0.1; part <= 1.3; part += 0.1) {
      const now = indicatorsOf({ ...calm, [name]: SIGNALS[name].calm + part * (SIGNALS[name].strong - SIGNALS[name].calm) }).indicators;
      for (const indicator of INDICATOR_NAMES) t.ok((now[indicator] as number) >= (before[indicator] as number), `${name} → ${indicator}`);
      before = now;
    }
  }
  const some: Signals = { fidgeting: 1, self_touch: 0.3, negative_affect: 0.6, head_motion: 40, body_sway: 0.1 };
  t.strictSame(indicatorsOf(Object.fromEntries(Object.entries(some).reverse())), indicatorsOf(some));
});

t.test('more fidgeting hands, more nervousness', async (t) => {
  let before = -1;
  for (const size of [0, 0.05, 0.1, 0.2, 0.3, 0.6]) {
    const move = (i: number): [number, number] => [i % 2 === 0 ? -size : size, 0];
    const { nervousness } = indicatorsOf(measureSignals(samples(50, (i) => ({ person: { moved: { left_wrist: move(i), right_wrist: move(i + 1), left_elbow: move(i), right_elbow: move(i) } } })))).indicators;
    t.ok((nervousness as number) >= before, `${size}: ${nervousness} is not below ${before}`);
    before = nervousness as number;
  }
  t.ok(before > 0.5);
});
