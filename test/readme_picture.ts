/**
 * `node dist/test/readme_picture.js FILE.jpg`: the operations page of a running demo, as the README shows it, its photographs blurred. Starts the demo by itself (set-up has to be done), waits until
 * every camera shows what was found in it and the plots have a minute, and ends it. Exit 1 where something is missing.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PAGES_DIR } from '../src/http/routes/pages.js';
import { browserMissing, openBrowser } from './fixtures/browser.js';
import { freePort, sleep, until } from './soak/daemon.js';

/** Small enough for a README, large enough to read. */
const WINDOW = { width: 1400, height: 800 };
const QUALITY = 72;
/** Until the plots show something. */
const WARM_UP_S = 75;

const [file] = process.argv.slice(2);
const reason = file === undefined ? 'usage: node dist/test/readme_picture.js FILE.jpg' : browserMissing(PAGES_DIR);
if (file === undefined || reason !== false) {
  process.stderr.write(`${String(reason)}\n`);
  process.exit(1);
}
const state_dir = await mkdtemp(path.join(tmpdir(), 'sightline-picture-'));
const port = await freePort();
const demo = spawn(process.execPath, ['dist/src/main.js'], { env: { PATH: process.env.PATH, HOME: process.env.HOME, HOST: '127.0.0.1', PORT: String(port), STATE_DIR: state_dir }, stdio: ['ignore', 'ignore', 'inherit'] });
const ended = new Promise((resolve) => demo.once('exit', resolve));
const browser = await openBrowser();
try {
  const url = `http://127.0.0.1:${port}`;
  await until('the demo answers', 120, async () => (await fetch(`${url}/api/ping`)).ok);
  await sleep(WARM_UP_S);
  const page = await browser.newPage({ viewport: WINDOW, colorScheme: 'light' });
  await page.goto(url);
  await page.locator('.plot canvas').nth(2).waitFor({ timeout: 60_000 });
  await until('every camera shows a picture and something found', 90, async () => page.evaluate<boolean>(`[...document.querySelectorAll('.tile')].length > 0 && [...document.querySelectorAll('.tile')].every((tile) => tile.querySelector('img') !== null && tile.querySelector('.mark') !== null)`));
  // The photographs are the models' package's and show people: what is committed has only their colours.
  await page.evaluate(`document.querySelectorAll('.tile img').forEach((picture) => { picture.style.filter = 'blur(12px)'; })`);
  await page.screenshot({ path: file, type: 'jpeg', quality: QUALITY });
} finally {
  await browser.close();
  demo.kill('SIGTERM');
  await ended;
  await rm(state_dir, { recursive: true, force: true });
}
