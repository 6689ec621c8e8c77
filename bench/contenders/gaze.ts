/**
 * Webcam pictures to rows of a calibration.csv on one thread: `gaze.js '{"mode":"sightline"|"bare",...}'`.
 *
 *   sightline  picture files through the decoder, the networks, the service's frames and the CSV writer; all but the disk
 *   bare       a plain ONNX Runtime loop over the same tensors: the runs that sightline made on these pictures, nothing else
 *
 * Prints CPU milliseconds per picture.
 */
import * as ort from 'onnxruntime-node';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { calibrationCsv } from '../../src/calibration/csv_write.js';
import { frameTable } from '../../src/calibration/service/fitting.js';
import { Frames, type FramesDeps } from '../../src/calibration/service/frames.js';
import { LiveSessions } from '../../src/calibration/service/live.js';
import type { FrameRecord, GazeSource, IncomingFrame } from '../../src/calibration/service/types.js';
import { loadCapture } from '../../src/capture/native.js';
import { poolInputs } from '../../src/inference/engine.js';
import { loadModels } from '../../src/inference/models.js';
import type { StillResult } from '../../src/inference/results.js';
import { STILLS_A_TASK } from '../../src/inference/still_lane.js';
import { StillStage } from '../../src/inference/stills.js';
import { NetworkSession } from '../../src/inference/worker_session.js';
import { PLACES, SCREEN } from '../../test/fixtures/calibration_world.js';
import { PEOPLE, portraits } from '../../test/fixtures/gaze.js';

export interface GazeTrial {
  mode: 'sightline' | 'bare';
  /** Pictures of each of the four people. */
  pictures: number;
  repeats: number;
  /** Items of one run, by network. */
  batch: Record<string, number>;
  scratch: string;
}

export interface GazeFigures {
  cpu_ms_per_picture: number;
  pictures: number;
  rows: number;
  csv_bytes: number;
  runs: Record<string, number>;
}

interface Run { network: string; tensor: string; data: Uint8Array; dims: [number, number, number, number] }

const trial = JSON.parse(process.argv[2] ?? '{}') as GazeTrial;
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const manifest = await loadModels({ root });
const runs: Run[] = [];
let recording = false;

const addon = loadCapture();
const sessions = new Map<string, NetworkSession>();
const stage = new StillStage({
  networks: manifest.networks, inputs: poolInputs(manifest), batch: trial.batch, addon, available: (id) => manifest.networks.some((network) => network.id === id), now_us: () => performance.now() * 1000,
  run: (async (network, data, items) => {
    const { tensor, width, height } = network.input;
    const dims: Run['dims'] = [items, height, width, 3];
    if (recording) runs.push({ network: network.id, tensor, data: Uint8Array.from(data), dims });
    let session = sessions.get(network.id);
    if (session === undefined) {
      const opened = await NetworkSession.open({ network: network.id, file: network.file, providers: ['cpu'], gpu_device: 0, threads: 1 });
      if (opened.session === null) throw new Error(`${network.id} could not be opened`);
      session = opened.session;
      sessions.set(network.id, session);
    }
    return session.run([{ name: tensor, data, dims }]);
  }),
});

mkdirSync(trial.scratch, { recursive: true });
const files = PEOPLE.flatMap((_, person) => portraits(trial.scratch, person, trial.pictures));
recording = true;
const warm = await recordAll();
recording = false;
if (warm.rows !== files.length) throw new Error(`${warm.rows} of ${files.length} pictures became rows`);
const once = trial.mode === 'sightline' ? recordAll : await bareLoop();
await once();
const started = process.cpuUsage();
for (let repeat = 0; repeat < trial.repeats; repeat++) await once();
const { user, system } = process.cpuUsage(started);
const counts: Record<string, number> = {};
for (const { network, dims } of runs) counts[network] = (counts[network] ?? 0) + dims[0];
const figures: GazeFigures = { cpu_ms_per_picture: (user + system) / 1000 / (trial.repeats * files.length), pictures: files.length, ...warm, runs: counts };
process.stdout.write(`${JSON.stringify(figures)}\n`);

/** A session's pictures become rows, four at a time as the lane of the inference pool gives them to a worker. */
async function recordAll(): Promise<{ rows: number; csv_bytes: number }> {
  const records: FrameRecord[] = [];
  const frames = new Frames({
    ...collector(records), gaze: taskwise(), pace: { turnedAway: () => undefined } as unknown as FramesDeps['pace'], now_ms: Date.now,
    counts: { frames: { stored: 0, repeated: 0, refused: {} } }, observeGaze: () => undefined,
  });
  const live = await new LiveSessions(async () => ({ session: { session_id: 'bench', candidate_id: 'bench', clock_offset_ms: null } as never, screen: SCREEN }), Date.now).get('bench');
  for (let at = 0; at < files.length; at += STILLS_A_TASK) {
    await frames.process(live, files.slice(at, at + STILLS_A_TASK).map((image, n): IncomingFrame => {
      const target_index = Math.floor((at + n) / trial.pictures);
      return { frame_index: at + n, target_index, target_position: PLACES[target_index] as { x: number; y: number }, image };
    }));
  }
  return { rows: records.length, csv_bytes: calibrationCsv(frameTable('bench', records)).length };
}

/** Without the disk: what was accepted is kept here. */
function collector(records: FrameRecord[]): Pick<FramesDeps, 'journal' | 'records' | 'live'> {
  const journal = { mayHave: () => false, add: async (_session: string, added: readonly FrameRecord[]) => { records.push(...added); return { outcome: 'stored', repeated: [] }; } };
  return { journal: journal as unknown as FramesDeps['journal'], records: {} as FramesDeps['records'], live: new LiveSessions(async () => { throw new Error('no session is loaded here'); }, Date.now) };
}

/** Pictures that are asked for in one go share a task. */
function taskwise(): GazeSource {
  let asked: { file: Uint8Array; settle: (result: StillResult) => void }[] = [];
  const look = async (): Promise<void> => {
    const task = asked;
    asked = [];
    const { results } = await stage.run(task.map(({ file }) => file));
    task.forEach(({ settle }, at) => { settle(results[at] as StillResult); });
  };
  return {
    still: (file) => new Promise((settle) => {
      if (asked.push({ file, settle }) === 1) setImmediate(() => { void look(); });
    }),
    load: () => ({ waiting: 0, waiting_for_ms: 0, answered: 0 }),
  };
}

async function bareLoop(): Promise<() => Promise<void>> {
  const opened = new Map<string, ort.InferenceSession>();
  for (const { id, file } of manifest.networks.filter(({ id }) => runs.some(({ network }) => network === id))) {
    opened.set(id, await ort.InferenceSession.create(file, {
      executionProviders: ['cpu'], graphOptimizationLevel: 'all', intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential', extra: { session: { intra_op: { allow_spinning: '0' } } },
    }));
  }
  const feeds = runs.map(({ network, tensor, data, dims }) => ({ session: opened.get(network) as ort.InferenceSession, feed: { [tensor]: new ort.Tensor('uint8', data, dims) } }));
  return async () => {
    for (const { session, feed } of feeds) await session.run(feed);
  };
}
