/** What the HTTP server needs of the daemon: small interfaces, declared here by their consumer, implemented by the stages and joined in app.ts. */
import type { Static } from '@sinclair/typebox';
import type { CameraChange, CameraRecord, CameraStatus, NewCamera } from '../cameras/types.js';
import type { RegistryState } from '../cameras/registry.js';
import type { CalibrationService } from '../calibration/service/service.js';
import type { ProbeResult } from '../capture/types.js';
import type { EventQuery, EventRecord } from '../evidence/types.js';
import type { PtzRecords } from '../ptz/records.js';
import type { OffsetChecks } from '../ptz/offset_request.js';
import type { FrameAnalysis } from '../analysis/types.js';
import type { BaselinesSchema, CallbacksSchema, DeadLetterSchema, PipelineSchema, ReplaySchema, CallbackTestSchema } from './schemas.js';
import type { HistorySample } from '../observability/history.js';
import type { EyeSocket } from '../eyetracking/types.js';

export interface HttpSettings {
  host: string;
  port: number;
  api_token?: string | undefined;
  trust_proxy: boolean;
  body_limit_kib: number;
  request_timeout_ms: number;
  /** Origins beside our own from which eye-tracking clients may connect. */
  eye_origins?: readonly string[];
}

/** What the server logs with: pino's signature. */
export interface HttpLog {
  error(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  info(fields: Record<string, unknown>, message: string): void;
}

export interface HttpDeps {
  settings: HttpSettings;
  /** Sightline's version, for /openapi.json and the index page. */
  version: string;
  log: HttpLog;
  health: {
    /** Is the process doing its work (event loop, workers)? */
    live(): Health;
    /** Is the main job running? Reasons are codes with a few words, no secrets. */
    ready(): Health;
  };
  metrics: { content_type: string; render(): Promise<string> };
  config: {
    /** What is in force, secrets masked. */
    shown(): Record<string, unknown>;
    /** Errors: CONFIG_INVALID: then nothing has changed. */
    reload(): Promise<{ applied: string[]; needs_restart: string[] }>;
  };
  cameras: {
    statuses(): CameraStatus[];
    /** Registry changes take effect before the promise resolves (the capture thread starts a moment later). Errors: CAMERA_*. */
    add(camera: NewCamera): Promise<CameraRecord>;
    get(cameraId: number): Promise<CameraRecord | undefined>;
    update(cameraId: number, change: CameraChange): Promise<CameraRecord>;
    remove(cameraId: number): Promise<void>;
    /** Checks a camera as `add` (without an id) or `update` would, changes nothing, and answers what it would be. Errors: CAMERA_*. */
    preview(camera: NewCamera | CameraChange, cameraId?: number): Promise<CameraRecord>;
    registry(): RegistryState;
    probe(url: string, transport: 'tcp' | 'udp' | null): Promise<ProbeResult>;
    /** null before the first frame. Errors: CAMERA_NOT_FOUND. */
    snapshot(cameraId: number, options: { max_width: number; quality: number }): Promise<Buffer | null>;
  };
  /** Of the newest analysed frame; undefined before the first. */
  analysis: { newest(cameraId: number): FrameAnalysis | undefined };
  baselines: { list(): Promise<BaselinesAnswer> };
  events: {
    list(query: EventQuery): Promise<EventRecord[]>;
    get(id: number): Promise<EventRecord | undefined>;
    /** A file of an event; undefined when it has been forgotten. */
    read(path: string): Promise<Buffer | undefined>;
  };
  /** undefined: eye tracking is switched off. */
  eye_tracking?: { accept(socket: EyeSocket): void } | undefined;
  ptz_records: PtzRecords;
  pipeline: { snapshot(): Pipeline };
  /** Samples of the last hour that are later than a moment, oldest first. */
  history: { since(at_ms: number): HistorySample[] };
  /** undefined: switched off. */
  calibration?: HttpCalibration | undefined;
  callbacks: {
    summary(): Callbacks;
    /** Puts dead letters back into the outbox. */
    replay(ids: readonly number[] | 'all'): Promise<Replay>;
    deadLetters(options: { limit: number; after: number }): Promise<DeadLetter[]>;
    /** Posts one body that the receiver is known to refuse without storing it, and says what came back. */
    test(): Promise<CallbackTest>;
  };
  /** Offset checks of PTZ cameras. */
  ptz_offset: Pick<OffsetChecks, 'check'>;
}

/** The calibration service and the limits of its routes. */
export interface HttpCalibration {
  service: CalibrationService;
  allowed_origins: readonly string[];
  rate_limit_per_s: number;
  body_limit_kib: number;
}

export interface Health {
  ok: boolean;
  reasons: string[];
}
export type BaselinesAnswer = Static<typeof BaselinesSchema>;
export type Pipeline = Static<typeof PipelineSchema>;
export type Callbacks = Static<typeof CallbacksSchema>;
export type Replay = Static<typeof ReplaySchema>;
export type DeadLetter = Static<typeof DeadLetterSchema>;
export type CallbackTest = Static<typeof CallbackTestSchema>;
