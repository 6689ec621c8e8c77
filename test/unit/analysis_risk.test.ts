import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';
import { riskLevel, riskScore, type IndicatorValue } from '../../src/analysis/risk.js';

const VECTORS = '../shared/interop/risk_score_vectors.json';

interface Vector {
  name: string;
  analysis_results_text: string;
  risk_score_hex_be: string;
  risk_level: string;
}

function bits(value: number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes.toString('hex');
}

/** A list counts by its places, as in the receiver. */
function pairsOf(parsed: unknown): [string, IndicatorValue][] {
  return Array.isArray(parsed) ? parsed.map((value, i) => [String(i), value as IndicatorValue]) : Object.entries((parsed ?? {}) as Record<string, IndicatorValue>);
}

t.test('every vector of the receiver, bit for bit', { skip: existsSync(VECTORS) ? false : `${VECTORS} is absent` }, async (t) => {
  const { vectors } = JSON.parse(readFileSync(VECTORS, 'utf8')) as { vectors: Vector[] };
  t.ok(vectors.length >= 30);
  for (const vector of vectors) {
    const results = JSON.parse(vector.analysis_results_text) as { indicators?: unknown; anomalies?: unknown };
    const anomalies = results.anomalies === undefined || results.anomalies === null ? 0 : Object.keys(results.anomalies).length;
    const score = riskScore(pairsOf(results.indicators), anomalies);
    t.equal(bits(score), vector.risk_score_hex_be, vector.name);
    t.equal(riskLevel(score), vector.risk_level, vector.name);
  }
});

t.test('adds up in the order given', async (t) => {
  const forwards: [string, number][] = [['stress', 0.3], ['anxiety', 0.6], ['deception', 0.1], ['nervousness', 0.2]];
  const backwards = [...forwards].reverse();
  const sum = (pairs: [string, number][]): number => pairs.reduce((total, [name, value]) => total + value * ({ stress: 0.3, anxiety: 0.25, deception: 0.4, nervousness: 0.2 }[name] as number), 0);
  t.equal(riskScore(forwards, 0), sum(forwards));
  t.equal(riskScore(backwards, 0), sum(backwards));
  t.equal(riskScore(Object.fromEntries(backwards), 0), sum(backwards), 'an object keeps the order of its names');
  t.not(sum(forwards), sum(backwards), 'the order shows in the last bit, or this test shows nothing');
});

t.test('levels at their edges', async (t) => {
  const below = (value: number): number => value - Number.EPSILON;
  for (const [edge, level, under] of [[0.8, 'CRITICAL', 'HIGH'], [0.65, 'HIGH', 'MEDIUM'], [0.4, 'MEDIUM', 'LOW'], [0.2, 'LOW', 'MINIMAL']] as const) {
    t.equal(riskLevel(edge), level);
    t.equal(riskLevel(below(edge)), under);
  }
  t.equal(riskLevel(-1), 'MINIMAL');
});

t.test('unusual values', async (t) => {
  t.equal(riskScore({ constructor: 1 }, 0), 0.1, 'a name from the prototype chain is any other name');
  for (const value of ['much', '', NaN, Infinity]) t.throws(() => riskScore({ stress: value }, 0), { code: 'REQUEST_INVALID' }, `refuses ${value}`);
});
