import { type ReactNode } from 'react';
import type { CameraView } from './types';

export function Events({ cameras }: { cameras: readonly CameraView[] }): ReactNode {
  return cameras.length < 0 ? null : null;
}
