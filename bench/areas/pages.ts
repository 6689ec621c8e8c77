/** What it costs the daemon that somebody looks at the operations page: 20 live cameras, with and without a viewer, in turns. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { rtspServerBinary, startRtspServer } from '../../src/demo/rtsp_server.js';
import { PAGES_DIR } from '../../src/http/routes/pages.js';
import { browserMissing, openBrowser } from '../../test/fixtures/browser.js';
import { sleep, startDaemon, until, type SoakDaemon } from '../../test/soak/daemon.js';
import { atMost, type Area } from '../area.js';
import { cpuSeconds, spread } from '../measure.js';
import { sceneClip } from './pipeline.js';

const CAMERAS = 20;
/** High enough that every tile of the wall is on the screen, and asks for its pictures. */
const WINDOW = { width: 1280, height: 1600 };
/** Frames a second and camera that the pipeline analyses. */
const ANALYSIS_FPS = 0.2;
export const TOKEN = 'token-of-the-pages-bench';
const LIMIT = 0.25;

interface Turn {
  /** CPU time of the daemon's process over wall time, in cores. */
  cores: number;
  frames_per_s: number;
  /** Pictures that the viewer received. */
  pictures_per_s: number;
}

export const pagesArea: Area = {
  name: 'pages',
  about: `the operations page with ${CAMERAS} live cameras: CPU of the daemon beyond the pipeline`,
  async run(context) {
    const reason = browserMissing(PAGES_DIR);
    if (reason !== false) throw new Error(reason);
    const [rounds, seconds] = context.quick ? [2, 10] : [7, 20]; // whole periods of the analysis
    const clip = await sceneClip(context, 10);
    const closers: (() => Promise<unknown>)[] = [];
    try {
      const server = await startRtspServer({ binary: rtspServerBinary(context.root) });
      closers.unshift(() => server.close());
      const daemon = await openDaemon(context.root, path.join(context.scratch, 'pages-state'));
      closers.unshift(() => daemon.kill('SIGTERM'));
      const browser = await openBrowser();
      closers.unshift(() => browser.close());
      for (let id = 1; id <= CAMERAS; id++) {
        await server.mount(`/cam${id}`, clip, { phase_ms: (id * 37) % 1000 });
        await daemon.ask('/api/cameras', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ camera_id: id, camera_name: `Camera ${id}`, url: server.url(`/cam${id}`) }) });
      }
      await until('every camera streams', 120, async () => (await daemon.json<{ cameras: { state: string }[] }>('/api/cameras')).cameras.filter(({ state }) => state === 'streaming').length === CAMERAS);
      await sleep(5);
      const turns: { alone: Turn; viewed: Turn }[] = [];
      for (let round = 0; round < rounds; round++) {
        // The order changes with each round, so that what drifts falls on both.
        const alone_first = round % 2 === 0;
        const first = alone_first ? await turn(daemon, seconds) : await viewedTurn(daemon, browser, seconds);
        const second = alone_first ? await viewedTurn(daemon, browser, seconds) : await turn(daemon, seconds);
        const pair = alone_first ? { alone: first, viewed: second } : { alone: second, viewed: first };
        turns.push(pair);
        context.log(`  ${percent(pair.alone.cores)} without, ${percent(pair.viewed.cores)} with a viewer who gets ${pair.viewed.pictures_per_s.toFixed(1)} pictures/s; ${pair.alone.frames_per_s.toFixed(1)} and ${pair.viewed.frames_per_s.toFixed(1)} frames/s analysed`);
      }
      const beyond = spread(turns.map(({ alone, viewed }) => viewed.cores - alone.cores));
      const of = (read: (pair: { alone: Turn; viewed: Turn }) => number): number => spread(turns.map(read)).median;
      return [
        {
          area: 'pages', machine: context.machine, unit: 'cores', contenders: [],
          task: `${CAMERAS} RTSP cameras (TCP, H.264 640×360, 10 fps) served by the same machine, ${ANALYSIS_FPS} frames/s of each analysed by all six models on the CPU; the operations page in headless Chromium, ${WINDOW.width}×${WINDOW.height}, every tile on the screen, signed in; ${rounds} rounds of ${seconds} s without and ${seconds} s with it, the difference of each round, its median`,
          figures: {
            beyond_min: beyond.min, beyond_median: beyond.median, beyond_max: beyond.max, alone: of(({ alone }) => alone.cores), viewed: of(({ viewed }) => viewed.cores),
            pictures_per_s: of(({ viewed }) => viewed.pictures_per_s), frames_per_s_alone: of(({ alone }) => alone.frames_per_s), frames_per_s_viewed: of(({ viewed }) => viewed.frames_per_s),
          },
          claims: [atMost(`operations page with ${CAMERAS} live cameras open in a browser, daemon beyond the pipeline`, 100 * beyond.median, 100 * LIMIT, ' % of a core')],
        },
      ];
    } finally {
      for (const close of closers) await close();
    }
  },
};

/** The daemon with nothing registered, analysing few frames, so that its own cost is far from filling the machine and hardly wavers. */
export async function openDaemon(root: string, state_dir: string): Promise<SoakDaemon> {
  for (const end of ['', '-wal', '-shm']) await rm(path.join(state_dir, `sightline.db${end}`), { force: true }); // the cameras of the last time
  await mkdir(state_dir, { recursive: true });
  const config = path.join(state_dir, 'config.json');
  await writeFile(config, JSON.stringify({ processing: { fps: ANALYSIS_FPS }, logging: { summary_interval_s: 3600 } }));
  const daemon = await startDaemon({ root, config, api_token: TOKEN, env: { STATE_DIR: state_dir } });
  try {
    await until('the daemon answers', 120, async () => (await daemon.ask('/api/ping')).includes('{'));
    return daemon;
  } catch (error) {
    await daemon.kill('SIGKILL');
    throw error;
  }
}

async function viewedTurn(daemon: SoakDaemon, browser: Browser, seconds: number): Promise<Turn> {
  const context = await browser.newContext({ viewport: WINDOW });
  try {
    const page = await context.newPage();
    let pictures = 0;
    page.on('response', (answer) => { if (answer.url().includes('/snapshot.jpg') && answer.ok()) pictures++; });
    await page.goto(daemon.url);
    await page.getByLabel('Access token').fill(TOKEN);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.locator('.tile img').nth(CAMERAS - 1).waitFor({ timeout: 60_000 });
    await sleep(3); // the page is loaded; what is measured is that it stays open
    const before = pictures;
    const measured = await turn(daemon, seconds);
    const pictures_per_s = (pictures - before) / seconds;
    if (pictures_per_s < CAMERAS / 8) throw new Error(`the page asked for ${pictures_per_s.toFixed(1)} pictures a second only: the wall was not live`);
    return { ...measured, pictures_per_s };
  } finally {
    await context.close();
  }
}

async function turn(daemon: SoakDaemon, seconds: number): Promise<Turn> {
  const read = async (): Promise<{ at_ms: number; cpu_s: number; frames: number }> => {
    const { frames_total } = await daemon.json<{ frames_total: number }>('/api/pipeline');
    return { frames: frames_total, cpu_s: await cpuSeconds(daemon.pid), at_ms: performance.now() };
  };
  const before = await read();
  await sleep(seconds);
  const after = await read();
  const elapsed_s = (after.at_ms - before.at_ms) / 1000;
  return { cores: (after.cpu_s - before.cpu_s) / elapsed_s, frames_per_s: (after.frames - before.frames) / elapsed_s, pictures_per_s: 0 };
}

function percent(cores: number): string {
  return `${(100 * cores).toFixed(1)} %`;
}
