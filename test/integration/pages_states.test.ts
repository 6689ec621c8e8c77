/** States of the pages that need more than a fresh daemon: a token, events with evidence, a history of PTZ checks, a session that is gone on with on a phone. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SignJWT } from 'jose';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import t, { type Test } from 'tap';
import type { AnalysisEvent } from '../../src/analysis/types.js';
import { loadConfig } from '../../src/config/load.js';
import { EventRecorder, toldOf } from '../../src/evidence/recorder.js';
import { PAGES_DIR } from '../../src/http/routes/pages.js';
import type { OffsetResult } from '../../src/ptz/estimate/types.js';
import { createJournal } from '../../src/ptz/results/journal.js';
import { openStore, type StoreDb } from '../../src/store/store.js';
import { browserMissing, faceCanvas, faceVideo, openBrowser, picture, seriousFindings, watch } from '../fixtures/browser.js';
import { startDaemon, type PagesDaemon } from '../fixtures/pages_daemon.js';

const skip = browserMissing(PAGES_DIR);
const WIDE = { width: 1280, height: 720 };
const PHONE = { width: 390, height: 844 };
const TOKEN = 'token-of-the-pages-test';
const JWT_SECRET = 'secret-of-the-pages-test-32-bytes-long';
const CLIP = Buffer.from('what a camera had encoded');
const quiet = { info: () => undefined, warn: () => undefined };

t.test('states of the pages', { skip, timeout: 400_000 }, async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'sightline-pages-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const state_dir = path.join(folder, 'state');
  await faceCanvas(folder);
  await seed(state_dir, await readFile(path.join(folder, 'man.jpg')));
  const [daemon, video] = await Promise.all([startDaemon(t, state_dir, { SIGHTLINE_API_TOKEN: TOKEN, CALIBRATION_JWT_SECRET: JWT_SECRET, LOG_LEVEL: 'debug' }), faceVideo(folder)]);
  const browser = await openBrowser(video);
  t.teardown(() => browser.close());
  await t.test('operations: sign-in, events with their evidence, PTZ with intervals, the network away', async (t) => {
    for (const [viewport, colorScheme] of [[WIDE, 'light'], [PHONE, 'dark']] as const) await signedIn(t, await browser.newContext({ viewport, colorScheme }), viewport.width, daemon);
  });
  await t.test('a calibration on a phone: reloaded, gone on with, the network away at its end', async (t) => resumed(t, browser, daemon));
  await t.test('a server that asks for one picture a second gets no more, and the dots wait for them', async (t) => slowed(t, browser, daemon));
  for (const secret of [TOKEN, JWT_SECRET, 'eyJ']) t.notOk(daemon.said().includes(secret), 'no token in the log');
});

/** What a daemon would have kept of a day: through its own store, before it starts. */
async function seed(state_dir: string, jpeg: Buffer): Promise<void> {
  const store = await openStore({ file: path.join(loadConfig({ env: { STATE_DIR: state_dir }, cwd: '/' }).state_dir, 'sightline.db'), log: quiet });
  const settings = { ...loadConfig({ env: {}, cwd: '/' }).evidence, clip_after_s: 0.02 };
  const recorder = new EventRecorder({ db: store.db, settings, state_dir, addon: { clip: async () => ({ data: CLIP, extension: 'mp4', packets: 4, from_us: 0, to_us: 1 }) }, log: quiet });
  const told: Partial<AnalysisEvent>[] = [
    { type: 'gaze_aversion', severity: 'LOW', confidence: 0.55 },
    { type: 'stress_indicators', severity: 'MEDIUM', confidence: 0.72, context: { emotion: 'fear', posture: 'tense' } },
    { kind: 'anomaly_alert', type: 'unusual_movement', category: 'anomaly', severity: 'HIGH', risk_score: 0.87, context: { movement: 'erratic' } },
  ];
  for (const [index, change] of told.entries()) {
    const wall_ms = Date.now() - (2 - index) * 600_000;
    const event: AnalysisEvent = { kind: 'behavioral_detection', type: '', category: 'emotional', frame_timestamp: new Date(wall_ms).toISOString(), seq: index, confidence: 0.9, severity: 'LOW', risk_score: 0.4, context: {}, indicators: [], duration_seconds: 2, ...change };
    const source = { camera_id: 7, handle: 1, packet_us: 60_000_000, wall_ms };
    // The oldest has lost its frame, as after its time of keeping.
    let frame_path: string | undefined;
    // One that a busy machine writes too late is none.
    for (let turn = 0; index > 0 && frame_path === undefined && turn < 20; turn++) frame_path = await recorder.picture(event, source, async () => jpeg);
    await recorder.keep({ ...toldOf(event), camera_id: 7, camera_name: 'Front desk', staff_id: null, delivery: 'posted', idempotency_key: `k${index}`, frame_path: frame_path ?? null }, event, source);
  }
  for (let tries = 0; recorder.counts.clips === 0 && tries < 200; tries++) await new Promise((resolve) => setTimeout(resolve, 10));
  await recorder.stop();
  await seedChecks(store.db);
  await store.close();
}

