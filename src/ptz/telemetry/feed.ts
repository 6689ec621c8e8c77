/** The telemetry of one camera over MQTT: the newest samples, and waits on them that end in time. */
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { SightlineError } from '../../errors.js';
import type { PtzLog, TelemetrySample } from '../types.js';
import { parseTelemetry } from './sample.js';
import { hasMoved, judgeStability, type Stability, type StabilityOptions } from './stability.js';

export interface FeedOptions {
  /** `mqtt://host:port`. */
  url: string;
  camera: string;
  variant: string;
  username?: string | undefined;
  password?: string | undefined;
  /** How long samples are kept; longer than any stabilize time that is asked for. */
  keep_ms: number;
  log: PtzLog;
}

/** Time limit of the first connection. */
const CONNECT_MS = 10_000;
/** At 100 messages a second for 2 minutes; more often is thinned. */
const MAX_SAMPLES = 12_000;
/** A camera that moved so shortly before or after a frame may have moved during it: telemetry and frames come with different delays. */
const AROUND_MS = 200;
/** Waits look at the clock so often: silence raises no event. */
const LOOK_MS = 50;

export function telemetryTopic(camera: string, variant: string): string {
  return `/device/onvifcam/${camera}/payloads/cameras/${variant}/telemetry`;
}

/** Samples and the waits on them, without a broker: what MQTT brings is pushed in. */
export class TelemetryFeed {
  private samples: TelemetrySample[] = [];
  private readonly listeners = new Set<() => void>();
  /** Messages that could not be used, and why the last one could not. */
  readonly refused = { count: 0, problem: '' };

  constructor(private readonly keep_ms: number, private readonly now: () => number = () => performance.now(), private readonly wall: () => number = () => Date.now()) {}

  push(payload: Buffer): void {
    const { sample, problem } = parseTelemetry(payload);
    if (sample === null) {
      this.refused.count += 1;
      this.refused.problem = problem;
      return;
    }
    const mono_ms = this.now();
    this.samples.push({ ...sample, mono_ms, wall_ms: this.wall() });
    if (this.samples.length > MAX_SAMPLES || (this.samples[0]?.mono_ms ?? mono_ms) < mono_ms - 2 * this.keep_ms) {
      this.samples = this.samples.filter((one) => one.mono_ms >= mono_ms - this.keep_ms).slice(-MAX_SAMPLES / 2);
    }
    for (const listener of this.listeners) listener();
  }

  /** All samples kept, oldest first. */
  kept(): readonly TelemetrySample[] {
    return this.samples;
  }

  newest(): TelemetrySample | undefined {
    return this.samples.at(-1);
  }

  stability(options: StabilityOptions): Stability {
    return judgeStability(this.samples, this.now(), options);
  }

