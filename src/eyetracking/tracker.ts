/**
 * Follows one source for all clients that want it: takes its newest frame, at most `fps` times a second, has it searched for faces and eyes, and tells everybody. A source
 * that cannot be opened, or is lost, is one fault for the clients and is tried again for as long as somebody waits for it.
 *
 *   opening ──▶ tracking ◀──▶ waiting        ends when the last client leaves
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SightlineError } from '../errors.js';
import type { Box, EyesAnswer } from '../opencv/types.js';
import { Attention, type AttentionSettings } from './attention.js';
import { eyeDataMessage, NO_CAMERA_TEXT } from './protocol.js';
import { sourceKey } from './source.js';
import type { DetectEyes, EyeFault, EyeSource, FrameFeed, OpenFeed, TrackerListener, TrackerState } from './types.js';

export interface TrackerLog {
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
}

export interface TrackerSettings extends AttentionSettings {
  /** Readings a second, at most. */
  fps: number;
  /** Of the analysed picture, pixels. */
  width: number;
  /** Without a new frame for so long the source counts as lost. */
  lost_after_ms: number;
  /** First and longest wait before a source is opened again. */
  retry_ms: { first: number; most: number };
}

export interface TrackerOptions {
  source: EyeSource;
  settings: TrackerSettings;
  open: OpenFeed;
  detect: DetectEyes;
  log: TrackerLog;
  /** Counts. */
  on: { reading(reason: string, detect_ms: number): void; failure(code: string): void };
}

/** How often a source is asked whether there is a new frame. */
const LOOK_MS = 10;
/** The whole picture is searched every so many frames, else the surroundings of the face. */
const WHOLE_EVERY = 5;
const MIN_FACE_PX = 30;
const MIN_EYE_PX = 20;
/** So many in a row, and the clients are told. */
const FAILED_SEARCHES = 3;
const LOST_TEXT = 'Camera lost - trying again';

export class Tracker {
  readonly #options: TrackerOptions;
  readonly #listeners = new Set<TrackerListener>();
  readonly #stop = new AbortController();
  readonly #attention: () => Attention;
  /** Resolves when the source is closed. */
  readonly ended: Promise<void>;
  state: TrackerState = 'opening';
  /** What clients are told while it waits. */
  #fault: EyeFault | undefined;
  #attempt = 0;
  #failed_searches = 0;

  /** Starts at once, after `after`: the same source may still be being closed. */
  constructor(options: TrackerOptions, after: Promise<void> = Promise.resolve()) {
    this.#options = options;
    this.#attention = () => new Attention(options.settings);
    this.ended = after.then(() => this.#run()).catch((error: unknown) => {
      if (!this.#stop.signal.aborted) options.log.warn({ err: error }, 'an eye tracker ended by a fault');
    });
  }

  get stopping(): boolean {
    return this.#stop.signal.aborted;
  }

