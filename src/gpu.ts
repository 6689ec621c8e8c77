import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** True where an NVIDIA GPU can be used: its device node is there. A machine with CUDA's compiler only has none. @param devices folder of device nodes */
export function gpuPresent(devices = '/dev'): boolean {
  return ['nvidia0', 'nvidiactl'].every((node) => existsSync(join(devices, node)));
}
