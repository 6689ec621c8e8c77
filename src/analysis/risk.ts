/**
 * Risk score and level of a frame analysis, the same doubles as the receiver computes (its `cv-callback.php`): the sum over the
 * indicators in payload order of value × weight, then 0.1 for each anomaly, capped above at 1, neither floored nor rounded.
 */
import { SightlineError } from '../errors.js';
import type { RiskLevel } from './types.js';

/** Names are case-sensitive; every other name weighs OTHER_WEIGHT. They sum to 1.15. */
export const RISK_WEIGHTS: Readonly<Record<string, number>> = { stress: 0.3, anxiety: 0.25, deception: 0.4, nervousness: 0.2 };
export const OTHER_WEIGHT = 0.1;
export const ANOMALY_WEIGHT = 0.1;

/** Lower bounds on the unrounded score, highest first. */
export const RISK_LEVELS: readonly (readonly [from: number, level: RiskLevel])[] = [
  [0.8, 'CRITICAL'],
  [0.65, 'HIGH'],
  [0.4, 'MEDIUM'],
  [0.2, 'LOW'],
];

/** The receiver also counts numeric text, booleans and null; kept so that any payload can be scored. */
export type IndicatorValue = number | string | boolean | null;

/**
 * Name and value in payload order. Pass pairs where the order of the text matters: an object's integer-like names
 * come first in JavaScript wherever they were written.
 */
export type IndicatorList = Readonly<Record<string, IndicatorValue>> | Iterable<readonly [name: string, value: IndicatorValue]>;

/**
 * @param indicators values as they will be sent, in that order
 * @param anomalies how many anomalies the payload lists, ≥ 0
 * @returns ≤ 1, unrounded; below 0 only when a value is
 * @throws REQUEST_INVALID for a value that is no number (the receiver fails on it)
 */
export function riskScore(indicators: IndicatorList, anomalies: number): number {
  const pairs = Symbol.iterator in indicators ? (indicators as Iterable<readonly [string, IndicatorValue]>) : Object.entries(indicators);
  let score = 0;
  for (const [name, value] of pairs) {
    score += numeric(name, value) * (Object.hasOwn(RISK_WEIGHTS, name) ? (RISK_WEIGHTS[name] as number) : OTHER_WEIGHT);
  }
  score += anomalies * ANOMALY_WEIGHT;
  return Math.min(score, 1);
}

/** The receiver's level of an unrounded score. */
export function riskLevel(score: number): RiskLevel {
  for (const [from, level] of RISK_LEVELS) if (score >= from) return level;
  return 'MINIMAL';
}

function numeric(name: string, value: IndicatorValue): number {
  const number = typeof value === 'string' && value.trim() === '' ? NaN : Number(value);
  if (!Number.isFinite(number)) throw new SightlineError('REQUEST_INVALID', `indicator ${name}: expected a number, received ${typeof value === 'string' ? 'text' : String(value)}`);
  return number;
}
