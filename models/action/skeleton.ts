/**
 * A kinematic skeleton and a camera: joint angles → 17 COCO keypoints in space → pixels. Metres and radians; body frame x
 * forward, y left, z up.
 */
import { KP } from '../../src/analysis/keypoints.js';
import type { Random } from './random.js';

export type Vec3 = [x: number, y: number, z: number];

/** Lengths in metres. */
export interface Body3 {
  torso: number;
  shoulder_half: number;
  hip_half: number;
  neck: number;
  upper_arm: number;
  forearm: number;
  thigh: number;
  shank: number;
  head: number;
}

const ADULT: Body3 = {
  torso: 0.5, shoulder_half: 0.185, hip_half: 0.12, neck: 0.24, upper_arm: 0.29, forearm: 0.26, thigh: 0.42, shank: 0.42, head: 1,
};

/** Random proportions: each length times a factor whose distance from 1 lies in [least, most]. */
export function randomBody(random: Random, least: number, most: number): Body3 {
  const body = { ...ADULT };
  const whole = random.between(0.85, 1.12);
  for (const name of Object.keys(body) as (keyof Body3)[]) {
    const away = random.between(least, most) * (random.chance(0.5) ? 1 : -1);
    body[name] *= (1 + away) * (name === 'head' ? 1 : whole);
  }
  return body;
}

export interface Arm {
  /** 0 hangs down, π/2 forward, π up. */
  flexion: number;
  /** Away from the body to its side. */
  abduction: number;
  /** 0 straight. */
  elbow: number;
  /** Turns the forearm towards the midline. */
  inward: number;
}

export interface Leg {
  flexion: number;
  abduction: number;
  knee: number;
}

export interface Pose {
  x: number;
  y: number;
  /** Heading. */
  yaw: number;
  spine_pitch: number;
  spine_roll: number;
  spine_twist: number;
  head_pitch: number;
  head_yaw: number;
  left_arm: Arm;
  right_arm: Arm;
  left_leg: Leg;
  right_leg: Leg;
  /** Whole body turned over about a horizontal axis through the feet, towards `tilt_azimuth` (body frame). */
  tilt: number;
  tilt_azimuth: number;
}

function rotateZ([x, y, z]: Vec3, angle: number): Vec3 {
  const c = Math.cos(angle);
  const s = Math.sin(angle);
  return [x * c - y * s, x * s + y * c, z];
}
/** Positive leans z towards x (forward). */
function rotateY([x, y, z]: Vec3, angle: number): Vec3 {
  const c = Math.cos(angle);
  const s = Math.sin(angle);
  return [x * c + z * s, y, -x * s + z * c];
}
/** Positive leans z towards y (left). */
function rotateX([x, y, z]: Vec3, angle: number): Vec3 {
  const c = Math.cos(angle);
  const s = Math.sin(angle);
  return [x, y * c + z * s, -y * s + z * c];
}
function add(a: Vec3, b: Vec3, factor = 1): Vec3 {
  return [a[0] + b[0] * factor, a[1] + b[1] * factor, a[2] + b[2] * factor];
}

/** Directions of the two segments of a limb that hangs down at rest; `side` +1 left, -1 right; `bend` +1 elbow, -1 knee. */
function limb(flexion: number, abduction: number, joint: number, inward: number, side: number, bend: number): [Vec3, Vec3] {
  const upper: Vec3 = [Math.sin(flexion) * Math.cos(abduction), side * Math.sin(abduction), -Math.cos(flexion) * Math.cos(abduction)];
  const ahead: Vec3 = [Math.cos(flexion), 0, Math.sin(flexion)];
  let bendTo: Vec3 = [bend * ahead[0] * Math.cos(inward), -side * Math.sin(inward), bend * ahead[2] * Math.cos(inward)];
  const along = bendTo[0] * upper[0] + bendTo[1] * upper[1] + bendTo[2] * upper[2];
  bendTo = add(bendTo, upper, -along);
  const length = Math.hypot(...bendTo) || 1;
  const c = Math.cos(joint);
  const s = Math.sin(joint) / length;
  return [upper, [upper[0] * c + bendTo[0] * s, upper[1] * c + bendTo[1] * s, upper[2] * c + bendTo[2] * s]];
}

