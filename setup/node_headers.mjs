import { existsSync } from 'node:fs';
import path from 'node:path';

/** Environment that points node-gyp and cmake-js to the headers beside the running node, when they are there: nothing is downloaded then. */
export function nodeHeaders() {
  const prefix = path.dirname(path.dirname(process.execPath));
  return existsSync(path.join(prefix, 'include/node/node.h')) ? { npm_config_nodedir: prefix } : {};
}
