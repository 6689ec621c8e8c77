/** What an area of the bench is: a trial over contenders, or a run against targets, with its result as JSON. */
import type { Machine } from './machine.js';
import type { ContenderResult } from './measure.js';

export interface Claim {
  /** What is promised, as the README's table says it. */
  what: string;
  target: string;
  measured: string;
  holds: boolean;
}

export interface AreaResult {
  area: string;
  machine: Machine;
  /** What was done, with its handicaps, so that somebody else can repeat it. */
  task: string;
  unit: string;
  contenders: ContenderResult[];
  /** Further figures by name. */
  figures: Record<string, number | string | null>;
  claims: Claim[];
}

export interface AreaContext {
  root: string;
  machine: Machine;
  /** Shorter: fewer rounds, shorter clips; for trying the bench itself. */
  quick: boolean;
  /** Folder for clips and states, kept between runs. */
  scratch: string;
  log: (line: string) => void;
}

export interface Area {
  name: string;
  about: string;
  /** Only with `--gpu`. */
  gpu?: boolean;
  run: (context: AreaContext) => Promise<AreaResult[]>;
}

/** `1.07 ≤ 1.10` as a claim. */
export function atMost(what: string, value: number, limit: number, unit = ''): Claim {
  return { what, target: `≤ ${limit}${unit}`, measured: `${round(value)}${unit}`, holds: value <= limit };
}

export function atLeast(what: string, value: number, limit: number, unit = ''): Claim {
  return { what, target: `≥ ${limit}${unit}`, measured: `${round(value)}${unit}`, holds: value >= limit };
}

export function round(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(2);
}
