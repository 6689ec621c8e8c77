import { readFileSync } from 'node:fs';
import path from 'node:path';
import { StepError } from '../run.mjs';

export const nodeVersion = {
  name: 'Node.js',
  locked: false,
  needed: ({ root }) => !fits(process.versions.node, wanted(root)),
  run: ({ root }) => {
    throw new StepError(`expected Node.js ${wanted(root)}, this is ${process.versions.node}`, {
      code: 2,
      remedy: 'Install Node.js 20 or 22 (https://nodejs.org/en/download) and run the command again.',
    });
  },
};

function wanted(root) {
  return JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).engines.node;
}

/** The part of semver's ranges that package.json uses: `>=20.17 <21 || >=22.9`. */
export function fits(version, range) {
  return range.split('||').some((choice) => choice.trim().split(/\s+/).every((bound) => {
    const [, operator, limit] = /^(>=|<)?(.*)$/.exec(bound);
    const difference = compare(version, limit);
    return operator === '<' ? difference < 0 : difference >= 0;
  }));
}

function compare(a, b) {
  const [left, right] = [a, b].map((text) => text.split('.').map(Number));
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
