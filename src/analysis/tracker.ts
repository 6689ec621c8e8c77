/**
 * Follows the subjects of one camera from frame to frame: greedy best-first matching on a similarity of box overlap and keypoint
 * distance, with each track where it was and where its velocity would have taken it. Bounded: at most `max_tracks`, each forgotten when unseen for
 * `timeout_us`.
 */
import type { Box } from '../inference/results.js';
import type { Sighting } from './association.js';
import { boxCentre, boxOverlap, KEYPOINT_COUNT, MIN_KEYPOINT_SCORE, type Body } from './keypoints.js';

export interface Track<T> {
  /** Never used again by this tracker. */
  readonly id: number;
  readonly first_us: number;
  last_us: number;
  readonly subject: T;
  person_box?: Box;
  face_box?: Box;
  body?: Body;
  /** Pixels a second, of the centre of the person box, else of the face box. */
  velocity: { x: number; y: number };
}

/** Pairs less similar than this are different subjects, 0..1. */
export const MIN_SIMILARITY = 0.15;
/** A keypoint this part of the box diagonal away counts e^-0.5. */
export const KEYPOINT_TOLERANCE = 0.08;

export interface TrackerOptions {
  /** ≥ 1 */
  max_tracks: number;
  timeout_us: number;
}

export class Tracker<T> {
  readonly #tracks: Track<T>[] = [];
  readonly #options: TrackerOptions;
  readonly #subject: (id: number) => T;
  #nextId = 1;
  #evicted = 0;

  /** @param subject makes what a new track carries along */
  constructor(options: TrackerOptions, subject: (id: number) => T) {
    this.#options = options;
    this.#subject = subject;
  }

  /**
   * @param t_us not before that of the last call
   * @returns the track of each sighting, in their order; undefined for those beyond `max_tracks` (the smallest)
   */
  update(t_us: number, sightings: readonly Sighting[]): (Track<T> | undefined)[] {
    this.#forget(t_us);
    const result: (Track<T> | undefined)[] = new Array<Track<T> | undefined>(sightings.length).fill(undefined);
    const pairs: { similarity: number; track: Track<T>; index: number }[] = [];
    for (const track of this.#tracks) {
      // Not further than half a second: a subject that is hidden for longer seldom keeps its speed.
      const seconds = Math.min(0.5, (t_us - track.last_us) / 1e6);
      sightings.forEach((sighting, index) => {
        // Where it was counts as well as where it was heading: people turn round and sway.
        const value = Math.max(similarity(track, sighting, 0, 0), similarity(track, sighting, track.velocity.x * seconds, track.velocity.y * seconds));
        if (value >= MIN_SIMILARITY) pairs.push({ similarity: value, track, index });
      });
    }
    // Equal similarities go to the older track, so that the answer does not depend on the order of sorting.
    pairs.sort((a, b) => b.similarity - a.similarity || a.track.id - b.track.id || a.index - b.index);
    const matched = new Set<Track<T>>();
    for (const { track, index } of pairs) {
      if (result[index] !== undefined || matched.has(track)) continue;
      matched.add(track);
      result[index] = track;
      follow(track, t_us, sightings[index] as Sighting);
    }
    const fresh = sightings.map((_, index) => index).filter((index) => result[index] === undefined);
    fresh.sort((a, b) => area(sightings[b] as Sighting) - area(sightings[a] as Sighting));
    for (const index of fresh) {
      const track = this.#open(t_us, sightings[index] as Sighting, matched);
      if (track === undefined) break;
      matched.add(track);
      result[index] = track;
    }
    return result;
  }

  get tracks(): readonly Track<T>[] {
    return this.#tracks;
  }

  get made(): number {
    return this.#nextId - 1;
  }

  get evicted(): number {
    return this.#evicted;
  }

  clear(): void {
    this.#tracks.length = 0;
  }

