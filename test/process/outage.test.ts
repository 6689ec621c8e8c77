/** The short form of `npm run soak -- outage`: receiver, database and daemon go away; nothing is lost, nothing secret is said. */
import t from 'tap';
import { judge, watchTurns } from '../fixtures/turns.js';
import { outageSoak } from '../soak/outage.js';

const reason = outageSoak.unavailable?.(process.cwd());
t.test(outageSoak.about, { skip: reason ?? false, timeout: 560_000 }, async (t) => {
  const turns = watchTurns();
  const { claims, figures } = await outageSoak.run({ root: process.cwd(), short: true, settings: {}, scratch: t.testdir(), log: (line) => t.comment(line) });
  judge(t, claims, await turns());
  t.comment(JSON.stringify(figures));
});
