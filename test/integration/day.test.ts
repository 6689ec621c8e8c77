/** The short form of `npm run soak -- day`: as fast as it can, with fewer frames. */
import t from 'tap';
import { daySoak } from '../soak/day.js';

t.test(daySoak.about, { timeout: 240_000 }, async (t) => {
  const { claims, figures } = await daySoak.run({ root: process.cwd(), short: true, settings: {}, scratch: t.testdir(), log: (line) => t.comment(line) });
  for (const { what, target, measured, holds } of claims) t.ok(holds, `${what}: ${measured} (${target})`);
  t.comment(JSON.stringify(figures));
});