async function seedChecks(db: StoreDb): Promise<void> {
  const journal = createJournal(db);
  const now_s = Math.floor(Date.now() / 1000);
  for (const [device_id, drift_deg] of [['entrance', 0], ['yard', 0.012]] as const) {
    for (let day = 0; day < 12; day++) {
      const failed = device_id === 'yard' && day === 5;
      const yaw = 0.002 * Math.sin(day) + (day > 8 ? drift_deg : 0);
      const estimate = failed ? null : ({ yaw_deg: yaw, pitch_deg: -yaw / 2, roll_deg: 0, ci95_deg: { yaw: 0.0015, pitch: 0.001, roll: 0.002 }, zoom_ratio: 1, inliers: 210, views: [] } as unknown as OffsetResult);
      await journal.record(
        {
          run_id: `run-${day}`, status: failed ? 'failed' : day > 8 && drift_deg > 0 ? 'drift' : 'ok', reason: failed ? 'no_frames' : '', detail: '', alert: false, estimate, duration_ms: 900,
          row: {
            deployment_name: 'north', device_id, timestamp_s: now_s - (11 - day) * 86_400, pitch_offset: failed ? 0 : -yaw / 2, yaw_offset: failed ? 0 : yaw, roll_offset: 0, mode: 'passive', capture_positions: [], files_location: '',
            success: !failed, failure_log: failed ? ['no frame came'] : [],
          },
        },
        { athena: false, slack: false },
      );
    }
  }
}

async function readsWell(t: Test, page: Page, state: string): Promise<void> {
  await picture(page, state);
  t.same(await seriousFindings(page), [], `axe: ${state}`);
  t.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), `nothing sticks out: ${state}`);
}

async function signedIn(t: Test, context: BrowserContext, width: number, { url }: PagesDaemon): Promise<void> {
  const page = await context.newPage();
  const forbidden = watch(page, url);
  const addresses: string[] = [];
  page.on('request', (request) => { addresses.push(`${request.url()} ${request.headers()['referer'] ?? ''}`); });
  await page.goto(url);
  await page.getByLabel('Access token').waitFor();
  await readsWell(t, page, `sign-in-${width}`);
  t.equal(await page.getByRole('alert').count(), 0, 'no reproach before anything was entered');
  await page.keyboard.type('not the token');
  await page.keyboard.press('Enter');
  await page.getByText('This token was not accepted.').waitFor();
  await readsWell(t, page, `sign-in-wrong-${width}`);
  await page.keyboard.type(TOKEN);
  await page.keyboard.press('Enter');
  await page.locator('.event').nth(2).waitFor({ timeout: 60_000 });

  await page.locator('.event').nth(2).scrollIntoViewIfNeeded(); // pictures are fetched for what can be seen
  t.ok(await page.locator('.event img').nth(1).evaluate(`(async () => { const image = document.querySelectorAll('.event img')[1]; await image.decode(); return image.naturalWidth; })()`), 'the frame of an event is shown');
  t.equal(await page.locator('.event').nth(2).getByText('no frame kept').count(), 1);
  const saved = page.waitForEvent('download');
  await page.getByRole('button', { name: /Save clip/ }).press('Enter');
  t.same(await readFile(await (await saved).path()), CLIP, 'the clip is saved as it was kept');
  await page.locator('.interval-plot').nth(3).waitFor({ timeout: 60_000 });
  t.same([await page.locator('.interval-plot .whisker').count(), await page.locator('.interval-plot .missing').count()], [46, 2], 'each value with its interval, a failed check as such');
  t.match(await page.locator('#ptz').textContent(), /north \/ yard.*drift.*yaw \+0\.0\d+° ± 0\.0015°/);
  await page.locator('.plot canvas').first().waitFor({ timeout: 60_000 });
  await readsWell(t, page, `operations-full-${width}`);
  await page.getByLabel('Severity').selectOption('HIGH');
  await page.locator('.event').nth(1).waitFor({ state: 'detached' });
  t.match(await page.locator('.event').textContent(), /Unusual movement.*high/);

  await context.setOffline(true);
  await page.getByText('What is shown is older').waitFor({ timeout: 60_000 });
  await readsWell(t, page, `operations-offline-${width}`);
  await context.setOffline(false);
  await page.getByText('What is shown is older').waitFor({ state: 'detached', timeout: 60_000 });
  const kept = await page.evaluate(`(async () => [localStorage.length, sessionStorage.length, document.cookie, (await indexedDB.databases()).length, (await caches.keys()).length])()`);
  t.same(kept, [0, 0, '', 0, 0], 'nothing is stored in the browser');
  t.same(addresses.filter((address) => address.includes(encodeURIComponent(TOKEN)) || address.includes('not%20the')), [], 'no token in an address');
  await page.reload();
  await t.resolves(page.getByLabel('Access token').waitFor({ timeout: 60_000 }), 'a reload asks again');
  t.same(forbidden, []);
  await context.close();
}