/** The 17 keypoints in space, COCO order, the lower ankle on the ground (z = 0.08). */
export function keypoints3(body: Body3, pose: Pose): Vec3[] {
  const points: Vec3[] = new Array<Vec3>(17);
  const trunk = (v: Vec3): Vec3 => rotateX(rotateY(rotateZ(v, pose.spine_twist), pose.spine_pitch), pose.spine_roll);
  for (const [side, arm, leg, name] of [[1, pose.left_arm, pose.left_leg, 'left'], [-1, pose.right_arm, pose.right_leg, 'right']] as const) {
    const hip: Vec3 = [0, side * body.hip_half, 0];
    const [thigh, shank] = limb(leg.flexion, leg.abduction, leg.knee, 0, side, -1);
    const knee = add(hip, thigh, body.thigh);
    points[KP[`${name}_hip`]] = hip;
    points[KP[`${name}_knee`]] = knee;
    points[KP[`${name}_ankle`]] = add(knee, shank, body.shank);
    const shoulder: Vec3 = [0, side * body.shoulder_half, body.torso];
    const [upper, fore] = limb(arm.flexion, arm.abduction, arm.elbow, arm.inward, side, 1);
    const elbow = add(shoulder, upper, body.upper_arm);
    points[KP[`${name}_shoulder`]] = trunk(shoulder);
    points[KP[`${name}_elbow`]] = trunk(elbow);
    points[KP[`${name}_wrist`]] = trunk(add(elbow, fore, body.forearm));
    const onHead = (v: Vec3): Vec3 => trunk(add([0.02, 0, body.torso + body.neck], rotateZ(rotateY(v, pose.head_pitch), pose.head_yaw), body.head));
    points[KP[`${name}_eye`]] = onHead([0.09, side * 0.033, 0.035]);
    points[KP[`${name}_ear`]] = onHead([0, side * 0.075, 0.02]);
    if (side === 1) points[KP.nose] = onHead([0.115, 0, 0]);
  }
  const lowest = Math.min((points[KP.left_ankle] as Vec3)[2], (points[KP.right_ankle] as Vec3)[2]);
  return points.map((p) => {
    let v: Vec3 = [p[0], p[1], p[2] - lowest + 0.08];
    if (pose.tilt !== 0) v = rotateZ(rotateY(rotateZ(v, -pose.tilt_azimuth), pose.tilt), pose.tilt_azimuth);
    v = rotateZ(v, pose.yaw);
    return [v[0] + pose.x, v[1] + pose.y, Math.max(0.03, v[2])];
  });
}

export interface Camera {
  /** Around the vertical; 0 looks at a body of heading 0 from its front. */
  azimuth: number;
  /** Above the horizontal. */
  elevation: number;
  roll: number;
  distance: number;
  /** Pixels. */
  focal: number;
}

/** Pixels (x right, y down, origin at the picture's centre) and depth in metres; the camera looks at 0.9 m above the origin. */
export function project(camera: Camera, p: Vec3): { x: number; y: number; depth: number } {
  const turned = rotateZ([p[0], p[1], p[2] - 0.9], -camera.azimuth);
  // Camera on the +x axis, raised by the elevation, looking back at the origin.
  const [towards, side, up] = rotateY(turned, camera.elevation);
  const depth = Math.max(0.3, camera.distance - towards);
  const u = (camera.focal * side) / depth;
  const v = (-camera.focal * up) / depth;
  const c = Math.cos(camera.roll);
  const s = Math.sin(camera.roll);
  return { x: u * c - v * s, y: u * s + v * c, depth };
}
