/** How a body moves in each action: joint angles over the seconds of a window. Angles in radians (written in degrees). */
import type { ActionLabel } from '../../src/analysis/pose_window.js';
import { wander, type Random } from './random.js';
import type { Arm, Pose } from './skeleton.js';

/** Pose at a time, 0 = begin of the window. */
export type Motion = (t: number) => Pose;

/** Length of a window with a margin, seconds. */
export const MOTION_SECONDS = 3.4;

/** Seconds to stand up again after bending. */
const STAND_UP_SECONDS = 0.9;

const rad = (degrees: number): number => (degrees * Math.PI) / 180;

/** 0 → 1 with zero speed at both ends. */
function ease(t: number, from: number, seconds: number): number {
  const part = Math.min(1, Math.max(0, (t - from) / seconds));
  return part * part * (3 - 2 * part);
}

/** Rises, holds, and falls back. */
function pulse(t: number, from: number, up: number, hold: number, down: number): number {
  return ease(t, from, up) * (1 - ease(t, from + up + hold, down));
}

function neutral(): Pose {
  const arm = (): Arm => ({ flexion: rad(3), abduction: rad(8), elbow: rad(12), inward: rad(10) });
  const leg = () => ({ flexion: 0, abduction: rad(4), knee: rad(2) });
  return {
    x: 0, y: 0, yaw: 0, spine_pitch: 0, spine_roll: 0, spine_twist: 0, head_pitch: 0, head_yaw: 0,
    left_arm: arm(), right_arm: arm(), left_leg: leg(), right_leg: leg(), tilt: 0, tilt_azimuth: 0,
  };
}

function randomArm(random: Random, seated: boolean): Arm {
  const kind = random.pick(seated ? (['lap', 'desk', 'phone', 'crossed'] as const) : (['hang', 'hang', 'hip', 'front', 'phone', 'crossed', 'pocket'] as const));
  const b = (low: number, high: number): number => random.between(low, high);
  switch (kind) {
    case 'hang': return { flexion: rad(b(-8, 12)), abduction: rad(b(3, 16)), elbow: rad(b(3, 30)), inward: rad(b(-10, 30)) };
    case 'hip': return { flexion: rad(b(-20, 0)), abduction: rad(b(30, 50)), elbow: rad(b(75, 105)), inward: rad(b(60, 90)) };
    case 'front': return { flexion: rad(b(5, 25)), abduction: rad(b(3, 12)), elbow: rad(b(35, 75)), inward: rad(b(40, 70)) };
    case 'pocket': return { flexion: rad(b(-15, 0)), abduction: rad(b(10, 22)), elbow: rad(b(25, 50)), inward: rad(b(10, 50)) };
    case 'crossed': return { flexion: rad(b(15, 35)), abduction: rad(b(2, 12)), elbow: rad(b(85, 110)), inward: rad(b(65, 90)) };
    case 'phone': return { flexion: rad(b(10, 40)), abduction: rad(b(5, 20)), elbow: rad(b(85, 130)), inward: rad(b(5, 45)) };
    case 'lap': return { flexion: rad(b(5, 30)), abduction: rad(b(3, 15)), elbow: rad(b(40, 80)), inward: rad(b(10, 50)) };
    case 'desk': return { flexion: rad(b(25, 55)), abduction: rad(b(5, 25)), elbow: rad(b(45, 80)), inward: rad(b(0, 45)) };
  }
}

/** Standing or sitting still, with the slow movements nobody is without. The other motions build on it. */
function rest(random: Random, seated: boolean): Motion {
  const base = neutral();
  base.left_arm = randomArm(random, seated);
  base.right_arm = random.chance(0.5) ? { ...base.left_arm } : randomArm(random, seated);
  base.spine_pitch = rad(seated ? random.between(-15, 25) : random.between(-4, 10));
  base.spine_roll = rad(random.between(-4, 4));
  base.spine_twist = rad(random.between(-10, 10));
  base.head_pitch = rad(random.between(-12, 35));
  base.head_yaw = rad(random.between(-40, 40));
  const thigh = seated ? random.between(70, 100) : random.between(-3, 5);
  const knee = seated ? random.between(65, 115) : random.between(0, 8);
  const spread = random.between(1, seated ? 20 : 9);
  for (const leg of [base.left_leg, base.right_leg]) {
    leg.flexion = rad(thigh + random.between(-4, 4));
    leg.knee = rad(knee + random.between(-8, 8));
    leg.abduction = rad(spread);
  }
  const lively = random.between(0.2, 1);
  const drift = Array.from({ length: 6 }, () => wander(random, lively, 0.05, 0.35));
  const d = (index: number, t: number): number => (drift[index] as (t: number) => number)(t);
  return (t) => ({
    ...base,
    x: 0.015 * d(0, t),
    y: 0.02 * d(1, t),
    spine_pitch: base.spine_pitch + rad(1.5) * d(0, t),
    spine_roll: base.spine_roll + rad(1.5) * d(1, t),
    spine_twist: base.spine_twist + rad(3) * d(2, t),
    head_yaw: base.head_yaw + rad(14) * d(3, t),
    head_pitch: base.head_pitch + rad(5) * d(4, t),
    left_arm: { ...base.left_arm, elbow: base.left_arm.elbow + rad(3) * d(5, t) },
    right_arm: { ...base.right_arm, elbow: base.right_arm.elbow + rad(3) * d(2, t) },
  });
}

