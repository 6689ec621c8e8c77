/** What a soak is: a run of minutes to hours with claims that it checks. The short form of each is a test of `npm test`. */

export interface SoakContext {
  /** Root of the clone. */
  root: string;
  /** true: at most a minute, for `npm test`. */
  short: boolean;
  /** Numbers given as `--set name=value`, e.g. `--set minutes=10`. */
  settings: Readonly<Record<string, number>>;
  /** An empty folder of this run. */
  scratch: string;
  log: (line: string) => void;
}

export interface SoakClaim {
  what: string;
  /** In words, with its unit. */
  target: string;
  measured: string;
  holds: boolean;
  /** About times: a machine that gives no turns breaks it. */
  timed?: true;
}

export interface SoakReport {
  claims: SoakClaim[];
  /** Everything else that was measured; units in the names. */
  figures: Record<string, number | string>;
}

export interface Soak {
  name: string;
  about: string;
  /** Starts and ends all it needs; throws when it could not be carried out (a missing peer is a reason, `unavailable`). */
  run(context: SoakContext): Promise<SoakReport>;
  /** Why it can't be run here; undefined = it can. */
  unavailable?(root: string): string | undefined;
}

/** A claim that holds when `value` fulfils it. */
export function claim(what: string, target: string, measured: string | number, holds: boolean): SoakClaim {
  return { what, target, measured: String(measured), holds };
}

/** As `claim`, about times. */
export function timed(what: string, target: string, measured: string | number, holds: boolean): SoakClaim {
  return { ...claim(what, target, measured, holds), timed: true };
}

/** Slope of the least-squares line through (x, y), in y per x; 0 for fewer than two points. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const n = points.length;
  if (n < 2) return 0;
  const mean_x = points.reduce((sum, [x]) => sum + x, 0) / n;
  const mean_y = points.reduce((sum, [, y]) => sum + y, 0) / n;
  const xx = points.reduce((sum, [x]) => sum + (x - mean_x) ** 2, 0);
  const xy = points.reduce((sum, [x, y]) => sum + (x - mean_x) * (y - mean_y), 0);
  return xx === 0 ? 0 : xy / xx;
}
