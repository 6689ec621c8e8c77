import t from 'tap';
import { Episodes, RELEASE } from '../../src/analysis/episodes.js';
import { anomalySeverity, contextOf, detectionConfidence, DETECTIONS, detectionSeverity, markersOf, strongSignals } from '../../src/analysis/events.js';

const SECOND = 1_000_000;

/** Values at five a second from the given seconds on; returns the seconds at which it was raised, with the episode's length. */
function timeline(episodes: Episodes, parts: [seconds: number, value: number | undefined][], from = 0): [number, number][] {
  const raised: [number, number][] = [];
  let t_us = from * SECOND;
  for (const [seconds, value] of parts) {
    for (const end = t_us + seconds * SECOND; t_us < end; t_us += SECOND / 5) {
      const now = episodes.update('stress_indicators', t_us, value, 0.8);
      if (now !== undefined) raised.push([t_us / SECOND, now.duration_us / SECOND]);
    }
  }
  return raised;
}

t.test('one episode is one event', async (t) => {
  t.strictSame(timeline(new Episodes(60 * SECOND), [[2, 0.5], [300, 0.9]]), [[2, 0]]);
  t.strictSame(timeline(new Episodes(0), [[2, 0.5], [300, 0.9]]), [[2, 0]], 'without a cool-down too');
});

t.test('at the threshold, not below', async (t) => {
  t.strictSame(timeline(new Episodes(0), [[5, 0.8 - 1e-9]]), []);
  t.strictSame(timeline(new Episodes(0), [[5, 0.8]]), [[0, 0]]);
});

t.test('flutter about the threshold is one episode', async (t) => {
  const flutter = Array.from({ length: 40 }, (_, i): [number, number] => [0.4, i % 2 === 0 ? 0.81 : 0.79]);
  t.equal(timeline(new Episodes(0), flutter).length, 1);
  const dips = Array.from({ length: 10 }, (_, i): [number, number | undefined] => (i % 2 === 0 ? [2, 0.9] : [2.6, i % 4 === 1 ? 0.1 : undefined]));
  t.equal(timeline(new Episodes(0), dips).length, 1, 'so are dips and absences shorter than the release');
  const held = 0.8 * RELEASE + 1e-9;
  t.equal(timeline(new Episodes(0), [[1, 0.9], [60, held], [1, 0.9]]).length, 1, 'and a long stay above the release level');
});

t.test('after a release the next episode is another event', async (t) => {
  t.strictSame(timeline(new Episodes(0), [[1, 0.9], [4, 0.2], [1, 0.9]]).map(([at]) => at), [0, 5]);
  t.strictSame(timeline(new Episodes(0), [[1, 0.9], [4, undefined], [1, 0.9]]).map(([at]) => at), [0, 5], 'an absent value releases too');
});

t.test('cool-down: a short second episode is held back and counted, a long one raised when it is over', async (t) => {
  const short = new Episodes(60 * SECOND);
  t.strictSame(timeline(short, [[1, 0.9], [10, 0.1], [5, 0.9], [100, 0.1]]), [[0, 0]]);
  t.equal(short.suppressed, 1);
  t.strictSame(timeline(new Episodes(60 * SECOND), [[1, 0.9], [10, 0.1], [100, 0.9]]), [[0, 0], [60, 49]]);
  const shortened = new Episodes(60 * SECOND);
  t.strictSame(timeline(shortened, [[1, 0.9], [10, 0.1], [5, 0.9]]), [[0, 0]]);
  shortened.coolDown(20 * SECOND);
  t.strictSame(timeline(shortened, [[100, 0.9]], 16), [[20, 9]], 'another one counts for what waits, too');
  const between = 0.8 * RELEASE + 0.01;
  t.strictSame(timeline(new Episodes(60 * SECOND), [[1, 0.9], [10, 0.1], [5, 0.9], [100, between]]), [[0, 0]], 'but not while it only lingers below the threshold');
});

t.test('types do not hold each other back, and time does not run backwards', async (t) => {
  const episodes = new Episodes(60 * SECOND);
  t.ok(episodes.update('a', 0, 0.9, 0.8));
  t.ok(episodes.update('b', 0, 0.9, 0.8));
  t.notOk(episodes.update('a', -SECOND, 0.9, 0.8));
});

t.test('close ends episodes and keeps the cool-down', async (t) => {
  const episodes = new Episodes(10 * SECOND);
  t.ok(episodes.update('a', 0, 0.9, 0.8));
  episodes.close();
  t.notOk(episodes.update('a', SECOND, 0.9, 0.8));
  t.ok(episodes.update('a', 10 * SECOND, 0.9, 0.8));
});

t.test('nothing is detected on deception alone', async (t) => {
  const suspicious = DETECTIONS.find(({ type }) => type === 'suspicious_behavior') as (typeof DETECTIONS)[number];
  t.equal(detectionConfidence({ indicators: { deception: 1 }, coverage: { deception: 1 } }, suspicious), 0);
  t.equal(detectionConfidence({ indicators: { deception: 1, stress: 0.4 }, coverage: { deception: 1, stress: 0.5 } }, suspicious), 0.2);
  t.equal(detectionConfidence({ indicators: { deception: 0.9, stress: 1 }, coverage: { deception: 1, stress: 1 } }, suspicious), 0.9);
  t.equal(detectionConfidence({ indicators: { stress: 1 }, coverage: { stress: 1 } }, suspicious), undefined);
  t.strictSame(DETECTIONS.filter(({ indicator, needs_another }) => indicator === 'deception' && !needs_another), []);
});

t.test('severities', async (t) => {
  t.strictSame([0.95, 0.9, 0.85, 0.8, 0.3].map(detectionSeverity), ['HIGH', 'HIGH', 'MEDIUM', 'MEDIUM', 'LOW']);
  t.strictSame([0.99, 0.9, 0.7, 0.3].map((score) => anomalySeverity(score, 'MINIMAL')), ['HIGH', 'HIGH', 'MEDIUM', 'LOW']);
  t.strictSame((['MEDIUM', 'HIGH', 'CRITICAL'] as const).map((level) => anomalySeverity(0.98, level)), ['HIGH', 'CRITICAL', 'CRITICAL']);
});

t.test('words', async (t) => {
  t.strictSame(contextOf({}, undefined, undefined), {}, 'nothing measured, nothing said');
  t.strictSame(contextOf({ posture_tension: 0.3, gaze_aversion: 0.7, fidgeting: 1.2 }, 'fear', undefined), { emotion: 'fear', posture: 'tense', gaze: 'avoiding', movement: 'fidgeting' });
  t.strictSame(contextOf({ posture_tension: 0.4, gaze_dispersion: 3, fidgeting: 0.1 }, undefined, { label: 'walking', score: 0.7, labels: {} }), { posture: 'relaxed', gaze: 'steady', movement: 'walking' });
  t.strictSame(contextOf({ fidgeting: 0.1 }, undefined, { label: 'walking', score: 0.4, labels: {} }), { movement: 'calm' });
  t.strictSame(markersOf({ stress: 0.5, deception: 0.7, nervousness: 0.49 }), ['stress_markers', 'deception_signals']);
  t.strictSame(strongSignals({ self_touch: 0.5, fidgeting: 0.3 }), ['self_touch']);
});