  add(listener: TrackerListener): void {
    this.#listeners.add(listener);
    if (this.#fault !== undefined) listener.fault(this.#fault);
  }

  /** The last one to leave ends it. */
  remove(listener: TrackerListener): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size === 0) this.stop();
  }

  stop(): void {
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    const { open, source, log } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      let feed: FrameFeed | undefined;
      try {
        feed = await open(source, signal);
        await this.#follow(feed);
      } catch (error) {
        if (signal.aborted) break;
        this.#fail(faultOf(error));
      } finally {
        await feed?.close().catch((error: unknown) => { log.warn({ source: sourceKey(source), err: error }, 'a webcam could not be closed'); });
      }
      if (!signal.aborted) await this.#pause();
    }
  }

  /** Until the source is lost for good, or nobody listens. */
  async #follow(feed: FrameFeed): Promise<void> {
    const { settings } = this.#options;
    const { signal } = this.#stop;
    const period_ms = 1000 / settings.fps;
    let attention = this.#attention();
    let near: Box | undefined;
    let frames = 0;
    let seq = -1;
    let newest_ms = performance.now();
    let due_ms = performance.now();
    while (!signal.aborted) {
      const now = performance.now();
      const { seq: found, streaming, reason } = feed.look();
      if (!streaming || found === seq || found === 0) {
        const lost = now - newest_ms > settings.lost_after_ms || (this.state === 'opening' && !streaming && reason !== '');
        if (lost && this.#fault === undefined) this.#lost(seq >= 0, reason);
        if (lost && feed.own) return;
        if (lost) attention = this.#attention();
        await sleep(LOOK_MS, undefined, { signal });
        continue;
      }
      seq = found;
      newest_ms = now;
      const picture = await feed.picture(settings.width);
      if (picture === null) continue;
      const whole = near === undefined || frames++ % WHOLE_EVERY === 0;
      const begun_ms = performance.now();
      const seen = await this.#search({ picture, min_face: MIN_FACE_PX, min_eye: MIN_EYE_PX, ...(whole || near === undefined ? {} : { near }) });
      if (signal.aborted) return;
      if (seen === null) continue;
      const [face] = seen.faces;
      near = face === undefined || face.turned ? undefined : face.box;
      const reading = attention.update(seen, now);
      this.#works(feed);
      this.#options.on.reading(reading.reason, performance.now() - begun_ms);
      const text = eyeDataMessage(reading, feed.name);
      for (const listener of this.#listeners) listener.reading(text);
      // On a grid, so that a camera as fast as the grid loses no frame; what was missed is not made up for.
      due_ms = Math.max(due_ms + period_ms, performance.now() - period_ms);
      const rest_ms = due_ms - performance.now();
      if (rest_ms > 0) await sleep(rest_ms, undefined, { signal });
    }
  }

  /** null: it failed, but a single picture that cannot be searched ends nothing. */
  async #search(request: Parameters<DetectEyes>[0]): Promise<EyesAnswer | null> {
    try {
      const seen = await this.#options.detect(request);
      this.#failed_searches = 0;
      return seen;
    } catch (error) {
      if (++this.#failed_searches >= FAILED_SEARCHES) throw error;
      this.#options.on.failure(faultOf(error).code);
      return null;
    }
  }

  #works({ name }: FrameFeed): void {
    if (this.state !== 'tracking') this.#options.log.info({ source: name }, 'eye tracking has a camera');
    this.state = 'tracking';
    this.#fault = undefined;
    this.#attempt = 0;
  }

  /** @param had was there a frame? */
  #lost(had: boolean, reason: string): void {
    this.#fail(had ? { code: 'EYE_CAMERA_LOST', message: LOST_TEXT } : { code: reason === 'CAMERA_NOT_FOUND' ? reason : 'EYE_NO_CAMERA', message: NO_CAMERA_TEXT });
  }

  /** Said once an outage, and again when its cause changes; a search that goes on is no news to those whose camera was lost. */
  #fail(fault: EyeFault): void {
    const before = this.#fault;
    this.state = 'waiting';
    if (before?.code === fault.code || (before?.code === 'EYE_CAMERA_LOST' && fault.code === 'EYE_NO_CAMERA')) return;
    this.#fault = fault;
    this.#options.on.failure(fault.code);
    this.#options.log.warn({ source: sourceKey(this.#options.source), code: fault.code }, 'eye tracking waits');
    for (const listener of this.#listeners) listener.fault(fault);
  }

  /** Doubles from try to try, with jitter. */
  async #pause(): Promise<void> {
    const { first, most } = this.#options.settings.retry_ms;
    const wait_ms = Math.min(most, first * 2 ** Math.min(this.#attempt++, 10)) * (0.75 + Math.random() / 2);
    await sleep(wait_ms, undefined, { signal: this.#stop.signal }).catch(() => undefined);
  }
}

/** What a client may read: our own sentences, but not those of a fault that nobody foresaw. */
function faultOf(error: unknown): EyeFault {
  if (error instanceof SightlineError) return { code: error.code, message: error.message };
  return { code: 'INTERNAL', message: 'Internal server error: the log has the cause' };
}
