/**
 * What crosses the native boundary of capture.node. This file is the only description of it in TypeScript; a test checks that
 * the addon has each function. Times ending in `_us` are CLOCK_MONOTONIC microseconds (`process.hrtime.bigint() / 1000n`),
 * as JavaScript numbers (exact for 285 years of uptime).
 */

export type CameraState = 'connecting' | 'streaming' | 'stalled' | 'backing_off' | 'disabled' | 'failed';
export type SourceKind = 'rtsp' | 'v4l2' | 'file' | 'lavfi';
export type DropReason = 'no_slot' | 'superseded' | 'decode_error' | 'waiting_key' | 'too_large' | 'unsupported' | 'withheld';

export interface PoolInput {
  /** Name of the frame-level input, as in the model manifest. */
  name: string;
  width: number;
  height: number;
  fit: 'letterbox' | 'stretch';
  /** Value of padding bytes, 0..255. */
  pad: number;
}

export interface PoolOptions {
  /** Batch slots, 2..64. */
  batches: number;
  /** Rows of a batch slot, 1..64; the upper bound of the batch size. */
  rows: number;
  inputs: PoolInput[];
}

export interface CaptureOptions {
  generation: number;
  label: string;
  kind: SourceKind;
  url: string;
  transport: 'tcp' | 'udp';
  loop: boolean;
  realtime: boolean;
  analysis_fps: number;
  /** false: its frames are only shown (snapshots), none becomes a row of a batch. Default true. */
  analyse?: boolean;
  open_timeout_ms: number;
  read_timeout_ms: number;
  stall_limit_ms: number;
  backoff_min_ms: number;
  backoff_max_ms: number;
  backoff_auth_ms: number;
  healthy_after_ms: number;
  /** Packets kept in memory for clips: of the last so many milliseconds, at most so many bytes; 0 = none. */
  clip_ms: number;
  clip_bytes: number;
  /** '' = software, 'cuda:0' = NVDEC. */
  hw_device: string;
}

export interface CaptureStats {
  handle: number;
  generation: number;
  state: CameraState;
  reason: string;
  detail: string;
  decoder: string;
  codec: string;
  width: number;
  height: number;
  fps: number;
  source_fps: number;
  newest_frame_us: number;
  newest_wall_ms: number;
  packets: number;
  bytes: number;
  frames: number;
  analysed: number;
  corrupt: number;
  reconnects: number;
  hw_fallbacks: number;
  drops: Record<DropReason, number>;
  retry_at_us: number;
}

export interface BatchRow {
  row: number;
  /** Capture handle. */
  camera: number;
  generation: number;
  seq: number;
  pts_us: number;
  packet_us: number;
  wall_ms: number;
  ready_us: number;
  width: number;
  height: number;
}

export interface TakenBatch {
  batch: number;
  /** Rows 0..n-1 of the batch tensors, contiguous. */
  rows: BatchRow[];
}

/** claimed = committed + aborted + rows being filled; committed = superseded + forgotten + rows_taken + waiting_rows. */
export interface PoolStats {
  claimed: number;
  committed: number;
  superseded: number;
  no_slot: number;
  aborted: number;
  /** Waiting rows dropped because their camera was removed or the pool closed. */
  forgotten: number;
  batches_taken: number;
  rows_taken: number;
  /** Rows copied over a hole that an aborted or forgotten row had left. */
  rows_moved: number;
  free: number;
  filling: number;
  ready: number;
  in_use: number;
  /** Since when the longest-waiting camera waits, 0 = none; kept when its newer frame supersedes the older one. */
  oldest_ready_us: number;
  waiting_rows: number;
  /** Of all tensors. */
  bytes: number;
  /** State events that were lost because the main thread did not keep up; `cameraStats()` has the states all the same. */
  state_events_dropped: number;
}

export interface ProbeResult {
  ok: boolean;
  reason: string;
  detail: string;
  codec: string;
  pixel_format: string;
  transport: string;
  width: number;
  height: number;
  source_fps: number;
  open_ms: number;
  first_frame_ms: number;
}

export interface NativeInfo {
  libav: string;
  simd: string;
  simd_supported: string[];
  /** Sizes and limits compiled in, compared with the constants here by a test. */
  layout: { max_inputs: number; max_rows: number; max_batches: number; drop_reasons: string[]; states: string[] };
}

/**
 * The functions of capture.node. The main thread uses all of them, an inference worker only those of the last group. Errors are
 * `Error`s with a `code` of src/errors.ts (NATIVE_*, CAPTURE_*); functions that answer a promise reject and never throw. Every
 * function that needs the pool throws NATIVE_CLOSED before `openPool()` and after `close()`.
 */
export interface CaptureAddon {
  info(): NativeInfo;
  setSimdTarget(name: string): boolean;

