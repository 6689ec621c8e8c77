/** A device that is connected: its telemetry, its frames and its drive, and what is done with all three together. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SightlineError } from '../../errors.js';
import { httpFrames, moveTo } from '../camera/http.js';
import type { FrameSource } from '../camera/frames.js';
import type { Grabber } from '../camera/rtsp.js';
import { openEndpoints, type Endpoints } from '../clusters/endpoints.js';
import type { PtzDevice } from '../config/devices.js';
import type { PtzSettings } from '../config/settings.js';
import { openFeed, type OpenFeed, type TelemetryFeed } from '../telemetry/feed.js';
import { turn } from '../telemetry/sample.js';
import { hasMoved } from '../telemetry/stability.js';
import type { Frame, PtzLog, PtzStop, TelemetrySample } from '../types.js';

export interface RigDeps {
  settings: PtzSettings;
  /** kubeconfig file; null = the usual one. */
  kubeconfig: string | null;
  /** Opened at the first RTSP stream. */
  grabber: () => Grabber;
  /** Takes a camera that is going to be driven. @throws PTZ_BUSY */
  hold: (device: string) => { release(): void };
  log: PtzLog;
}

/** Orders of one position at most, and how long a frame may take. */
const COMMANDS = 3;
const FRAME_TIMEOUT_MS = 10_000;
/** A frame during which the camera moved is taken again so often. */
const RETAKES = 3;

export class Rig {
  private streams: FrameSource[] | undefined;

  constructor(
    readonly device: PtzDevice,
    private readonly deps: RigDeps,
    private readonly endpoints: Endpoints,
    private readonly open: OpenFeed,
    private readonly signal: AbortSignal,
  ) {}

  get feed(): TelemetryFeed {
    return this.open.feed;
  }

  private get limits() {
    const { monitoring } = this.deps.settings;
    return { tolerance_deg: monitoring.movement_tolerance_deg, max_age_ms: monitoring.telemetry_max_age * 1000, settle_ms: monitoring.settle_time * 1000, move_ms: monitoring.move_timeout * 1000 };
  }

  /** Waits until the camera has been still for so long. */
  untilStable(duration_ms: number, timeout_ms: number): Promise<TelemetrySample> {
    const { tolerance_deg, max_age_ms } = this.limits;
    return this.feed.untilStable({ duration_ms, tolerance_deg, max_age_ms }, timeout_ms, this.signal);
  }

  /** A frame and the telemetry of its time; the camera stood still around it. */
  async take(): Promise<{ frame: Frame; telemetry: TelemetrySample }> {
    for (let attempt = 1; ; attempt++) {
      const frame = await this.frame();
      try {
        return { frame, telemetry: await this.feed.matching(frame, this.limits, this.signal) };
      } catch (error) {
        const moved = error instanceof SightlineError && error.code === 'PTZ_NOT_STABLE';
        if (!moved || attempt >= RETAKES) throw error;
        await this.untilStable(this.limits.settle_ms, this.limits.move_ms);
      }
    }
  }

  /** A frame and its telemetry, and further frames that tell what moves. Of these there are fewer where one fails or the camera moves: the first is what counts. */
  async takeSeveral(): Promise<{ frame: Frame; telemetry: TelemetrySample; again: Frame[] }> {
    const { frames_per_position, frame_interval, movement_tolerance_deg } = this.deps.settings.monitoring;
    const first = await this.take();
    const again: Frame[] = [];
    try {
      while (again.length + 1 < frames_per_position) {
        await sleep(frame_interval * 1000, undefined, { signal: this.signal });
        const { frame, telemetry } = await this.take();
        if (hasMoved(first.telemetry, telemetry, { tolerance_deg: movement_tolerance_deg })) break;
        again.push(frame);
      }
    } catch (error) {
      this.signal.throwIfAborted();
      if (!(error instanceof SightlineError)) throw error;
      this.deps.log.warn({ device: this.device.device_id, why: error.message, frames: again.length + 1 }, 'fewer frames of a position than wanted');
    }
    return { ...first, again };
  }

