/** The short form of `npm run soak -- calibration`: what it counts, not how long it takes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { calibration } from '../soak/calibration.js';

t.test('several people at 30 fps: every frame is stored, every calibration completed', { timeout: 120_000 }, async (t) => {
  const scratch = mkdtempSync(join(tmpdir(), 'sightline-soak-cal-'));
  t.teardown(() => { rmSync(scratch, { recursive: true, force: true }); });
  const { claims, figures } = await calibration.run({ root: process.cwd(), short: true, settings: {}, scratch, log: (line) => { t.comment(line); } });
  // Times are those of a busy machine: reported, not claimed.
  for (const { what, measured, holds } of claims) if (!what.startsWith('p99')) t.ok(holds, `${what}: ${measured}`);
  t.comment(`p99 ${String(figures.batch_p99_ms)} ms`);
});
