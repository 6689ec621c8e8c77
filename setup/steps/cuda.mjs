import { existsSync } from 'node:fs';
import path from 'node:path';
import { StepError } from '../run.mjs';

const LIBRARY = `node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime_providers_cuda.so`;

/** ONNX Runtime's CUDA libraries (about 600 MB), fetched by the package's own install script. Only on request: npm run setup:gpu. */
export const cuda = {
  name: 'CUDA libraries of ONNX Runtime',
  needed: ({ root }) => !existsSync(path.join(root, LIBRARY)),
  run: async ({ root, exec }) => {
    if (process.arch !== 'x64') throw new StepError(`ONNX Runtime's CUDA libraries come for x64 only, this is ${process.arch}`, { code: 2 });
    await exec(process.execPath, ['node_modules/onnxruntime-node/script/install.js'], { env: { ONNXRUNTIME_NODE_INSTALL: 'cuda12' } });
    if (!existsSync(path.join(root, LIBRARY))) throw new StepError(`expected ${LIBRARY} after the installation, found nothing`);
  },
  remedy: 'They are downloaded from api.nuget.org: check the network or the proxy (GLOBAL_AGENT_HTTPS_PROXY), then run "npm run setup:gpu" again.',
};
