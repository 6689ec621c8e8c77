/**
 * Keeps the running cameras equal to the registry. A change of one camera touches that one only: its capture thread is stopped, joined and
 * started again with a higher generation, while the others run on. Results of an earlier generation have no camera any more: `cameraOf`
 * answers undefined for their handle.
 *
 *   registry ── list() ──▶ plan(): which run, which are held ──▶ per camera, in order: removeCamera(old) → addCamera(new)
 */
import type { CaptureAddon, CaptureOptions, CaptureStats } from '../capture/types.js';
import { SightlineError } from '../errors.js';
import type { Allowance, LadderCamera } from './ladder.js';
import { plan, type CameraSettings } from './plan.js';
import { addTotals, noTotals, statusOf, type Totals } from './status.js';
import type { CameraRecord, CameraRef, CameraStatus, HeldReason } from './types.js';

export type CameraAddon = Pick<CaptureAddon, 'addCamera' | 'removeCamera' | 'cameraStats' | 'onState' | 'monotonicUs' | 'snapshot' | 'setAnalysisRate'>;

/** Where cameras come from. `watch` calls back after a change by anybody and returns how to stop watching. */
export interface CameraSource {
  list(): Promise<CameraRecord[]>;
  watch(onChange: () => void): () => void;
}

export interface CameraLog {
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

export interface CamerasOptions {
  addon: CameraAddon;
  registry: CameraSource;
  settings: CameraSettings;
  log: CameraLog;
  /** Told the credentials of a camera before it is started, so that the logger masks them. */
  onSecrets?: (secrets: string[]) => void;
  /** Wall-clock milliseconds, for times shown to people. Default Date.now. */
  now?: () => number;
}

export interface Cameras {
  /** Starts what the registry lists and follows its changes. */
  start(): Promise<void>;
  /** Reads the registry now; resolves when every change has been applied. */
  refresh(): Promise<void>;
  statuses(): CameraStatus[];
  status(cameraId: number): CameraStatus | undefined;
  /** Cameras that run or are paused, with the analysis rate that they should have. */
  wanted(): LadderCamera[];
  /** What each camera gets from now on; 0 = paused. Streams of cameras that go on are not touched. */
  allow(allowance: Allowance): void;
  /** Other settings from now on; only cameras whose capture options change are started anew. Resolves when that has been done. */
  configure(change: Partial<CameraSettings>): Promise<void>;
  /** The camera of a native handle; undefined for a handle that was replaced or removed. */
  cameraOf(handle: number): CameraRef | undefined;
  /** JPEG of the newest frame; null before the first or when the camera is not running. Errors: CAMERA_NOT_FOUND. */
  snapshot(cameraId: number, options: { quality: number; max_width: number }): Promise<Buffer | null>;
  /** Stops all cameras; resolves when their threads are joined. Idempotent. */
  stop(): Promise<void>;
}

interface Entry {
  record: CameraRecord;
  gone: boolean;
  held: HeldReason | '';
  /** Analysed frames per second that it should have, and what the native side was told last. */
  fps: number;
  told: string;
  /** What should run, undefined = nothing. Compared by content. */
  wanted: string | undefined;
  generation: number;
  handle: number | undefined;
  /** Code of why it could not be started. */
  failure: string;
  /** Totals of earlier handles of this camera. */
  carried: Totals;
  /** Tail of this camera's own sequence of stops and starts. */
  work: Promise<void>;
}

export function createCameras({ addon, registry, settings: initial, log, onSecrets, now = Date.now }: CamerasOptions): Cameras {
  let settings = initial;
  let allowed: Allowance = new Map();
  let known: CameraRecord[] = [];
  const entries = new Map<number, Entry>();
  const byHandle = new Map<number, Entry>();
  let unwatch: (() => void) | undefined;
  let stopped = false;

  function reconcile(records: CameraRecord[]): void {
    known = records;
    const planned = plan(records, settings);
    for (const { record, held, options, secrets, failure } of planned) {
      const entry = entries.get(record.camera_id) ?? newEntry(record);
      entries.set(record.camera_id, entry);
      Object.assign(entry, { record, gone: false, held, fps: record.analysis_fps ?? settings.fps });
      if (secrets.length > 0) onSecrets?.(secrets);
      want(entry, options, failure);
    }
    const listed = new Set(planned.map(({ record }) => record.camera_id));
    for (const [id, entry] of entries) {
      if (listed.has(id) || entry.gone) continue;
      entry.gone = true;
      want(entry, undefined, '');
    }
  }

  /** Queues the way from what runs to what is wanted behind the camera's earlier changes. */
  function want(entry: Entry, options: CaptureOptions | undefined, failure: string): void {
    entry.failure = options === undefined ? failure : entry.failure;
    const wanted = options === undefined ? undefined : contentOf(options);
    const retry = entry.failure !== '' || (entry.gone && entry.handle === undefined);
    if (wanted === entry.wanted && !retry) {
      tellRate(entry);
      return;
    }
    entry.wanted = wanted;
    entry.work = entry.work.then(() => apply(entry, wanted, options)).catch((error: unknown) => {
      entry.failure = codeOf(error);
      log.error({ camera_id: entry.record.camera_id, code: entry.failure, err: error }, 'camera could not be started or stopped');
    });
  }

  async function apply(entry: Entry, wanted: string | undefined, options: CaptureOptions | undefined): Promise<void> {
    if (entry.wanted !== wanted) return; // a later change has taken over
    await stopEntry(entry);
    if (entry.gone && entry.wanted === undefined) {
      entries.delete(entry.record.camera_id);
      log.info({ camera_id: entry.record.camera_id }, 'camera removed');
      return;
    }
    if (options === undefined || entry.wanted !== wanted) return;
    entry.generation += 1;
    entry.failure = '';
    const handle = addon.addCamera({ ...options, generation: entry.generation });
    entry.handle = handle;
    byHandle.set(handle, entry);
    entry.told = rateOf(options.analysis_fps, 0);
    tellRate(entry);
    log.info({ camera_id: entry.record.camera_id, generation: entry.generation, kind: options.kind }, 'camera started');
  }

  /** Its rate changes without a new start, so it is no part of what makes one necessary. */
  function contentOf(options: CaptureOptions): string {
    return JSON.stringify({ ...options, analysis_fps: null });
  }

  const rateOf = (fps: number, limit: number): string => `${fps}/${limit}`;

  function tellRate(entry: Entry): void {
    if (entry.handle === undefined || entry.wanted === undefined) return;
    const limit = limitOf(entry);
    if (rateOf(entry.fps, limit) === entry.told || !addon.setAnalysisRate(entry.handle, entry.fps, limit)) return;
    entry.told = rateOf(entry.fps, limit);
  }

  /** 0 = none. */
  function limitOf({ record, fps }: Entry): number {
    const got = allowed.get(record.camera_id) ?? fps;
    return got > 0 && got < fps ? got : 0;
  }

  async function stopEntry(entry: Entry): Promise<void> {
    const { handle } = entry;
    if (handle === undefined) return;
    byHandle.delete(handle);
    entry.handle = undefined;
    const last = addon.cameraStats().find((stats) => stats.handle === handle);
    if (last !== undefined) entry.carried = addTotals(entry.carried, last);
    await addon.removeCamera(handle);
  }

  async function refresh(): Promise<void> {
    if (stopped) return;
    const records = await registry.list();
    if (stopped) return; // the promise above took its time
    reconcile(records);
    await Promise.all([...entries.values()].map((entry) => entry.work));
  }

  function statuses(): CameraStatus[] {
    const moment = { now_us: addon.monotonicUs(), wall_ms: now() };
    const live = new Map(addon.cameraStats().map((stats): [number, CaptureStats] => [stats.handle, stats]));
    return [...entries.values()]
      .filter((entry) => !entry.gone)
      .sort((a, b) => a.record.camera_id - b.record.camera_id)
      .map((entry) => statusOf({ ...entry, analysis_fps: entry.handle === undefined ? 0 : limitOf(entry) || entry.fps, stats: entry.handle === undefined ? undefined : live.get(entry.handle), ...moment }));
  }

  return {
    async start() {
      addon.onState(({ handle, generation, state, reason }) => {
        const entry = byHandle.get(handle);
        if (entry === undefined || entry.generation !== generation) return;
        const fields = { camera_id: entry.record.camera_id, state, ...(reason === '' ? {} : { code: reason }) };
        if (state === 'streaming' || state === 'connecting') log.info(fields, `camera ${state}`);
        else log.warn(fields, `camera ${state}`);
      });
      await refresh();
      unwatch = registry.watch(() => {
        refresh().catch((error: unknown) => log.error({ code: codeOf(error), err: error }, 'the camera registry could not be read'));
      });
    },
    refresh,
    statuses,
    status: (cameraId) => statuses().find((status) => status.camera_id === cameraId),
    wanted: () =>
      [...entries.values()]
        .filter((entry) => !entry.gone && entry.failure === '' && (entry.held === '' || entry.held === 'MACHINE_OVERLOADED'))
        .map(({ record, fps }) => ({ camera_id: record.camera_id, priority: record.priority, fps })),
    allow(allowance) {
      if (stopped) return;
      allowed = allowance;
      const paused = new Set([...allowance].filter(([, fps]) => fps === 0).map(([camera_id]) => camera_id));
      const before = settings.paused ?? new Set<number>();
      if (paused.size !== before.size || [...paused].some((camera_id) => !before.has(camera_id))) {
        settings = { ...settings, paused };
        reconcile(known);
      }
      for (const entry of entries.values()) tellRate(entry);
    },
    async configure(change) {
      settings = { ...settings, ...change };
      await refresh();
    },
    cameraOf(handle) {
      const entry = byHandle.get(handle);
      if (entry === undefined) return undefined;
      const { camera_id, camera_name, location, outlet_id, staff_id } = entry.record;
      return { camera_id, camera_name, generation: entry.generation, location, outlet_id, staff_id };
    },
    async snapshot(cameraId, options) {
      const entry = entries.get(cameraId);
      if (entry === undefined || entry.gone) throw new SightlineError('CAMERA_NOT_FOUND', `camera_id: expected a registered camera, received ${cameraId}`);
      if (entry.handle === undefined) return null;
      return (await addon.snapshot(entry.handle, options))?.jpeg ?? null;
    },
    async stop() {
      stopped = true;
      unwatch?.();
      unwatch = undefined;
      for (const entry of entries.values()) want(entry, undefined, '');
      await Promise.all([...entries.values()].map((entry) => entry.work));
    },
  };

  function newEntry(record: CameraRecord): Entry {
    return { record, gone: false, held: '', fps: settings.fps, told: '', wanted: undefined, generation: 0, handle: undefined, failure: '', carried: noTotals(), work: Promise.resolve() };
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'INTERNAL';
}
