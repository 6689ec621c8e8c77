/** Which face belongs to which person of a frame. */
import type { Face, FrameResult, Person } from '../inference/results.js';
import { boxCentre, headCentre, toBody, torsoLength, type Body, type Point } from './keypoints.js';

/** One visible subject: a person, a face, or both. */
export interface Sighting {
  person?: Person;
  /** Index into the frame's persons. */
  person_index?: number;
  body?: Body;
  /** Pixels; absent when shoulders are not seen. */
  torso?: number;
  face?: Face;
  /** Index into the frame's faces. */
  face_index?: number;
}

/** A face whose centre is farther than this from the person's head keypoints, in face widths, is someone else's. */
export const MAX_HEAD_OFFSET = 0.9;
/** Without head keypoints the face centre has to lie in this upper part of the person's box. */
export const HEAD_PART_OF_BOX = 0.4;

/** Persons first, in the frame's order, then the faces no person accounts for. Each face and person appears once. */
export function sightingsOf(frame: FrameResult): Sighting[] {
  const sightings = frame.persons.map((person, index): Sighting => {
    const body = toBody(person.keypoints);
    const torso = torsoLength(body);
    return { person, person_index: index, body, ...(torso === undefined ? {} : { torso }) };
  });
  const pairs: { cost: number; face: number; person: number }[] = [];
  frame.faces.forEach((face, faceIndex) => {
    sightings.forEach((sighting, personIndex) => {
      const cost = headCost(face, sighting);
      if (cost !== undefined) pairs.push({ cost, face: faceIndex, person: personIndex });
    });
  });
  pairs.sort((a, b) => a.cost - b.cost);
  const taken = new Set<number>();
  for (const { face, person } of pairs) {
    const sighting = sightings[person] as Sighting;
    if (taken.has(face) || sighting.face !== undefined) continue;
    taken.add(face);
    sighting.face = frame.faces[face] as Face;
    sighting.face_index = face;
  }
  frame.faces.forEach((face, index) => {
    if (!taken.has(index)) sightings.push({ face, face_index: index });
  });
  return sightings;
}

/** Distance of the face from where the person's head is, in face widths; undefined when it can't be this person's. */
function headCost(face: Face, { person, body }: Sighting): number | undefined {
  if (person === undefined || body === undefined || face.box[2] <= 0) return undefined;
  const centre = boxCentre(face.box);
  const head: Point | undefined = headCentre(body);
  if (head !== undefined) {
    const cost = Math.hypot(centre.x - head.x, centre.y - head.y) / face.box[2];
    return cost <= MAX_HEAD_OFFSET ? cost : undefined;
  }
  const [x, y, width, height] = person.box;
  const inside = centre.x >= x && centre.x <= x + width && centre.y >= y && centre.y <= y + height * HEAD_PART_OF_BOX;
  // Later than any match by keypoints.
  return inside ? 1 + Math.abs(centre.x - x - width / 2) / Math.max(1, width) : undefined;
}
