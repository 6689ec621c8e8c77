import { readFileSync } from 'node:fs';
import path from 'node:path';

/** Version of ONNX Runtime from its package, without loading it: that is the workers' business. */
export function ortPackageVersion(root: string): string {
  const file = path.join(root, 'node_modules/onnxruntime-node/package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