async function slowed(t: Test, browser: Browser, { url }: PagesDaemon): Promise<void> {
  const jwt = await new SignJWT({ role: 'candidate' }).setProtectedHeader({ alg: 'HS256' }).setSubject('slow-1').setExpirationTime('10m').sign(Buffer.from(JWT_SECRET));
  const context = await browser.newContext({ viewport: WIDE, permissions: ['camera'] });
  const page = await context.newPage();
  const taken_ms: number[] = [];
  await page.route(/\/api\/(ping|calibration\/frames\/batch)$/, async (route) => {
    const sent = (route.request().postDataJSON() as { frames: { target_index: number; timestamp: string }[] } | null)?.frames ?? [];
    for (const { target_index, timestamp } of sent) if (target_index === 0) taken_ms.push(Date.parse(timestamp));
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...((await response.json()) as object), recommended_fps: 1 } });
  });
  await page.goto(`${url}/calibrate#token=${jwt}&points=4`);
  await page.getByRole('checkbox').check();
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByRole('heading', { name: 'Your screen', level: 2 }).waitFor();
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.locator('.bar-value', { hasText: /[1-9]/ }).first().waitFor();
  await page.getByRole('button', { name: 'Start' }).click();
  await page.getByText('dots stay longer').waitFor({ timeout: 60_000 });
  await picture(page, 'slow-dot');
  await page.locator('.sequence[data-step="1"]').waitFor({ timeout: 90_000 });
  for (const end = Date.now() + 20_000; taken_ms.length < 15 && Date.now() < end; ) await page.waitForTimeout(50);
  t.ok(taken_ms.length >= 12, `as many as the server needs, in one go: ${taken_ms.length}`);
  const apart_ms = (Math.max(...taken_ms) - Math.min(...taken_ms)) / (taken_ms.length - 1);
  t.ok(apart_ms > 700, `${Math.round(apart_ms)} ms apart on average`);
  await context.close();
}

async function resumed(t: Test, browser: Browser, { url }: PagesDaemon): Promise<void> {
  const jwt = await new SignJWT({ role: 'candidate' }).setProtectedHeader({ alg: 'HS256' }).setSubject('phone-1').setExpirationTime('10m').sign(Buffer.from(JWT_SECRET));
  const context = await browser.newContext({ viewport: PHONE, screen: PHONE, hasTouch: true, isMobile: true, permissions: ['camera'] });
  const page = await context.newPage();
  const forbidden = watch(page, url);
  const heading = async (name: string, timeout = 30_000): Promise<void> => page.getByRole('heading', { name, level: 2 }).waitFor({ timeout });
  const toCamera = async (): Promise<void> => {
    await page.getByRole('button', { name: 'Go on with this screen' }).tap();
    t.equal(await page.getByLabel('Your candidate number').inputValue(), 'phone-1', 'who it is stands in the token');
    await page.getByRole('checkbox').check();
    await readsWell(t, page, 'phone-consent');
    await page.getByRole('button', { name: 'Continue' }).tap();
    await heading('Your screen');
    await page.getByRole('button', { name: 'Continue' }).tap();
    await heading('Your camera');
    await page.locator('.bar-value', { hasText: /[1-9]/ }).first().waitFor();
  };
  const created = page.waitForResponse((answer) => answer.url().endsWith('/session/create'));
  await page.goto(`${url}/calibrate#token=${jwt}`);
  await toCamera();
  const { session_id } = (await (await created).json()) as { session_id: string };
  await readsWell(t, page, 'phone-camera');
  await page.getByRole('button', { name: 'Start' }).tap();
  await page.locator('.sequence[data-step="1"][data-phase="record"]').waitFor({ timeout: 60_000 });
  await picture(page, 'phone-dot');
  await page.locator('.sequence[data-step="2"][data-phase="record"]').waitFor({ timeout: 60_000 });
  await page.reload();
  await heading('This screen is small');

  // Opened in the tab that is there, as somebody does who pastes the link again.
  await page.goto(`${url}/calibrate#token=${jwt}&session=${session_id}`);
  await page.waitForFunction(`location.hash === '' && document.readyState === 'complete'`);
  const back = page.waitForResponse((answer) => answer.url().endsWith('/resume'));
  await toCamera();
  const kept = ((await (await back).json()) as { frames_per_target_index: Record<string, number> }).frames_per_target_index;
  t.ok((kept['0'] ?? 0) >= 12, `pictures of the first dot are kept: ${JSON.stringify(kept)}`);
  await page.getByRole('button', { name: 'Start' }).tap();
  await page.locator('.sequence').waitFor();
  t.match(await page.locator('.sequence').textContent(), /Dot 1 of [3-6]/, 'dots that have their pictures are not shown again');
  await page.locator('.sequence[data-step="1"]').waitFor({ timeout: 60_000 });
  await context.setOffline(true);
  await page.getByText('Trying again by itself').waitFor({ timeout: 60_000 });
  await readsWell(t, page, 'phone-offline');
  await context.setOffline(false);
  await heading('Your result', 90_000);
  await readsWell(t, page, 'phone-result');
  t.equal(await page.locator('.result-picture .point').count(), 4, 'all dots, of both parts');
  t.same(forbidden, []);
  await context.close();
}
