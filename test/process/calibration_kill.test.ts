/** kill -9 in the middle of calibrations, three times: they resume, no answered row is lost, none is doubled. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { get, post, startCalibration, type CalibrationProcess } from '../fixtures/calibration_process.js';
import { framesOf, SCREEN } from '../fixtures/calibration_world.js';

t.setTimeout(180_000);

const PEOPLE = 6;
const TARGETS = 4;
const BATCHES = 6;
const KILLS_AT = [12, 55, 100];

interface Person {
  candidate_id: string;
  session_id: string;
  /** Frame indexes that were answered with success. */
  answered: Set<number>;
}

t.test('kill -9 in the middle: resumed, nothing lost, nothing doubled', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sightline-calkill-'));
  let server: CalibrationProcess = await startCalibration(folder);
  t.teardown(async () => {
    await server.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  const people = await Promise.all(Array.from({ length: PEOPLE }, async (_, n): Promise<Person> => {
    const candidate_id = `person ${n}`;
    const { session_id } = await post<{ session_id: string }>(server.url, '/api/calibration/session/create', { candidate_id });
    await post(server.url, '/api/screen/info', { candidate_id, ...SCREEN });
    await post(server.url, '/api/calibration/start', { session_id, candidate_id });
    return { candidate_id, session_id, answered: new Set() };
  }));
  let sent = 0;
  let restarting: Promise<void> | undefined;
  const kills = [...KILLS_AT];
  const restart = async (): Promise<void> => {
    await server.kill('SIGKILL');
    server = await startCalibration(folder);
    for (const { session_id, answered } of people) {
      const resumed = await post<{ existing_frames: number; next_frame_index: number }>(server.url, '/api/calibration/session/resume', { session_id });
      if (resumed.existing_frames < answered.size) t.fail(`${answered.size} frames were answered, ${resumed.existing_frames} are there`);
    }
  };
  const calibrate = async ({ candidate_id, session_id, answered }: Person): Promise<void> => {
    for (let batch = 0; batch < TARGETS * BATCHES; batch++) {
      const frames = framesOf(Math.floor(batch / BATCHES), 5, (batch % BATCHES) * 5);
      for (;;) {
        await restarting;
        sent++;
        const wanted = kills[0];
        if (wanted !== undefined && sent >= wanted) {
          kills.shift();
          // While this batch is under way.
          restarting = new Promise<void>((resolve) => setTimeout(resolve, 3)).then(restart).finally(() => { restarting = undefined; });
        }
        const answer = await post<{ results: { success: boolean; frame_index: number }[] }>(server.url, '/api/calibration/frames/batch', { session_id, candidate_id, frames }).catch(() => null);
        if (answer === null) continue;
        for (const { success, frame_index } of answer.results) if (success) answered.add(frame_index);
        break;
      }
    }
  };
  await Promise.all(people.map(calibrate));
  await restarting;
  t.same(kills, [], 'it was killed three times');
  for (const { candidate_id, session_id, answered } of people) {
    t.equal(answered.size, TARGETS * BATCHES * 5);
    const completed = await post<{ success: boolean; calibration_stats: { total_frames: number } }>(server.url, '/api/calibration/complete', { session_id, candidate_id });
    t.equal(completed.calibration_stats.total_frames, TARGETS * BATCHES * 5, candidate_id);
    const { frames } = await get<{ frames: { frame_index: number }[] }>(server.url, `/api/calibration/replay/${session_id}`);
    t.same(frames.map(({ frame_index }) => frame_index), Array.from({ length: TARGETS * 30 }, (_, index) => index), 'each frame once, in its order');
    const files = await get<Record<string, string>>(server.url, `/api/calibration/download/${encodeURIComponent(candidate_id)}`);
    t.equal(files[`${candidate_id}_calibration.csv`]?.split('\n').length, 122);
  }
});