  // -- pool and cameras (main thread)
  /**
   * Reserves the process-wide pool; it ends with the environment (thread) that opened it. A second call with the same options
   * does nothing, one with other options throws NATIVE_POOL_EXISTS while it is open.
   */
  openPool(options: PoolOptions): void;
  /** Stops every camera, closes the pool; resolves when all threads are joined. Idempotent; a new pool may be opened after it. */
  close(): Promise<void>;
  /** Starts a camera and returns its handle (never reused in a process). */
  addCamera(options: CaptureOptions): number;
  /** Stops and forgets a camera; resolves when its thread is joined. */
  removeCamera(handle: number): Promise<void>;
  /**
   * From now on `fps` instead of the `analysis_fps` of a camera's options, and at most `limit` of those (0 = all), what is beyond it counted as
   * `withheld`. Its stream is not touched. false: no such camera.
   */
  setAnalysisRate(handle: number, fps: number, limit: number): boolean;
  cameraStats(): CaptureStats[];
  poolStats(): PoolStats;
  /** One callback a process, the newest; does not keep the process alive. */
  onState(callback: (event: { handle: number; generation: number; state: CameraState; reason: string }) => void): void;
  /**
   * Called when a row became ready since the last `takeBatch()`, once after each `armReady()`; no order of the two loses a row.
   * One callback a process, the newest; does not keep the process alive. Not called any more once `close()` was.
   */
  onReady(callback: () => void): void;
  armReady(): void;
  /** How many rows close a batch, 1..rows. It gets more, up to `rows`, only when no other batch has room. */
  setTargetRows(rows: number): void;
  /** The longest-waiting batch that is full or whose oldest row waits since before `readyBeforeUs`; null when there is none. */
  takeBatch(readyBeforeUs: number): TakenBatch | null;
  /** Throws NATIVE_BATCH_STATE when the batch is not in use. */
  releaseBatch(batch: number): void;
  /** JPEG of a camera's newest frame and its size, encoded off the main thread; null before the first frame. */
  snapshot(handle: number, options: { quality: number; max_width: number }): Promise<{ jpeg: Buffer; width: number; height: number } | null>;
  /** JPEG of a row of a batch in use (evidence). The batch may be released before it resolves. */
  rowJpeg(batch: number, row: number, options: { quality: number; max_width: number }): Promise<Buffer>;
  /**
   * The packets of a camera that arrived in that time (of `monotonicUs()`), begun at the key frame before, as a file: not encoded again. null when none
   * are kept. Written off the main thread.
   */
  clip(handle: number, span: { from_us: number; to_us: number }): Promise<{ data: Buffer; extension: 'mp4' | 'mkv' | 'ts'; packets: number; from_us: number; to_us: number } | null>;
  probe(options: CaptureOptions): Promise<ProbeResult>;
  monotonicUs(): number;

  // -- inference worker (and main thread)
  /**
   * The whole batch tensor of an input, uint8 NHWC, no copy: an external ArrayBuffer over the pool, the same object each time.
   * The bytes are those of the batch only between `takeBatch()` and `releaseBatch()`; the memory stays valid for ever.
   */
  batchTensor(batch: number, input: number): Uint8Array;
  /**
   * Affine crops of retained frames into `dest` (uint8 NHWC [rows.length, height, width, 3]).
   * `matrices` holds 6 floats a crop, destination pixel → source pixel (see native/pixels/pixels.hpp warp_rgb). `dest` may be
   * longer than needed. At most 4096 crops a call.
   */
  cropRows(batch: number, rows: Int32Array, matrices: Float32Array, dest: Uint8Array, width: number, height: number, pad: number): void;
  /** Where the source lands in a letterboxed input: destination = source * scale + offset. */
  placement(srcWidth: number, srcHeight: number, input: PoolInput): { scale_x: number; scale_y: number; x: number; y: number };

  // -- still pictures (inference worker; these block for milliseconds)
  /** Decodes a JPEG, PNG or WebP file of at most 64 MiB, sides of 16 to 4096 pixels. Throws CAPTURE_STILL_INVALID for anything else. */
  decodeStill(file: Uint8Array): { still: Still; width: number; height: number };
  /** Gives the pixels back now and not when the handle is collected. */
  releaseStill(still: Still): void;
  /** The picture as one item of a frame-level input, uint8 RGB NHWC. */
  stillTensor(still: Still, input: PoolInput, dest: Uint8Array): void;
  /** Affine crops as `cropRows()`, at most 64 a call. */
  cropStill(still: Still, matrices: Float32Array, dest: Uint8Array, width: number, height: number, pad: number): void;
}

declare const still_brand: unique symbol;
/** A decoded picture; opaque. */
export interface Still {
  readonly [still_brand]: never;
}
