/**
 * What the main thread and an inference worker say to each other. Pixels are never in it: frames travel as slot and row numbers.
 */
import type { BatchRow, PoolInput } from '../capture/types.js';
import type { Network } from './manifest.js';
import type { FrameResult, SequenceResult, SequenceRow, StillResult } from './results.js';

export type Provider = 'cuda' | 'webgpu' | 'cpu';
export const PROVIDERS: readonly Provider[] = ['cuda', 'webgpu', 'cpu'];

/** How one network is run: chosen by measurement (layout.ts). */
export interface NetworkLayout {
  /** Items of one run(), 1..BATCH_SIZE. */
  batch: number;
  /** Intra-op threads of the session. */
  threads: number;
}

/** `workerData` of every inference worker. */
export interface WorkerSetup {
  networks: Network[];
  inputs: PoolInput[];
  /** Tried in this order, for each network. */
  providers: Provider[];
  gpu_device: number;
  layout: Record<string, NetworkLayout>;
}

export type WorkerTask =
  | { kind: 'frames'; batch: number; rows: BatchRow[] }
  | { kind: 'sequences'; rows: SequenceRow[] }
  /** Picture files, compressed. */
  | { kind: 'stills'; files: Uint8Array[] }
  /** Answered once all `parties` workers wait in it, so that every worker answers exactly once. */
  | { kind: 'status'; barrier: SharedArrayBuffer; parties: number }
  /** Times `runs` runs of a network at a batch size while `parties` workers do the same. */
  | { kind: 'measure'; network: string; batch: number; runs: number; barrier: SharedArrayBuffer; parties: number };

export interface NetworkStatus {
  network: string;
  /** The provider in use; null when the network could not be opened with any. */
  provider: Provider | null;
  /** Why earlier providers of the list were passed over, and why there is none; never a secret. */
  refusals: { provider: Provider; message: string }[];
  load_ms: number;
  /** missing: no provider took it; suspended: it failed too often and is tried again later. */
  state: 'running' | 'suspended' | 'missing';
  /** Failed runs since the start. */
  failures: number;
  /** The newest failure; '' = none. */
  last_error: string;
}

export interface StatusAnswer {
  kind: 'status';
  thread: number;
  networks: NetworkStatus[];
  ort_version: string;
}

export interface FramesAnswer {
  kind: 'frames';
  frames: FrameResult[];
  /** Wall time by stage, microseconds; `crops` is the native cropping. */
  stage_us: Record<string, number>;
  /** Items of every run(), by network. */
  batches: Record<string, number[]>;
  failures: NetworkFailure[];
  /** Added by the worker. */
  news?: WorkerNews;
}

export interface NetworkFailure {
  network: string;
  message: string;
  /** It was not run at all: not loaded, suspended, or nothing to work on. */
  skipped?: boolean;
}

/** What an answer says of its worker's networks, beside the results. */
export interface WorkerNews {
  thread: number;
  /** Networks whose status has changed since this worker's last answer. */
  changed: NetworkStatus[];
}

export interface SequencesAnswer {
  kind: 'sequences';
  results: SequenceResult[];
  stage_us: Record<string, number>;
  batches: Record<string, number[]>;
  failures: NetworkFailure[];
  /** Added by the worker. */
  news?: WorkerNews;
}

export interface StillsAnswer {
  kind: 'stills';
  /** In the order of the files. */
  results: StillResult[];
  stage_us: Record<string, number>;
  batches: Record<string, number[]>;
  failures: NetworkFailure[];
  /** Added by the worker. */
  news?: WorkerNews;
}

export interface MeasureAnswer {
  kind: 'measure';
  /** Median wall time of one run, microseconds. */
  run_us: number;
}

export type WorkerAnswer = StatusAnswer | FramesAnswer | SequencesAnswer | StillsAnswer | MeasureAnswer;
