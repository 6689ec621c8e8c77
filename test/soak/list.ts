/** Every soak. Add yours here; its short form belongs into a test file. */
import { faults } from './faults.js';
import { reconnects } from './reconnects.js';
import type { Soak } from './soak.js';

export const SOAKS: readonly Soak[] = [faults, reconnects];
