/** What a core carries of the gaze calibration: webcam pictures to rows, and requests of its HTTP API. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Agent, request } from 'undici';
import { post, startCalibration, startServer } from '../../test/fixtures/calibration_process.js';
import { PLACES, picture, SCREEN } from '../../test/fixtures/calibration_world.js';
import { atLeast, atMost, round, type AreaContext, type AreaResult } from '../area.js';
import type { GazeFigures, GazeTrial } from '../contenders/gaze.js';
import { compare, run, spread } from '../measure.js';

const CORE = '1';
const BATCH = 5;
/** Fifty people at 30 fps. */
const REQUESTS_WANTED = 300;
const PEOPLE = 16;
/** Ticks a second of /proc/PID/stat, on every Linux that Node runs on. */
const TICKS = 100;

const program = (name: string): string => fileURLToPath(new URL(`../contenders/${name}.js`, import.meta.url));

/** Pictures to rows against the same runs in a bare ONNX Runtime loop. */
export async function gazeResult(context: AreaContext): Promise<AreaResult> {
  const trial = { pictures: 12, repeats: context.quick ? 1 : 6, batch: { faces: 4, mesh: 4, iris: 4 }, scratch: path.join(context.scratch, 'gaze') };
  let figures: GazeFigures | undefined;
  const one = async (mode: GazeTrial['mode']): Promise<number> => {
    figures = JSON.parse((await run(process.execPath, [program('gaze'), JSON.stringify({ ...trial, mode })], { pin: CORE, cwd: context.root })).stdout) as GazeFigures;
    return figures.cpu_ms_per_picture;
  };
  const contenders = await compare(
    [{ name: 'bare ONNX Runtime loop', once: () => one('bare') }, { name: 'sightline, picture to row', once: () => one('sightline') }], context.quick ? 2 : 7, context.log,
  );
  const [bare, ours] = contenders;
  const per_s = 1000 / (ours?.value.median ?? NaN);
  return {
    area: 'calibration-gaze', machine: context.machine, unit: 'CPU ms per picture', contenders,
    task: `${figures?.pictures ?? 0} JPEG pictures 640×480 of four people: decoded, blazeface → facemesh → iris, the gaze in the reference's axes with its quality, the row of calibration.csv; four pictures a task, one thread, core ${CORE}. The bare loop makes the same runs on the same tensors and nothing else`,
    figures: { pictures: figures?.pictures ?? null, items: JSON.stringify(figures?.runs ?? {}), pictures_per_s_and_core: per_s, bare_per_s_and_core: 1000 / (bare?.value.median ?? NaN) },
    claims: [atLeast('gaze, picture to CSV row, one core', per_s, 30, ' frames/s'), atMost('gaze against a bare ONNX Runtime loop over the same runs', ours?.ratio.median ?? NaN, 1.5, '×')],
  };
}

/** Requests of five frames, gaze from recorded vectors: what the API itself costs. */
export async function apiResult(context: AreaContext): Promise<AreaResult> {
  await mkdir(context.scratch, { recursive: true });
  const requests = context.quick ? 400 : 3_000;
  const rates: Record<string, number[]> = { bare: [], sightline: [] };
  const answer = path.join(context.scratch, 'calibration_answer.json');
  const ours = async (): Promise<number> => {
    const server = await startCalibration(await mkdtemp(path.join(context.scratch, 'api-')));
    try {
      const people = await Promise.all(Array.from({ length: PEOPLE }, (_, n) => begin(server.url, `person-${n}`)));
      return await load(server, people, requests, rates.sightline, answer);
    } finally {
      await server.kill('SIGTERM');
    }
  };
  const bare = async (): Promise<number> => {
    const server = await startServer(program('http_bare'), [answer]);
    try {
      return await load(server, Array.from({ length: PEOPLE }, (_, n) => ({ candidate_id: `person-${n}`, session_id: '00000000-0000-4000-8000-000000000000' })), requests, rates.bare);
    } finally {
      await server.kill('SIGTERM');
    }
  };
  await ours(); // leaves an answer for the bare server
  if ((await readFile(answer)).length === 0) throw new Error('there is no answer to repeat');
  rates.sightline = [];
  const contenders = await compare([{ name: 'bare node:http', once: bare }, { name: 'sightline', once: ours }], context.quick ? 2 : 5, context.log);
  const per_s = spread((rates.sightline ?? []).slice(1)).median;
  const bare_per_s = spread((rates.bare ?? []).slice(1)).median;
  return {
    area: 'calibration-api', machine: context.machine, unit: 'CPU ms a request', contenders,
    task: `${requests} POST /api/calibration/frames/batch of ${BATCH} frames by ${PEOPLE} people at once, each after the last answer; gaze from recorded vectors, rows on the disk (SQLite) before the answer; the server on core ${CORE}, the clients on another. Bare: node:http that parses the body and answers the same bytes, with no validation, no session and no disk`,
    figures: { requests, requests_per_s: per_s, frames_per_s: BATCH * per_s, bare_requests_per_s: bare_per_s, cpu_against_bare: contenders[1]?.ratio.median ?? null },
    claims: [atLeast(`calibration API, ${BATCH} frames a request, all stored, one core`, Number(round(per_s)), REQUESTS_WANTED, ' requests/s')],
  };
}

interface Person { candidate_id: string; session_id: string }

async function begin(url: string, candidate_id: string): Promise<Person> {
  const { session_id } = await post<{ session_id: string }>(url, '/api/calibration/session/create', { candidate_id });
  await post(url, '/api/screen/info', { candidate_id, ...SCREEN });
  await post(url, '/api/calibration/start', { session_id, candidate_id });
  return { candidate_id, session_id };
}

/** @returns CPU milliseconds of the server a request */
async function load({ url, pid }: { url: string; pid: number }, people: readonly Person[], requests: number, rates: number[] = [], keep?: string): Promise<number> {
  execFileSync('taskset', ['-acp', CORE, String(pid)], { stdio: 'ignore' });
  const agent = new Agent({ connections: people.length, pipelining: 1 });
  let kept = keep;
  const each = Math.ceil(requests / people.length);
  const warm = Math.ceil(each / 10);
  const some = (from: number, to: number) => Promise.all(people.map(async (person) => {
    for (let batch = from; batch < to; batch++) {
      const text = await send(url, agent, person, batch);
      if (kept !== undefined) await writeFile(kept, text);
      kept = undefined;
    }
  }));
  try {
    await some(0, warm);
    const cpu = await cpuMs(pid);
    const since = performance.now();
    await some(warm, warm + each);
    rates.push((each * people.length * 1000) / (performance.now() - since));
    return ((await cpuMs(pid)) - cpu) / (each * people.length);
  } finally {
    await agent.destroy();
  }
}

async function send(url: string, agent: Agent, { session_id, candidate_id }: Person, batch: number): Promise<string> {
  const target_index = batch % PLACES.length;
  const place = PLACES[target_index] as { x: number; y: number };
  const frames = Array.from({ length: BATCH }, (_, n) => ({ frame_data: picture(place, batch * BATCH + n).toString('base64'), frame_index: batch * BATCH + n, target_index, target_position: place }));
  const answer = await request(`${url}/api/calibration/frames/batch`, { dispatcher: agent, method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ session_id, candidate_id, frames }) });
  const text = await answer.body.text();
  if (answer.statusCode !== 200 || (JSON.parse(text) as { successful_frames: number }).successful_frames !== BATCH) throw new Error(`${answer.statusCode} ${text.slice(0, 300)}`);
  return text;
}

/** User and system time of all threads of the process. */
async function cpuMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS;
}