  #forget(t_us: number): void {
    for (let i = this.#tracks.length - 1; i >= 0; i -= 1) {
      if (t_us - (this.#tracks[i] as Track<T>).last_us > this.#options.timeout_us) this.#tracks.splice(i, 1);
    }
  }

  #open(t_us: number, sighting: Sighting, visible: ReadonlySet<Track<T>>): Track<T> | undefined {
    if (this.#tracks.length >= this.#options.max_tracks) {
      const unseen = this.#tracks.filter((track) => !visible.has(track));
      if (unseen.length === 0) return undefined;
      const oldest = unseen.reduce((a, b) => (b.last_us < a.last_us ? b : a));
      this.#tracks.splice(this.#tracks.indexOf(oldest), 1);
      this.#evicted += 1;
    }
    const id = this.#nextId;
    this.#nextId += 1;
    const track: Track<T> = { id, first_us: t_us, last_us: t_us, subject: this.#subject(id), velocity: { x: 0, y: 0 } };
    follow(track, t_us, sighting);
    this.#tracks.push(track);
    return track;
  }
}

function follow<T>(track: Track<T>, t_us: number, sighting: Sighting): void {
  const before = track.person_box ?? track.face_box;
  const now = sighting.person?.box ?? sighting.face?.box;
  const seconds = (t_us - track.last_us) / 1e6;
  const sameKind = (track.person_box !== undefined) === (sighting.person !== undefined);
  if (before !== undefined && now !== undefined && sameKind && seconds > 0) {
    const a = boxCentre(before);
    const b = boxCentre(now);
    track.velocity = { x: (track.velocity.x + (b.x - a.x) / seconds) / 2, y: (track.velocity.y + (b.y - a.y) / seconds) / 2 };
  } else if (!sameKind) {
    track.velocity = { x: 0, y: 0 };
  }
  track.last_us = t_us;
  if (sighting.person === undefined) delete track.person_box;
  else track.person_box = sighting.person.box;
  if (sighting.face === undefined) delete track.face_box;
  else track.face_box = sighting.face.box;
  if (sighting.body === undefined) delete track.body;
  else track.body = sighting.body;
}

type Places = Pick<Track<unknown>, 'person_box' | 'face_box' | 'body'>;

/**
 * 0..1 over what both have: half box overlap, half keypoints; faces where one of them has no person.
 * @param dx pixels by which the track is taken to have moved
 */
export function similarity(track: Places, { person, face, body }: Sighting, dx: number, dy: number): number {
  const faces = track.face_box === undefined || face === undefined ? 0 : near(track.face_box, face.box, dx, dy);
  if (track.person_box === undefined || person === undefined) return faces;
  const boxes = near(track.person_box, person.box, dx, dy);
  const points = track.body === undefined || body === undefined ? undefined : keypointSimilarity(track.body, body, track.person_box, dx, dy);
  // Fast movement leaves keypoints far apart while boxes still touch, so keypoints may only add.
  return Math.max(faces, 0.7 * boxes, points === undefined ? boxes : (boxes + points) / 2);
}

/** Box overlap; boxes that no longer overlap are still a little alike while less than one diagonal apart and of similar size. */
function near(a: Box, b: Box, dx: number, dy: number): number {
  const moved: Box = [a[0] + dx, a[1] + dy, a[2], a[3]];
  const from = boxCentre(moved);
  const to = boxCentre(b);
  const apart = Math.hypot(from.x - to.x, from.y - to.y) / Math.max(1, Math.hypot(a[2], a[3]));
  const sizes = Math.min(a[3], b[3]) / Math.max(1, a[3], b[3]);
  return Math.max(boxOverlap(moved, b), sizes < 0.5 ? 0 : 0.3 * (1 - apart));
}

/** Mean of exp(-d² / 2σ²) over the keypoints seen in both, σ = KEYPOINT_TOLERANCE × box diagonal; undefined below three. */
function keypointSimilarity(a: Body, b: Body, box: Box, dx: number, dy: number): number | undefined {
  const sigma = KEYPOINT_TOLERANCE * Math.max(1, Math.hypot(box[2], box[3]));
  let sum = 0;
  let seen = 0;
  for (let i = 0; i < KEYPOINT_COUNT * 3; i += 3) {
    if ((a[i + 2] as number) < MIN_KEYPOINT_SCORE || (b[i + 2] as number) < MIN_KEYPOINT_SCORE) continue;
    const x = (a[i] as number) + dx - (b[i] as number);
    const y = (a[i + 1] as number) + dy - (b[i + 1] as number);
    sum += Math.exp(-(x * x + y * y) / (2 * sigma * sigma));
    seen += 1;
  }
  return seen < 3 ? undefined : sum / seen;
}

function area({ person, face }: Sighting): number {
  const box = person?.box ?? face?.box;
  return box === undefined ? 0 : box[2] * box[3];
}
