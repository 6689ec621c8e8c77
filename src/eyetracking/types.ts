/** What live eye tracking is made of. Pixels are those of the analysed picture, which is at most `eye_tracking.width` wide. */
import type { EyesAnswer, EyesRequest } from '../opencv/types.js';

/** Why `looking_away` is what it is, as far as the newest frame tells. */
export type EyeReason =
  /** Both eyes of the face are seen. */
  | 'eyes_seen'
  /** Only one: a face that is half turned or half covered says nothing. */
  | 'one_eye'
  /** A face of a size at which its eyes were found a moment ago, and now they are not: closed, lowered or covered. */
  | 'eyes_hidden'
  /** The eyes of this face were never found, which is a matter of light, spectacles or the camera. */
  | 'eyes_never_seen'
  /** Too few pixels for eyes to be found. */
  | 'face_too_small'
  /** Seen from the side only. */
  | 'face_turned'
  /** Too dark for a face to be found. */
  | 'picture_dark'
  | 'no_face';

/** What a frame tells, smoothed over the frames before it. */
export interface EyeReading {
  face_detected: boolean;
  eye_count: number;
  looking_away: boolean;
  /** 0..1: the mean over the newest frames of 0 (no face), 0.5 (a face, fewer than two eyes) and 1 (a face with its eyes). */
  confidence: number;
  face_count: number;
  reason: EyeReason;
}

/** What a source does at the moment. */
export interface FeedState {
  /** Another number: there is a new frame. */
  seq: number;
  streaming: boolean;
  /** Stable code of why it does not stream, or ''. */
  reason: string;
}

/** An open source of frames. */
export interface FrameFeed {
  /** For people: `webcam 0`, `camera 3`. */
  name: string;
  /** Opened by us: when it is lost it is closed, and looked for anew. Others come back by themselves. */
  own: boolean;
  look(): FeedState;
  /** JPEG of the newest frame, at most `width` wide; null when there is none. */
  picture(width: number): Promise<Buffer | null>;
  close(): Promise<void>;
}

/** Where frames come from. */
export type EyeSource =
  /** The first of the webcams 0, 1, 2 that opens. */
  | { kind: 'any_webcam' }
  | { kind: 'webcam'; index: number }
  | { kind: 'camera'; camera_id: number };

/** Errors: EYE_NO_CAMERA, CAMERA_NOT_FOUND. */
export type OpenFeed = (source: EyeSource, signal: AbortSignal) => Promise<FrameFeed>;

/** Errors: OPENCV_*, IMAGE_UNREADABLE. */
export type DetectEyes = (request: Omit<EyesRequest, 'op'>) => Promise<EyesAnswer>;

/** What keeps a source from being followed; sent to its clients as an `error` message. */
export interface EyeFault {
  code: string;
  message: string;
}

export interface TrackerListener {
  /** The text of an eye_data message, the same for all. */
  reading(text: string): void;
  /** Once an outage, and at once to a client that joins during one. */
  fault(fault: EyeFault): void;
}

export type TrackerState = 'opening' | 'tracking' | 'waiting';

/** The parts of a WebSocket that are used. */
export interface EyeSocket {
  send(text: string): void;
  close(code: number, reason: string): void;
  terminate(): void;
  ping(): void;
  /** Bytes that wait to be sent. */
  readonly bufferedAmount: number;
  on(event: 'message', listener: (data: Buffer, is_binary: boolean) => void): unknown;
  on(event: 'pong' | 'close', listener: () => void): unknown;
}

export interface EyeStats {
  clients: number;
  trackers: Record<TrackerState, number>;
  /** Frames by the reason of their reading. */
  readings: Record<string, number>;
  /** Outages and failed detections by code. */
  failures: Record<string, number>;
  /** eye_data messages that a client did not get, by why. */
  skipped: Record<string, number>;
  /** Clients sent away, by why. */
  refused: Record<string, number>;
}
