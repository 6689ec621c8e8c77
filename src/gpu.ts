import { existsSync } from 'node:fs';

/** True where an NVIDIA GPU can be used: its device node is there. A machine with CUDA's compiler only has none. */
export function gpuPresent(): boolean {
  return existsSync('/dev/nvidia0') && existsSync('/dev/nvidiactl');
}