  /** Resolves with what `look` gives, looked at after each sample and every 50 ms; undefined when the time is over. Rejects when aborted. */
  async until<T>(look: (now_ms: number) => T | undefined, deadline_ms: number, signal?: AbortSignal): Promise<T | undefined> {
    for (;;) {
      signal?.throwIfAborted();
      const now_ms = this.now();
      const found = look(now_ms);
      if (found !== undefined) return found;
      if (now_ms >= deadline_ms) return undefined;
      await new Promise<void>((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          this.listeners.delete(done);
          signal?.removeEventListener('abort', done);
          resolve();
        };
        const timer = setTimeout(done, Math.min(LOOK_MS, Math.max(0, deadline_ms - now_ms)));
        this.listeners.add(done);
        signal?.addEventListener('abort', done);
      });
    }
  }

  /**
   * Waits until the camera is still. The deadline holds inside the wait, whatever the camera does.
   * @throws PTZ_TELEMETRY_MISSING, PTZ_TELEMETRY_INVALID, PTZ_TELEMETRY_STALE, PTZ_TELEMETRY_CONTRADICTS or PTZ_NOT_STABLE when the time is over
   */
  async untilStable(options: StabilityOptions, timeout_ms: number, signal?: AbortSignal): Promise<TelemetrySample> {
    const start_ms = this.now();
    let last: Stability = { state: 'none' };
    const found = await this.until(
      () => {
        last = this.stability(options);
        return last.state === 'stable' ? last.newest : undefined;
      },
      start_ms + timeout_ms,
      signal,
    );
    if (found !== undefined) return found;
    throw this.fault(last, timeout_ms);
  }

  /**
   * The sample nearest to a frame that was seen between the two instants, when the camera did not move around it. Waits until telemetry has come past the frame.
   * @throws PTZ_TELEMETRY_STALE when no sample is near enough, PTZ_NOT_STABLE when it moved
   */
  async matching(frame: { from_mono_ms: number; to_mono_ms: number }, options: { tolerance_deg: number; max_age_ms: number }, signal?: AbortSignal): Promise<TelemetrySample> {
    const { max_age_ms } = options;
    await this.until(() => ((this.newest()?.mono_ms ?? -Infinity) >= frame.to_mono_ms ? true : undefined), this.now() + max_age_ms, signal);
    const middle_ms = (frame.from_mono_ms + frame.to_mono_ms) / 2;
    const near = this.samples.filter((sample) => sample.mono_ms >= frame.from_mono_ms - max_age_ms && sample.mono_ms <= frame.to_mono_ms + max_age_ms);
    const nearest = near.reduce<TelemetrySample | undefined>((best, one) => (best === undefined || Math.abs(one.mono_ms - middle_ms) < Math.abs(best.mono_ms - middle_ms) ? one : best), undefined);
    if (nearest === undefined) throw new SightlineError('PTZ_TELEMETRY_STALE', `telemetry: expected a sample within ${max_age_ms} ms of the frame, received none`);
    // The last before it, the first after it, and what lies close.
    const before = near.filter((sample) => sample.mono_ms <= frame.from_mono_ms).at(-1);
    const after = near.find((sample) => sample.mono_ms >= frame.to_mono_ms);
    const around = near.filter((sample) => sample === before || sample === after || (sample.mono_ms >= frame.from_mono_ms - AROUND_MS && sample.mono_ms <= frame.to_mono_ms + AROUND_MS));
    if (around.some((sample) => hasMoved(nearest, sample, options))) throw new SightlineError('PTZ_NOT_STABLE', 'the camera moved while the frame was taken');
    return nearest;
  }

  private fault(last: Stability, timeout_ms: number): SightlineError {
    const limit = `within ${(timeout_ms / 1000).toFixed(1)} s`;
    switch (last.state) {
      case 'none':
        return this.refused.count > 0
          ? new SightlineError('PTZ_TELEMETRY_INVALID', `telemetry: ${this.refused.problem} (${this.refused.count} messages refused, none taken ${limit})`)
          : new SightlineError('PTZ_TELEMETRY_MISSING', `telemetry: expected messages ${limit}, received none`);
      case 'stale': {
        const silent_s = ((this.now() - (this.newest()?.mono_ms ?? 0)) / 1000).toFixed(1);
        return this.refused.count > 0
          ? new SightlineError('PTZ_TELEMETRY_INVALID', `telemetry: ${this.refused.problem} (${this.refused.count} messages refused, the last good one is ${silent_s} s old)`)
          : new SightlineError('PTZ_TELEMETRY_STALE', `telemetry: expected fresh messages, the newest is ${silent_s} s old`);
      }
      case 'contradicting':
        return new SightlineError('PTZ_TELEMETRY_CONTRADICTS', 'telemetry: jumps between positions faster than any camera turns; do two sources publish on this topic?');
      case 'moving':
      case 'settling':
      case 'stable':
        return new SightlineError('PTZ_NOT_STABLE', `the camera was not still for long enough ${limit}`);
    }
  }
}

export interface OpenFeed {
  feed: TelemetryFeed;
  close(): Promise<void>;
}

/** Connects and subscribes; it reconnects by itself, with a pause of 1 s, for as long as it is open. @throws PTZ_TELEMETRY_MISSING when the broker is away or refuses us */
export async function openFeed(options: FeedOptions, signal?: AbortSignal): Promise<OpenFeed> {
  const feed = new TelemetryFeed(options.keep_ms);
  const topic = telemetryTopic(options.camera, options.variant);
  const connect: IClientOptions = {
    protocolVersion: 4,
    clientId: `sightline_${options.camera}_${Math.random().toString(36).slice(2, 10)}`.slice(0, 64),
    keepalive: 60,
    connectTimeout: CONNECT_MS,
    reconnectPeriod: 1_000,
    clean: true,
    ...(options.username === undefined ? {} : { username: options.username }),
    ...(options.password === undefined ? {} : { password: options.password }),
  };
  let client: MqttClient;
  try {
    signal?.throwIfAborted();
    client = await connectAsync(options.url, connect, false);
  } catch (error) {
    signal?.throwIfAborted();
    throw new SightlineError('PTZ_TELEMETRY_MISSING', `MQTT broker: expected a connection, ${wordsOf(error)}`, { cause: error });
  }
  client.on('error', (error) => { options.log.warn({ camera: options.camera, why: error.message }, 'MQTT connection failed'); });
  client.on('message', (_topic, payload, packet) => {
    // A retained message is of any age.
    if (!packet.retain) feed.push(payload);
  });
  const close = async (): Promise<void> => {
    await client.endAsync(true).catch(() => undefined);
  };
  try {
    const granted = await client.subscribeAsync(topic, { qos: 0 });
    if (granted.some(({ qos }) => Number(qos) === 128)) throw new Error('the broker refuses the subscription');
  } catch (error) {
    await close();
    throw new SightlineError('PTZ_TELEMETRY_MISSING', `MQTT topic ${topic}: expected a subscription, ${wordsOf(error)}`, { cause: error });
  }
  return { feed, close };
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? String(error.code) : '';
  return error.message === '' ? code : error.message;
}
