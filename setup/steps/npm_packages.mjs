import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** npm ci, when what is in node_modules isn't what package-lock.json says. Nothing of the packages is run: the addons have steps of their own. */
export const npmPackages = {
  name: 'npm packages',
  needed: ({ root }) => !installedAsLocked(root),
  run: ({ exec }) =>
    exec('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { env: { ONNXRUNTIME_NODE_INSTALL: 'skip' } }),
  remedy: 'If the registry could not be reached: check the network or npm\'s "registry" and "proxy" settings, then run the command again.',
};

/** npm writes node_modules/.package-lock.json last of all, so an install that was cut short is noticed. */
function installedAsLocked(root) {
  const read = (file) => JSON.parse(readFileSync(path.join(root, file), 'utf8')).packages;
  let installed;
  try {
    installed = read('node_modules/.package-lock.json');
  } catch {
    return false;
  }
  return Object.entries(read('package-lock.json')).every(([name, wanted]) => {
    if (name === '') return true;
    const found = installed[name];
    if (found === undefined) return wanted.optional === true || wanted.devOptional === true;
    return found.version === wanted.version && (name.split('node_modules/').length > 2 || existsSync(path.join(root, name, 'package.json')));
  });
}
