/**
 * A simulated day and two hours: people come and go before cameras, from frame results to baselines, events and callbacks, with the clock of the frames running
 * 60 times as fast (`--set speed=N`; the short form runs as fast as it can). Baselines form, roll over at midnight and are told once.
 */
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { loadConfig } from '../../src/config/load.js';
import { createDelivery } from '../../src/delivery/delivery.js';
import { BatchTally } from '../../src/delivery/batch_tally.js';
import { Cadence } from '../../src/delivery/cadence.js';
import { localTimestamps } from '../../src/delivery/timestamps.js';
import { startReceiver } from '../../src/demo/receiver.js';
import { EventRecorder } from '../../src/evidence/recorder.js';
import { FramePath } from '../../src/frame_path.js';
import { PipelineReport } from '../../src/inference/report.js';
import type { FrameResult } from '../../src/inference/results.js';
import { Learning } from '../../src/learning.js';
import { openStore } from '../../src/store/store.js';
import { seeded } from '../../models/action/random.js';
import { AFRAID, CALM, fullFace, makePerson } from '../fixtures/analysis_frames.js';
import { sleep } from './daemon.js';
import { claim, slope, type Soak, type SoakContext, type SoakReport } from './soak.js';

const START_MS = Date.UTC(2025, 10, 14, 6);
const MINUTE_MS = 60_000;
const MIB = 2 ** 20;
/** Visits of a camera that one `batch_complete` sums up. */
const BATCH_BURSTS = 30;
const TOKEN = 'day-soak-token';
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
/** Without a staff_id the baseline is the camera's, and nobody is told. */
const CAMERAS = [{ camera_id: 1, staff_id: 41 }, { camera_id: 2, staff_id: 42 }, { camera_id: 3, staff_id: null }] as const;

interface Scale { hours: number; burst: number; every_minutes: number; speed: number }

export const daySoak: Soak = {
  name: 'day',
  about: 'a simulated day at 60 times the speed: baselines form, roll over and are told once; memory and disk stay bounded',
  run: (context) => simulate(context, context.short ? { hours: 26, burst: 20, every_minutes: 4, speed: 0 } : { hours: context.settings['hours'] ?? 26, burst: 25, every_minutes: 1, speed: context.settings['speed'] ?? 60 }),
};

async function simulate({ scratch, log }: SoakContext, scale: Scale): Promise<SoakReport> {
  const receiver = await startReceiver({ token: TOKEN });
  const config = loadConfig({ env: { STATE_DIR: path.join(scratch, 'state'), PHP_CALLBACK_URL: receiver.callback_url, CV_PIPELINE_TOKEN: TOKEN }, cwd: '/' });
  const store = await openStore({ file: path.join(config.state_dir, 'sightline.db'), log: quiet });
  const settings = { php_system: config.php_system, delivery: config.delivery };
  const delivery = createDelivery({ store, settings, log: quiet });
  await delivery.start();
  const learning = new Learning({ db: store.db, config: { ...config, detection: { ...config.detection, baseline_samples: 300 } }, delivery, log: quiet });
  await learning.load();
  const recorder = new EventRecorder({ db: store.db, settings: config.evidence, state_dir: config.state_dir, addon: { clip: async () => null }, log: quiet });
  const frames = new FramePath({
    cameraOf: (handle) => CAMERAS.map((camera) => ({ ...camera, camera_name: `Camera ${camera.camera_id}`, generation: 1, location: null, outlet_id: null })).find(({ camera_id }) => camera_id === handle),
    sequences: async () => [],
    analyser: { confidence_threshold: 0.3, cooldown_ms: 60_000 },
    delivery,
    body: { session_id: 'day', timestamp: localTimestamps('UTC') },
    learning,
    evidence: { recorder, jpeg: async () => Buffer.alloc(2_000, 1), path_prefix: '' },
    cadence: new Cadence({ interval_ms: 30 * MINUTE_MS, stagger_ms: 200 }),
    tally: new BatchTally(scale.burst * BATCH_BURSTS),
    report: new PipelineReport(), observe: { latency: () => undefined }, monotonicUs: () => Math.round(performance.now() * 1000), log: quiet,
  });
  const began = performance.now();
  const random = seeded(11);
  const memory: [number, number][] = [];
  const readiness: Record<string, number> = {};
  const total = scale.hours * 60;
  let seq = 0;
  for (let minute = 0; minute < total; minute += scale.every_minutes) {
    const now_ms = START_MS + minute * MINUTE_MS;
    for (const { camera_id } of CAMERAS) {
      // Most visits are calm, a few are not, but none before there is something to compare with.
      const upset = minute > 12 * 60 && random.chance(0.03);
      for (let n = 0; n < scale.burst; n += 1) {
        const frame = scene(camera_id, ++seq, now_ms + n * 200, upset);
        await frames.take([frame], { batch: 0, rows: [{ row: 0, camera: camera_id, seq: frame.seq }] });
      }
    }
    await learning.tick(now_ms + 10_000);
    await recorder.prune(now_ms);
    for (const { subject, state } of learning.baselines.list()) if (state === 'ready') readiness[subject] ??= minute / 60;
    if (minute % 30 < scale.every_minutes) memory.push([minute / 60, process.memoryUsage().rss / MIB]);
    if (minute % 240 < scale.every_minutes) log(`hour ${(minute / 60).toFixed(0)}: ${seq} frames`);
    const due_ms = scale.speed === 0 ? 0 : (minute * MINUTE_MS) / scale.speed - (performance.now() - began);
    if (due_ms > 0) await sleep(due_ms / 1000);
    else if (minute % 30 < scale.every_minutes) await sleep(0.001);
  }
  const end_ms = START_MS + total * MINUTE_MS;
  for (let waited = 0; delivery.status().backlog > 0 && waited < 600; waited += 1) await sleep(0.1);
  const received = receiver.received();
  const deviation = learning.baselines.deviation('staff:41', 'stress', 1);
  const status = await learning.baselines.status();
  const days = learning.baselines.list().map(({ days: count }) => count);
  const events = (await recorder.list({ limit: 1000 })).length;
  const evidence = await recorder.size();
  await recorder.stop();
  await learning.stop(end_ms);
  await delivery.stop(2_000);
  await store.close();
  await receiver.close();
  return report({ scale, seq, memory, readiness, received: received.counts, invalid: received.invalid, deviation, status, days, events, evidence, disk: sizeOf(config.state_dir), seconds: (performance.now() - began) / 1000 });
}

