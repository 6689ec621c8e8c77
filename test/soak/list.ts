/** Every soak. Add yours here; its short form belongs into a test file. */
import { calibration } from './calibration.js';
import { daySoak } from './day.js';
import { faults } from './faults.js';
import { gaze } from './gaze.js';
import { outageSoak } from './outage.js';
import { reconnects } from './reconnects.js';
import type { Soak } from './soak.js';

export const SOAKS: readonly Soak[] = [calibration, daySoak, faults, gaze, outageSoak, reconnects];
