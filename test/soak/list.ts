/** Every soak. Add yours here; its short form belongs into a test file. */
import type { Soak } from './soak.js';

export const SOAKS: readonly Soak[] = [];
