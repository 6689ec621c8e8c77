/** The calibration page in real Firefox against the real daemon: by keyboard, with the camera that Firefox makes up, and with one that shows faces. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { PAGES_DIR } from '../../src/http/routes/pages.js';
import { browserMissing, faceCanvas, picture } from '../fixtures/browser.js';
import { Firefox, firefoxMissing } from '../fixtures/firefox.js';
import { startDaemon } from '../fixtures/pages_daemon.js';

const skip = firefoxMissing() || browserMissing(PAGES_DIR);
const SIZE = { width: 1280, height: 720 };
const NAME_IN_FOCUS = `(() => { const e = document.activeElement; return (e?.getAttribute('aria-label') || e?.labels?.[0]?.textContent || e?.textContent || '').trim(); })()`;

const heading = async (page: Firefox, text: string, timeout_ms?: number): Promise<void> => page.until(`[...document.querySelectorAll('h2')].some((e) => e.textContent === ${JSON.stringify(text)})`, timeout_ms);
const textOf = async (page: Firefox, selector: string): Promise<string> => String(await page.evaluate(`document.querySelector(${JSON.stringify(selector)})?.textContent ?? ''`));

async function tabTo(page: Firefox, name: string): Promise<void> {
  for (let steps = 0; steps < 40; steps++) {
    await page.press('Tab');
    if (String(await page.evaluate(NAME_IN_FOCUS)).startsWith(name)) return;
  }
  throw new Error(`the keyboard does not reach "${name}"`);
}

async function openPage(t: Test, url: string, candidate: string, preload?: string): Promise<Firefox> {
  const page = await Firefox.open({ ...SIZE, ...(preload === undefined ? {} : { preload }) });
  t.teardown(() => page.close());
  await page.goto(`${url}/calibrate#candidate=${candidate}`);
  await heading(page, 'Before you begin');
  await tabTo(page, 'I ');
  await page.press('Space');
  await tabTo(page, 'Continue');
  await page.press('Enter');
  await heading(page, 'Your screen');
  await tabTo(page, 'Continue');
  await page.press('Enter');
  await heading(page, 'Your camera');
  return page;
}

t.test('the calibration page in Firefox', { skip, timeout: 400_000 }, async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'sightline-pages-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const [{ url }, faces] = await Promise.all([startDaemon(t, path.join(folder, 'state')), faceCanvas(folder)]);

  await t.test('its own camera shows no face: the page says so and offers ways on', async (t) => {
    const page = await openPage(t, url, 'firefox-none');
    await page.until(`document.querySelector('.preview video')?.videoWidth > 0`);
    await page.until(`!/Looking for|Waiting/.test(document.querySelector('.guidance')?.textContent ?? 'Waiting')`);
    await picture(page, 'firefox-no-face');
    t.match(await textOf(page, '.guidance'), /^No face is found\. Sit /);
    t.same(await page.evaluate(`[...document.querySelectorAll('.actions button')].map((e) => e.textContent + (e.disabled ? ' (disabled)' : ''))`), ['Start all the same', 'Back']);
    await tabTo(page, 'Back');
    await page.press('Enter');
    await heading(page, 'Your screen');
    nothingForbidden(t, page, url);
  });

  await t.test('with faces before the camera: the whole calibration', async (t) => calibrate(t, await openPage(t, url, 'firefox-1', faces), url));
});

async function calibrate(t: Test, page: Firefox, url: string): Promise<void> {
  await page.until(`Number(document.querySelectorAll('.bar-value')[2]?.textContent) > 0`);
  await page.until(`document.activeElement?.textContent.startsWith('Start')`);
  await page.press('Enter');
  await page.until(`document.querySelector('.sequence')?.dataset.phase === 'record'`);
  t.ok(await page.evaluate('document.fullscreenElement !== null'), 'the page fills the screen');
  await page.press('Escape');
  await heading(page, 'Paused');
  await page.press('Enter');
  await heading(page, 'Your result', 90_000);
  for (let attempt = 0; attempt < 5 && (await page.evaluate(`[...document.querySelectorAll('button')].find((e) => e.textContent === 'Accept').disabled`)) === true; attempt++) {
    const target = Number(/target (\d)/.exec(await textOf(page, '.verdict'))?.[1] ?? '0');
    await tabTo(page, `Repeat ${['top left', 'top right', 'bottom left', 'bottom right'][target] ?? ''}`);
    await page.press('Enter');
    await page.until(`document.querySelector('.sequence') !== null`);
    await heading(page, 'Your result', 60_000);
  }
  await picture(page, 'firefox-result');
  t.match(await textOf(page, '.verdict'), /° or \d+ pixels off/);
  await tabTo(page, 'Accept');
  await page.press('Enter');
  await heading(page, 'Thank you, you are done');
  t.equal(await page.evaluate(`document.querySelector('[data-valid]').dataset.valid`), 'true', 'the service finds its files valid');
  t.same(await page.evaluate(`(async () => [localStorage.length, sessionStorage.length, document.cookie, (await indexedDB.databases()).length])()`), [0, 0, '', 0], 'nothing is stored in the browser');
  const files = (await (await fetch(`${url}/api/calibration/download/firefox-1`)).json()) as Record<string, string>;
  const rows = (files['firefox-1_calibration.csv'] ?? '').trimEnd().split('\n').slice(1);
  const counts = [0, 1, 2, 3].map((target) => rows.filter((row) => row.split(',')[2] === `${target}.0`).length);
  t.ok(counts.every((count) => count >= 10), `rows by target: ${counts.join(', ')}`);
  nothingForbidden(t, page, url);
}

function nothingForbidden(t: Test, page: Firefox, url: string): void {
  t.ok(page.requests.some((asked) => asked.startsWith(url)), 'requests are seen');
  t.same(page.requests.filter((asked) => !/^(blob|data|about|chrome|resource):/.test(asked) && !asked.startsWith(url)), [], 'no request to anybody else');
  t.same(page.seen, [], 'no error, no breach of the policy');
}
