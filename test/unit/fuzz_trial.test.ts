/** A slow machine tries a property less, at least once; what is late on a machine that is late with anything is not run; the rest are failures. */
import fc from 'fast-check';
import t from 'tap';
import { tried } from '../fixtures/fuzz.js';
import { inTime, Late } from '../fixtures/late.js';
import { judge, watchTurns } from '../fixtures/turns.js';

const late = (): Promise<never> => Promise.reject(new Late('not within 1 ms: an end'));
const plans = (): { planned: unknown[][]; plan: (n: number, reason?: string) => void } => {
  const planned: unknown[][] = [];
  return { planned, plan: (...words) => { planned.push(words); } };
};

t.test('a first run that outlasts the limit is a run, and the only one', async (t) => {
  const slow = { values: fc.nat(), runs: 10, limit_ms: 1, holds: () => new Promise<void>((resolve) => { setTimeout(resolve, 20); }) };
  t.strictSame(await tried(plans(), slow), { runs: 1, whole: false });
  t.strictSame(await tried(plans(), { ...slow, limit_ms: 60_000 }), { runs: 10, whole: true });
  await t.rejects(tried(plans(), { ...slow, holds: (value) => { if (value !== -1) throw new Error('broken'); } }), /broken/, 'it is judged');
});

t.test('late, and late with nothing wrong in it: not run, with the reason', async (t) => {
  let runs = 0;
  const test = plans();
  const holds = (): Promise<void> => ++runs === 1 ? Promise.resolve() : late();
  t.equal(await tried(test, { values: fc.nat(), runs: 10, limit_ms: 60_000, holds, plain: late }), undefined);
  t.equal(runs, 2, 'no second look for a smaller value');
  t.match(test.planned, [[0, /^not run: this machine is too slow .*not within 1 ms: an end/]]);
});

t.test('late where anything else is in time: a failure, as is a value that is wrong', async (t) => {
  for (const plain of [() => Promise.resolve(), undefined]) {
    const test = plans();
    await t.rejects(tried(test, { values: fc.nat(), runs: 10, limit_ms: 60_000, holds: late, ...(plain === undefined ? {} : { plain }) }), /not within 1 ms: an end/);
    t.strictSame(test.planned, []);
  }
  await t.rejects(tried(plans(), { values: fc.nat(), runs: 10, limit_ms: 60_000, holds: () => { throw new Error('broken'); }, plain: late }), /seed[^]*broken/);
});

t.test('a promise in time, and one that is not', async (t) => {
  t.equal(await inTime('a number', 60_000, Promise.resolve(7)), 7);
  await t.rejects(inTime('a number', 60_000, Promise.reject(new Error('none'))), /none/);
  await t.rejects(inTime('a number', 5, new Promise(() => undefined)), { name: 'Late', message: 'not within 5 ms: a number' });
});

t.test('claims about times are not judged where the machine is late itself', async (t) => {
  const said: string[] = [];
  const test = { ok: (value: unknown) => (said.push(value === true ? 'ok' : 'not ok'), true), pass: () => (said.push('skip'), true) } as unknown as Parameters<typeof judge>[0];
  const one = { what: 'a rate', target: '95 %', measured: '80 %' };
  judge(test, [{ ...one, holds: false, timed: true }, { ...one, holds: true, timed: true }, { ...one, holds: false }], 500);
  judge(test, [{ ...one, holds: false, timed: true }], 20);
  t.strictSame(said, ['skip', 'ok', 'not ok', 'not ok']);
  const turns = watchTurns();
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.ok((await turns()) >= 0);
});
