/** Where targets are shown, in shares of the screen. The first four are the plan's, the next five the reference's further ones, in its order. */

export interface Position {
  x: number;
  y: number;
}

export const POINT_COUNTS = [4, 5, 9, 13] as const;
export type PointCount = (typeof POINT_COUNTS)[number];

const ALL: readonly Position[] = [
  { x: 0.1, y: 0.1 }, { x: 0.9, y: 0.1 }, { x: 0.1, y: 0.9 }, { x: 0.9, y: 0.9 },
  { x: 0.5, y: 0.5 },
  { x: 0.5, y: 0.125 }, { x: 0.5, y: 0.9 }, { x: 0.1, y: 0.5 }, { x: 0.9, y: 0.5 },
  { x: 0.3, y: 0.3 }, { x: 0.7, y: 0.3 }, { x: 0.3, y: 0.7 }, { x: 0.7, y: 0.7 },
];

export function targetsOf(count: PointCount): readonly Position[] {
  return ALL.slice(0, count);
}

/** Held out: their frames never enter a fit. None of them is a target of any sequence. */
export const CHECK_POINTS: readonly Position[] = [{ x: 0.25, y: 0.45 }, { x: 0.75, y: 0.35 }, { x: 0.5, y: 0.72 }];

const NAMES: Record<string, string> = {
  '0.1,0.1': 'top left', '0.9,0.1': 'top right', '0.1,0.9': 'bottom left', '0.9,0.9': 'bottom right', '0.5,0.5': 'middle', '0.5,0.125': 'top', '0.5,0.9': 'bottom', '0.1,0.5': 'left', '0.9,0.5': 'right',
  '0.3,0.3': 'inner top left', '0.7,0.3': 'inner top right', '0.3,0.7': 'inner bottom left', '0.7,0.7': 'inner bottom right',
};

export function nameOf({ x, y }: Position): string {
  return NAMES[`${x},${y}`] ?? `${Math.round(100 * x)} % across, ${Math.round(100 * y)} % down`;
}

/** Milliseconds: a target is shown this long; the eyes need the first part to arrive, nothing is recorded in it. */
export const SHOWN_MS = 2_000;
export const SETTLE_MS = 500;
/** Where frames come slowly a target stays until it has these many, but no longer than this; at a rate that gives fewer, a quarter longer than they take. */
export const FRAMES_WANTED = 16;
export const SHOWN_MAX_MS = 8_000;
/** What the server asks of a target at least is 10; a few of them may turn out unusable. */
export const FRAMES_NEEDED = 12;

/** What a target's time is used for. `passed_ms` is what it has been shown without a pause, `fps` the rate of the moment. */
export function phaseOf(passed_ms: number, captured: number, fps: number): 'settle' | 'record' | 'over' {
  if (passed_ms < SETTLE_MS) return 'settle';
  const longest_ms = Math.max(SHOWN_MAX_MS, SETTLE_MS + (1.25 * 1000 * FRAMES_WANTED) / fps);
  const enough = captured >= FRAMES_WANTED || passed_ms >= longest_ms;
  return passed_ms >= SHOWN_MS && enough ? 'over' : 'record';
}
