import t from 'tap';
import { createMetrics } from '../../src/observability/metrics.js';

const BUILD = { version: '1', simd: 'avx2', libav: '59' };
const camera = { camera_id: 1, state: 'streaming', frames: 10, analysed_frames: 5, drops: { no_slot: 2 }, corrupt_frames: 1, reconnects: 3, frame_age_ms: 40 as number | null };

t.test('counters are read at the scrape and do not add up over scrapes', async (t) => {
  let frames = 10;
  const metrics = createMetrics({ cameras: () => [{ ...camera, frames }], drops: () => [{ camera_id: 1, reason: 'inference_failed', count: 4 }], callbacks: () => ({ backlog: 7, oldest_age_s: null }) }, BUILD);
  t.teardown(() => metrics.close());
  await metrics.render();
  frames = 25;
  const page = await metrics.render();
  for (const line of [
    'sightline_frames_total{camera_id="1"} 25', 'sightline_frames_analysed_total{camera_id="1"} 5', 'sightline_frames_dropped_total{camera_id="1",reason="no_slot"} 2',
    'sightline_frames_dropped_total{camera_id="1",reason="inference_failed"} 4', 'sightline_camera_reconnects_total{camera_id="1"} 3', 'sightline_frame_age_seconds{camera_id="1"} 0.04',
    'sightline_cameras{state="streaming"} 1', 'sightline_cameras{state="stalled"} 0', 'sightline_callback_backlog 7', 'sightline_build_info{version="1",simd="avx2",libav="59"} 1',
  ]) t.ok(page.split('\n').includes(line), line);
});

t.test('a removed camera leaves the page', async (t) => {
  let cameras = [camera];
  const metrics = createMetrics({ cameras: () => cameras }, BUILD);
  t.teardown(() => metrics.close());
  t.match(await metrics.render(), 'camera_id="1"');
  cameras = [];
  t.notMatch(await metrics.render(), 'camera_id="1"');
});

t.test('times, sizes and outcomes are counted as they happen', async (t) => {
  const metrics = createMetrics({}, BUILD);
  t.teardown(() => metrics.close());
  metrics.observeStage('objects', 0.02);
  metrics.observeLatency(0.12);
  metrics.observeBatch('centernet', 16);
  metrics.outcome('frame_analysis', 'delivered');
  const page = await metrics.render();
  for (const part of ['sightline_stage_seconds_count{stage="objects"} 1', 'sightline_frame_latency_seconds_bucket{le="0.15"} 1', 'sightline_frame_latency_seconds_bucket{le="0.1"} 0', 'sightline_batch_size_bucket{le="16",model="centernet"} 1', 'sightline_callbacks_total{result_type="frame_analysis",outcome="delivered"} 1']) t.ok(page.includes(part), part);
});

t.test('two registries do not know each other', async (t) => {
  const [a, b] = [createMetrics({}, BUILD), createMetrics({}, BUILD)];
  a.observeLatency(1);
  t.match(await b.render(), 'sightline_frame_latency_seconds_count 0');
  a.close();
  b.close();
});

t.test('what stages do not report is absent, not zero', async (t) => {
  const metrics = createMetrics({ cameras: () => [{ ...camera, frame_age_ms: null }] }, BUILD);
  t.teardown(() => metrics.close());
  t.notMatch(await metrics.render(), 'sightline_frame_age_seconds{');
});

t.test('the gaze calibration: who calibrates, what became of frames, sessions and fits', async (t) => {
  const calibration = {
    ready: true, people: 3, carried_per_s: 60, recommended_fps: 17, waiting: 5, frames: { stored: 100, repeated: 2, refused: { busy: 4, no_face: 1 } },
    sessions: { created: 4, completed: 1 }, fits: { accept: 1 }, work: { here: 7, thread: 2, refused: 0 },
  };
  const metrics = createMetrics({ calibration: () => calibration }, BUILD);
  t.teardown(() => { metrics.close(); });
  metrics.observeGaze(0.06);
  const page = await metrics.render();
  for (const line of [
    'sightline_calibration_up 1', 'sightline_calibration_people 3', 'sightline_calibration_recommended_fps 17', 'sightline_calibration_carried_fps 60', 'sightline_calibration_queue 5',
    'sightline_calibration_frames_total{outcome="stored"} 100', 'sightline_calibration_frames_total{outcome="busy"} 4', 'sightline_calibration_sessions_total{event="created"} 4',
    'sightline_calibration_fits_total{verdict="accept"} 1', 'sightline_calibration_work_total{place="thread"} 2', 'sightline_calibration_frame_seconds_count 1',
  ]) t.ok(page.includes(`${line}\n`), line);
});
