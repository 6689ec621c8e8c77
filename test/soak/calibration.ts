/** Many people calibrate at once at 30 fps each through the HTTP API, gaze replaced by recorded vectors: how long a batch takes, and that nothing is lost. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { get, post, startCalibration } from '../fixtures/calibration_process.js';
import { PLACES, picture, SCREEN } from '../fixtures/calibration_world.js';
import { claim, type Soak, type SoakContext, type SoakReport } from './soak.js';

const FPS = 30;
const BATCH = 5;
const TARGET_SHOWN_S = 2;
const P99_LIMIT_MS = 200;

export const calibration: Soak = {
  name: 'calibration',
  about: '50 people calibrate at once at 30 fps each through the HTTP API, gaze replaced by recorded vectors (--set people=N)',
  run,
};

interface Person {
  candidate_id: string;
  session_id: string;
  ms: number[];
  refused: number;
}

async function run({ short, settings, scratch, log }: SoakContext): Promise<SoakReport> {
  const people_wanted = settings.people ?? (short ? 8 : 50);
  const server = await startCalibration(scratch);
  const agent = new Agent({ connections: people_wanted, pipelining: 1 });
  try {
    const people = await Promise.all(Array.from({ length: people_wanted }, (_, n) => begin(server.url, `person-${n}`)));
    log(`${people.length} people begin`);
    const started = performance.now();
    await Promise.all(people.map((person, n) => calibrate(server.url, agent, person, (n * BATCH * 1000) / FPS / people.length)));
    const seconds = (performance.now() - started) / 1000;
    const frames_each = TARGET_SHOWN_S * FPS * PLACES.length;
    let stored = 0;
    let completed = 0;
    for (const person of people) {
      const { frames } = await get<{ frames: number }>(server.url, `/api/calibration/session/${person.session_id}`);
      stored += frames;
      const { success } = await post<{ success: boolean }>(server.url, '/api/calibration/complete', { session_id: person.session_id, candidate_id: person.candidate_id }).catch(() => ({ success: false }));
      if (success) completed++;
    }
    const all = people.flatMap(({ ms }) => ms).sort((a, b) => a - b);
    const at = (share: number) => all[Math.min(all.length - 1, Math.floor(share * all.length))] ?? NaN;
    const expected = people.length * frames_each;
    const refused = people.reduce((sum, person) => sum + person.refused, 0);
    return {
      claims: [
        claim('p99 of a batch of 5 frames', `< ${P99_LIMIT_MS} ms`, `${at(0.99).toFixed(1)} ms`, at(0.99) < P99_LIMIT_MS),
        claim('frames stored', `${expected} of ${expected}`, stored, stored === expected),
        claim('frames refused', '0', refused, refused === 0),
        claim('calibrations completed', `${people.length}`, completed, completed === people.length),
      ],
      figures: {
        people: people.length, seconds, batches: all.length, batch_p50_ms: at(0.5), batch_p95_ms: at(0.95), batch_p99_ms: at(0.99), batch_max_ms: all.at(-1) ?? NaN, frames_per_s: expected / seconds,
        requests_per_s: all.length / seconds,
      },
    };
  } finally {
    await agent.destroy();
    await server.kill('SIGTERM');
  }
}

async function begin(url: string, candidate_id: string): Promise<Person> {
  const { session_id } = await post<{ session_id: string }>(url, '/api/calibration/session/create', { candidate_id });
  await post(url, '/api/screen/info', { candidate_id, ...SCREEN });
  await post(url, '/api/calibration/start', { session_id, candidate_id });
  return { candidate_id, session_id, ms: [], refused: 0 };
}

/** A batch every 167 ms, on the clock and not after the last answer, as a camera does. */
async function calibrate(url: string, agent: Agent, person: Person, offset_ms: number): Promise<void> {
  const batches = (TARGET_SHOWN_S * FPS * PLACES.length) / BATCH;
  const begun = performance.now() + offset_ms;
  const sent: Promise<void>[] = [];
  for (let batch = 0; batch < batches; batch++) {
    await sleep(Math.max(0, begun + (batch * BATCH * 1000) / FPS - performance.now()));
    sent.push(send(url, agent, person, batch, batches));
  }
  await Promise.all(sent);
}

async function send(url: string, agent: Agent, person: Person, batch: number, batches: number): Promise<void> {
  const { session_id, candidate_id } = person;
  const target_index = Math.floor((batch * PLACES.length) / batches);
  const place = PLACES[target_index] as { x: number; y: number };
  const frames = Array.from({ length: BATCH }, (_, n) => ({ frame_data: picture(place, batch * BATCH + n).toString('base64'), frame_index: batch * BATCH + n, target_index, target_position: place }));
  const since = performance.now();
  const answer = await request(`${url}/api/calibration/frames/batch`, { dispatcher: agent, method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ session_id, candidate_id, frames }) });
  const body = (await answer.body.json()) as { successful_frames?: number };
  person.ms.push(performance.now() - since);
  person.refused += BATCH - (body.successful_frames ?? 0);
}
