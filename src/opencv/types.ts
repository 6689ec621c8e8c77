/**
 * What the OpenCV child process can be asked. Everything of OpenCV happens there: its npm binding crashes the process when two threads load it, and a
 * picture that breaks a decoder must not take the daemon with it.
 */

export type FeatureMethod = 'sift' | 'akaze' | 'orb';

/** A part of the picture, in shares of its width and height. */
export interface Share {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface FeatureRequest {
  op: 'features';
  /** Encoded picture. */
  picture: Uint8Array;
  method: FeatureMethod;
  max_features: number;
  /** Parts in which no feature is wanted. */
  ignore: Share[];
  /** Of the camera; a picture of another size is refused. A picture that is turned by its EXIF note may have them the other way round. */
  expect?: { width: number; height: number };
  /** More pictures of the same pointing; what differs between them moves, and no feature is wanted there. Those that cannot be read or have another size are left out. */
  again?: readonly Uint8Array[];
}

export interface FeatureAnswer {
  width: number;
  height: number;
  xy: Float32Array;
  size: Float32Array;
  descriptors: Uint8Array;
  descriptor_bytes: number;
  /** Was the contrast poor and spread first? */
  normalised: boolean;
  /** Share of the picture that differs between the pictures of the pointing; null without others. Above a half nothing was left out. */
  moving_share: number | null;
}

/** OpenCV's own brute-force matching, for comparison and for others; the estimate matches in the geometry addon. */
export interface MatchRequest {
  op: 'match';
  a: Uint8Array;
  b: Uint8Array;
  descriptor_bytes: number;
  hamming: boolean;
  ratio: number;
}

export interface MatchAnswer {
  /** Indexes a, b, a, b, ... */
  pairs: Uint32Array;
}

export type CascadeName = 'face' | 'profile' | 'eye' | 'eye_spectacles';
/** x, y, width, height in pixels of the whole picture. */
export type Box = [number, number, number, number];

export interface CascadeRequest {
  op: 'cascade';
  picture: Uint8Array;
  cascade: CascadeName;
  /** Search in this part only, in pixels. */
  within?: { x: number; y: number; width: number; height: number };
  min_neighbours: number;
  /** Pixels. */
  min_size: number;
}

export interface CascadeAnswer {
  width: number;
  height: number;
  /** x, y, width, height in pixels of the whole picture. */
  boxes: [number, number, number, number][];
}

/** An encoded picture to grey pixels. */
export interface ReadRequest {
  op: 'read';
  picture: Uint8Array;
}

export interface ReadAnswer {
  width: number;
  height: number;
  /** width × height. */
  grey: Uint8Array;
}

/** Grey pixels to a JPEG. */
export interface WriteRequest {
  op: 'write';
  grey: Uint8Array;
  width: number;
  height: number;
  /** 1..100. */
  quality: number;
}

/** Faces, and the eyes of the largest one. */
export interface EyesRequest {
  op: 'eyes';
  /** Encoded picture. */
  picture: Uint8Array;
  /** Pixels; smaller faces are not looked for. */
  min_face: number;
  min_eye: number;
  /** Where the face was last. */
  near?: Box;
}

export interface SeenFace {
  box: Box;
  /** Found as a profile only. */
  turned: boolean;
}

export interface EyesAnswer {
  width: number;
  height: number;
  /** Mean of the grey picture, 0 to 255. */
  brightness: number;
  /** false: only the surroundings of `near` were searched, there may be more faces. */
  searched_whole: boolean;
  /** The largest first. */
  faces: SeenFace[];
  /** Of the largest face. */
  eyes: Box[];
}

/** For tests of what a crash and a hang do. */
export interface FaultRequest {
  op: 'fault';
  kind: 'crash' | 'hang';
}

export interface OpenCvOps {
  features: { request: FeatureRequest; answer: FeatureAnswer };
  match: { request: MatchRequest; answer: MatchAnswer };
  cascade: { request: CascadeRequest; answer: CascadeAnswer };
  read: { request: ReadRequest; answer: ReadAnswer };
  write: { request: WriteRequest; answer: Uint8Array };
  eyes: { request: EyesRequest; answer: EyesAnswer };
  fault: { request: FaultRequest; answer: null };
}

export type OpenCvOp = keyof OpenCvOps;
export type OpenCvRequest = OpenCvOps[OpenCvOp]['request'];

/** Parent → child. */
export interface RequestMessage {
  id: number;
  request: OpenCvRequest;
}

/** Child → parent. The first message says that everything is loaded. */
export type ChildMessage =
  | { ready: true; opencv: string }
  | { id: number; ok: true; answer: unknown }
  | { id: number; ok: false; code: string; message: string };

export interface OpenCvStats {
  /** Children started, beyond the first because one crashed or hung. */
  starts: number;
  crashes: number;
  timeouts: number;
  /** Requests that were sent a second time because the child died under them. */
  retried: number;
  /** Requests refused because too many waited. */
  refused: number;
  waiting: number;
}

export interface OpenCv {
  /**
   * One request at a time reaches the child, in order. A request whose child dies is sent once more to the next child.
   * Errors: IMAGE_UNREADABLE, IMAGE_SIZE, OPENCV_BUSY (too many wait), OPENCV_TIMEOUT, OPENCV_CRASHED (twice), OPENCV_UNAVAILABLE (does not start).
   */
  ask<Op extends OpenCvOp>(request: OpenCvOps[Op]['request'] & { op: Op }, options?: { deadline_ms?: number; signal?: AbortSignal | undefined }): Promise<OpenCvOps[Op]['answer']>;
  stats(): OpenCvStats;
  /** The process id of the running child, for tests and reports. */
  pid(): number | undefined;
  close(): Promise<void>;
}