function walking(random: Random): Motion {
  const base = rest(random, false);
  const stride_hz = random.between(0.65, 1.1);
  const swing = rad(random.between(16, 34));
  const speed = stride_hz * Math.sin(swing) * random.between(1.3, 1.9);
  const turn = rad(random.chance(0.7) ? 0 : random.between(-25, 25));
  const arms = random.chance(0.75) ? random.between(0.5, 1.1) : random.between(0, 0.2);
  const phase = random.between(0, 2 * Math.PI);
  const centre = MOTION_SECONDS / 2;
  return (t) => {
    const pose = base(t);
    const angle = 2 * Math.PI * stride_hz * t + phase;
    const s = Math.sin(angle);
    const heading = turn * (t - centre);
    const knee = (shift: number): number => rad(6) + rad(52) * Math.max(0, Math.sin(angle + shift + 1.2)) ** 2;
    return {
      ...pose,
      x: speed * (t - centre) * Math.cos(heading / 2),
      y: speed * (t - centre) * Math.sin(heading / 2),
      yaw: heading,
      spine_pitch: pose.spine_pitch + rad(3),
      left_leg: { flexion: swing * s + rad(4), abduction: rad(2), knee: knee(0) },
      right_leg: { flexion: -swing * s + rad(4), abduction: rad(2), knee: knee(Math.PI) },
      left_arm: { ...pose.left_arm, flexion: pose.left_arm.flexion - swing * arms * s },
      right_arm: { ...pose.right_arm, flexion: pose.right_arm.flexion + swing * arms * s },
    };
  };
}

function blend(a: Arm, b: Arm, part: number): Arm {
  return {
    flexion: a.flexion + (b.flexion - a.flexion) * part,
    abduction: a.abduction + (b.abduction - a.abduction) * part,
    elbow: a.elbow + (b.elbow - a.elbow) * part,
    inward: a.inward + (b.inward - a.inward) * part,
  };
}

function reaching(random: Random): Motion {
  const base = rest(random, random.chance(0.25));
  const side = random.chance(0.5) ? 'left_arm' : 'right_arm';
  const target: Arm = {
    flexion: rad(random.between(55, 115)), abduction: rad(random.between(-10, 55)), elbow: rad(random.between(0, 35)), inward: rad(random.between(-10, 30)),
  };
  const lean = rad(random.between(2, 22));
  const from = random.between(0.1, 1.5);
  const up = random.between(0.35, 0.9);
  const hold = random.between(0.1, 1.6);
  const down = random.between(0.35, 0.9);
  return (t) => {
    const pose = base(t);
    const part = pulse(t, from, up, hold, down);
    return { ...pose, spine_pitch: pose.spine_pitch + lean * part, [side]: blend(pose[side], target, part) };
  };
}

function bending(random: Random): Motion {
  const base = rest(random, false);
  const depth = rad(random.between(48, 105));
  const knees = rad(random.between(0, 75));
  const hang = random.between(0.6, 1.05);
  const from = random.between(-0.8, 1.4);
  const up = random.between(0.45, 1.1);
  const hold = random.chance(0.4) ? 10 : random.between(0.1, 1.5);
  return (t) => {
    const pose = base(t);
    const part = pulse(t, from, up, hold, STAND_UP_SECONDS);
    const arm = (rest_arm: Arm): Arm => blend(rest_arm, { flexion: depth * hang, abduction: rad(6), elbow: rad(12), inward: rad(10) }, part);
    const leg = { flexion: knees * 0.75 * part, abduction: rad(6), knee: knees * part };
    return {
      ...pose, spine_pitch: pose.spine_pitch + depth * part, head_pitch: pose.head_pitch * (1 - part),
      left_arm: arm(pose.left_arm), right_arm: arm(pose.right_arm), left_leg: leg, right_leg: { ...leg },
    };
  };
}
function raisingHands(random: Random): Motion {
  const base = rest(random, random.chance(0.25));
  const b = (low: number, high: number): number => random.between(low, high);
  const overhead: Arm = random.chance(0.5)
    ? { flexion: rad(b(140, 178)), abduction: rad(b(-5, 25)), elbow: rad(b(0, 45)), inward: rad(b(0, 30)) }
    : { flexion: rad(b(70, 95)), abduction: rad(b(50, 85)), elbow: rad(b(55, 100)), inward: rad(b(-15, 15)) };
  const from = b(-0.6, 1.4);
  const up = b(0.35, 0.9);
  const hold = random.chance(0.6) ? 10 : b(0.4, 1.5);
  const lag = b(-0.15, 0.15);
  return (t) => {
    const pose = base(t);
    return {
      ...pose,
      left_arm: blend(pose.left_arm, overhead, pulse(t, from, up, hold, 0.7)),
      right_arm: blend(pose.right_arm, overhead, pulse(t, from + lag, up, hold, 0.7)),
    };
  };
}

