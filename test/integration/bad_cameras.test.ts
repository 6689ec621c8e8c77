/** Short forms of `npm run soak -- faults` and `-- reconnects`: what bad cameras and reconnects cost the others, which is nothing. */
import t, { type Test } from 'tap';
import { faults } from '../soak/faults.js';
import { reconnects } from '../soak/reconnects.js';
import { judge, watchTurns } from '../fixtures/turns.js';
import type { Soak } from '../soak/soak.js';

const root = process.cwd();

async function short(t: Test, soak: Soak): Promise<void> {
  const turns = watchTurns();
  const { claims } = await soak.run({ root, short: true, settings: {}, scratch: t.testdir(), log: () => undefined });
  judge(t, claims, await turns());
}

t.test('1,000 reconnects, short: threads, descriptors and memory stay flat', { skip: reconnects.unavailable?.(root) ?? false, timeout: 180_000 }, async (t) => {
  await short(t, reconnects);
});

t.test('bad cameras, short: the others keep their frame rate, and each bad one says what is wrong', { skip: faults.unavailable?.(root) ?? false, timeout: 180_000 }, async (t) => {
  await short(t, faults);
});
