import { type ReactNode } from 'react';

export function Ptz(): ReactNode {
  return null;
}
