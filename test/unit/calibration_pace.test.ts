/** The rate that clients are told, on a clock of the test: people who keep to it, before networks that carry a known number of pictures a second. */
import t from 'tap';
import { FPS_MAX, FPS_MIN, Pace } from '../../src/calibration/service/pace.js';

const STEP_MS = 5;
const BATCH = 5;
const ROOM = 96;

interface Client { id: string; fps: number; due_ms: number }
interface Picture { client: Client; left: { count: number } }

/** A queue that is served four at a time, as the lane of the inference pool is. */
function world(carried_per_s: number) {
  let now = 1_000_000;
  let answered = 0;
  let waiting_since = 0;
  let serving: { until: number; pictures: Picture[] } | undefined;
  const queue: Picture[] = [];
  const pace = new Pace({ load: () => ({ waiting: queue.length, waiting_for_ms: queue.length === 0 ? 0 : now - waiting_since, answered }) }, () => now);
  const clients: Client[] = [];
  const state = { carried_per_s, turned_away: 0, told: [] as number[], longest: 0 };

  const push = (picture: Picture): void => {
    if (queue.length >= ROOM) {
      state.turned_away++;
      picture.left.count--;
      pace.turnedAway();
      if (picture.left.count === 0) picture.client.fps = pace.recommended();
      return;
    }
    if (queue.length === 0) waiting_since = now;
    queue.push(picture);
  };
  const step = (): void => {
    now += STEP_MS;
    if (serving !== undefined && now >= serving.until) {
      for (const { client, left } of serving.pictures) {
        answered++;
        if (--left.count === 0) client.fps = pace.recommended();
      }
      serving = undefined;
    }
    for (const client of clients) {
      if (now < client.due_ms) continue;
      client.due_ms = Math.max(client.due_ms, now - 500) + (BATCH * 1000) / client.fps;
      pace.present(client.id);
      const left = { count: BATCH };
      for (let n = 0; n < BATCH; n++) push({ client, left });
    }
    if (serving === undefined && queue.length > 0) {
      const pictures = queue.splice(0, 4);
      serving = { until: now + (pictures.length * 1000) / state.carried_per_s, pictures };
    }
    state.longest = Math.max(state.longest, queue.length);
  };
  return {
    pace, state,
    join(count: number): void {
      for (let n = 0; n < count; n++) {
        const client = { id: `person-${clients.length}`, fps: 0, due_ms: now + n * 7 };
        pace.present(client.id);
        client.fps = pace.recommended();
        clients.push(client);
      }
    },
    leave(count: number): void {
      for (const { id } of clients.splice(0, count)) pace.gone(id);
    },
    /** @returns pictures answered a second */
    run(seconds: number): number {
      const before = answered;
      Object.assign(state, { turned_away: 0, told: [], longest: 0 });
      for (let at = 0; at < seconds * 1000; at += STEP_MS) {
        step();
        const told = pace.recommended();
        if (told !== state.told.at(-1)) state.told.push(told);
      }
      return (answered - before) / seconds;
    },
  };
}

t.test('who can be carried is told the full rate', async (t) => {
  for (const [people, carried] of [[1, 45], [2, 90], [4, 200], [20, 1_200]] as const) {
    const there = world(carried);
    there.join(people);
    there.run(30);
    t.ok(there.run(20) > 0.97 * FPS_MAX * people, `${people} of ${carried / FPS_MAX}`);
    t.match([there.pace.recommended(), there.state.turned_away], [FPS_MAX, 0]);
  }
});

t.test('a crowd is told what is carried, each their share, and hardly a picture is turned away', async (t) => {
  for (const [people, carried] of [[4, 60], [8, 60], [12, 60], [3, 20], [30, 200], [8, 17]] as const) {
    const there = world(carried);
    there.join(people);
    there.run(20);
    const begun = { ...there.state };
    const rate = there.run(60);
    t.comment(`${people} at ${carried}: ${rate.toFixed(0)}/s, told ${there.state.told.join(' ')}, at most ${there.state.longest} waiting, turned away ${begun.turned_away} then ${there.state.turned_away}`);
    // Whole frames a second: a share of 1.9 is told as 1.
    t.ok(rate >= Math.min(0.65 * carried, FPS_MIN * people), `${rate.toFixed(0)} of ${carried}`);
    // Thirty batches of one moment are more than the queue has room for.
    t.ok(begun.turned_away + there.state.turned_away <= (BATCH * people > ROOM ? 0.01 * rate * 80 : 0), `${people} people: turned away ${begun.turned_away + there.state.turned_away}`);
    t.ok(there.state.told.length < 60, `told ${there.state.told.length} rates in a minute`);
  }
});

t.test('a crowd that comes to one person is told at once, and who stays is told the full rate again', async (t) => {
  const there = world(60);
  there.join(1);
  there.run(5);
  there.join(11);
  t.ok(there.pace.recommended() < 10, 'before their first frame');
  there.run(10);
  t.equal(there.state.turned_away, 0);
  there.leave(11);
  there.run(3);
  t.equal(there.pace.recommended(), FPS_MAX);
});

t.test('cameras take half of the networks away, and give it back', async (t) => {
  const there = world(120);
  there.join(4);
  there.run(20);
  const before = there.pace.recommended();
  there.state.carried_per_s = 40;
  there.run(10);
  t.ok(there.pace.recommended() <= 10 && there.pace.recommended() >= 5, `${before}, then ${there.pace.recommended()}`);
  there.state.carried_per_s = 120;
  there.run(60);
  t.ok(there.pace.recommended() >= 0.6 * before, `again ${there.pace.recommended()}`);
});

t.test('more people than frames: the lowest rate, and what is too much is turned away', async (t) => {
  const there = world(20);
  there.join(60);
  there.run(30);
  t.equal(there.pace.recommended(), FPS_MIN);
  t.ok(there.state.longest <= ROOM);
});

t.test('people who went away without a word do not share for long', async (t) => {
  let now = 0;
  const quiet = new Pace({ load: () => ({ waiting: 0, waiting_for_ms: 0, answered: 0 }) }, () => now);
  for (const id of ['a', 'b', 'c']) quiet.present(id);
  t.equal(quiet.state().people, 3);
  t.equal(quiet.recommended(), 10);
  now = 8_000;
  quiet.present('d');
  t.equal(quiet.recommended(), FPS_MAX);
  t.equal(quiet.state().people, 1);
});
