/**
 * People calibrate at once with real gaze: webcam pictures through the HTTP API and the networks. One more person joins at a time until the machine no longer carries
 * 30 fps for each; then a crowd comes. Shown: how many are carried, that the others are told a lower rate, and that nobody fails and no accepted frame is lost.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { get, post, startCalibration } from '../fixtures/calibration_process.js';
import { PLACES, SCREEN } from '../fixtures/calibration_world.js';
import { gazeMissing, PEOPLE, portraits } from '../fixtures/gaze.js';
import { claim, type Soak, type SoakContext, type SoakReport } from './soak.js';

const FPS = 30;
const BATCH = 5;
/** Pictures of a person, sent again and again. */
const PICTURES = 12;
/** Of each target, more than a completion needs; each person goes round all targets. */
const FRAMES_OF_A_TARGET = 12;
const CROWD_LIMIT_MS = 240_000;

export const gaze: Soak = {
  name: 'gaze',
  about: 'people calibrate with real gaze: how many the CPU carries at 30 fps, that more are told a lower rate, that nobody fails (--set workers=N crowd=N step_s=S)',
  run,
  unavailable: () => gazeMissing() || undefined,
};

interface Frame { frame_data: string; frame_index: number; target_index: number; target_position: { x: number; y: number } }
interface Answer { results: { success: boolean; error_code?: string; frame_index: number }[]; recommended_fps: number }

/** Somebody with a client that keeps to the rate it is told and sends a frame again that came back as `busy`, as the page does. */
class Person {
  readonly accepted = PLACES.map(() => 0);
  turned_away = 0;
  fps = FPS;
  /** Answers that are no 200, and frames that are refused for another reason than load. */
  readonly failures: string[] = [];
  readonly batches: { at: number; ms: number; fps: number; accepted: number }[] = [];
  #next = 0;
  #again: Frame[] = [];
  #stopped = false;
  readonly #under_way = new Set<Promise<void>>();

  constructor(readonly url: string, readonly agent: Agent, readonly candidate_id: string, readonly session_id: string, readonly pictures: readonly (readonly string[])[]) {}

  /** Takes frames on the clock, not after the last answer, until it is stopped. */
  async send(): Promise<void> {
    for (let due = performance.now(); !this.#stopped; due += (BATCH * 1000) / this.fps) {
      await sleep(Math.max(0, due - performance.now()));
      due = Math.max(due, performance.now() - 500);
      const sent: Promise<void> = this.#batch().catch((error: unknown) => { this.failures.push(String(error)); }).finally(() => this.#under_way.delete(sent));
      this.#under_way.add(sent);
    }
    while (this.#under_way.size > 0) await Promise.all(this.#under_way);
  }

  stop(): void {
    this.#stopped = true;
  }

  #frame(): Frame {
    const frame_index = this.#next++;
    const target_index = Math.floor(frame_index / FRAMES_OF_A_TARGET) % PLACES.length;
    return { frame_data: this.pictures[target_index]?.[frame_index % PICTURES] ?? '', frame_index, target_index, target_position: PLACES[target_index] as { x: number; y: number } };
  }