  /** Drives to a position and waits until telemetry has it and rests. @throws PTZ_COMMAND_FAILED, PTZ_NOT_REACHED */
  async drive(stop: PtzStop): Promise<void> {
    const { command } = this.endpoints;
    if (command === null) throw new SightlineError('PTZ_COMMAND_FAILED', 'PTZ command: expected the address of a command service (direct.command), there is none');
    const { command_tolerance_deg, command_zoom_tolerance } = this.deps.settings.monitoring;
    const { settle_ms, move_ms, tolerance_deg, max_age_ms } = this.limits;
    for (let attempt = 1; attempt <= COMMANDS; attempt++) {
      await moveTo({ base: command, camera: this.device.device_id, signal: this.signal }, stop);
      const ordered_ms = performance.now();
      const reached = await this.feed.until(
        () => {
          const state = this.feed.stability({ duration_ms: settle_ms, tolerance_deg, max_age_ms });
          if (state.state !== 'stable' || state.newest.mono_ms < ordered_ms) return undefined;
          return this.isAt(state.newest, stop, command_tolerance_deg, command_zoom_tolerance) ? state.newest : undefined;
        },
        ordered_ms + move_ms,
        this.signal,
      );
      if (reached !== undefined) return;
    }
    const at = this.feed.newest()?.attitude;
    const where = at === undefined ? 'there is no telemetry' : `telemetry says yaw ${at.yaw.toFixed(2)}, pitch ${at.pitch.toFixed(2)}`;
    throw new SightlineError('PTZ_NOT_REACHED', `position: expected pan ${stop.pan_deg}, tilt ${stop.tilt_deg}${stop.zoom === null ? '' : `, zoom ${stop.zoom}`} after ${COMMANDS} commands, ${where}`);
  }

  private isAt({ attitude, zoom }: TelemetrySample, stop: PtzStop, tolerance_deg: number, zoom_tolerance: number): boolean {
    const { yaw_difference_deg, pitch_difference_deg } = this.device;
    if (turn(attitude.yaw, stop.pan_deg - yaw_difference_deg) > tolerance_deg) return false;
    if (turn(attitude.pitch, stop.tilt_deg - pitch_difference_deg) > tolerance_deg) return false;
    return stop.zoom === null || zoom === null || Math.abs(zoom - stop.zoom) <= zoom_tolerance;
  }

  /** From the first source that gives one: RTSP, then HTTP snapshots. A frame of the wrong size is an answer, not a failure of the source. */
  private async frame(): Promise<Frame> {
    this.streams ??= this.sources();
    for (;;) {
      const [first] = this.streams;
      if (first === undefined) throw new SightlineError('PTZ_FRAME_FAILED', 'frame: no source is left');
      try {
        return await first.next(FRAME_TIMEOUT_MS, this.signal);
      } catch (error) {
        const failed = error instanceof SightlineError && error.code === 'PTZ_FRAME_FAILED';
        if (!failed || this.streams.length === 1) throw error;
        this.deps.log.warn({ device: this.device.device_id, why: error.message }, 'no frame over RTSP, taking HTTP snapshots');
        await this.streams.shift()?.close();
      }
    }
  }

  private sources(): FrameSource[] {
    const { device_id: camera, variant, source, width, height } = this.device;
    const rtsp = (): FrameSource => this.deps.grabber().open(`${this.endpoints.rtsp}/${camera}-${variant}`, { width, height });
    const http = (): FrameSource => httpFrames({ media: this.endpoints.media, camera, variant });
    if (source === 'rtsp') return [rtsp()];
    return source === 'http' ? [http()] : [rtsp(), http()];
  }

  async close(): Promise<void> {
    for (const stream of this.streams ?? []) await stream.close().catch(() => undefined);
    await this.open.close();
    await this.endpoints.close();
  }
}

/** Connects a device, does the work, and disconnects whatever came of it. */
export async function withRig<T>(device: PtzDevice, deps: RigDeps, options: { commands: boolean; keep_ms: number; signal: AbortSignal }, work: (rig: Rig) => Promise<T>): Promise<T> {
  const held = options.commands ? deps.hold(`${device.deployment}/${device.device_id}`) : undefined;
  try {
    return await connected(device, deps, options, work);
  } finally {
    held?.release();
  }
}

async function connected<T>(device: PtzDevice, deps: RigDeps, options: { commands: boolean; keep_ms: number; signal: AbortSignal }, work: (rig: Rig) => Promise<T>): Promise<T> {
  const { settings, log } = deps;
  const endpoints = await openEndpoints({ access: device.access, camera: device.device_id, commands: options.commands, kubeconfig: deps.kubeconfig, log });
  try {
    const { mqtt_username: username, mqtt_password: password } = settings.devices;
    const open = await openFeed({ url: endpoints.mqtt, camera: device.device_id, variant: device.variant, username, password, keep_ms: options.keep_ms, log }, options.signal);
    const rig = new Rig(device, deps, endpoints, open, options.signal);
    try {
      return await work(rig);
    } finally {
      await rig.close();
    }
  } finally {
    await endpoints.close();
  }
}
