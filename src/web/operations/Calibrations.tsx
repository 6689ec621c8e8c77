import { type ReactNode } from 'react';

export function Calibrations(): ReactNode {
  return null;
}
