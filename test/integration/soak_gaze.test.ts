/** The short form of `npm run soak -- gaze`: more people than one worker carries; what becomes of them, not how many it carries. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { gazeMissing } from '../fixtures/gaze.js';
import { gaze } from '../soak/gaze.js';

t.test('more people than the networks carry are told a lower rate; nobody fails and nothing is lost', { timeout: 280_000, skip: gazeMissing() }, async (t) => {
  const scratch = mkdtempSync(join(tmpdir(), 'sightline-soak-gaze-'));
  t.teardown(() => { rmSync(scratch, { recursive: true, force: true }); });
  const { claims } = await gaze.run({ root: process.cwd(), short: true, settings: {}, scratch, log: (line) => { t.comment(line); } });
  for (const { what, target, measured, holds } of claims) t.ok(holds, `${what}: ${measured} (${target})`);
});
