/** The longer sequences in real Chromium: 5, 9 and 13 points, each to files that the service finds valid. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { PAGES_DIR } from '../../src/http/routes/pages.js';
import { browserMissing, faceVideo, openBrowser, picture, watch } from '../fixtures/browser.js';
import { startDaemon } from '../fixtures/pages_daemon.js';

const SCREEN = { width: 1280, height: 720 };
const CHECKS = 3;
/** In the order in which they are shown: the plan's corners, then the reference's further ones. */
const DOTS = ['0.1,0.1', '0.9,0.1', '0.1,0.9', '0.9,0.9', '0.5,0.5', '0.5,0.125', '0.5,0.9', '0.1,0.5', '0.9,0.5', '0.3,0.3', '0.7,0.3', '0.3,0.7', '0.7,0.7'];
const NAMES = ['top left', 'top right', 'bottom left', 'bottom right', 'middle', 'top', 'bottom', 'left', 'right', 'inner top left', 'inner top right', 'inner bottom left', 'inner bottom right'];
/** Notes each dot that is shown. */
const NOTE = `globalThis.dots = []; setInterval(() => { const { x, y } = document.querySelector('.target')?.dataset ?? {}; if (x !== undefined && dots.at(-1) !== x + ',' + y) dots.push(x + ',' + y); }, 40);`;
/** The page's clock of the dots runs at double speed: the same steps and as many pictures, in half the time. */
const HURRY = `{ const raf = requestAnimationFrame.bind(globalThis); globalThis.requestAnimationFrame = (f) => raf((ms) => f(2 * ms)); }`;

t.test('5, 9 and 13 points', { skip: browserMissing(PAGES_DIR), timeout: 400_000 }, async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'sightline-points-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const [{ url }, video] = await Promise.all([startDaemon(t, path.join(folder, 'state')), faceVideo(folder)]);
  const browser = await openBrowser(video);
  t.teardown(() => browser.close());
  for (const [points, hurry] of [[5, true], [9, true], [13, false]] as const) {
    await t.test(`${points} points${hurry ? ', hurried' : ''}`, async (t) => calibrate(t, browser, { url, points, hurry }));
  }
});

async function calibrate(t: Test, browser: Browser, { url, points, hurry }: { url: string; points: number; hurry: boolean }): Promise<void> {
  const context = await browser.newContext({ viewport: SCREEN, screen: SCREEN, permissions: ['camera'] });
  await context.addInitScript(hurry ? NOTE + HURRY : NOTE);
  const page = await context.newPage();
  const forbidden = watch(page, url);
  const candidate = `points-${points}`;
  await page.goto(`${url}/calibrate#candidate=${candidate}`);
  await page.getByRole('checkbox').check();
  await page.getByRole('button', { name: 'Continue' }).click();
  await heading(page, 'Your screen');
  await page.getByRole('button', { name: 'Continue' }).click();
  await heading(page, 'Your camera');
  await page.getByLabel('Points').selectOption(String(points));
  await page.locator('.bar-value', { hasText: /[1-9]/ }).first().waitFor();
  const stored = page.waitForResponse((answer) => answer.url().endsWith('/api/calibration/complete'), { timeout: 200_000 });
  await page.getByRole('button', { name: 'Start' }).click();
  const replayed = page.waitForResponse((answer) => answer.url().includes('/api/calibration/replay/'), { timeout: 120_000 });
  await heading(page, 'Your result', 120_000);
  const { report } = (await (await replayed).json()) as { report: { verdict: string } | null };
  // Photographs of people who look elsewhere make no good fit, however near to the middle it puts them.
  if (report === null || report.verdict === 'refuse') t.match(await page.locator('.verdict').getAttribute('class'), /poor/, 'what the service refuses is not called usable');
  else t.comment(`the service says ${report.verdict} this time`);
  await picture(page, `result-${points}`);
  t.same((await page.evaluate<string[]>('dots')).slice(0, points), DOTS.slice(0, points), 'each dot in its place and order');
  t.same([await page.locator('.result-picture .point').count(), await page.locator('.result-picture .held').count()], [points, CHECKS]);
  // Photographs of several people are hard to fit: what the fit cannot use is repeated, as a person would.
  for (let attempt = 0; attempt < 5 && (await page.getByRole('button', { name: 'Accept' }).isDisabled()); attempt++) {
    const target = Number(/target (\d+)/.exec((await page.locator('.verdict').textContent()) ?? '')?.[1] ?? '0');
    await page.getByRole('button', { name: `Repeat ${NAMES[target] ?? ''}`, exact: true }).click();
    await page.locator('.sequence').waitFor({ timeout: 60_000 });
    await heading(page, 'Your result', 60_000);
  }
  await page.getByRole('button', { name: 'Accept' }).click();
  await heading(page, 'Thank you, you are done');
  t.equal(await page.locator('[data-valid]').getAttribute('data-valid'), 'true', 'the page was told that the files are valid');

  const { session_id } = (await (await stored).json()) as { session_id: string };
  const validation = (await (await fetch(`${url}/api/calibration/validate/${session_id}`, { method: 'POST' })).json()) as { valid: boolean; problems: string[] };
  t.same([validation.valid, validation.problems], [true, []], 'so says the service itself');
  const files = (await (await fetch(`${url}/api/calibration/download/${candidate}`)).json()) as Record<string, string>;
  const rows = (files[`${candidate}_calibration.csv`] ?? '').trimEnd().split('\n').slice(1).map((row) => row.split(','));
  const counts = DOTS.slice(0, points).map((_, target) => rows.filter((row) => row[2] === `${target}.0`).length);
  t.ok(counts.every((count) => count >= 10), `rows by target: ${counts.join(', ')}`);
  t.equal(counts.reduce((sum, count) => sum + count, 0), rows.length, 'the checks are no rows');
  t.same(forbidden, []);
  await context.close();
}

async function heading(page: Page, name: string, timeout = 30_000): Promise<void> {
  await page.getByRole('heading', { name, level: 2 }).waitFor({ timeout });
}
