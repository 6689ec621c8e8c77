/** The short form of `npm run soak -- outage`: receiver, database and daemon go away; nothing is lost, nothing secret is said. */
import t from 'tap';
import { outageSoak } from '../soak/outage.js';

const reason = outageSoak.unavailable?.(process.cwd());
t.test(outageSoak.about, { skip: reason ?? false, timeout: 300_000 }, async (t) => {
  const { claims, figures } = await outageSoak.run({ root: process.cwd(), short: true, settings: {}, scratch: t.testdir(), log: (line) => t.comment(line) });
  for (const { what, target, measured, holds } of claims) t.ok(holds, `${what}: ${measured} (${target})`);
  t.comment(JSON.stringify(figures));
});
