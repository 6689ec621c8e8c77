import t from 'tap';
import { Attention, SMALL_FACE_PX } from '../../src/eyetracking/attention.js';
import { parseSource, sourceKey } from '../../src/eyetracking/source.js';
import type { EyeReading } from '../../src/eyetracking/types.js';
import type { EyesAnswer } from '../../src/opencv/types.js';

const EYE: [number, number, number, number] = [0, 0, 30, 30];
const face = (width: number, eyes: number, turned = false): EyesAnswer => ({
  width: 640, height: 480, brightness: 120, searched_whole: true, faces: [{ box: [10, 10, width, width], turned }], eyes: Array.from({ length: eyes }, () => EYE),
});
const NOBODY: EyesAnswer = { width: 640, height: 480, brightness: 120, searched_whole: true, faces: [], eyes: [] };

/** Feeds frames 100 ms apart; answers the last reading. */
function feed(attention: Attention, seen: EyesAnswer, frames: number, clock: { ms: number }): EyeReading {
  let reading: EyeReading | undefined;
  for (let n = 0; n < frames; n++) reading = attention.update(seen, (clock.ms += 100));
  if (reading === undefined) throw new Error('no frame');
  return reading;
}
const fresh = () => ({ attention: new Attention({ away_after_ms: 1_000, back_after_ms: 200 }), clock: { ms: 0 } });

t.test('nobody looks away before there is evidence, and evidence has to last', async (t) => {
  const { attention, clock } = fresh();
  t.match(feed(attention, face(160, 2), 5, clock), { face_detected: true, eye_count: 2, looking_away: false, confidence: 1, face_count: 1, reason: 'eyes_seen' });
  t.match(feed(attention, NOBODY, 3, clock), { face_detected: false, looking_away: false, reason: 'no_face' }, 'a face that is missed for a moment');
  t.match(feed(attention, face(160, 2), 1, clock), { looking_away: false });
  t.match(feed(attention, NOBODY, 9, clock), { looking_away: false });
  t.match(feed(attention, NOBODY, 1, clock), { looking_away: true, confidence: 0, face_count: 0 });
  t.match(feed(attention, face(160, 2), 1, clock), { looking_away: true }, 'one frame does not bring anybody back');
  t.match(feed(attention, face(160, 2), 1, clock), { looking_away: false });
});

t.test('no eyes on a small, turned or never-seen face say nothing', async (t) => {
  for (const [seen, reason] of [[face(SMALL_FACE_PX - 1, 0), 'face_too_small'], [face(200, 0, true), 'face_turned'], [face(200, 0), 'eyes_never_seen'], [face(200, 1), 'one_eye'], [{ ...NOBODY, brightness: 5 }, 'picture_dark']] as const) {
    const { attention, clock } = fresh();
    t.match(feed(attention, seen, 60, clock), { looking_away: false, reason });
    feed(attention, NOBODY, 15, clock);
    t.match(feed(attention, seen, 60, clock), { looking_away: true, reason }, `${reason} changes nothing the other way either`);
  }
});

t.test('eyes that were found and are gone are evidence, at the same size and for a while', async (t) => {
  const { attention, clock } = fresh();
  feed(attention, face(200, 2), 3, clock);
  t.match(feed(attention, face(200, 0), 11, clock), { looking_away: true, reason: 'eyes_hidden', confidence: 0.5 });
  feed(attention, face(200, 2), 3, clock);
  t.match(feed(attention, face(140, 0), 30, clock), { looking_away: false, reason: 'eyes_never_seen' }, 'further away now');
  clock.ms += 61_000;
  t.match(feed(attention, face(200, 0), 30, clock), { looking_away: false, reason: 'eyes_never_seen' }, 'long ago');
});

t.test('a gap in the frames is not evidence', async (t) => {
  const { attention, clock } = fresh();
  feed(attention, face(160, 2), 3, clock);
  feed(attention, NOBODY, 1, clock);
  clock.ms += 30_000;
  t.match(feed(attention, NOBODY, 1, clock), { looking_away: false });
});

t.test('confidence is the mean over five frames; other faces stay counted while only one is followed', async (t) => {
  const { attention, clock } = fresh();
  feed(attention, face(160, 2), 5, clock);
  t.equal(feed(attention, face(160, 1), 1, clock).confidence, 0.9);
  t.equal(feed(attention, NOBODY, 1, clock).confidence, 0.7);
  const two = { ...face(160, 2), faces: [{ box: EYE, turned: false }, { box: EYE, turned: false }] };
  t.equal(feed(attention, two, 1, clock).face_count, 2);
  t.equal(feed(attention, { ...face(160, 2), searched_whole: false }, 1, clock).face_count, 2);
  t.equal(feed(attention, face(160, 2), 1, clock).face_count, 1);
});

t.test('sources by their names', async (t) => {
  const names = () => new Map([['Front desk', 7]]);
  const cases: [unknown, string][] = [['webcam', 'webcam'], ['webcam:2', 'webcam:2'], [1, 'webcam:1'], ['camera:12', 'camera:12'], ['Front desk', 'camera:7']];
  for (const [given, key] of cases) t.equal(sourceKey(parseSource(given, names)), key);
  for (const bad of ['webcam:10', 'rtsp://user:secret@host/', -1, 1.5, 10, null, {}, '', 'camera:', 'Back door']) t.throws(() => parseSource(bad, names), { code: 'EYE_SOURCE' }, JSON.stringify(bad));
});
