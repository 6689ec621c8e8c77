/**
 * From what cascades find in single frames to `looking_away`. Cascades miss eyes for many reasons, so a frame is evidence for looking (both eyes), for looking away (no face
 * in a picture that is bright enough, or no eyes in a face whose eyes were found before), or no evidence at all; only evidence that lasts changes the answer.
 * Pure: time comes from the caller.
 */
import type { EyesAnswer } from '../opencv/types.js';
import type { EyeReading, EyeReason } from './types.js';

export interface AttentionSettings {
  /** Evidence of so long makes it "away". */
  away_after_ms: number;
  /** Evidence of so long makes it "looking" again. */
  back_after_ms: number;
}

/** Narrower faces have eyes of less than the 20 pixels that the cascade needs. */
export const SMALL_FACE_PX = 100;
/** Mean grey value below which faces are not found for want of light. */
export const DARK = 20;
/** Eyes that were found so long ago say nothing about the face that is there now. */
const EYES_REMEMBERED_MS = 60_000;
/** At this share of the size at which its eyes were found, a face still shows them. */
const SIZE_SHARE = 0.75;
/** A frame counts for at most so long: a gap is not evidence. */
const LONGEST_STEP_MS = 300;
/** Frames of which `confidence` is the mean. */
const WINDOW = 5;

const AWAY: ReadonlySet<EyeReason> = new Set<EyeReason>(['no_face', 'eyes_hidden']);

export class Attention {
  readonly #settings: AttentionSettings;
  #last_ms: number | undefined;
  #away_ms = 0;
  #back_ms = 0;
  #away = false;
  #scores: number[] = [];
  #eyes_seen: { at_ms: number; width: number } | undefined;
  /** In frames in which only a part was searched the other faces are taken to be still there. */
  #others = 0;

  constructor(settings: AttentionSettings) {
    this.#settings = settings;
  }

  /** @param at_ms of the frame, on any clock that does not go back */
  update(seen: EyesAnswer, at_ms: number): EyeReading {
    const step_ms = this.#last_ms === undefined ? 0 : Math.min(LONGEST_STEP_MS, Math.max(0, at_ms - this.#last_ms));
    this.#last_ms = at_ms;
    const reason = this.#reasonOf(seen, at_ms);
    this.#weigh(reason, step_ms);

    if (seen.searched_whole) this.#others = Math.max(0, seen.faces.length - 1);
    const face_detected = seen.faces.length > 0;
    this.#scores = [...this.#scores.slice(1 - WINDOW), !face_detected ? 0 : seen.eyes.length >= 2 ? 1 : 0.5];
    const mean = this.#scores.reduce((sum, score) => sum + score, 0) / this.#scores.length;
    return {
      face_detected,
      eye_count: seen.eyes.length,
      looking_away: this.#away,
      confidence: Math.round(mean * 100) / 100,
      face_count: face_detected ? Math.max(seen.faces.length, 1 + this.#others) : 0,
      reason,
    };
  }

  #reasonOf({ faces, eyes, brightness }: EyesAnswer, at_ms: number): EyeReason {
    const [face] = faces;
    if (face === undefined) return brightness < DARK ? 'picture_dark' : 'no_face';
    const [, , width] = face.box;
    if (eyes.length >= 2) {
      this.#eyes_seen = { at_ms, width };
      return 'eyes_seen';
    }
    if (face.turned) return 'face_turned';
    if (width < SMALL_FACE_PX) return 'face_too_small';
    if (eyes.length === 1) return 'one_eye';
    const known = this.#eyes_seen;
    return known !== undefined && at_ms - known.at_ms <= EYES_REMEMBERED_MS && width >= known.width * SIZE_SHARE ? 'eyes_hidden' : 'eyes_never_seen';
  }

  /** Frames without evidence leave everything as it is. */
  #weigh(reason: EyeReason, step_ms: number): void {
    const { away_after_ms, back_after_ms } = this.#settings;
    if (AWAY.has(reason)) {
      this.#back_ms = 0;
      this.#away_ms += step_ms;
      if (this.#away_ms >= away_after_ms) this.#away = true;
    } else if (reason === 'eyes_seen') {
      this.#away_ms = 0;
      this.#back_ms += step_ms;
      if (this.#back_ms >= back_after_ms) this.#away = false;
    }
  }
}