  async #batch(): Promise<void> {
    const frames = this.#again.splice(0, BATCH);
    while (frames.length < BATCH) frames.push(this.#frame());
    const since = performance.now();
    const { candidate_id, session_id } = this;
    const answer = await request(`${this.url}/api/calibration/frames/batch`, { dispatcher: this.agent, method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ session_id, candidate_id, frames }) });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${text.slice(0, 200)}`);
    const { results, recommended_fps } = JSON.parse(text) as Answer;
    this.fps = recommended_fps;
    let accepted = 0;
    results.forEach(({ success, error_code }, at) => {
      if (success) {
        accepted++;
        this.accepted[frames[at]?.target_index ?? 0] = (this.accepted[frames[at]?.target_index ?? 0] ?? 0) + 1;
      } else if (error_code === 'busy') this.#again.push(frames[at] as Frame);
      else this.failures.push(error_code ?? 'unknown');
    });
    this.turned_away += results.filter(({ error_code }) => error_code === 'busy').length;
    this.batches.push({ at: since, ms: performance.now() - since, fps: recommended_fps, accepted });
  }
}

/** What came of some seconds. `fps`: of the one who got least. */
interface Step { people: number; fps: number; told: number; p50: number; p99: number; full: boolean }

function stepOf(people: readonly Person[], from: number, seconds: number): Step {
  const batches = people.map((person) => person.batches.filter(({ at }) => at >= from && at < from + seconds * 1000));
  const ms = batches.flat().map((batch) => batch.ms).sort((a, b) => a - b);
  const fps = Math.min(...batches.map((own) => own.reduce((sum, { accepted }) => sum + accepted, 0) / seconds));
  return {
    people: people.length, fps, told: Math.min(...people.map((person) => person.fps)),
    // A batch may lie over the edge, and every answer has to have said the full rate.
    full: fps >= FPS - BATCH / seconds - 0.01 * FPS && batches.flat().every((batch) => batch.fps === FPS),
    p50: ms[Math.floor(ms.length / 2)] ?? NaN, p99: ms[Math.floor(ms.length * 0.99)] ?? NaN,
  };
}

async function run({ short, settings, scratch, log }: SoakContext): Promise<SoakReport> {
  const step_s = settings.step_s ?? (short ? 2 : 10);
  const pictures = PEOPLE.map((_, person) => portraits(scratch, person, PICTURES).map((file) => file.toString('base64')));
  const server = await startCalibration(scratch, settings.workers ?? (short ? 1 : 0));
  const agent = new Agent({ connections: 512, pipelining: 1 });
  const people: Person[] = [];
  const sending: Promise<void>[] = [];
  const join = async (): Promise<void> => {
    const person = await begin(server.url, agent, `person-${people.length}`, pictures);
    people.push(person);
    sending.push(person.send());
  };
  try {
    const steps: Step[] = [];
    let carried = 0;
    // The short form does not look for the limit: it has no time to, and no quiet machine.
    while (!short && people.length < 64) {
      await join();
      await sleep(step_s * 1000); // the rate finds its place
      const from = performance.now();
      await sleep(step_s * 1000);
      const step = stepOf(people, from, step_s);
      steps.push(step);
      log(lineOf(step));
      if (!step.full) break;
      carried = people.length;
    }
    const crowd = settings.crowd ?? (short ? 6 : Math.max(8, 4 * (carried + 1)));
    log(`${crowd} people`);
    await Promise.all(Array.from({ length: crowd - people.length }, join));
    const crowded = performance.now();
    await sleep((short ? 1 : 3) * step_s * 1000);
    while (people.some(({ accepted, failures }) => accepted.some((count) => count < FRAMES_OF_A_TARGET) && failures.length === 0) && performance.now() - crowded < CROWD_LIMIT_MS) await sleep(100);
    const seconds = (performance.now() - crowded) / 1000;
    const last = stepOf(people, crowded + step_s * 1000, seconds - step_s);
    log(`${lineOf(last)}, ${seconds.toFixed(0)} s`);
    for (const person of people) person.stop();
    await Promise.all(sending);
    return { ...(await conclude(server.url, people, last, carried, short)), figures: figuresOf(people, steps, last, seconds, carried) };
  } finally {
    for (const person of people) person.stop();
    await Promise.allSettled(sending);
    await agent.destroy();
    await server.kill('SIGTERM');
  }
}

async function conclude(url: string, people: readonly Person[], crowd: Step, carried: number, short: boolean): Promise<Pick<SoakReport, 'claims'>> {
  let stored = 0;
  const incomplete: string[] = [];
  for (const { session_id, candidate_id } of people) {
    stored += (await get<{ frames: number }>(url, `/api/calibration/session/${session_id}`)).frames;
    await post(url, '/api/calibration/complete', { session_id, candidate_id }).catch((error: unknown) => { incomplete.push(String(error)); });
  }
  const accepted = people.reduce((sum, person) => sum + totalOf(person), 0);
  const failures = people.flatMap((person) => person.failures);
  return {
    claims: [
      ...(short ? [] : [claim('people at 30 fps each', '≥ 1', carried, carried >= 1)]),
      claim(`${crowd.people} people are told a rate that is carried`, `below ${FPS}, or ${FPS} for each of them`, `${crowd.told} fps`, crowd.told < FPS || crowd.full),
      claim('frames and requests that failed', '0', failures.length === 0 ? 0 : `${failures.length}, ${failures[0] ?? ''}`, failures.length === 0),
      claim('accepted frames stored', `${accepted} of ${accepted}`, stored, stored === accepted),
      claim('calibrations completed', `${people.length} of ${people.length}`, [people.length - incomplete.length, ...incomplete.slice(0, 1)].join(', '), incomplete.length === 0),
    ],
  };
}

function figuresOf(people: readonly Person[], steps: readonly Step[], crowd: Step, seconds: number, carried: number): SoakReport['figures'] {
  const sum = (value: (person: Person) => number) => people.reduce((total, person) => total + value(person), 0);
  return {
    carried, crowd: crowd.people, crowd_seconds: seconds, crowd_told_fps: crowd.told, crowd_batch_p50_ms: crowd.p50, crowd_batch_p99_ms: crowd.p99,
    frames_accepted: sum(totalOf), frames_turned_away: sum(({ turned_away }) => turned_away),
    ...Object.fromEntries(steps.map((step) => [`with_${step.people}`, lineOf(step)])),
  };
}

function totalOf({ accepted }: Person): number {
  return accepted.reduce((sum, count) => sum + count, 0);
}

function lineOf({ people, fps, told, p50, p99 }: Step): string {
  return `${people} people: ${fps.toFixed(1)} fps for the one who got least, told ${told} fps, a batch of ${BATCH} p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`;
}

async function begin(url: string, agent: Agent, candidate_id: string, pictures: readonly (readonly string[])[]): Promise<Person> {
  const { session_id } = await post<{ session_id: string }>(url, '/api/calibration/session/create', { candidate_id });
  await post(url, '/api/screen/info', { candidate_id, ...SCREEN });
  const person = new Person(url, agent, candidate_id, session_id, pictures);
  person.fps = (await post<{ recommended_fps: number }>(url, '/api/calibration/start', { session_id, candidate_id })).recommended_fps;
  return person;
}
