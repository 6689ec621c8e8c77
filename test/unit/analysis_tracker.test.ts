import t from 'tap';
import { sightingsOf } from '../../src/analysis/association.js';
import { Tracker } from '../../src/analysis/tracker.js';
import { makeFace, makeFrame, makePerson } from '../fixtures/analysis_frames.js';

const tracker = (max_tracks = 16): Tracker<number> => new Tracker({ max_tracks, timeout_us: 1_500_000 }, (id) => id);
const STEP = 200_000;

t.test('faces go to their persons', async (t) => {
  const left = { x: 200 };
  const right = { x: 420 };
  const frame = makeFrame(0, { persons: [makePerson(left), makePerson(right)], faces: [makeFace(right), makeFace(left), makeFace({ x: 600 })] });
  const sightings = sightingsOf(frame);
  t.strictSame(sightings.map(({ person_index, face_index }) => [person_index, face_index]), [[0, 1], [1, 0], [undefined, 2]]);
  const again = sightingsOf({ ...frame, faces: [...frame.faces].reverse() });
  t.strictSame(again.map(({ face }) => face?.box), sightings.map(({ face }) => face?.box), 'whatever the order of the faces');
});

t.test('one face is not given to two persons, nor two faces to one', async (t) => {
  const frame = makeFrame(0, { persons: [makePerson({ x: 300 }), makePerson({ x: 310 })], faces: [makeFace({ x: 302 })] });
  t.equal(sightingsOf(frame).filter(({ face }) => face !== undefined).length, 1);
  const two = makeFrame(0, { persons: [makePerson()], faces: [makeFace(), makeFace({ x: 325 })] });
  t.equal(sightingsOf(two).length, 2, 'the second is a subject of its own');
});

t.test('a face away from a person’s head is another’s, on the side of the head it is theirs', async (t) => {
  const subjects = (x: number): number => sightingsOf(makeFrame(0, { persons: [makePerson()], faces: [makeFace({ x })] })).length;
  t.equal(subjects(320 + 30), 1, 'three quarters of a face aside');
  t.equal(subjects(320 + 44), 2, 'more than one');
});

t.test('without head keypoints the upper part of the box decides', async (t) => {
  const hidden = ['nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear'];
  const person = makePerson({ hidden });
  t.equal(sightingsOf(makeFrame(0, { persons: [person], faces: [makeFace()] })).length, 1);
  t.equal(sightingsOf(makeFrame(0, { persons: [person], faces: [makeFace({ y: 480 })] })).length, 2, 'a face at the knees is another’s');
});

t.test('ids stay with two people who walk past each other', async (t) => {
  const follow = tracker();
  let first: (number | undefined)[] = [];
  for (let i = 0; i <= 40; i += 1) {
    const a = { x: 100 + i * 10, y: 200 };
    const b = { x: 500 - i * 10, y: 290, torso: 95 };
    const order = i % 2 === 0 ? [a, b] : [b, a];
    const ids = follow.update(i * STEP, sightingsOf(makeFrame(i, { persons: order.map(makePerson) }))).map((track) => track?.id);
    if (i % 2 === 1) ids.reverse();
    if (i === 0) first = ids;
    t.strictSame(ids, first, `frame ${i}`);
  }
  t.equal(follow.made, 2);
});

t.test('a person is the same with and without a face, and with a face alone', async (t) => {
  const follow = tracker();
  const contents = [{ persons: [makePerson()] }, { persons: [makePerson()], faces: [makeFace()] }, { faces: [makeFace()] }, { persons: [makePerson()], faces: [makeFace()] }];
  const ids = contents.map((content, i) => follow.update(i * STEP, sightingsOf(makeFrame(i, content)))[0]?.id);
  t.strictSame(ids, [1, 1, 1, 1]);
});

t.test('a short absence keeps the id, a long one does not', async (t) => {
  const follow = tracker();
  const see = (t_us: number): number | undefined => follow.update(t_us, sightingsOf(makeFrame(0, { persons: [makePerson()] })))[0]?.id;
  t.equal(see(0), 1);
  t.equal(see(1_200_000), 1);
  t.equal(see(1_200_000 + 1_600_000), 2);
  t.equal(follow.tracks.length, 1);
});

t.test('somebody elsewhere, or of another size, is somebody else', async (t) => {
  const follow = tracker();
  follow.update(0, sightingsOf(makeFrame(0, { persons: [makePerson({ x: 100 })] })));
  t.equal(follow.update(STEP, sightingsOf(makeFrame(1, { persons: [makePerson({ x: 500 })] })))[0]?.id, 2);
  t.equal(follow.update(2 * STEP, sightingsOf(makeFrame(2, { persons: [makePerson({ x: 505, torso: 20 })] })))[0]?.id, 3);
});

t.test('a thousand people in turn: never more tracks than allowed', async (t) => {
  const follow = tracker(8);
  for (let i = 0; i < 1000; i += 1) {
    // Each appears once, far from the one before, faster than tracks time out.
    follow.update(i * 50_000, sightingsOf(makeFrame(i, { persons: [makePerson({ x: 100 + (i % 20) * 500 })] })));
    if (follow.tracks.length > 8) t.fail(`${follow.tracks.length} tracks`);
  }
  t.equal(follow.made, 1000);
  t.ok(follow.evicted > 900);
});

t.test('a crowd beyond the limit: the largest are followed, those followed are not pushed out', async (t) => {
  const follow = tracker(3);
  const crowd = [30, 90, 50, 70, 40].map((torso, i) => makePerson({ x: i * 400, torso }));
  const ids = (): (number | undefined)[] => follow.update(follow.made === 0 ? 0 : STEP, sightingsOf(makeFrame(0, { persons: crowd }))).map((track) => track?.id);
  const first = ids();
  t.strictSame(first.map((id) => id !== undefined), [false, true, true, true, false]);
  t.strictSame(ids(), first);
  t.equal(follow.evicted, 0);
});