function fidgeting(random: Random): Motion {
  const base = rest(random, random.chance(0.5));
  const hands = wander(random, 1, 0.8, 2.2);
  const other = wander(random, 1, 0.8, 2.2);
  const trunk = wander(random, 1, 0.5, 1.2);
  const legs = wander(random, 1, 1.2, 2.4);
  const kind = random.pick(['hands', 'face', 'all', 'sway'] as const);
  const amount = random.between(0.8, 1.4);
  const handSize = rad(kind === 'sway' ? 8 : 24) * amount;
  const swaySize = kind === 'sway' || kind === 'all' ? amount : 0.35 * amount;
  const face: Arm = { flexion: rad(random.between(35, 60)), abduction: rad(10), elbow: rad(random.between(120, 142)), inward: rad(random.between(15, 40)) };
  return (t) => {
    const pose = base(t);
    const restless = (arm: Arm, move: (t: number) => number): Arm => ({ ...arm, elbow: Math.max(0, arm.elbow + handSize * move(t)), inward: arm.inward + 0.7 * handSize * move(t + 0.2), flexion: arm.flexion + 0.3 * handSize * move(t + 0.1) });
    const touch = kind === 'face' ? Math.min(1, Math.max(0, 0.5 + 0.6 * hands(t * 0.5))) : 0;
    const bounce = kind === 'all' || kind === 'sway' ? rad(5) * amount * legs(t) : 0;
    return {
      ...pose,
      y: pose.y + 0.05 * swaySize * trunk(t),
      spine_roll: pose.spine_roll + rad(5) * swaySize * trunk(t + 0.3),
      spine_twist: pose.spine_twist + rad(9) * swaySize * trunk(t + 0.8),
      head_yaw: pose.head_yaw + rad(14) * amount * trunk(t * 1.3),
      left_arm: restless(pose.left_arm, hands),
      right_arm: blend(restless(pose.right_arm, other), face, touch),
      left_leg: { ...pose.left_leg, flexion: pose.left_leg.flexion + bounce, knee: pose.left_leg.knee + Math.abs(bounce) },
    };
  };
}

function falling(random: Random): Motion {
  const base = random.chance(0.35) ? walking(random) : rest(random, false);
  const start = random.between(0.1, 1.7);
  const seconds = random.between(0.45, 1);
  const azimuth = rad(random.between(-180, 180));
  const over = rad(random.between(68, 92));
  const buckle = random.chance(0.4) ? rad(random.between(40, 110)) : rad(random.between(0, 25));
  const throwArms = random.between(0, 1);
  return (t) => {
    const moving = base(Math.min(t, start + 0.25 * seconds));
    const part = Math.min(1, Math.max(0, (t - start) / seconds));
    const bent = ease(t, start, seconds * 0.8);
    const arm = (side: Arm): Arm => blend(side, { flexion: rad(95), abduction: rad(35), elbow: rad(40), inward: 0 }, bent * throwArms);
    const leg = (side: Pose['left_leg']) => ({ flexion: side.flexion + 0.8 * buckle * bent, abduction: side.abduction, knee: side.knee + buckle * bent });
    return {
      ...moving, tilt: over * part ** 2, tilt_azimuth: azimuth, left_arm: arm(moving.left_arm), right_arm: arm(moving.right_arm),
      left_leg: leg(moving.left_leg), right_leg: leg(moving.right_leg),
    };
  };
}

/** A random motion of a label. */
export function motionOf(label: ActionLabel, random: Random): Motion {
  switch (label) {
    case 'standing': return rest(random, false);
    case 'walking': return walking(random);
    case 'sitting': return rest(random, true);
    case 'reaching': return reaching(random);
    case 'bending': return bending(random);
    case 'raising_hands': return raisingHands(random);
    case 'fidgeting': return fidgeting(random);
    case 'falling': return falling(random);
  }
}