/** Somebody at the till: calm as a rule, now and then not. */
function scene(camera: number, seq: number, wall_ms: number, upset: boolean): FrameResult {
  const t_us = (wall_ms - START_MS) * 1000;
  const sway = upset ? (seq % 2 === 0 ? 0.4 : -0.4) : (seq % 5) * 0.01 * camera;
  const options = { x: 320 + sway * 60, moved: { left_wrist: [sway, -0.2] as [number, number], right_wrist: [-sway, -0.2] as [number, number] } };
  return {
    camera, generation: 1, seq, pts_us: t_us, packet_us: 5_000_000 + t_us, wall_ms, width: 640, height: 480, objects: [], missing: [],
    persons: [makePerson(options)], faces: [fullFace(options, { emotions: upset ? AFRAID : CALM })],
  };
}

function sizeOf(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).reduce((sum, entry) => sum + statSync(path.join(entry.parentPath, entry.name)).size, 0);
}

interface Outcome {
  scale: Scale; seq: number; memory: [number, number][]; readiness: Record<string, number>; received: Record<string, number>; invalid: number; deviation: number | undefined;
  status: { subjects: number; days: number; bytes: number; updates: number; in_memory: number }; days: number[]; events: number; evidence: { count: number; bytes: number }; disk: number; seconds: number;
}

function report(outcome: Outcome): SoakReport {
  const { memory, readiness, received, status, scale } = outcome;
  const later = memory.filter(([hour]) => hour >= scale.hours / 2);
  const growth = slope(later) * (scale.hours / 2);
  const staff = CAMERAS.filter(({ staff_id }) => staff_id !== null).length;
  const midnights = Math.floor((6 + scale.hours) / 24);
  const batches = CAMERAS.length * Math.floor(outcome.seq / CAMERAS.length / (scale.burst * BATCH_BURSTS));
  return {
    claims: [
      claim('baselines that are ready', `${CAMERAS.length}`, Object.keys(readiness).length, Object.keys(readiness).length === CAMERAS.length),
      claim('warm-up is not skipped', '≥ 1 h', `${Math.min(...Object.values(readiness)).toFixed(1)} h`, Math.min(...Object.values(readiness)) >= 1),
      claim('updates told to the receiver', `${staff * midnights}, one a person and day`, received['baseline_update'] ?? 0, (received['baseline_update'] ?? 0) === staff * midnights),
      claim('batches summed up for the receiver', `${batches}`, received['batch_complete'] ?? 0, (received['batch_complete'] ?? 0) === batches),
      claim('days in each baseline', `${midnights + 1}`, outcome.days.join(', '), outcome.days.every((count) => count === midnights + 1)),
      claim('bodies that do not fit the contract', '0', outcome.invalid, outcome.invalid === 0),
      claim('a value never seen stands out', '≥ 0.5', outcome.deviation ?? 'unknown', (outcome.deviation ?? 0) >= 0.5),
      claim('growth of memory over the second half', '≤ 64 MiB', `${growth.toFixed(1)} MiB`, growth <= 64),
      claim('baselines on the disk', '≤ 64 KiB a subject and day', `${(status.bytes / Math.max(1, status.days) / 1024).toFixed(1)} KiB`, status.bytes <= status.days * 64 * 1024),
      claim('state folder', '≤ 48 MiB', `${(outcome.disk / MIB).toFixed(1)} MiB`, outcome.disk <= 48 * MIB),
    ],
    figures: {
      simulated_hours: scale.hours, frames: outcome.seq, wall_seconds: outcome.seconds, first_ready_after_hours: Math.min(...Object.values(readiness)), events: outcome.events, evidence_files: outcome.evidence.count,
      frame_analyses: received['frame_analysis'] ?? 0, behavioral_detections: received['behavioral_detection'] ?? 0, rss_mib_at_end: memory.at(-1)?.[1] ?? 0, baseline_bytes: status.bytes,
    },
  };
}
